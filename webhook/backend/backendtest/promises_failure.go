package backendtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// failurePromises are about what stands after something went wrong.
func failurePromises() []promise {
	return []promise{
		{"repeat after a lost reply", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("changes", "192.0.2.1"), a("goes", "192.0.2.2"), a("grows", "192.0.2.3"))
			want := z.sets(t, a("changes", "192.0.2.9"), a("comes", "192.0.2.8"), a("grows", "192.0.2.3", "192.0.2.4"))
			changes := z.plan(t, want)
			z.become(t, want)
			restarted := z.reopen(t)
			if err := restarted.Apply(t.Context(), z.Zone, changes); err != nil {
				t.Fatalf("the same changes by a restarted backend: %v", err)
			}
			requireEqual(t, "after the repeat", want, list(t, restarted, z.Zone))
		}},
		{"repeat of a part", func(t *testing.T, _ Harness, z *zone) {
			want := z.sets(t, a("one", "192.0.2.1"), a("two", "192.0.2.2"), a("three", "192.0.2.3"))
			changes := z.plan(t, want)
			if err := z.Backend.Apply(t.Context(), z.Zone, changes[:1]); err != nil {
				t.Fatal(err)
			}
			if err := z.Backend.Apply(t.Context(), z.Zone, changes); err != nil {
				t.Fatalf("all changes after the first was made: %v", err)
			}
			z.become(t, want)
		}},
		{"one conflict among a hundred", func(t *testing.T, _ Harness, z *zone) {
			z.put(t, z.one(t, a("host037", "198.51.100.1")))
			want, guilty := z.hundred(t)
			requireErrors(t, z.applyAll(t, want), backend.Conflict, guilty)
			want[guilty] = z.want[guilty]
			z.want = want
			z.requireListed(t, "after one conflict among a hundred")
			z.verify(t, nil)
		}},
		{"one impossible among a hundred", func(t *testing.T, _ Harness, z *zone) {
			want, guilty := z.hundred(t)
			impossible := want[guilty]
			impossible.Name = "host037.elsewhere.example"
			delete(want, guilty)
			changes := append(creates(want), backend.Change{New: &impossible})
			requireErrors(t, z.Backend.Apply(t.Context(), z.Zone, changes), backend.Rejected, impossible.Key)
			z.want = want
			z.requireListed(t, "after one impossible record among a hundred")
		}},
		{"several conflicts are all named", func(t *testing.T, _ Harness, z *zone) {
			z.put(t, z.one(t, a("one", "198.51.100.1")))
			z.put(t, z.one(t, a("three", "198.51.100.3")))
			one, three := z.one(t, a("one", "192.0.2.1")), z.one(t, a("three", "192.0.2.3"))
			two := z.one(t, a("two", "192.0.2.2"))
			requireErrors(t, z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{New: &one}, {New: &two}, {New: &three}}),
				backend.Conflict, one.Key, three.Key)
			z.want[two.Key] = two
			z.requireListed(t, "after two conflicts")
		}},
		{"a failed unit stops no other", func(t *testing.T, _ Harness, z *zone) {
			z.put(t, z.one(t, a("bad", "198.51.100.1")))
			bad := z.sets(t, a("bad", "192.0.2.1"), txt("a-bad", "owner").in("bad"))
			good := z.sets(t, a("good", "192.0.2.2"), txt("a-good", "owner").in("good"))
			guilty := z.one(t, a("bad", "192.0.2.1")).Key
			err := z.Backend.Apply(t.Context(), z.Zone, append(z.unitOf(bad), z.unitOf(good)...))
			if z.limits.Atomic == backend.AtomicRRset {
				requireNamed(t, err, backend.Conflict, guilty)
				z.requireStanding(t, guilty, z.want[guilty])
				return
			}
			companion := z.one(t, txt("a-bad", "owner")).Key
			requireErrors(t, err, backend.Conflict, guilty, companion)
			for key, set := range good {
				z.want[key] = set
			}
			z.requireListed(t, "after one of two units failed")
		}},
		{"a CNAME and an address cannot come together", func(t *testing.T, _ Harness, z *zone) {
			alias, address := z.one(t, cname("www", "lb.example.net.")), z.one(t, a("www", "192.0.2.1"))
			err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{New: &alias}, {New: &address}})
			if err == nil {
				t.Error("a CNAME and an address of one name were both accepted")
			}
			listed := z.list(t)
			_, hasAlias := listed[alias.Key]
			_, hasAddress := listed[address.Key]
			if hasAlias && hasAddress {
				t.Errorf("a CNAME and an address of one name are both listed: %v", listed)
			}
		}},
		{"ended context", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, a("www", "192.0.2.1"))
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			want := z.sets(t, a("www", "192.0.2.2"), a("new", "192.0.2.3"))
			changes := z.plan(t, want)
			if err := z.Backend.Apply(ended, z.Zone, changes); err == nil || backend.KindOf(err) != backend.Temporary {
				t.Errorf("apply with an ended context: %v, want a temporary error", err)
			}
			z.requireListed(t, "after an apply whose context had ended")
			if sets, err := z.Backend.List(ended, z.Zone); err == nil || sets != nil || backend.KindOf(err) != backend.Temporary {
				t.Errorf("list with an ended context: %d RRsets and %v, want a temporary error alone", len(sets), err)
			}
			z.become(t, want)
		}},
		{"context that ends on the way", func(t *testing.T, _ Harness, z *zone) {
			var records []record
			for i := range 400 {
				records = append(records, a(fmt.Sprintf("host%03d", i), "192.0.2.1"))
			}
			want := z.sets(t, records...)
			// However far each of them comes, what is done stays done and the next call carries on.
			for _, patience := range []time.Duration{time.Microsecond, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				err := z.Backend.Apply(ctx, z.Zone, creates(want))
				cancel()
				if err != nil && backend.KindOf(err) != backend.Temporary {
					t.Fatalf("apply whose context ended on the way: %v, want a temporary error", err)
				}
				for key, set := range z.list(t) {
					if wanted, ok := want[key]; !ok || !wanted.Same(&set) {
						t.Fatalf("%s was left as %q", key, set.Values)
					}
				}
			}
			z.become(t, want)
		}},
	}
}

