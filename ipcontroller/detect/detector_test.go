package detect_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

func TestTheFirstAddressTakesTwoRounds(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{}, func(d *detect.Detector) {
		time.Sleep(time.Second)
		if r := w.last(); r.Status != detect.Holding || r.Addr.IsValid() || !r.Round || len(r.Answers) != 5 {
			t.Errorf("after one round: %+v", r)
		}
		time.Sleep(5 * time.Second)
		if r := w.last(); r.Status != detect.Verified || r.Addr != addr(here4) || !r.Changed || len(r.Voters) != 5 {
			t.Errorf("after two rounds: %+v", r)
		}
		for _, s := range d.States() {
			if s.Last.Addr != addr(here4) || s.Failed != 0 || s.Differs || !s.Suspended.IsZero() {
				t.Errorf("state: %+v", s)
			}
		}
	})
}

func TestWhatIsPublishedAlreadyIsConfirmedByOneRound(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4), Inherited: true}, func(*detect.Detector) {
		time.Sleep(time.Second)
		if r := w.last(); r.Status != detect.Verified || r.Changed {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAnotherLeadersAddressTakesARoundMoreToChange(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{Addr: addr(there4), Inherited: true}, func(*detect.Detector) {
		time.Sleep(7 * time.Second)
		if r := w.last(); r.Addr != addr(there4) || r.Status != detect.Holding || len(w.since(time.Time{})) != 2 {
			t.Errorf("after two rounds: %+v", r)
		}
		time.Sleep(3 * time.Second)
		if r := w.last(); r.Addr != addr(here4) || r.Status != detect.Verified || r.Previous != addr(there4) {
			t.Errorf("after three rounds: %+v", r)
		}
	})
}

func TestAPublishedAddressThatCannotBeIsNotStartedWith(t *testing.T) {
	w, ops := newWorld(5)
	for _, f := range ops {
		f.says = func() (netip.Addr, error) { return netip.Addr{}, &detect.Error{Kind: detect.NoAnswer} }
	}
	run(t, w, plan(ops), detect.Start{}, func(*detect.Detector) {
		time.Sleep(time.Minute)
		if r := w.last(); r.Addr.IsValid() {
			t.Errorf("got %+v", r)
		}
	})
	d := detect.New(plan(ops), nil)
	if got := d.Settle(t.Context()); got.Addr.IsValid() || got.Status != detect.Holding {
		t.Errorf("settled on %+v", got)
	}
}

// A day without a change, every twentieth lookup failing: every hour of it keeps to the budget.
func TestTheBudgetOfADay(t *testing.T) {
	w, ops := newWorld(5)
	w.everyNth = 20
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) { time.Sleep(24 * time.Hour) })
	all := w.busiest("")
	t.Logf("%d queries in a day, at most %d in an hour", w.asked("", time.Time{}), all)
	if all > 140 {
		t.Errorf("%d queries in an hour, want at most 140", all)
	}
	for _, f := range ops {
		if n := w.busiest(f.id.Operator); n > 28 {
			t.Errorf("%d queries to %s in an hour, want at most 28", n, f.id.Operator)
		}
		if n := w.asked(f.id.Operator, time.Time{}); n < 24*22 {
			t.Errorf("%d queries to %s in a day: the others get its share", n, f.id.Operator)
		}
	}
	audits := 0
	for _, r := range w.reports {
		if r.Round && len(r.Answers) == 5 {
			audits++
		}
	}
	if audits < 80 || audits > 97 {
		t.Errorf("%d audits in a day, want about one each quarter of an hour", audits)
	}
	// And it is used: a watch that does not watch is within every budget.
	if n := w.asked("", time.Time{}); n < 24*110 {
		t.Errorf("%d queries in a day: it hardly looks", n)
	}
	fresh, longest := time.Time{}, time.Duration(0)
	for _, r := range w.reports {
		if r.Status == detect.Verified {
			if !fresh.IsZero() {
				longest = max(longest, r.At.Sub(fresh))
			}
			fresh = r.At
		}
	}
	t.Logf("the address was confirmed every %s at least", longest)
	if longest > 3*time.Minute {
		t.Errorf("not confirmed for %s", longest)
	}
}

