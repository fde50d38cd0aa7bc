package detect

import (
	"context"
	"net/netip"
)

// HostID is a source that learns only the prefix from another one and puts the site's own host part behind
// it: what an echo says of this machine's (often temporary) IPv6 address becomes the address of the machine
// that is meant. Sources that see different addresses of one prefix agree through it.
type HostID struct {
	Source Source
	Bits   int        // length of the prefix: 64, or what the provider delegates
	Host   netip.Addr // its lower bits: ::53
}

// Identity is that of the source it asks.
func (s *HostID) Identity() Identity { return s.Source.Identity() }

// Lookup asks the source and joins the two.
func (s *HostID) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	if family != IPv6 {
		return netip.Addr{}, fail(WrongFamily, "a prefix with a host id is for IPv6 only")
	}
	seen, err := s.Source.Lookup(ctx, family)
	if err != nil {
		return netip.Addr{}, err
	}
	// What the source saw has to be public too: a prefix of something else is nobody's.
	if err := check(seen, family); err != nil {
		return netip.Addr{}, err
	}
	a := withHost(seen, s.Bits, s.Host)
	return a, check(a, family)
}

// withHost is the first bits of prefix followed by the rest of host.
func withHost(prefix netip.Addr, bits int, host netip.Addr) netip.Addr {
	p, h := prefix.As16(), host.As16()
	for i := range p {
		keep := min(max(bits-8*i, 0), 8)
		mask := byte(0xff << (8 - keep))
		p[i] = p[i]&mask | h[i]&^mask
	}
	return netip.AddrFrom16(p)
}
