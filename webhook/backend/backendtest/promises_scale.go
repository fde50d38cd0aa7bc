package backendtest

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// scalePromises are about many records and many callers.
func scalePromises() []promise {
	return []promise{
		{"two thousand names", func(t *testing.T, _ Harness, z *zone) {
			z.hold(t, hosts(2000, 1)...)
			z.hold(t, hosts(2000, 2)...)
			z.hold(t, hosts(1000, 2)...)
			z.hold(t)
		}},
		{"concurrent writers of different names", func(t *testing.T, _ Harness, z *zone) {
			const writers = 8
			want := map[backend.Key]backend.RRset{}
			parts := make([][]backend.Change, writers)
			for w := range writers {
				for i := range 25 {
					set := z.one(t, a(fmt.Sprintf("w%d-h%d", w, i), "192.0.2.1"))
					want[set.Key] = set
					parts[w] = append(parts[w], backend.Change{New: &set})
				}
			}
			errs := make([]error, writers)
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() { errs[w] = z.Backend.Apply(t.Context(), z.Zone, parts[w]) })
			}
			wg.Wait()
			for w, err := range errs {
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
			z.want = want
			z.requireListed(t, "after concurrent writers")
		}},
		{"concurrent writers of one name", func(t *testing.T, _ Harness, z *zone) {
			const writers = 8
			errs := make([]error, writers)
			tries := make([]backend.RRset, writers)
			for w := range writers {
				tries[w] = z.one(t, a("prize", fmt.Sprintf("192.0.2.%d", w)))
			}
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() { errs[w] = z.Backend.Apply(t.Context(), z.Zone, []backend.Change{{New: &tries[w]}}) })
			}
			wg.Wait()
			won := map[backend.Key]backend.RRset{}
			for w, err := range errs {
				if err == nil {
					if len(won) > 0 {
						t.Fatalf("two writers were told they created %s", tries[w].Key)
					}
					won[tries[w].Key] = tries[w]
				} else {
					requireErrors(t, err, backend.Conflict, tries[w].Key)
				}
			}
			requireEqual(t, "after a race for one name", won, z.list(t))
		}},
		{"list while others write", func(t *testing.T, _ Harness, z *zone) {
			stable := z.sets(t, hosts(100, 1)...)
			z.become(t, stable)
			moving := z.one(t, a("moving", "192.0.2.1"))
			done := make(chan error, 1)
			go func() {
				for range 10 {
					for _, c := range []backend.Change{{New: &moving}, {Old: &moving}} {
						if err := z.Backend.Apply(t.Context(), z.Zone, []backend.Change{c}); err != nil {
							done <- err
							return
						}
					}
				}
				done <- nil
			}()
			for finished := false; !finished; {
				select {
				case err := <-done:
					if err != nil {
						t.Fatal(err)
					}
					finished = true
				default:
				}
				got := z.list(t)
				delete(got, moving.Key)
				requireEqual(t, "while another name changes", stable, got)
			}
			z.requireListed(t, "at the end")
			if !maps.EqualFunc(z.want, stable, func(a, b backend.RRset) bool { return a.Same(&b) }) {
				t.Fatal("the suite lost track of the zone")
			}
		}},
	}
}

// hosts are n records, half of them addresses and half of them their ownership texts.
func hosts(n, generation int) []record {
	out := make([]record, 0, n)
	for i := range n / 2 {
		label := fmt.Sprintf("host%04d", i)
		out = append(out, a(label, fmt.Sprintf("10.%d.%d.%d", generation, i>>8, i&255)), owner(label, "A"))
	}
	return out
}
