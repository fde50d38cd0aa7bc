package detect

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// Status is what is known of a family's address.
type Status = wanip.Status

// The statuses.
const (
	Verified  = wanip.Verified  // enough operators agree
	Holding   = wanip.Holding   // too few answer alike: what was known stays
	Ambiguous = wanip.Ambiguous // several operators agree on another address: what was known stays
	Fixed     = wanip.Static    // written down, not detected
)

// Rules say when answers are believed.
type Rules struct {
	Family Family
	Need   int // operators that have to agree
}

// rival is how many operators have to name another address for a decision to be doubtful. One may be broken
// or lie; two are a second opinion.
const rival = 2

// Decision is what a round of answers means.
type Decision struct {
	Status     Status
	Addr       netip.Addr // Verified: what was agreed on; otherwise what was known before, not valid if nothing was
	Voters     []Identity // sources whose operator named the leading address and no other, sorted by name
	Dissenters []Identity // sources whose operator named another address, sorted by name
	Silent     []Identity // sources that named none, sorted by name
	Need       int        // operators that have to agree
	Agreed     int        // operators that agree on the leading address
	Asked      int        // operators asked
	Reason     string     // for people
}

// Agree decides what the answers of one round mean, given the address known before. It is pure, and the
// order of the answers is of no account.
//
// Votes are by operator. An operator whose sources name different addresses votes for none of them, but
// counts as an opponent of each. The answer of a router is evidence of another kind and has no vote, and an
// address that is not public or of the other family is no answer, whoever gave it.
//
// Whatever happens, the decision never takes an address away: Addr is previous unless another is verified.
func Agree(answers []Answer, previous netip.Addr, rules Rules) Decision {
	d := Decision{Status: Holding, Addr: previous, Need: rules.Need}
	named := map[string][]netip.Addr{} // by operator, each address once
	asked := map[string]bool{}
	for _, a := range answers {
		if a.Source.Via == ViaRouter {
			continue
		}
		asked[a.Source.Operator] = true
		if vote(a, rules.Family) && !slices.Contains(named[a.Source.Operator], a.Addr) {
			named[a.Source.Operator] = append(named[a.Source.Operator], a.Addr)
		}
	}
	d.Asked = len(asked)
	tallies := count(named)
	var lead, other tally // other: of the rest, the one most operators named
	for i, t := range tallies {
		if i == 0 {
			lead = t
		} else if t.named > other.named {
			other = t
		}
	}
	d.Agreed = lead.votes
	d.line(answers, named, rules.Family, lead.addr)
	switch {
	case len(tallies) == 0:
		d.Reason = fmt.Sprintf("none of %d operators gave an address", d.Asked)
	case other.named >= rival:
		d.Status = Ambiguous
		d.Reason = fmt.Sprintf("%d of %d operators say %s, but %d say %s", lead.named, d.Asked, lead.addr, other.named, other.addr)
	case lead.votes < rules.Need:
		d.Reason = fmt.Sprintf("%d of %d operators agree on %s, %d have to", lead.votes, d.Asked, lead.addr, rules.Need)
	default:
		d.Status, d.Addr = Verified, lead.addr
		d.Reason = fmt.Sprintf("%d of %d operators agree on %s", lead.votes, d.Asked, lead.addr)
	}
	return d
}

// line puts every source that has a vote on its side.
func (d *Decision) line(answers []Answer, named map[string][]netip.Addr, family Family, lead netip.Addr) {
	for _, a := range answers {
		switch {
		case a.Source.Via == ViaRouter:
		case !vote(a, family):
			d.Silent = append(d.Silent, a.Source)
		case a.Addr == lead && len(named[a.Source.Operator]) == 1:
			d.Voters = append(d.Voters, a.Source)
		default:
			d.Dissenters = append(d.Dissenters, a.Source)
		}
	}
	for _, side := range [][]Identity{d.Voters, d.Dissenters, d.Silent} {
		slices.SortFunc(side, func(a, b Identity) int { return strings.Compare(a.Name, b.Name) })
	}
}

// vote says whether an answer names an address that can be one.
func vote(a Answer, family Family) bool { return a.Err == nil && check(a.Addr, family) == nil }

// tally is how many operators stand behind an address.
type tally struct {
	addr  netip.Addr
	votes int // operators that named it and nothing else
	named int // operators that named it
}

// count gives the addresses named, the one with most votes first.
func count(named map[string][]netip.Addr) []tally {
	by := map[netip.Addr]tally{}
	for _, addrs := range named {
		for _, a := range addrs {
			t := by[a]
			t.addr = a
			t.named++
			if len(addrs) == 1 {
				t.votes++
			}
			by[a] = t
		}
	}
	return slices.SortedFunc(maps.Values(by), func(a, b tally) int {
		return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(b.named, a.named), a.addr.Compare(b.addr))
	})
}
