package detect

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Detector watches the address of one family. Run is called once, by who is the leader; States and Settle
// may be called at any time from anywhere.
type Detector struct {
	plan    Plan
	observe func(Family, Answer)
	sources []*source
	router  *source // nil: none
}

// source is a Source and what is remembered of it.
type source struct {
	Source

	mu      sync.Mutex
	last    Answer
	failed  int  // lookups in a row
	differs bool // the last verified round found it to be wrong
	breaker breaker
}

// New makes a Detector. observe, which may be nil, is told every lookup, from several goroutines.
func New(p Plan, observe func(Family, Answer)) *Detector {
	d := &Detector{plan: p.withDefaults(), observe: observe}
	for _, s := range p.Sources {
		d.sources = append(d.sources, &source{Source: s})
	}
	if p.Router != nil {
		d.router = &source{Source: p.Router}
	}
	return d
}

// Family is the family it watches.
func (d *Detector) Family() Family { return d.plan.Family }

// Report is what a Detector has to say.
type Report struct {
	Decision

	Family   Family
	At       time.Time
	Round    bool       // after a round; otherwise a single source confirmed Addr
	Changed  bool       // Addr is another one than before
	Previous netip.Addr // before; not valid when nothing was known
	Answers  []Answer   // of the round, or of the single source
	Findings []Finding  // of the last round

	plan Plan
}

// State is what is known of a source, for people.
type State struct {
	Source    Identity
	Last      Answer    // its time is zero before the first
	Failed    int       // lookups in a row without an address
	Differs   bool      // it named another address than the one last verified
	Suspended time.Time // not asked before; zero: it may be asked
}

// States lists the sources, the router last.
func (d *Detector) States() []State {
	var out []State
	for _, s := range d.everybody() {
		s.mu.Lock()
		st := State{Source: s.Identity(), Last: s.last, Failed: s.failed, Differs: s.differs}
		if s.breaker.open(time.Now()) > 0 {
			st.Suspended = s.breaker.until
		}
		s.mu.Unlock()
		out = append(out, st)
	}
	return out
}

func (d *Detector) everybody() []*source {
	if d.router == nil {
		return d.sources
	}
	return append(slices.Clip(d.sources), d.router)
}

// ask asks a source, unless its breaker is open.
func (d *Detector) ask(ctx context.Context, s *source) Answer {
	s.mu.Lock()
	left := s.breaker.open(time.Now())
	s.mu.Unlock()
	if left > 0 {
		return Answer{Source: s.Identity(), At: time.Now(), Err: &Error{Kind: Suspended, RetryAfter: left}}
	}
	a := Ask(ctx, s.Source, d.plan.Family)
	s.mu.Lock()
	s.last = a
	s.breaker.note(a.Err, a.At)
	s.failed++
	if a.Err == nil {
		s.failed = 0
	}
	s.mu.Unlock()
	if d.observe != nil {
		d.observe(d.plan.Family, a)
	}
	return a
}

// grace is how long a round that is decided already waits for the rest.
const grace = 250 * time.Millisecond

// round asks sources at the same time, for at most Timeout, and adds what they say to answers that are known. A
// round in a hurry does not wait that long for the last silent source when the others agree and it could not
// change that.
func (d *Detector) round(ctx context.Context, all []*source, known []Answer, hurry bool) []Answer {
	ctx, cancel := context.WithTimeoutCause(ctx, Timeout, errors.New("no answer within "+Timeout.String()))
	defer cancel()
	ctx, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	came := make(chan Answer, len(all))
	for _, s := range all {
		go func() { came <- d.ask(ctx, s) }()
	}
	answers := slices.Clone(known)
	for range all {
		answers = append(answers, <-came)
		if hurry && d.settled(answers, len(all)+len(known)-len(answers)) {
			hurry = false
			defer time.AfterFunc(grace, func() { enough(errors.New("not waited for: the others agree")) }).Stop()
		}
	}
	return answers
}

// settled says whether open more answers cannot change that the address is verified.
func (d *Detector) settled(answers []Answer, open int) bool {
	decision := Agree(answers, netip.Addr{}, d.rules())
	return decision.Status == Verified && len(decision.Dissenters)+open < rival
}

func (d *Detector) rules() Rules { return Rules{Family: d.plan.Family, Need: d.plan.Need} }

// judge marks the sources that a verified round found to be wrong: they are no canaries until a round finds
// them to be right.
func (d *Detector) judge(decision Decision) {
	for _, s := range d.sources {
		id := s.Identity()
		s.mu.Lock()
		if slices.Contains(decision.Dissenters, id) {
			s.differs = true
		} else if slices.Contains(decision.Voters, id) {
			s.differs = false
		}
		s.mu.Unlock()
	}
}

// Settle finds the address once, for who has nobody else to ask: as many rounds as a first address takes,
// the plan's Confirm apart. It is Verified, or says why not and has no address.
func (d *Detector) Settle(ctx context.Context) (decision Decision) {
	var c Confirming
	for range 2 * d.plan.Rounds { // more often it has not the same address twice, and will not have
		answers := d.round(ctx, d.everybody(), nil, true)
		if d.plan.Static {
			return d.fixed(answers)
		}
		c, decision = c.Next(Agree(answers, netip.Addr{}, d.rules()), d.plan.Rounds, routerSays(answers))
		if !c.Waiting() {
			return decision
		}
		select {
		case <-time.After(d.plan.Confirm):
		case <-ctx.Done():
			return decision
		}
	}
	return decision
}

// fixed is the decision of an address somebody wrote down.
func (d *Detector) fixed(answers []Answer) Decision {
	decision := Agree(answers, netip.Addr{}, d.rules())
	if decision.Status == Verified {
		decision.Status, decision.Reason = Fixed, "written down, not detected"
	}
	return decision
}

// routerSays is the router's answer among answers, not valid when there is none.
func routerSays(answers []Answer) netip.Addr {
	for _, a := range answers {
		if a.Source.Via == ViaRouter && a.Err == nil {
			return a.Addr
		}
	}
	return netip.Addr{}
}
