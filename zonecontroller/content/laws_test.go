package content_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// drawRecords are objects that get into each other's way: few names, all types, ages that are often the same.
func drawRecords(t *rapid.T) []v1alpha1.DNSRecord {
	owner := rapid.SampledFrom([]string{"@", "www", "child", "ns1", "ns1.child", "a.b.child", "*.www", "WWW.example.org.", "www.example.org", "x.example.net."})
	target := rapid.SampledFrom([]string{"www.example.org", "ns1.child.example.org.", "child.example.org", "host.example.net", "192.0.2.1", "short"})
	values := map[string]*rapid.Generator[string]{
		"A": rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "no"}), "AAAA": rapid.SampledFrom([]string{"2001:db8::1", "2001:DB8::1"}),
		"TXT": rapid.SampledFrom([]string{"a", "b", "heritage=external-dns,x"}), "CNAME": target, "NS": target,
		"MX": rapid.Map(target, func(s string) string { return "10 " + s }), "CAA": rapid.SampledFrom([]string{`0 issue "a"`, "bad"}),
	}
	types := []string{"A", "AAAA", "TXT", "CNAME", "NS", "MX", "CAA"}
	n := rapid.IntRange(1, 12).Draw(t, "objects")
	var all []v1alpha1.DNSRecord
	for i := range n {
		typ := rapid.SampledFrom(types).Draw(t, "type")
		r := record("r"+strconv.Itoa(i), rapid.IntRange(1, 3).Draw(t, "age"), owner.Draw(t, "owner"), typ, rapid.SliceOfN(values[typ], 1, 3).Draw(t, "values")...)
		if rapid.Bool().Draw(t, "has a TTL") {
			r = ttl(r, int64(rapid.IntRange(0, 3).Draw(t, "TTL")))
		}
		all = append(all, r)
	}
	return all
}

func TestTheOrderOfObjectsNeverMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		wanted, faults := content.Records(zone(), records)
		shuffled := rapid.Permutation(records).Draw(t, "shuffled")
		wanted2, faults2 := content.Records(zone(), shuffled)
		if diff := cmp.Diff(wanted, wanted2) + cmp.Diff(faults, faults2); diff != "" {
			t.Errorf("%s", diff)
		}
	})
}

// An object that is refused is as good as not there: nothing that others mean, and nothing that is wrong with them, hangs on
// it. And no object takes anything from one that is older.
func TestABadObjectHarmsNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t)
		wanted, faults := content.Records(zone(), records)
		good := slices.DeleteFunc(slices.Clone(records), func(r v1alpha1.DNSRecord) bool { _, bad := faults[id(r.Name)]; return bad })
		without, rest := content.Records(zone(), good)
		if len(rest) > 0 {
			t.Errorf("without the refused objects others are wrong: %v", rest)
		}
		if diff := cmp.Diff(wanted, without); diff != "" {
			t.Errorf("the refused objects change what is wanted (-with +without):\n%s", diff)
		}
		slices.SortFunc(records, func(a, b v1alpha1.DNSRecord) int { return content.Older(&a, &b) })
		older := rapid.IntRange(0, len(records)).Draw(t, "older ones")
		_, before := content.Records(zone(), records[:older])
		for _, r := range records[:older] {
			if _, bad := before[id(r.Name)]; bad != contained(faults, id(r.Name)) {
				t.Errorf("younger objects change what becomes of %s", r.Name)
			}
		}
	})
}

func contained[K comparable, V any](m map[K]V, k K) bool { _, ok := m[k]; return ok }

// What is wanted can be in one zone: canonical, sorted, no CNAME beside others, nothing below a delegation but glue.
func TestWhatIsWantedFitsTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		own, _ := content.Zone(zone())
		wanted, _ := content.Records(zone(), drawRecords(t))
		all := append(own, wanted.Sets...)
		seen := map[string][]string{}
		for _, s := range all {
			if len(s.Values) == 0 || !slices.IsSorted(s.Values) || s.TTL <= 0 {
				t.Errorf("%s: %q, %s", s.Key, s.Values, s.TTL)
			}
			if slices.Contains(seen[s.Name], s.Type) {
				t.Errorf("%s is there twice", s.Key)
			}
			seen[s.Name] = append(seen[s.Name], s.Type)
		}
		for name, types := range seen {
			if slices.Contains(types, "CNAME") && len(types) > 1 {
				t.Errorf("%s has %q", name, types)
			}
			if name == "a.b.child.example.org" && slices.Contains(seen["child.example.org"], "NS") {
				t.Errorf("%s is below a delegation", name)
			}
		}
	})
}
