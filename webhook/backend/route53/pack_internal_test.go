package route53

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

// TestBatchesAreFull: every unit is in one batch, every batch fits, and there are at most 5 % more of them
// than there have to be, or one.
func TestBatchesAreFull(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]size{{2, 200}, {20, 600}, {40, 1500}, {1, 1500}, {40, 100}}).Draw(t, "largest unit")
		units := make([]*unit, rapid.IntRange(0, 3000).Draw(t, "units"))
		var total size
		for i := range units {
			r := backend.RRset{Key: backend.Key{Name: fmt.Sprintf("h%d.example.org", i), Type: "A"}}
			units[i] = &unit{
				changes: []backend.Change{{New: &r}},
				creates: []write{{key: r.Key, raw: &types.ResourceRecordSet{}, set: &r}},
				size:    size{rapid.IntRange(1, most.records).Draw(t, "records"), rapid.IntRange(1, most.characters).Draw(t, "characters")},
			}
			total = total.plus(units[i].size)
		}
		batches := pack(units)
		least := max((total.records+batchRecords-1)/batchRecords, (total.characters+batchCharacters-1)/batchCharacters)
		if len(batches) > least+1 && len(batches)*100 > least*105 {
			t.Fatalf("%d batches, the smallest possible number is %d", len(batches), least)
		}
		seen := map[*unit]bool{}
		for _, b := range batches {
			var s size
			for _, u := range b {
				if seen[u] {
					t.Fatal("a unit is in two batches")
				}
				seen[u], s = true, s.plus(u.size)
			}
			if !s.fits() {
				t.Fatalf("a batch of %v does not fit", s)
			}
		}
		if len(seen) != len(units) {
			t.Fatalf("%d of %d units are in batches", len(seen), len(units))
		}
	})
}

func TestTextsAndNamesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "text"))
		wire := wireText(text)
		for _, c := range []byte(wire) {
			if c < ' ' || c >= 0x7f {
				t.Fatalf("byte %q in %q", c, wire)
			}
		}
		if back, ok := plainText(wire); !ok || back != text {
			t.Fatalf("%q is written %q and read %q", text, wire, back)
		}
		name := rapid.StringMatching(`(\*\.)?[a-z0-9_/*:-]{1,20}(\.[a-z0-9-]{1,20}){1,3}`).Draw(t, "name")
		if back, ok := plainName(wireName(name)); !ok || back != name {
			t.Fatalf("%q is written %q and read %q", name, wireName(name), back)
		}
	})
}

func TestReadingTextsOfOthers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"a"`: "a", `""`: "", ``: "", `"a" "b"`: "ab", `"a""b"`: "ab", ` "a"	"b" `: "ab", `a b`: "ab", `"\"\\\101"`: `"\A`, `"\9"`: "9", `"a b"`: "a b",
	} {
		if got, ok := plainText(in); !ok || got != want {
			t.Errorf("%s is read as %q %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{`"`, `"a`, `"a\`, `a\`} {
		if got, ok := plainText(in); ok {
			t.Errorf("%s is read as %q, want a refusal", in, got)
		}
	}
	for _, in := range []string{`a\056b.example.`, `a\000.example.`, `a\040b.example.`, `..`, `a\9.example.`} {
		if got, ok := plainName(in); ok {
			t.Errorf("name %s is read as %q, want a refusal", in, got)
		}
	}
}

func TestAttributesAreSorted(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(attributes()) {
		t.Errorf("%q", attributes())
	}
}
