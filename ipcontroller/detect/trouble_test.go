package detect_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

func traits(r detect.Report) map[detect.Trait]bool {
	m := map[detect.Trait]bool{}
	for _, f := range r.Findings {
		m[f.Trait] = f.Detail != ""
	}
	return m
}

// One that says when to come back is not asked before, and is not shunned for ever.
func TestABreakerHonoursRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name        string
		after       time.Duration // what it says; 0: nothing
		quiet, back time.Duration // not asked before quiet, asked until back
	}{
		{"ten minutes", 10 * time.Minute, 10 * time.Minute, 11*time.Minute + 30*time.Second},
		{"an hour and more", 100 * time.Hour, time.Hour, time.Hour + 90*time.Second},
		{"nothing", 0, time.Minute, 5 * time.Minute},
	} {
		w, ops := newWorld(5)
		throttling := true
		var asked []time.Time
		ops[1].says = func() (netip.Addr, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			asked = append(asked, time.Now())
			if throttling {
				throttling = false
				return netip.Addr{}, &detect.Error{Kind: detect.Throttled, RetryAfter: tt.after}
			}
			return w.addr, nil
		}
		run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(d *detect.Detector) {
			time.Sleep(30 * time.Second)
			if st := d.States()[1]; st.Suspended.IsZero() || detect.KindOf(st.Last.Err) != detect.Throttled {
				t.Errorf("%s: state %+v", tt.name, st)
			}
			time.Sleep(3 * time.Hour)
			if st := d.States()[1]; !st.Suspended.IsZero() || st.Last.Addr != addr(here4) {
				t.Errorf("%s: state %+v", tt.name, st)
			}
		})
		if len(asked) < 2 {
			t.Fatalf("%s: never asked again", tt.name)
		}
		// A source that failed is a canary again after the next audit at the latest.
		if gap := asked[1].Sub(asked[0]); gap < tt.quiet || gap > tt.back+17*time.Minute {
			t.Errorf("%s: asked again after %s", tt.name, gap)
		}
	}
}

func TestABreakerWaitsLongerEachTime(t *testing.T) {
	w, ops := newWorld(5)
	var asked []time.Time
	ops[0].says = func() (netip.Addr, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		asked = append(asked, time.Now())
		return netip.Addr{}, &detect.Error{Kind: detect.Throttled}
	}
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) { time.Sleep(24 * time.Hour) })
	if n := len(asked); n < 20 || n > 40 {
		t.Errorf("asked %d times in a day, want once an hour and a few times before that", n)
	}
	for i := 1; i < len(asked); i++ {
		if gap := asked[i].Sub(asked[i-1]); gap < time.Minute || gap > 80*time.Minute || i > 7 && gap < time.Hour {
			t.Errorf("asked again after %s, the %d. time", gap, i)
		}
	}
	if r := w.last(); r.Status != detect.Verified {
		t.Errorf("got %+v", r)
	}
}

func TestCarrierGradeNATShows(t *testing.T) {
	for _, tt := range []struct {
		router string
		want   bool
	}{{"100.64.9.9", true}, {"192.168.178.2", true}, {there4, true}, {here4, false}} {
		w, ops := newWorld(5)
		p := plan(ops)
		p.Router = w.router(always(tt.router))
		run(t, w, p, detect.Start{}, func(*detect.Detector) {
			time.Sleep(16 * time.Minute)
			r := w.last()
			if r.Addr != addr(here4) || r.Status != detect.Verified {
				t.Errorf("%s: %+v", tt.router, r)
			}
			if got := traits(r)[detect.BehindCGNAT]; got != tt.want {
				t.Errorf("%s: found %v", tt.router, r.Findings)
			}
			from := time.Now()
			time.Sleep(time.Hour)
			// A router that says something else all the time costs no rounds.
			if n := w.asked("op0", from); n > 28 {
				t.Errorf("%s: %d queries to an operator", tt.router, n)
			}
		})
	}
}

