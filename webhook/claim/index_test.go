package claim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/claim"
)

func of(name string, hosts ...string) *claim.Claim {
	return &claim.Claim{Ref: claim.Ref{Kind: "ingress", Namespace: "a", Name: name}, Hosts: hosts}
}

func names(claims []*claim.Claim) string {
	var all []string
	for _, c := range claims {
		all = append(all, c.Name)
	}
	return strings.Join(all, " ")
}

func TestByHostFindsExactNamesAndCoveringWildcards(t *testing.T) {
	x := claim.NewIndex()
	x.Put(of("exact", "www.example.org"))
	x.Put(of("both", "www.example.org", "*.example.org"))
	x.Put(of("deep", "*.apps.example.org"))
	facts := x.Snapshot()
	for host, want := range map[string]string{
		"www.example.org":      "both exact",
		"other.example.org":    "both",
		"a.b.example.org":      "both",
		"x.apps.example.org":   "both deep",
		"*.apps.example.org":   "both deep",
		"*.example.org":        "both",
		"example.org":          "",
		"apps.example.org":     "both",
		"www.example.com":      "",
		"badexample.org":       "",
		"www.example.org.evil": "",
	} {
		if got := names(facts.ByHost(host)); got != want {
			t.Errorf("ByHost(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestSnapshotNeverChanges(t *testing.T) {
	x := claim.NewIndex()
	x.Put(of("one", "a.example.org", "*.example.org"))
	before := x.Snapshot()
	x.Put(of("one", "b.example.org"))
	x.Put(of("two", "a.example.org"))
	x.Watch("ingress", true, "")
	if got := names(before.ByHost("a.example.org")); got != "one" {
		t.Errorf("the old snapshot finds %q, want one", got)
	}
	if complete, _ := before.Watched("ingress"); complete {
		t.Error("the old snapshot calls ingress watched")
	}
	x.Delete(claim.Ref{Kind: "ingress", Namespace: "a", Name: "one"})
	after := x.Snapshot()
	if got := names(after.ByHost("a.example.org")); got != "two" {
		t.Errorf("the new snapshot finds %q, want two", got)
	}
	if complete, _ := after.Watched("ingress"); !complete {
		t.Error("the new snapshot does not call ingress watched")
	}
}

func TestWatchedTellsReasons(t *testing.T) {
	x := claim.NewIndex()
	x.Watch("service", false, "forbidden")
	if complete, reason := x.Snapshot().Watched("service"); complete || reason != "forbidden" {
		t.Errorf("Watched(service) = %v, %q; want false, forbidden", complete, reason)
	}
	if complete, reason := x.Snapshot().Watched("node"); complete || reason != "" {
		t.Errorf("Watched(node) = %v, %q; want false and no reason", complete, reason)
	}
}

// Whatever the order of writes, the index equals one built from what is left, and an earlier snapshot
// still answers as it did.
func TestIndexEqualsItsRebuild(t *testing.T) {
	hosts := []string{"a.example.org", "b.example.org", "x.a.example.org", "*.example.org", "*.a.example.org"}
	rapid.Check(t, func(t *rapid.T) {
		x, left := claim.NewIndex(), map[claim.Ref]*claim.Claim{}
		var past claim.Facts
		var said string
		for range rapid.IntRange(0, 40).Draw(t, "writes") {
			c := of(fmt.Sprintf("i%d", rapid.IntRange(0, 5).Draw(t, "object")),
				slices.Compact(slices.Sorted(slices.Values(
					rapid.SliceOfN(rapid.SampledFrom(hosts), 0, 3).Draw(t, "hosts"))))...)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				x.Delete(c.Ref)
				delete(left, c.Ref)
			case 1:
				past = x.Snapshot()
				said = answers(past, hosts)
			default:
				x.Put(c)
				left[c.Ref] = c
			}
		}
		rebuilt := claim.NewIndex()
		for _, c := range left {
			rebuilt.Put(c)
		}
		if diff := cmp.Diff(answers(rebuilt.Snapshot(), hosts), answers(x.Snapshot(), hosts)); diff != "" {
			t.Errorf("the index differs from its rebuild (-want +got):\n%s", diff)
		}
		if past != nil && answers(past, hosts) != said {
			t.Errorf("a snapshot said\n%s\nand now says\n%s", said, answers(past, hosts))
		}
	})
}

func answers(f claim.Facts, hosts []string) string {
	var b strings.Builder
	for _, host := range append(hosts, "other.example.org", "deep.down.a.example.org", "example.org") {
		fmt.Fprintf(&b, "%s: %s\n", host, names(f.ByHost(host)))
	}
	for i := range 6 {
		if c := f.ByRef(claim.Ref{Kind: "ingress", Namespace: "a", Name: fmt.Sprintf("i%d", i)}); c != nil {
			fmt.Fprintf(&b, "%s: %v\n", c.Ref, c.Hosts)
		}
	}
	return b.String()
}

func BenchmarkByHost(b *testing.B) {
	x := claim.NewIndex()
	hosts := make([]string, 100_000)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("host-%d.apps.example.org", i)
		x.Put(of(fmt.Sprintf("ingress-%d", i), hosts[i]))
	}
	x.Put(of("wild", "*.other.example.org"))
	facts := x.Snapshot()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if len(facts.ByHost(hosts[i%len(hosts)])) != 1 {
			b.Fatal("a host is lost")
		}
	}
}
