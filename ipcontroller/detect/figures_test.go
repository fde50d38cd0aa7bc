package detect_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

// What is promised of the default settings.
const (
	hourOfAll = 140 // queries
	hourOfOne = 28
	half      = 22 * time.Second // of the changes are seen by then
	nearlyAll = 40 * time.Second
)

// How long it takes from a change of the address to the report of it, one lookup in twenty failing, with two
// changes in every hour; and what that costs.
func TestAChangeIsSeenSoon(t *testing.T) {
	w, ops := newWorld(5)
	w.failing = 0.05
	const changes = 2000
	var took []time.Duration
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(time.Hour)
		for i := range changes {
			// An odd span, so that changes come at every moment between two canaries.
			time.Sleep(20*time.Minute + time.Duration(i)*7919*time.Millisecond%(5*time.Minute))
			now, next := time.Now(), there4
			if i%2 == 1 {
				next = here4
			}
			w.set(next)
			time.Sleep(10 * time.Minute)
			for _, r := range w.since(now) {
				if r.Changed && r.Addr == addr(next) {
					took = append(took, r.At.Sub(now))
					break
				}
			}
		}
	})
	if len(took) != changes {
		t.Fatalf("%d of %d changes were seen", len(took), changes)
	}
	slices.Sort(took)
	p50, p99 := took[changes/2], took[changes*99/100]
	t.Logf("p50 %s, p90 %s, p99 %s, max %s", p50, took[changes*9/10], p99, took[changes-1])
	if p50 > half || p99 > nearlyAll {
		t.Errorf("p50 %s, p99 %s: want at most %s and %s", p50, p99, half, nearlyAll)
	}
	w.withinBudget(t, ops)
}

// withinBudget fails if any hour had more queries than are promised.
func (w *world) withinBudget(t interface {
	Helper()
	Logf(string, ...any)
	Errorf(string, ...any)
}, ops []*fake) {
	t.Helper()
	all := w.busiest("")
	t.Logf("at most %d queries in an hour", all)
	if all > hourOfAll {
		t.Errorf("%d queries in an hour, want at most %d", all, hourOfAll)
	}
	for _, f := range ops {
		if n := w.busiest(f.id.Operator); n > hourOfOne {
			t.Errorf("%d queries to %s in an hour, want at most %d", n, f.id.Operator, hourOfOne)
		}
	}
}

// Whatever happens to a site for hours, nobody is asked more often than is promised, and when it is over the
// address is right.
func TestNoHourExceedsTheBudget(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, ops := newWorld(5)
		w.refusing = true // when nobody answers it believes that nobody was asked
		type event struct {
			after time.Duration
			kind  string
			which int
		}
		kinds := []string{"move", "move back", "cut off", "connect", "lie", "be honest", "fail", "recover", "throttle"}
		script := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
			return event{
				time.Duration(rapid.Int64Range(int64(time.Second), int64(20*time.Minute)).Draw(t, "after")),
				rapid.SampledFrom(kinds).Draw(t, "kind"), rapid.IntRange(0, 4).Draw(t, "which"),
			}
		}), 1, 40).Draw(rt, "script")
		run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
			for _, e := range script {
				time.Sleep(e.after)
				w.mu.Lock()
				f := ops[e.which]
				switch e.kind {
				case "move":
					w.addr = addr(there4)
				case "move back":
					w.addr = addr(here4)
				case "cut off", "connect":
					w.away = e.kind == "cut off"
				case "lie":
					f.says = always("1.2.3.4")
				case "throttle":
					f.says = func() (a netip.Addr, err error) { return a, &detect.Error{Kind: detect.Throttled} }
				case "be honest":
					f.says = nil
				case "fail", "recover":
					w.failing = map[string]float64{"fail": 0.3}[e.kind]
				}
				w.mu.Unlock()
			}
			w.mu.Lock()
			w.away, w.failing, w.addr = false, 0, addr(there4)
			for _, f := range ops {
				f.says = nil
			}
			w.mu.Unlock()
			time.Sleep(90 * time.Minute)
			if r := w.last(); r.Addr != addr(there4) || r.Status != detect.Verified {
				rt.Errorf("90 minutes after all is well: %+v", r.Decision)
			}
		})
		w.withinBudget(rt, ops)
	})
}
