package backendtest

import (
	"maps"
	"slices"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// zonePromises are about zones and about calls as such.
func zonePromises() []promise {
	return []promise{
		{"unknown zone", func(t *testing.T, h Harness, z *zone) {
			if h.Unknown == "" {
				if got := list(t, z.Backend, "no-such-zone.example"); len(got) != 0 {
					t.Errorf("a zone nobody wrote to has %d RRsets", len(got))
				}
				return
			}
			if sets, err := z.Backend.List(t.Context(), h.Unknown); err == nil || sets != nil {
				t.Errorf("list of unknown zone %s: %d RRsets and error %v, want an error alone", h.Unknown, len(sets), err)
			} else {
				requireAboutZone(t, err, h.Unknown)
			}
			set := backend.RRset{Key: backend.Key{Name: "www." + h.Unknown, Type: "A"}, TTL: z.limits.Clamp(0), Values: []string{"192.0.2.1"}}
			err := z.Backend.Apply(t.Context(), h.Unknown, []backend.Change{{New: &set}})
			if err == nil {
				t.Fatalf("apply to unknown zone %s succeeded", h.Unknown)
			}
			requireAboutZone(t, err, h.Unknown)
		}},
		{"no changes", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			if err := z.Backend.Apply(t.Context(), z.Zone, nil); err != nil {
				t.Errorf("apply of nothing: %v", err)
			}
			z.requireListed(t, "after an apply of nothing")
		}},
		{"delete of what never was", func(t *testing.T, _ Harness, z *zone) {
			never := z.one(t, a("never", "192.0.2.1"))
			if err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{Old: &never}}); err != nil {
				t.Errorf("delete of what never was: %v", err)
			}
			z.requireListed(t, "after a delete of nothing")
		}},
		{"zones are apart", func(t *testing.T, _ Harness, z *zone) {
			if z.Other == "" {
				t.Log("the subject has one zone only")
				z.hold(t, a("www", "192.0.2.1"))
				return
			}
			other := *z
			other.Zone, other.want, other.units = z.Other, map[backend.Key]backend.RRset{}, map[backend.Key]string{}
			z.hold(t, a("www", "192.0.2.1"), txt("@", "first"))
			other.requireListed(t, "in the other zone")
			other.hold(t, a("www", "192.0.2.2"), txt("@", "second"))
			z.requireListed(t, "after writing the other zone")
			z.hold(t)
			other.requireListed(t, "after emptying the first zone")
		}},
		{"lists are values", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1", "192.0.2.2"), txt("note", "x"))
			before, err := z.Backend.List(t.Context(), z.Zone)
			if err != nil {
				t.Fatal(err)
			}
			remembered := map[backend.Key]backend.RRset{}
			for _, set := range before {
				set.Values, set.Attrs = slices.Clone(set.Values), maps.Clone(set.Attrs)
				remembered[set.Key] = set
			}
			z.hold(t, a("www", "192.0.2.3"), a("new", "192.0.2.4"))
			after := map[backend.Key]backend.RRset{}
			for _, set := range before {
				after[set.Key] = set
			}
			requireEqual(t, "after a change, in the slice listed before,", remembered, after)
		}},
		{"values are sorted and canonical", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.9", "192.0.2.10", "10.0.0.1"), txt("note", "b", "a", "B"), mx("mail", "20 b", "10 a", "5 c"))
			for key, set := range z.list(t) {
				canonical, err := backend.Canonical(set)
				if err != nil || !canonical.Same(&set) {
					t.Errorf("%s is listed as %q, canonical is %q (%v)", key, set.Values, canonical.Values, err)
				}
			}
		}},
	}
}

// requireAboutZone requires an error that says which zone it is about and is no conflict.
func requireAboutZone(t *testing.T, err error, zone string) {
	t.Helper()
	for _, e := range backend.Errors(err) {
		if e.Zone != zone || e.Kind == backend.Conflict {
			t.Errorf("the error is %s about zone %q, want a failure of zone %q: %v", e.Kind, e.Zone, zone, err)
		}
	}
}
