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

// retryAudit is how long an audit waits that would go beyond too many operators' shares.
const retryAudit = 10 * time.Second

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
	w := &watch{Detector: d, tell: tell, budget: budget{share: d.plan.PerOperator}, nextRound: time.Now()}
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

// hasten makes the next round now.
func (w *watch) hasten() { w.nextRound, w.nextCanary, w.doubt = time.Now(), time.Time{}, true }

// makeRound asks everybody, decides, tells, and plans what is next.
func (w *watch) makeRound(ctx context.Context) {
	start := time.Now()
	ask, when := w.participants(start)
	if when.After(start) {
		w.nextRound = when
		return
	}
	for _, s := range ask {
		if id := s.Identity(); id.Via.external() && !s.shut(start) {
			w.budget.spend(start, id.Operator, w.doubt)
		}
	}
	answers := w.round(ctx, ask, w.doubt)
	if ctx.Err() != nil {
		return // a round cut short says nothing
	}
	if nobody(answers) {
		w.budget.refund(start)
	}
	w.decide(answers, start)
}

// participants is whom a round asks, or when to try again. A round in doubt asks everybody. An audit passes
// over operators whose share is used up: they were asked minutes ago, as canaries. One operator more than has
// to agree is the least.
func (w *watch) participants(now time.Time) ([]*source, time.Time) {
	shares := w.plan.external()
	if w.doubt {
		return w.everybody(), w.budget.round(now, shares)
	}
	used := map[string]bool{}
	for operator, n := range shares {
		if w.budget.watch(now, operator, n).After(now) {
			used[operator] = true
		}
	}
	if len(used) > 0 && len(shares)-len(used) < min(w.plan.Need+1, len(shares)) {
		return nil, now.Add(retryAudit)
	}
	return slices.DeleteFunc(slices.Clone(w.everybody()), func(s *source) bool { return used[s.Identity().Operator] }), now
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
		w.wait, w.missed, w.doubt = 0, 0, false
		w.nextRound, w.nextCanary = now.Add(w.plan.Audit+rand.N(w.plan.Audit/10)), w.later(now)
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
