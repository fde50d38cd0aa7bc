package nameserver

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// TestManyZones makes 100 zones one after the other, and 100 at the same time, and removes them all. How long it
// takes is logged.
func TestManyZones(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	const zones = 100
	name := func(kind string, i int) string { return fmt.Sprintf("%s%d.test", kind, i) }

	var took []time.Duration
	for i := range zones {
		zone := name("single", i)
		start := time.Now()
		if _, err := s.Ensure(ctx, nameserver.ZoneConfig{Zone: zone}, content(zone, 1, 0)); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("one zone: p50 %s, p99 %s", took[zones/2].Round(100*time.Microsecond), took[zones-1].Round(100*time.Microsecond))

	var all sync.WaitGroup
	start := time.Now()
	for i := range zones {
		zone := name("storm", i)
		all.Go(func() {
			if _, err := s.Ensure(ctx, nameserver.ZoneConfig{Zone: zone}, content(zone, 1, 10)); err != nil {
				t.Errorf("%s: %v", zone, err)
			}
		})
	}
	all.Wait()
	t.Logf("%d zones at the same time: %s", zones, time.Since(start).Round(time.Millisecond))
	for i := range zones {
		zone := name("storm", i)
		if err := stack.EventuallyAnswers(ctx, time.Second, b.Addr, "host9."+zone, "A", "10.0.0.9"); err != nil {
			t.Error(err)
		}
	}
	start = time.Now()
	for i := range zones {
		for _, zone := range []string{name("storm", i), name("single", i)} {
			all.Go(func() {
				if err := s.Remove(ctx, zone); err != nil {
					t.Errorf("remove %s: %v", zone, err)
				}
			})
		}
	}
	all.Wait()
	t.Logf("%d zones removed: %s", 2*zones, time.Since(start).Round(time.Millisecond))
	nothingLeft(t, b, "spokedns.")
}