func TestWithARouterAChangeIsSeenAtOnce(t *testing.T) {
	w, ops := newWorld(5)
	p := plan(ops)
	p.Router = w.router(func() (netip.Addr, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.addr, nil
	})
	run(t, w, p, detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(3 * time.Hour)
		from := time.Now()
		time.Sleep(time.Hour)
		if n := w.asked("", from) - w.asked("router", from); n > 25 {
			t.Errorf("%d queries outside in an hour, want the audits only", n)
		}
		quiet := from
		for _, r := range w.since(from) {
			if r.At.Sub(quiet) > time.Minute {
				t.Errorf("no word from %s to %s", quiet, r.At)
			}
			quiet = r.At
		}
		for _, next := range []string{there4, here4, there4} {
			time.Sleep(10*time.Minute + 300*time.Millisecond)
			w.set(next)
			time.Sleep(2 * time.Second)
			if r := w.last(); r.Addr != addr(next) || r.Status != detect.Verified {
				t.Errorf("two seconds after the change: %+v", r)
			}
		}
	})
}

func TestCutOffAndBack(t *testing.T) {
	w, ops := newWorld(5)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(time.Hour)
		w.cutOff(true)
		time.Sleep(3 * time.Hour)
		if r := w.last(); r.Status != detect.Holding || r.Addr != addr(here4) || len(r.Silent) != 5 {
			t.Errorf("cut off: %+v", r)
		}
		w.cutOff(false)
		w.set(there4)
		back := time.Now()
		time.Sleep(time.Minute)
		r := w.last()
		if r.Status != detect.Verified || r.Addr != addr(there4) {
			t.Fatalf("back for a minute: %+v", r)
		}
		for _, r := range w.since(back) {
			if r.Changed && r.At.Sub(back) > 45*time.Second {
				t.Errorf("it took %s to see it", r.At.Sub(back))
			}
		}
	})
}

// With too few that answer it holds, asks ever more seldom, and recovers by itself.
func TestTooFewAnswer(t *testing.T) {
	w, ops := newWorld(5)
	down := true
	for _, f := range ops[:3] {
		f.says = func() (netip.Addr, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if down {
				return netip.Addr{}, &detect.Error{Kind: detect.Refused}
			}
			return w.addr, nil
		}
	}
	run(t, w, plan(ops), detect.Start{Addr: addr(there4)}, func(*detect.Detector) {
		time.Sleep(2 * time.Hour)
		if r := w.last(); r.Status != detect.Holding || r.Addr != addr(there4) || r.Agreed != 2 {
			t.Errorf("got %+v", r)
		}
		if n := w.busiest("op4"); n > 28 {
			t.Errorf("%d queries to one operator in an hour", n)
		}
		w.mu.Lock()
		down = false
		w.mu.Unlock()
		time.Sleep(6 * time.Minute)
		if r := w.last(); r.Status != detect.Verified || r.Addr != addr(here4) {
			t.Errorf("recovered: %+v", r)
		}
	})
}

// One operator lies all the time: it is outvoted, named, and no longer asked as a canary, so that its lies
// cost no rounds.
func TestALiar(t *testing.T) {
	w, ops := newWorld(5)
	ops[2].says = always(there4)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(d *detect.Detector) {
		time.Sleep(12 * time.Hour)
		if r := w.last(); r.Status != detect.Verified || r.Addr != addr(here4) || len(r.Dissenters) != 1 || r.Dissenters[0].Name != "op2" {
			t.Errorf("got %+v", r)
		}
		if st := d.States()[2]; !st.Differs || st.Last.Addr != addr(there4) {
			t.Errorf("state: %+v", st)
		}
	})
	if n := w.busiest("op2"); n > 6 {
		t.Errorf("the liar was asked %d times in an hour", n)
	}
	if n := w.busiest(""); n > 140 {
		t.Errorf("%d queries in an hour", n)
	}
	for _, r := range w.reports {
		if r.Addr != addr(here4) {
			t.Errorf("%s: published %v", r.At, r.Addr)
		}
	}
}

// Two that conspire can make it hold, and nothing else.
func TestTwoWhoConspire(t *testing.T) {
	w, ops := newWorld(5)
	ops[1].says, ops[4].says = always(there4), always(there4)
	run(t, w, plan(ops), detect.Start{Addr: addr(here4)}, func(*detect.Detector) {
		time.Sleep(12 * time.Hour)
		if r := w.last(); r.Status != detect.Ambiguous || r.Addr != addr(here4) {
			t.Errorf("got %+v", r)
		}
	})
	for _, r := range w.reports {
		if r.Addr != addr(here4) {
			t.Errorf("%s: published %v", r.At, r.Addr)
		}
	}
	if n := w.busiest("op0"); n > 28 {
		t.Errorf("%d queries to an honest operator in an hour", n)
	}
}