// A site that leaves by two lines in turn: whatever is published, the reason is said.
func TestSeveralEgressesShow(t *testing.T) {
	w, ops := newWorld(5)
	var mu sync.Mutex
	n := 0
	for _, f := range ops {
		f.says = func() (netip.Addr, error) {
			mu.Lock()
			defer mu.Unlock()
			n++
			if n%2 == 0 {
				return addr(there4), nil
			}
			return addr(here4), nil
		}
	}
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(20 * time.Minute)
		if r := w.last(); !traits(r)[detect.SeveralEgresses] || r.Addr != addr(here4) {
			t.Errorf("got %+v", r)
		}
	})
}

func TestACleanChangeIsNoSecondEgress(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(20 * time.Minute)
		w.set(there4)
		time.Sleep(time.Hour)
	})
	for _, r := range w.reports {
		if len(r.Findings) > 0 {
			t.Errorf("%s: found %v", r.At, r.Findings)
		}
	}
}

func TestAProxyShows(t *testing.T) {
	w, ops := newWorld(5)
	for _, f := range ops[:3] {
		f.says = always(there4)
	}
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(time.Minute)
		if r := w.last(); !traits(r)[detect.BehindProxy] || r.Status != detect.Ambiguous || r.Addr != addr(here4) {
			t.Errorf("got %+v", r)
		}
	})
	w, ops = newWorld(5)
	ops[0].says = func() (netip.Addr, error) { return netip.Addr{}, &detect.Error{Kind: detect.Proxied} }
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(time.Minute)
		if r := w.last(); !traits(r)[detect.BehindProxy] || r.Status != detect.Verified {
			t.Errorf("got %+v", r)
		}
	})
}

// A source that is silent for good does not slow down a change that the others agree on.
func TestASilentSourceIsNotWaitedFor(t *testing.T) {
	w, ops := newWorld(5)
	ops[4].rtt = time.Hour
	run(t, w, plan(ops), detect.Start{}, func(*detect.Detector) {
		time.Sleep(6 * time.Second)
		if r := w.last(); r.Status != detect.Verified || r.At.Sub(w.reports[0].At) > 5*time.Second+100*time.Millisecond {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAStaticAddress(t *testing.T) {
	w, _ := newWorld(0)
	p := detect.Plan{Family: detect.IPv4, Static: true, Need: 1, Sources: []detect.Source{
		&detect.Static{ID: detect.Identity{Name: "static", Operator: "site", Via: detect.ViaLocal}, Addr: addr(here4)}}}
	run(t, w, p, detect.Start{Addr: addr(there4), Inherited: true}, func(d *detect.Detector) {
		synctest.Wait()
		if r := w.last(); r.Status != detect.Fixed || r.Addr != addr(here4) || !r.Changed {
			t.Errorf("got %+v", r)
		}
		if got := d.Settle(context.Background()); got.Status != detect.Fixed || got.Addr != addr(here4) {
			t.Errorf("settled on %+v", got)
		}
		time.Sleep(time.Hour)
		if n := len(w.since(time.Time{})); n < 3 {
			t.Errorf("%d reports in an hour", n)
		}
	})
}

// What only the cluster knows is asked often, confirmed once, and held while the cluster is silent.
func TestTheClustersAddress(t *testing.T) {
	w, ops := newWorld(1)
	ops[0].id.Via = detect.ViaLocal
	p := plan(ops)
	p.Need = 1
	run(t, w, p, detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(time.Hour)
		w.set(there4)
		time.Sleep(45 * time.Second)
		if r := w.last(); r.Status != detect.Verified || r.Addr != addr(there4) {
			t.Errorf("got %+v", r)
		}
		w.cutOff(true)
		time.Sleep(time.Hour)
		if r := w.last(); r.Status != detect.Holding || r.Addr != addr(there4) {
			t.Errorf("cut off: %+v", r)
		}
	})
}

func TestSettle(t *testing.T) {
	for _, tt := range []struct {
		name  string
		liars int
		want  detect.Status
	}{{"honest", 0, detect.Verified}, {"a liar", 1, detect.Verified}, {"two that conspire", 2, detect.Ambiguous}} {
		synctest.Test(t, func(t *testing.T) {
			w, ops := newWorld(5)
			for _, f := range ops[:tt.liars] {
				f.says = always(there4)
			}
			var mu sync.Mutex
			seen := 0
			d := detect.New(plan(ops), func(family detect.Family, a detect.Answer) {
				mu.Lock()
				defer mu.Unlock()
				seen++
				if family != detect.IPv4 || a.Source.Name == "" || a.RTT != 40*time.Millisecond {
					t.Errorf("observed %s %+v", family, a)
				}
			})
			got := d.Settle(t.Context())
			if got.Status != tt.want || got.Addr.IsValid() != (tt.want == detect.Verified) || got.Addr.IsValid() && got.Addr != addr(here4) {
				t.Errorf("%s: %+v", tt.name, got)
			}
			if n := w.asked("", time.Time{}); n != seen || n > 10 {
				t.Errorf("%s: %d queries, %d observed", tt.name, n, seen)
			}
		})
	}
}

// An address that is different in each round is never settled on, and the asking ends.
func TestSettleOnSomethingThatKeepsChanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, ops := newWorld(3)
		p := plan(ops)
		p.Need = 2
		for _, f := range ops {
			f.says = func() (netip.Addr, error) {
				return netip.AddrFrom4([4]byte{8, 26, 56, byte(time.Now().Second())}), nil
			}
		}
		if got := detect.New(p, nil).Settle(t.Context()); got.Status != detect.Holding || got.Addr.IsValid() {
			t.Errorf("got %+v", got)
		}
		if n := w.asked("", time.Time{}); n != 12 {
			t.Errorf("%d queries, want 4 rounds of 3", n)
		}
	})
}

