package backendtest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Policy is a sample of attributes that a service stores.
type Policy struct {
	Name string // what it is, for the name of the test

	// One and Two are valid attributes of an RRset, and different.
	One, Two map[string]string

	// SetIDs says that they go with a set identifier, and stand beside each other at one name and type.
	SetIDs bool

	// Alias says that the attributes are those of an alias, which has one name as its value.
	Alias bool
}

// runPolicies checks what Limits.SetIDs and Limits.Attrs promise, with the harness's samples. A backend
// that stores attributes has to bring some, unless it stores any, because another one decides.
func runPolicies(t *testing.T, h Harness) {
	t.Helper()
	limits := h.Fresh(t).Backend.Limits()
	anything := slices.Contains(limits.Attrs, backend.AnyAttr)
	policies := h.Policies
	if len(policies) == 0 && len(limits.Attrs) > 0 && !anything {
		t.Errorf("attributes %v can be stored, but the harness has no Policies to try them with", limits.Attrs)
	}
	withSetIDs := slices.ContainsFunc(policies, func(p Policy) bool { return p.SetIDs })
	switch {
	case limits.SetIDs && !withSetIDs && len(limits.Attrs) == 0:
		policies = append(policies, Policy{Name: "set identifiers alone", SetIDs: true})
	case limits.SetIDs && !withSetIDs && !anything:
		t.Error("set identifiers can be stored, but the harness has no Policies to try them with")
	}
	for _, p := range policies {
		t.Run(strings.ReplaceAll(p.Name, " ", "-"), func(t *testing.T) {
			for _, promise := range policyPromises(p) {
				t.Run(strings.ReplaceAll(promise.name, " ", "-"), func(t *testing.T) { promise.check(t, h, open(t, h)) })
			}
		})
	}
}

// policyPromises are the tests of one sample.
func policyPromises(p Policy) []promise {
	one, two, plain := p.record("www", 1, 1), p.record("www", 1, 2), a("www", "192.0.2.7")
	var all []promise
	add := func(name string, steps ...[]record) {
		all = append(all, promise{name, func(t *testing.T, _ Harness, z *zone) { z.live(t, p, steps...) }})
	}
	if p.One != nil {
		add("attributes change alone", []record{one}, []record{two}, []record{one})
		add("attributes come and go", []record{plain}, []record{one}, []record{plain}, []record{two})
		all = append(all,
			promise{"attributes are listed", func(t *testing.T, _ Harness, z *zone) { z.listsAttributes(t, p, one) }},
			promise{"attributes are part of a conflict", func(t *testing.T, _ Harness, z *zone) { z.attributesConflict(t, p, one, two) }})
	}
	if !p.SetIDs {
		return all
	}
	other := p.record("www", 2, 2)
	both := []record{one, other}
	add("sets live and die apart", both, []record{other}, both, []record{one}, []record{plain}, both)
	add("sets change together", both, []record{one.seconds(90), other.seconds(90)}, both)
	beside := []record{txt("www", "beside"), a("elsewhere", "192.0.2.9"), mx("www", "10 mail")}
	add("sets beside others", slices.Concat(both, beside), beside, append(slices.Clone(beside), other))
	owned := func(r record) []record {
		text := owner("www", "A").set(r.setID)
		text.attrs = r.attrs
		return []record{r, text}
	}
	if !p.Alias {
		changed := one
		changed.values = []string{"198.51.100.1"}
		add("sets change values", both, []record{changed, other}, both)
		add("sets with their ownership texts", slices.Concat(owned(one), owned(other)), owned(other), slices.Concat(owned(changed), owned(other)))
	}
	return append(all, promise{"sets seen by another backend", func(t *testing.T, _ Harness, z *zone) {
		z.live(t, p, both)
		z.Backend = z.reopen(t)
		z.requireListed(t, "by the second backend")
		z.live(t, p, []record{other})
	}})
}

