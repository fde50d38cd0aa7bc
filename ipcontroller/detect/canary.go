package detect

import (
	"context"
	"net/netip"
	"time"
)

const (
	nextCanaryIn = time.Second // after one that got no answer, somebody else is asked
	mostMissed   = 5           // then everybody is
	lameAfter    = 3           // lookups in a row without an answer, and a source is no canary until a round revives it
)

// later is when the next canary is due.
func (w *watch) later(now time.Time) time.Time {
	if w.plan.Static {
		return time.Time{}
	}
	operators := map[string]bool{}
	for _, s := range w.sources {
		if s.fit(now) {
			operators[s.Identity().Operator] = true
		}
	}
	return now.Add(jitter(w.plan.pace(len(operators))))
}

// fit says whether a source may be a canary: it was right last time, and answers.
func (s *source) fit(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaker.open(now) == 0 && !s.differs && s.failed < lameAfter
}

// shut says whether a source may not be asked at all.
func (s *source) shut(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaker.open(now) > 0
}

// sendCanary asks a single source whether the address still is what it was. Its answer never changes
// anything: one that differs only brings the next round forward.
func (w *watch) sendCanary(ctx context.Context) {
	now := time.Now()
	verified := w.published.Status == Verified
	if verified && w.routerVouches(now) {
		w.confirm(Answer{Source: w.router.Identity(), Addr: w.said, At: w.saidAt})
		return
	}
	s, when := w.pick(now)
	if s == nil {
		w.nextCanary = when
		return
	}
	id := s.Identity()
	if id.Via.external() {
		w.budget.spend(now, id.Operator, false)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	a := w.ask(ctx, s)
	switch {
	case a.Err == nil && verified && a.Addr == w.state.Current:
		w.seen = w.seen.add(a.At, []Answer{a})
		w.confirm(a)
	case a.Err == nil:
		w.seen = w.seen.add(a.At, []Answer{a})
		w.hasten(a)
	case !verified && KindOf(a.Err) != NoAnswer:
		w.hasten() // not an address, but a sign of life
	case !verified:
		// Cut off as before. A query that goes nowhere costs nobody anything.
		w.budget.refund(now)
		w.nextCanary = w.later(a.At)
	default:
		if w.missed++; w.missed >= min(mostMissed, len(w.sources)) {
			w.missed = 0
			w.hasten()
			return
		}
		w.nextCanary = a.At.Add(nextCanaryIn)
	}
}

// confirm tells that a single answer is what it should be.
func (w *watch) confirm(a Answer) {
	now := time.Now()
	w.missed = 0
	w.nextCanary = w.later(now)
	w.tell(Report{Decision: w.published, Family: w.plan.Family, At: now, Answers: []Answer{a}, Findings: w.findings, Previous: w.state.Current, plan: w.plan})
}

// pick is the next source in turn that is fit and whose operator has a query left. If no source is fit, any
// will do that may be asked. If there is none now, it says when there may be.
func (w *watch) pick(now time.Time) (*source, time.Time) {
	for _, fit := range []func(*source) bool{
		func(s *source) bool { return s.fit(now) },
		func(s *source) bool { return !s.shut(now) },
	} {
		var soonest time.Time
		for range w.sources {
			s := w.sources[w.turn%len(w.sources)]
			w.turn++
			if !fit(s) {
				continue
			}
			free := now
			if id := s.Identity(); id.Via.external() {
				free = w.budget.watch(now, id.Operator, 1)
			}
			if !free.After(now) {
				return s, now
			}
			if soonest.IsZero() || free.Before(soonest) {
				soonest = free
			}
		}
		if !soonest.IsZero() {
			return nil, soonest // rather than ask one that is not fit
		}
	}
	return nil, w.later(now)
}

// routerVouches says that the router said a moment ago what is published.
func (w *watch) routerVouches(now time.Time) bool {
	return w.said == w.state.Current && now.Sub(w.saidAt) <= 3*w.plan.RouterEvery
}

// askRouter asks the router: its answer costs nobody outside anything, so it is the fastest canary. An
// address it has not said before brings the next round forward, once.
func (w *watch) askRouter(ctx context.Context) {
	const most = time.Minute
	ctx, cancel := context.WithTimeout(ctx, w.plan.RouterEvery)
	defer cancel()
	a := w.ask(ctx, w.router)
	if a.Err != nil {
		w.said = netip.Addr{}
		w.routerWait = min(max(2*w.routerWait, w.plan.RouterEvery), max(most, w.plan.RouterEvery))
		w.nextRouter = a.At.Add(w.routerWait)
		return
	}
	w.routerWait = 0
	moved := w.saidLast.IsValid() && a.Addr != w.saidLast
	w.said, w.saidLast, w.saidAt = a.Addr, a.Addr, a.At
	w.nextRouter = a.At.Add(w.plan.RouterEvery)
	// One that is not public shows by changing that something happened, not what.
	fresh := check(a.Addr, w.plan.Family) == nil && a.Addr != w.tried
	if a.Addr != w.state.Current && (fresh || moved) && !w.state.Waiting() {
		w.tried = a.Addr
		w.hasten()
	}
}
