package backendtest

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// writerPromises are about zones that others write too.
func writerPromises() []promise {
	return []promise{
		{"conflict on create", func(t *testing.T, _ Harness, z *zone) {
			foreign, ours := z.one(t, a("www", "198.51.100.1")), z.one(t, a("www", "192.0.2.1"))
			z.put(t, foreign)
			z.requireConflict(t, backend.Change{New: &ours})
		}},
		{"conflict on update", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			old, wanted := z.one(t, a("www", "192.0.2.1")), z.one(t, a("www", "192.0.2.2"))
			z.put(t, z.one(t, a("www", "198.51.100.1")))
			z.requireConflict(t, backend.Change{Old: &old, New: &wanted})
		}},
		{"conflict on update of one that grew", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			old, wanted := z.one(t, a("www", "192.0.2.1")), z.one(t, a("www", "192.0.2.2"))
			z.put(t, z.one(t, a("www", "192.0.2.1", "198.51.100.1")))
			z.requireConflict(t, backend.Change{Old: &old, New: &wanted})
		}},
		{"conflict on update of one that is gone", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			old, wanted := z.one(t, a("www", "192.0.2.1")), z.one(t, a("www", "192.0.2.2"))
			z.remove(t, old.Key)
			z.requireConflict(t, backend.Change{Old: &old, New: &wanted})
		}},
		{"conflict on delete", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			old := z.one(t, a("www", "192.0.2.1"))
			z.put(t, z.one(t, a("www", "198.51.100.1")))
			z.requireConflict(t, backend.Change{Old: &old})
		}},
		{"conflict of text", func(t *testing.T, _ Harness, z *zone) {
			z.put(t, z.one(t, txt("a-www", "owner=other")))
			ours := z.one(t, txt("a-www", "owner=hub"))
			z.requireConflict(t, backend.Change{New: &ours})
		}},
		{"conflict of a CNAME with a standing address", func(t *testing.T, _ Harness, z *zone) {
			z.put(t, z.one(t, a("www", "198.51.100.1")))
			ours := z.one(t, cname("www", "lb.example.net."))
			z.requireConflict(t, backend.Change{New: &ours})
		}},
		{"conflict of an address with a standing CNAME", func(t *testing.T, _ Harness, z *zone) {
			z.put(t, z.one(t, cname("www", "lb.example.net.")))
			ours := z.one(t, a("www", "192.0.2.1"))
			z.requireConflict(t, backend.Change{New: &ours})
		}},
		{"another writer got there first", func(t *testing.T, _ Harness, z *zone) {
			same := z.one(t, a("www", "192.0.2.1"))
			z.put(t, same)
			if err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{New: &same}}); err != nil {
				t.Fatalf("create what stands already: %v", err)
			}
			z.requireListed(t, "after creating what stood already")
		}},
		{"another writer deleted it first", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"), a("stays", "192.0.2.2"))
			old := z.one(t, a("www", "192.0.2.1"))
			z.remove(t, old.Key)
			if err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{Old: &old}}); err != nil {
				t.Fatalf("delete what is gone already: %v", err)
			}
			z.requireListed(t, "after deleting what was gone")
		}},
		{"another writer's TTL is no conflict", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1").seconds(300))
			old := z.one(t, a("www", "192.0.2.1").seconds(300))
			z.put(t, z.one(t, a("www", "192.0.2.1").seconds(600)))
			wanted := z.one(t, a("www", "192.0.2.2").seconds(300))
			if err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{Old: &old, New: &wanted}}); err != nil {
				t.Fatalf("update with another TTL standing: %v", err)
			}
			z.want[wanted.Key] = wanted
			z.requireListed(t, "after the update")
		}},
		{"another writer's records are listed and left alone", func(t *testing.T, _ Harness, z *zone) {
			foreign := z.one(t, a("theirs", "198.51.100.1", "198.51.100.2"))
			z.put(t, foreign)
			z.hold(t, a("theirs", "198.51.100.1", "198.51.100.2"), a("ours", "192.0.2.1"), txt("theirs", "ours beside theirs"))
			z.hold(t, a("theirs", "198.51.100.1", "198.51.100.2"))
		}},
		{"another backend sees and continues", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"), owner("www", "A"))
			first := z.Backend
			z.Backend = z.reopen(t)
			z.requireListed(t, "by the second backend")
			z.hold(t, a("www", "192.0.2.2"), owner("www", "A"), a("new", "192.0.2.3"))
			z.Backend = first
			z.requireListed(t, "by the first backend, after the second one wrote,")
			z.hold(t, a("new", "192.0.2.4"))
		}},
		{"a stale writer does no harm", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			stale := z.plan(t, z.sets(t, a("www", "192.0.2.2")))
			second := *z
			second.Backend = z.reopen(t)
			second.hold(t, a("www", "192.0.2.3"))
			z.want = second.want
			requireErrors(t, z.Backend.Apply(t.Context(), z.Zone, stale), backend.Conflict, stale[0].Key())
			z.requireListed(t, "after a stale change")
		}},
	}
}

// requireConflict applies a change and requires that it is a conflict and touches nothing.
func (z *zone) requireConflict(t *testing.T, c backend.Change) {
	t.Helper()
	requireErrors(t, z.Backend.Apply(t.Context(), z.Zone, []backend.Change{c}), backend.Conflict, c.Key())
	z.requireListed(t, "after a conflict")
	z.verify(t, nil)
}

// put changes the zone as another writer.
func (z *zone) put(t *testing.T, r backend.RRset) {
	t.Helper()
	if z.Put != nil {
		z.Put(t, z.Zone, r)
	} else {
		z.asStandIn(t, backend.Change{Old: z.standing(r.Key), New: &r})
	}
	z.want[r.Key] = r
	z.requireListed(t, "after another writer's change")
}

// remove deletes from the zone as another writer.
func (z *zone) remove(t *testing.T, key backend.Key) {
	t.Helper()
	if z.Remove != nil {
		z.Remove(t, z.Zone, key)
	} else {
		z.asStandIn(t, backend.Change{Old: z.standing(key)})
	}
	delete(z.want, key)
	z.requireListed(t, "after another writer's change")
}

func (z *zone) standing(key backend.Key) *backend.RRset {
	if r, ok := z.want[key]; ok {
		return &r
	}
	return nil
}

func (z *zone) asStandIn(t *testing.T, c backend.Change) {
	t.Helper()
	if err := z.reopen(t).Apply(t.Context(), z.Zone, []backend.Change{c}); err != nil {
		t.Fatalf("as another writer: %v", err)
	}
}

func (z *zone) reopen(t *testing.T) backend.Backend {
	t.Helper()
	if z.Reopen == nil {
		return z.Backend
	}
	return z.Reopen(t)
}
