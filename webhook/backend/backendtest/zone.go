package backendtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// zone drives a subject: it remembers what the zone shall hold and which unit each RRset belongs to.
type zone struct {
	Subject
	limits backend.Limits
	want   map[backend.Key]backend.RRset
	units  map[backend.Key]string
}

func open(t *testing.T, h Harness) *zone {
	t.Helper()
	s := h.Fresh(t)
	z := &zone{Subject: s, limits: s.Backend.Limits(), want: map[backend.Key]backend.RRset{}, units: map[backend.Key]string{}}
	z.requireListed(t, "a fresh zone")
	return z
}

// sets turns records into RRsets. What Limits excludes must be refused, and is left out of the result.
func (z *zone) sets(t *testing.T, records ...record) map[backend.Key]backend.RRset {
	t.Helper()
	out := make(map[backend.Key]backend.RRset, len(records))
	for _, r := range records {
		set, unit, err := r.rrset(z.Zone, z.limits)
		if err != nil {
			t.Fatal(err)
		}
		if why := z.limits.Check(z.Zone, set); why != nil {
			z.requireRefused(t, set, why)
			continue
		}
		out[set.Key], z.units[set.Key] = set, unit
	}
	return out
}

// one is the RRset of a record that every backend can store.
func (z *zone) one(t *testing.T, r record) backend.RRset {
	t.Helper()
	for _, set := range z.sets(t, r) {
		return set
	}
	t.Fatalf("%s %s is refused, but every backend has to store it", r.label, r.typ)
	return backend.RRset{}
}

// requireRefused applies what Limits excludes and requires that the backend rejects it and nothing else happens.
func (z *zone) requireRefused(t *testing.T, set backend.RRset, why error) {
	t.Helper()
	t.Logf("not storable here, so it has to be refused: %s: %v", set.Key, why)
	err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{New: &set}})
	requireErrors(t, err, backend.Rejected, set.Key)
	z.requireListed(t, "after a refused change")
}

// plan returns the changes from what is listed to want, each with its unit, in the order of their keys.
func (z *zone) plan(t *testing.T, want map[backend.Key]backend.RRset) []backend.Change {
	t.Helper()
	have := z.list(t)
	var changes []backend.Change
	for key, old := range have {
		switch wanted, ok := want[key]; {
		case !ok:
			changes = append(changes, backend.Change{Old: &old, Unit: z.units[key]})
		case !wanted.Same(&old) || wanted.TTL != old.TTL:
			changes = append(changes, backend.Change{Old: &old, New: &wanted, Unit: z.units[key]})
		}
	}
	for key, wanted := range want {
		if _, ok := have[key]; !ok {
			changes = append(changes, backend.Change{New: &wanted, Unit: z.units[key]})
		}
	}
	slices.SortFunc(changes, func(a, b backend.Change) int { return compare(a.Key(), b.Key()) })
	return changes
}

// become makes the zone hold exactly want and checks the laws: List equals the intent, the same Apply
// again changes nothing, and a second plan is empty.
func (z *zone) become(t *testing.T, want map[backend.Key]backend.RRset) {
	t.Helper()
	changes := z.plan(t, want)
	if err := z.Backend.Apply(t.Context(), z.Zone, changes); err != nil {
		t.Fatalf("apply %d changes: %v", len(changes), err)
	}
	gone := z.want
	z.want = want
	z.requireListed(t, "after apply")
	if err := z.Backend.Apply(t.Context(), z.Zone, changes); err != nil {
		t.Fatalf("apply the same again: %v", err)
	}
	z.requireListed(t, "after the same apply again")
	if again := z.plan(t, want); len(again) != 0 {
		t.Fatalf("a second plan has %d changes, the first is %s", len(again), again[0].Key())
	}
	z.verify(t, gone)
}

// hold is become for records.
func (z *zone) hold(t *testing.T, records ...record) {
	t.Helper()
	z.become(t, z.sets(t, records...))
}

// verify asks the service for what the zone shall hold and for what it no longer shall.
func (z *zone) verify(t *testing.T, gone map[backend.Key]backend.RRset) {
	t.Helper()
	if z.Verify == nil {
		return
	}
	ask := slices.Collect(maps.Values(z.want))
	for key := range gone {
		if _, still := z.want[key]; !still && !z.wildcardAbove(key.Name) {
			ask = append(ask, backend.RRset{Key: key})
		}
	}
	slices.SortFunc(ask, func(a, b backend.RRset) int { return compare(a.Key, b.Key) })
	z.Verify(t, z.Zone, ask)
}

func (z *zone) wildcardAbove(name string) bool {
	for key := range z.want {
		if parent, ok := strings.CutPrefix(key.Name, "*."); ok && backend.InZone(name, parent) {
			return true
		}
	}
	return false
}

func (z *zone) list(t *testing.T) map[backend.Key]backend.RRset {
	t.Helper()
	return list(t, z.Backend, z.Zone)
}

func (z *zone) requireListed(t *testing.T, when string) {
	t.Helper()
	requireEqual(t, when, z.want, z.list(t))
}

func list(t *testing.T, b backend.Backend, name string) map[backend.Key]backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), name)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	out := make(map[backend.Key]backend.RRset, len(sets))
	for _, set := range sets {
		if _, twice := out[set.Key]; twice {
			t.Fatalf("%s is listed twice", set.Key)
		}
		out[set.Key] = set
	}
	return out
}

func requireEqual(t *testing.T, when string, want, got map[backend.Key]backend.RRset) {
	t.Helper()
	var wrong []string
	for key, w := range want {
		if g, ok := got[key]; !ok {
			wrong = append(wrong, fmt.Sprintf("missing %s %s %.200q", key, w.TTL, w.Values))
		} else if !g.Same(&w) || g.TTL != w.TTL {
			wrong = append(wrong, fmt.Sprintf("%s is %s %.200q %v, want %s %.200q %v", key, g.TTL, g.Values, g.Attrs, w.TTL, w.Values, w.Attrs))
		}
	}
	for key, g := range got {
		if _, ok := want[key]; !ok {
			wrong = append(wrong, fmt.Sprintf("unexpected %s %s %.200q", key, g.TTL, g.Values))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		t.Fatalf("%s the list is not the intent in %d places:\n\t%s", when, len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n\t"))
	}
}

// requireErrors requires that err names exactly the keys, and the first one with this kind.
func requireErrors(t *testing.T, err error, kind backend.Kind, keys ...backend.Key) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s about %s", kind, keys[0])
	}
	named := map[backend.Key]backend.Kind{}
	for _, e := range backend.Errors(err) {
		named[e.Key] = e.Kind
	}
	if got, ok := named[keys[0]]; !ok || got != kind {
		t.Errorf("want %s about %s, got: %v", kind, keys[0], err)
	}
	want := map[backend.Key]bool{}
	for _, k := range keys {
		want[k] = true
		if _, ok := named[k]; !ok {
			t.Errorf("%s failed but is not named in: %v", k, err)
		}
	}
	for k := range named {
		if !want[k] {
			t.Errorf("%s is named but did not fail: %v", k, err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func compare(a, b backend.Key) int {
	return strings.Compare(a.Name+" "+a.Type+" "+a.SetID, b.Name+" "+b.Type+" "+b.SetID)
}
