// Package detect owns how a site finds out its public addresses: by asking several independent operators
// and believing only what enough of them agree on.
//
// A Source answers one question once. Agree counts the answers of a round by operator and decides, without
// any I/O. Confirming asks for the same decision again before an address changes. Detector puts them on a
// clock: one source at a time between the rounds, a round when something looks different, all within a
// budget of queries.
//
// No operator gets more than its share of queries in any hour, whatever happens: 28 by default, so that five get
// 140 at most. 118 are what an hour takes in which nothing happens. The rest is for doubt: two changes of the
// address in an hour are seen and confirmed as fast as one, a third one may wait some minutes for the budget, and so
// do rounds without a quorum. Another leader starts to count anew.
//
// A Detector of one family knows an address or does not; that a site has no address of a
// family is a setting, never a conclusion.
package detect

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// Family is the version of IP that is asked about. The two are detected apart: an answer of the other family
// is a wrong answer.
type Family = wanip.Family

// The families.
const (
	IPv4 = wanip.IPv4
	IPv6 = wanip.IPv6
)

// network pins a network of package net to a family: tcp becomes tcp4.
func network(base string, f Family) string { return fmt.Sprintf("%s%d", base, uint8(f)) }

// isOf says whether a is of the family. An IPv4 address mapped into IPv6 is of neither.
func isOf(f Family, a netip.Addr) bool {
	return f == IPv4 && a.Is4() || f == IPv6 && a.Is6() && !a.Is4In6()
}

// Via is the way an answer took. It tells a proxy from a liar, and what costs a query to somebody from what
// does not.
type Via string

// The ways.
const (
	ViaHTTPS  Via = "https"
	ViaDNS    Via = "dns"
	ViaSTUN   Via = "stun"
	ViaRouter Via = "router" // the site's own router: may say an address that is not public, and has no vote
	ViaLocal  Via = "local"  // this machine, its cluster, or its configuration
)

// external says whether a query leaves the site.
func (v Via) external() bool { return v == ViaHTTPS || v == ViaDNS || v == ViaSTUN }

// Identity says who answers.
type Identity struct {
	Name     string // unique among the sources of a Detector; a label of metrics
	Operator string // who runs it: all sources of an operator together have one vote
	Via      Via
}

// Source finds an address in one way.
type Source interface {
	Identity() Identity
	// Lookup asks once and gives up when ctx ends. The address is of the family and public, save that of a
	// router, which is whatever the router believes. Every error is an *Error.
	Lookup(ctx context.Context, family Family) (netip.Addr, error)
}

// Answer is what came of one Lookup.
type Answer struct {
	Source Identity
	Addr   netip.Addr // not valid when Err is set
	Err    error      // an *Error
	At     time.Time  // when the answer was there
	RTT    time.Duration
}

// Ask asks a source once, and measures. It holds the source to its promise: an answer that is of the wrong
// family or not public becomes an error here, whatever the source thought of it.
func Ask(ctx context.Context, s Source, family Family) Answer {
	start := time.Now()
	id := s.Identity()
	addr, err := s.Lookup(ctx, family)
	a := Answer{Source: id, Addr: addr, Err: err, At: time.Now(), RTT: time.Since(start)}
	if a.Err == nil && id.Via != ViaRouter {
		a.Err = check(addr, family)
	}
	if a.Err != nil {
		a.Addr = netip.Addr{}
	}
	return a
}

// check returns the address's fault, nil when it is of the family and public.
func check(a netip.Addr, family Family) error {
	if !isOf(family, a) {
		return &Error{Kind: WrongFamily, Err: fmt.Errorf("%s is no %s address", a, family)}
	}
	if err := wanip.Public(a); err != nil {
		return &Error{Kind: NotPublic, Err: err}
	}
	return nil
}