// Two that conspire and are slow are heard before anything is decided.
func TestSlowDissentersAreHeard(t *testing.T) {
	w, ops := newWorld(5)
	for _, f := range ops[:2] {
		f.says, f.rtt = always(there4), 2*time.Second
	}
	run(t, w, plan(ops), detect.Start{}, func(*detect.Detector) {
		time.Sleep(time.Minute)
		if r := w.last(); r.Status != detect.Ambiguous || r.Addr.IsValid() {
			t.Errorf("got %+v", r)
		}
	})
}

// A link that goes down several times in an hour does not use up the budget by that: nobody outside was asked.
func TestALinkThatFlaps(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(2 * time.Hour)
		for i := range 5 {
			w.cutOff(true)
			time.Sleep(6 * time.Minute)
			if r := w.last(); r.Status != detect.Holding || r.Addr != addr(here4) {
				t.Errorf("down, the %d. time: %+v", i, r)
			}
			w.cutOff(false)
			time.Sleep(time.Minute)
			if r := w.last(); r.Status != detect.Verified {
				t.Errorf("up, the %d. time: %+v", i, r)
			}
		}
	})
}

// After changes that have used up the reserve the watch goes on: the next change may be near.
func TestAfterAChangeTheWatchGoesOn(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(2 * time.Hour)
		for _, next := range []string{there4, here4, there4} {
			w.set(next)
			time.Sleep(time.Minute)
		}
		from := time.Now()
		time.Sleep(5 * time.Minute)
		if n := len(w.since(from)); n < 8 {
			t.Errorf("%d reports in five minutes", n)
		}
	})
}

// Canaries that fail all the time and are asked again do not take the audits' queries.
func TestAuditsAreNotStarved(t *testing.T) {
	w, ops := newWorld(5)
	w.everyNth = 3
	p := plan(ops)
	p.PerOperator = 8
	run(t, w, p, detect.Start{Addr: addr(here4)}, func(*detect.Detector) { time.Sleep(24 * time.Hour) })
	last, longest := w.reports[0].At, time.Duration(0)
	for _, r := range w.reports {
		if r.Round {
			longest = max(longest, r.At.Sub(last))
			last = r.At
		}
	}
	t.Logf("at most %s without a round", longest)
	if longest > 75*time.Minute { // an operator's share is by the hour, and the canary's turn is by chance
		t.Errorf("%s without a round", longest)
	}
}
