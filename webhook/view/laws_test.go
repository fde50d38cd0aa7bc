package view_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/policy"
)

// desired draws what a source could ask for: every type, untidy in all ways that are allowed.
func desired() *rapid.Generator[eps] {
	one := rapid.Custom(func(t *rapid.T) *endpoint.Endpoint {
		name := rapid.SampledFrom([]string{"a", "B", "c.d", "*.w", "_x._tcp", "münchen", "xn--mnchen-3ya", "deep.er.st"}).Draw(t, "name") +
			rapid.SampledFrom([]string{".example.org", ".EXAMPLE.org.", ".sub.example.org"}).Draw(t, "zone")
		typ := rapid.SampledFrom([]string{"A", "AAAA", "CNAME", "TXT", "MX", "SRV"}).Draw(t, "type")
		value := map[string]*rapid.Generator[string]{
			"A":     rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2", "198.51.100.7", "wrong"}),
			"AAAA":  rapid.SampledFrom([]string{"2001:DB8::1", "2001:db8:0:0::2", "::ffff:192.0.2.1"}),
			"CNAME": rapid.SampledFrom([]string{"lb.example.net", "LB.example.net."}),
			"TXT": rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`"a" "b"`, `"\200"`, `"open`, ``, `""`, `"a\"b"`}),
				rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) })),
			"MX":  rapid.SampledFrom([]string{"10 mx.example.org", "010  MX.example.org.", "x"}),
			"SRV": rapid.SampledFrom([]string{"0 5 443 Srv.example.org.", "1 2 3 ."}),
		}[typ]
		e := record(typ, name, rapid.SliceOfN(value, 1, 3).Draw(t, "targets")...)
		e.RecordTTL = endpoint.TTL(rapid.SampledFrom([]int64{0, 1, 60, 3600}).Draw(t, "ttl"))
		e.Labels = endpoint.Labels{"resource": "crd/a/b"}
		return e
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 8), func(all eps) eps {
		seen := map[string]bool{} // external-dns hands over each key once
		return slices.DeleteFunc(all, func(e *endpoint.Endpoint) bool {
			key := e.RecordType + " " + e.DNSName
			defer func() { seen[key] = true }()
			return seen[key]
		})
	})
}

func clone(in eps) eps {
	var out eps
	for _, e := range in {
		c := *e
		c.Targets, c.Labels, c.ProviderSpecific = slices.Clone(e.Targets), maps.Clone(e.Labels), slices.Clone(e.ProviderSpecific)
		out = append(out, &c)
	}
	return out
}

var everyType = []string{"A", "AAAA", "CNAME", "TXT", "MX", "SRV"}

// planned is what external-dns's own plan makes of it.
func planned(current, want eps) *plan.Changes {
	p := &plan.Plan{Current: clone(current), Desired: clone(want), Policies: []plan.Policy{&plan.SyncPolicy{}}, ManagedRecords: everyType}
	return p.Calculate().Changes
}

func describe(c *plan.Changes) string {
	return fmt.Sprintf("create\n%s\nold\n%s\nnew\n%s\ndelete\n%s", lines(c.Create), lines(c.UpdateOld), lines(c.UpdateNew), lines(c.Delete))
}

// After Apply, Records is what Adjust answered, and external-dns's plan finds nothing left to do.
func TestSecondRunPlansNothing(t *testing.T) {
	for name, s := range map[string]func() setup{"one view": one, "two views": two, "two zones": func() setup {
		return setup{views: []policy.View{{Name: "a", Zones: []string{"example.org"}}, {Name: "b", Zones: []string{"sub.example.org"}}}}
	}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				r := start(t, s())
				var before eps
				for range rapid.IntRange(1, 3).Draw(rt, "runs") {
					want := desired().Draw(rt, "desired")
					adjusted := r.adjust(t, clone(want)...)
					if again := r.adjust(t, clone(adjusted)...); name == "one view" && lines(again) != lines(adjusted) {
						rt.Fatalf("adjusting twice gives\n%s\nafter\n%s", lines(again), lines(adjusted))
					}
					changes := planned(r.records(t), adjusted)
					if err := r.Apply(t.Context(), changes); err != nil {
						rt.Fatalf("apply: %v\n%s", err, describe(changes))
					}
					before = r.records(t)
					if rest := planned(before, r.adjust(t, clone(want)...)); rest.HasChanges() {
						rt.Fatalf("the second run plans\n%s", describe(rest))
					}
					if err := r.Apply(t.Context(), changes); err != nil {
						rt.Fatalf("applying again: %v\n%s", err, describe(changes))
					}
					if lines(r.records(t)) != lines(before) {
						rt.Fatalf("applying again gives\n%s\nafter\n%s", lines(r.records(t)), lines(before))
					}
				}
			})
		})
	}
}
