package detect

import (
	"cmp"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// Plan is what a Detector of one family does. Config.Plans makes it from the settings.
type Plan struct {
	Family  Family
	Sources []Source // who votes
	Router  Source   // asked beside them; nil: none
	Static  bool     // Sources is one address written down
	Need    int      // operators that have to agree
	Rounds  int      // rounds in a row that have to agree on another address

	Mode       wanip.Mode // how an IPv6 address is found, for the ConfigMap
	PrefixBits int        // length of the prefix, where that is known

	Canary      time.Duration // from one query of a single source to the next, at least
	Audit       time.Duration // from one round to the next when nothing looks different
	Confirm     time.Duration // from a round that saw another address to the one that confirms it
	RouterEvery time.Duration // from one query of the router to the next
	PerOperator int           // queries an operator gets in an hour, at most
}

// The values of what is left out of a Plan.
const (
	defaultCanary      = 30 * time.Second
	defaultAudit       = 15 * time.Minute
	defaultConfirm     = 4 * time.Second
	defaultRouterEvery = time.Second
	defaultPerOperator = 28
	defaultNeed        = 3
	defaultRounds      = 2
)

func (p Plan) withDefaults() Plan {
	p.Need = cmp.Or(p.Need, defaultNeed)
	p.Rounds = cmp.Or(p.Rounds, defaultRounds)
	p.Canary = cmp.Or(p.Canary, defaultCanary)
	p.Audit = cmp.Or(p.Audit, defaultAudit)
	p.Confirm = cmp.Or(p.Confirm, defaultConfirm)
	p.RouterEvery = cmp.Or(p.RouterEvery, defaultRouterEvery)
	p.PerOperator = cmp.Or(p.PerOperator, defaultPerOperator)
	return p
}

// external is how many sources each operator outside the site has.
func (p Plan) external() map[string]int {
	n := map[string]int{}
	for _, s := range p.Sources {
		if id := s.Identity(); id.Via.external() {
			n[id.Operator]++
		}
	}
	return n
}

// changesAnHour is how many changes of the address in an hour are confirmed without waiting for the budget.
const changesAnHour = 2

// reserve is how much of an operator's share is kept for rounds in doubt.
func (p Plan) reserve() int {
	most := 0
	for _, n := range p.external() {
		most = max(most, n)
	}
	return min(changesAnHour*p.Rounds*most, p.PerOperator/2)
}

// pace is the time from canary to canary among so many operators that are fit to be one: that asked for, or as
// long as their shares want it. A tenth of the shares stays free, for canaries that get no answer and are
// asked of somebody else.
func (p Plan) pace(fit int) time.Duration {
	ask := p.external()
	if len(ask) == 0 {
		return p.Canary
	}
	if fit == 0 {
		fit = len(ask) // then any may be one
	}
	left := max(p.PerOperator-p.reserve(), 1) * fit
	return max(p.Canary, time.Hour*11/10/time.Duration(left))
}

// recent is for how long the answer of a canary counts in an audit: until it is that source's turn again, with some
// delay.
func (p Plan) recent() time.Duration {
	return min(p.pace(0)*time.Duration(len(p.Sources))*3/2, p.Audit/2)
}
