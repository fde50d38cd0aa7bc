package detect

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Start is what a Detector begins with.
type Start struct {
	Addr      netip.Addr // what is published already; not valid: nothing
	Inherited bool       // by another leader, or from another node: a change takes one round more
}

// watch is one Run: what is due when, and what is known. Nothing but Run's goroutine touches it.
type watch struct {
	*Detector
	tell   func(Report)
	budget budget

	state     Confirming
	published Decision
	findings  []Finding
	seen      sightings

	nextRound, nextCanary, nextRouter time.Time // zero: not planned
	doubt                             bool      // why the next round is: not as an audit
	first                             []Answer  // of that round, which a canary has brought
	wait                              time.Duration
	turn                              int // whose turn it is as a canary
	missed                            int // canaries in a row without an answer

	said       netip.Addr // by the router, just now; not valid: nothing
	saidAt     time.Time
	saidLast   netip.Addr // by the router, the last time it said something
	tried      netip.Addr // said by the router, and a round was made for it already
	routerWait time.Duration
}

// Run watches until ctx ends. tell is called from one goroutine, after every round and whenever a single
// source confirmed the address; it should be quick. An address once known stays: tell never gets a Report
// without one after one with one.
func (d *Detector) Run(ctx context.Context, from Start, tell func(Report)) {
	w := &watch{Detector: d, tell: tell, budget: budget{share: d.plan.PerOperator, reserve: d.plan.reserve()}, nextRound: time.Now()}
	if check(from.Addr, d.plan.Family) == nil {
		w.state = Confirming{Current: from.Addr, Inherited: from.Inherited}
	}
	w.doubt = !w.state.Current.IsValid()
	if d.router != nil {
		w.nextRouter = w.nextRound
	}
	for ctx.Err() == nil {
		at, do := w.next()
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(at)):
			do(ctx)
		}
	}
}

// next is what is due first.
func (w *watch) next() (time.Time, func(context.Context)) {
	at, do := w.nextRound, w.makeRound
	if t := w.nextRouter; !t.IsZero() && t.Before(at) {
		at, do = t, w.askRouter
	}
	if t := w.nextCanary; !t.IsZero() && t.Before(at) {
		at, do = t, w.sendCanary
	}
	return at, do
}

// hasten makes the next round now. The answers that are the reason for it are part of it.
func (w *watch) hasten(first ...Answer) {
	w.nextRound, w.nextCanary, w.doubt, w.first = time.Now(), time.Time{}, true, first
}

// makeRound asks everybody, decides, tells, and plans what is next.
func (w *watch) makeRound(ctx context.Context) {
	start := time.Now()
	known := w.known(start)
	ask, when := w.participants(start, known)
	if when.After(start) {
		w.nextRound = when
		return
	}
	w.first = nil
	for _, s := range ask {
		if id := s.Identity(); id.Via.external() && !s.shut(start) {
			w.budget.spend(start, id.Operator, w.doubt)
		}
	}
	answers := w.round(ctx, ask, known, w.doubt)
	if ctx.Err() != nil {
		return // a round cut short says nothing
	}
	if nobody(answers) {
		w.budget.refund(start)
	}
	w.decide(answers, start)
}

// known are the answers a round has before it asks anybody. A round in doubt has that of the canary which is the
// reason for it. An audit has those of the canaries since each source had its last turn, which all said what is
// published: whoever was asked a moment ago need not be asked again.
func (w *watch) known(now time.Time) (out []Answer) {
	if w.doubt {
		return slices.DeleteFunc(w.first, func(a Answer) bool { return now.Sub(a.At) > Timeout })
	}
	for _, s := range w.sources {
		s.mu.Lock()
		if a := s.last; a.Err == nil && !a.At.IsZero() && a.Addr == w.state.Current && now.Sub(a.At) <= w.plan.recent() {
			out = append(out, a)
		}
		s.mu.Unlock()
	}
	return out
}