// hundred is a hundred hosts and the key of the 38th.
func (z *zone) hundred(t *testing.T) (map[backend.Key]backend.RRset, backend.Key) {
	t.Helper()
	records := make([]record, 100)
	for i := range records {
		records[i] = a(fmt.Sprintf("host%03d", i), fmt.Sprintf("192.0.2.%d", i))
	}
	return z.sets(t, records...), z.one(t, records[37]).Key
}

// applyAll creates all of want as someone would who believes the zone is empty.
func (z *zone) applyAll(t *testing.T, want map[backend.Key]backend.RRset) error {
	t.Helper()
	return z.Backend.Apply(t.Context(), z.Zone, creates(want))
}

func creates(want map[backend.Key]backend.RRset) []backend.Change {
	changes := make([]backend.Change, 0, len(want))
	for _, set := range want {
		changes = append(changes, backend.Change{New: &set})
	}
	return changes
}

// unitOf creates RRsets in their units.
func (z *zone) unitOf(sets map[backend.Key]backend.RRset) []backend.Change {
	changes := creates(sets)
	for i := range changes {
		changes[i].Unit = z.units[changes[i].Key()]
	}
	return changes
}

func (z *zone) requireStanding(t *testing.T, key backend.Key, want backend.RRset) {
	t.Helper()
	if got, ok := z.list(t)[key]; !ok || !got.Same(&want) {
		t.Errorf("%s is %q, want it untouched as %q", key, got.Values, want.Values)
	}
}

// requireNamed requires that err names key with this kind, perhaps among others.
func requireNamed(t *testing.T, err error, kind backend.Kind, key backend.Key) {
	t.Helper()
	for _, e := range backend.Errors(err) {
		if e.Key == key && e.Kind == kind {
			return
		}
	}
	t.Errorf("want %s about %s, got: %v", kind, key, err)
}