// record is an RRset with the attributes One or Two, for as many sets as there are.
func (p Policy) record(label string, set, attrs int) record {
	r := a(label, map[int]string{1: "192.0.2.1", 2: "192.0.2.2"}[set])
	if p.Alias {
		r.values = []string{aliased}
	}
	if p.SetIDs {
		r = r.set(map[int]string{1: "blue", 2: "Green set"}[set])
	}
	r.attrs = maps.Clone(map[int]map[string]string{1: p.One, 2: p.Two}[attrs])
	return r
}

// aliased is what aliases point to.
const aliased = "target"

// live makes the zone hold one list of records after the other, each as the backend adjusts it.
func (z *zone) live(t *testing.T, p Policy, steps ...[]record) {
	t.Helper()
	for _, records := range steps {
		if p.Alias {
			records = append(slices.Clone(records), a(aliased, "192.0.2.250"))
		}
		for i, r := range records {
			if len(r.values) == 1 && r.values[0] == aliased {
				records[i].values = []string{absolute(aliased, z.Zone)}
			}
		}
		z.become(t, z.adjusted(t, records...))
	}
}

// adjusted turns records into RRsets as the portable layer does: the backend adjusts them, and once more
// without a difference, before their TTLs are clamped.
func (z *zone) adjusted(t *testing.T, records ...record) map[backend.Key]backend.RRset {
	t.Helper()
	sets := make([]backend.RRset, 0, len(records))
	unitOf := map[string]string{}
	for _, r := range records {
		set, unit, err := r.rrset(z.Zone, z.limits)
		if err != nil {
			t.Fatal(err)
		}
		sets, unitOf[set.Name] = append(sets, set), unit
	}
	if adjuster, ok := z.Backend.(backend.Adjuster); ok {
		once, err := adjuster.Adjust(t.Context(), z.Zone, sets)
		if err != nil {
			t.Fatalf("adjust: %v", err)
		}
		twice, err := adjuster.Adjust(t.Context(), z.Zone, once)
		if err != nil {
			t.Fatalf("adjust what was adjusted: %v", err)
		}
		requireEqual(t, "adjusted twice", byKey(once), byKey(twice))
		sets = once
	}
	out := make(map[backend.Key]backend.RRset, len(sets))
	for _, set := range sets {
		set.TTL = z.limits.Clamp(set.TTL)
		if err := z.limits.Check(z.Zone, set); err != nil {
			t.Fatalf("%s with %v is a sample of what can be stored, but: %v", set.Key, set.Attrs, err)
		}
		out[set.Key], z.units[set.Key] = set, unitOf[set.Name]
	}
	return out
}

func byKey(sets []backend.RRset) map[backend.Key]backend.RRset {
	out := make(map[backend.Key]backend.RRset, len(sets))
	for _, set := range sets {
		out[set.Key] = set
	}
	return out
}

// listsAttributes requires that a sample is listed with attributes, whatever form the backend gives them.
func (z *zone) listsAttributes(t *testing.T, p Policy, r record) {
	t.Helper()
	z.live(t, p, []record{r})
	for key, set := range z.list(t) {
		if key.Name == absolute(r.label, z.Zone) && len(set.Attrs) == 0 {
			t.Errorf("%s is listed without attributes, but was written with %v", key, r.attrs)
		}
	}
}

// attributesConflict requires that a change which believes in other attributes touches nothing.
func (z *zone) attributesConflict(t *testing.T, p Policy, one, two record) {
	t.Helper()
	z.live(t, p, []record{one})
	var stale []backend.Change
	for key, set := range z.want {
		if key.Name == absolute(one.label, z.Zone) {
			stale = append(stale, backend.Change{Old: &set})
		}
	}
	first := z.Backend
	z.Backend = z.reopen(t)
	z.live(t, p, []record{two})
	z.Backend = first
	for _, c := range stale {
		requireErrors(t, z.Backend.Apply(t.Context(), z.Zone, []backend.Change{c}), backend.Conflict, c.Key())
	}
	z.requireListed(t, "after a change that believed in other attributes")
}
