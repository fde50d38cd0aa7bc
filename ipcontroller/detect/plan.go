package detect

import (
	"cmp"
	"math"
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
	PerOperator int           // queries an operator gets in an hour, for watching
}

// The values of what is left out of a Plan.
const (
	defaultCanary      = 30 * time.Second
	defaultAudit       = 15 * time.Minute
	defaultConfirm     = 5 * time.Second
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

// pace is the time from canary to canary among so many operators that are fit to be one: that asked for, or as
// long as their shares want it. A sixteenth of the shares stays free, for canaries that get no answer and are
// asked of somebody else.
func (p Plan) pace(fit int) time.Duration {
	ask := p.external()
	if len(ask) == 0 {
		return p.Canary
	}
	if fit == 0 {
		fit = len(ask) // then any may be one
	}
	most := 0
	for _, n := range ask {
		most = max(most, n)
	}
	audits := int(math.Ceil(float64(time.Hour) / float64(p.Audit)))
	left := max(p.PerOperator-audits*most, 1) * fit
	return max(p.Canary, time.Hour/15*16/time.Duration(left))
}
