package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Trait is something about the site's way out that people should know of.
type Trait string

// The traits.
const (
	BehindCGNAT     Trait = "BehindCGNAT"     // the router's address is not the one the Internet sees
	SeveralEgresses Trait = "SeveralEgresses" // the site leaves by several addresses in turn
	BehindProxy     Trait = "Proxied"         // somebody on the way asks on our behalf
)

// Finding is a trait that showed.
type Finding struct {
	Trait  Trait
	Addrs  []netip.Addr // those concerned, sorted
	Detail string       // for people
}

// sharedSpace is what carriers put between their NAT and the site (RFC 6598).
func sharedSpace() netip.Prefix { return netip.MustParsePrefix("100.64.0.0/10") }

// findNAT compares the address verified with the one the router has on the outside. Inbound connections to
// the address verified do not reach a router that has another one.
func findNAT(router, verified netip.Addr) []Finding {
	if !router.IsValid() || !verified.IsValid() || router == verified {
		return nil
	}
	why := "another NAT is between them"
	if sharedSpace().Contains(router) {
		why = "the carrier shares that one among its customers (RFC 6598)"
	} else if router.IsPrivate() {
		why = "another router is before it"
	}
	return []Finding{{Trait: BehindCGNAT, Addrs: sorted(router, verified),
		Detail: fmt.Sprintf("the router has %s on the outside, the Internet sees %s: %s", router, verified, why)}}
}

// findProxy looks for answers that differ by the way they took: all over HTTPS say one address and all over
// DNS and STUN another one, at least two operators each. One alone may simply be wrong.
func findProxy(answers []Answer) []Finding {
	says := map[bool][]netip.Addr{} // over HTTPS or not
	by := map[bool][]string{}
	for _, a := range answers {
		if KindOf(a.Err) == Proxied {
			return []Finding{{Trait: BehindProxy, Detail: fmt.Sprintf("%s: %v", a.Source.Name, a.Err)}}
		}
		web := a.Source.Via == ViaHTTPS
		if a.Err != nil || !a.Source.Via.external() {
			continue
		}
		if !slices.Contains(says[web], a.Addr) {
			says[web] = append(says[web], a.Addr)
		}
		if !slices.Contains(by[web], a.Source.Operator) {
			by[web] = append(by[web], a.Source.Operator)
		}
	}
	if len(says[true]) != 1 || len(says[false]) != 1 || says[true][0] == says[false][0] || len(by[true]) < 2 || len(by[false]) < 2 {
		return nil
	}
	return []Finding{{Trait: BehindProxy, Addrs: sorted(says[true][0], says[false][0]),
		Detail: fmt.Sprintf("all over HTTPS see %s, all over DNS and STUN see %s: a proxy, or routes by port", says[true][0], says[false][0])}}
}

// sightings is what was seen when: one entry for each round or canary.
type sightings []sighting

type sighting struct {
	at time.Time
	by map[netip.Addr][]string // operators
}

// memory is how long sightings count.
const memory = 30 * time.Minute

// add notes answers that came together, and forgets the old ones.
func (s sightings) add(at time.Time, answers []Answer) sightings {
	n := sighting{at: at, by: map[netip.Addr][]string{}}
	for _, a := range answers {
		if a.Err == nil && a.Source.Via.external() {
			n.by[a.Addr] = append(n.by[a.Addr], a.Source.Operator)
		}
	}
	s = slices.DeleteFunc(s, func(o sighting) bool { return at.Sub(o.at) > memory })
	return append(s, n)
}

// findEgresses looks for addresses that come back: seen by two operators at least, then another one seen by
// two at least, then the first one again. A change comes once and stays.
func (s sightings) findEgresses() []Finding {
	by := map[netip.Addr]map[string]bool{}
	for _, n := range s {
		for a, operators := range n.by {
			if by[a] == nil {
				by[a] = map[string]bool{}
			}
			for _, o := range operators {
				by[a][o] = true
			}
		}
	}
	var several []netip.Addr
	for a := range by {
		if len(by[a]) < rival {
			continue
		}
		for b := range by {
			if b != a && len(by[b]) >= rival && (s.returns(a, b) || s.returns(b, a)) {
				several = append(several, a)
				break
			}
		}
	}
	if len(several) == 0 {
		return nil
	}
	several = sorted(several...)
	return []Finding{{Trait: SeveralEgresses, Addrs: several,
		Detail: "the Internet sees in turn " + join(several) + ": several ways out, or operators that do not tell the truth"}}
}

// returns says whether a was seen, later b, and later a again.
func (s sightings) returns(a, b netip.Addr) bool {
	step := 0
	for _, n := range s {
		want := a
		if step == 1 {
			want = b
		}
		if _, seen := n.by[want]; seen {
			step++
		}
		if step == 3 {
			return true
		}
	}
	return false
}

func sorted(addrs ...netip.Addr) []netip.Addr {
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}