// participants is whom a round asks beside the sources whose answers are known, or when to try again. It passes
// over operators whose share is used up, as long as one operator more takes part than has to agree.
func (w *watch) participants(now time.Time, known []Answer) ([]*source, time.Time) {
	answered := map[string]bool{}
	for _, a := range known {
		answered[a.Source.Name] = true
	}
	open, used := map[string]int{}, map[string]bool{} // queries to operators; those that may not be asked
	var ask []*source
	for _, s := range w.everybody() {
		if id := s.Identity(); !answered[id.Name] {
			ask = append(ask, s)
			if id.Via.external() {
				open[id.Operator]++
			}
		}
	}
	all := w.plan.external()
	free := make([]time.Time, 0, len(all)) // when an operator can take part
	for operator := range all {
		at, n := now, open[operator]
		switch {
		case n > 0 && w.doubt:
			at = w.budget.round(now, operator, n)
		case n > 0:
			at = w.budget.watch(now, operator, n)
		}
		used[operator] = at.After(now)
		free = append(free, at)
	}
	slices.SortFunc(free, time.Time.Compare)
	if least := min(w.plan.Need+1, len(free)); least > 0 && free[least-1].After(now) {
		return nil, free[least-1]
	}
	return slices.DeleteFunc(ask, func(s *source) bool { return used[s.Identity().Operator] }), now
}

// decide takes in a round.
func (w *watch) decide(answers []Answer, start time.Time) {
	now := time.Now()
	before := w.state.Current
	said := routerSays(answers)
	if w.plan.Static {
		if w.published = w.fixed(answers); w.published.Status == Fixed {
			w.state = Confirming{Current: w.published.Addr}
		}
		w.published.Addr = w.state.Current
	} else {
		raw := Agree(answers, before, w.rules())
		if raw.Status == Verified {
			w.judge(raw)
		}
		w.state, w.published = w.state.Next(raw, w.plan.Rounds, said)
	}
	w.note(answers, said, now)
	switch {
	case w.published.Status == Verified || w.published.Status == Fixed:
		if w.nextCanary.IsZero() { // else it was an audit, which is none: it asks only who was not heard of
			w.nextCanary = w.later(now)
		}
		w.wait, w.missed, w.doubt = 0, 0, false
		w.nextRound = now.Add(w.plan.Audit + rand.N(w.plan.Audit/10))
	case w.state.Waiting():
		w.wait, w.doubt = 0, true
		w.nextRound, w.nextCanary = start.Add(w.plan.Confirm), time.Time{}
	default:
		w.wait, w.doubt = backoff(w.wait), true
		w.nextRound, w.nextCanary = now.Add(jitter(w.wait)), time.Time{}
		if nobody(answers) {
			// The site is cut off, most likely. The first sign of life ends the waiting.
			w.nextCanary = w.later(now)
		}
	}
	w.tell(Report{Decision: w.published, Family: w.plan.Family, At: now, Round: true, Answers: answers, Findings: w.findings,
		Changed: w.state.Current != before, Previous: before, plan: w.plan})
}

// note remembers what a round shows beside the address.
func (w *watch) note(answers []Answer, router netip.Addr, now time.Time) {
	w.said, w.saidAt = router, now
	if router.IsValid() {
		w.saidLast, w.tried = router, router
	}
	w.seen = w.seen.add(now, answers)
	egresses := append(w.seen.findEgresses(), findProxy(answers)...)
	if w.published.Status == Verified {
		w.findings = append(findNAT(router, w.published.Addr), egresses...)
		return
	}
	// Without a quorum the router has nothing to be compared with: what was found of it stays.
	for _, f := range w.findings {
		if f.Trait == BehindCGNAT {
			egresses = append([]Finding{f}, egresses...)
		}
	}
	w.findings = egresses
}

// nobody says that not even a refusal came back from outside.
func nobody(answers []Answer) bool {
	asked := false
	for _, a := range answers {
		if !a.Source.Via.external() {
			continue
		}
		asked = true
		if k := KindOf(a.Err); k != NoAnswer && k != Suspended {
			return false
		}
	}
	return asked
}
