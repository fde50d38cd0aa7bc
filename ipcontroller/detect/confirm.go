package detect

import (
	"fmt"
	"net/netip"
)

// Confirming is what stands between a verified answer and a changed address: the same answer again, in so
// many rounds in a row. It is a value; Next gives the one after a round.
type Confirming struct {
	Current   netip.Addr // what is published; not valid when nothing is known yet
	Inherited bool       // Current was found by somebody else (another leader, another node), and not yet by us
	Candidate netip.Addr // what the last rounds agreed on instead
	Seen      int        // rounds in a row that agreed on Candidate
}

// Next takes in the decision of a round and gives the state after it and the decision to publish. rounds is
// how many rounds in a row have to agree on another address than the current one before it becomes the
// current one. Two things move that number: an inherited address takes one round more, since from another
// node the site may just look different; and a router that says the same address on its own saves one.
//
// The decision to publish is Verified only when its address is the current one. While a change waits for its
// confirmation it is Holding, with the current address.
func (c Confirming) Next(d Decision, rounds int, router netip.Addr) (Confirming, Decision) {
	if d.Status != Verified {
		c.Candidate, c.Seen = netip.Addr{}, 0
		d.Addr = c.Current
		return c, d
	}
	if d.Addr == c.Current {
		return Confirming{Current: c.Current}, d
	}
	if d.Addr != c.Candidate {
		c.Candidate, c.Seen = d.Addr, 0
	}
	c.Seen++
	need := c.need(rounds, router)
	if c.Seen >= need {
		return Confirming{Current: d.Addr}, d
	}
	d.Status, d.Addr = Holding, c.Current
	d.Reason += fmt.Sprintf(", seen in %d of %d rounds", c.Seen, need)
	return c, d
}

// Waiting says that a change was seen and has to be seen again.
func (c Confirming) Waiting() bool { return c.Seen > 0 }

// need is how many rounds it takes now.
func (c Confirming) need(rounds int, router netip.Addr) int {
	if c.Inherited && c.Current.IsValid() {
		rounds++
	}
	if router == c.Candidate {
		rounds--
	}
	return max(rounds, 1)
}
