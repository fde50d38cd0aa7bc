package wanip

import (
	"fmt"
	"net/netip"
)

// Public returns nil for an address that a site can have on the public Internet: unicast, and outside every
// row of IANA's special-purpose address registries (RFC 6890, RFC 8190). Otherwise the error says why not,
// as in "10.1.2.3 is private (RFC 1918)".
//
// It is stricter than the registries' column "globally reachable": a row that is reachable, such as an
// anycast address of AS112, is still never the address of a site. An IPv4 address mapped into IPv6 and an
// address with a zone are refused too: who means an IPv4 address has to say it.
func Public(a netip.Addr) error {
	if !a.IsValid() {
		return fmt.Errorf("no address")
	}
	if a.Zone() != "" {
		return fmt.Errorf("%s has a zone: it is of one link only (RFC 4007)", a)
	}
	rows := special4()
	if a.Is6() {
		rows = special6()
	}
	var found special
	narrowest := -1
	for _, r := range rows { // they overlap: the narrowest knows best
		p := netip.MustParsePrefix(r.block)
		if contains(p, a) && p.Bits() > narrowest {
			found, narrowest = r, p.Bits()
		}
	}
	if narrowest >= 0 {
		return fmt.Errorf("%s is %s (%s)", a, found.what, found.document)
	}
	if a.Is6() && a.As16()[0]>>5 != 0b001 {
		return fmt.Errorf("%s is outside 2000::/3, the only global unicast addresses assigned (RFC 4291)", a)
	}
	return nil
}

// contains is netip.Prefix.Contains, but that ::ffff:0:0/96 contains the addresses mapped into it and no
// other block does.
func contains(p netip.Prefix, a netip.Addr) bool {
	if a.Is4In6() {
		return p.Addr().Is4In6()
	}
	return p.Contains(a)
}

// special is a row of a registry.
type special struct {
	block, what, document string
}

// special4 is IANA's IPv4 Special-Purpose Address Registry, and multicast, which has a registry of its own.
func special4() []special {
	return []special{
		{"0.0.0.0/8", "of this network", "RFC 791"},
		{"0.0.0.0/32", "this host on this network", "RFC 1122"},
		{"10.0.0.0/8", "private", "RFC 1918"},
		{"100.64.0.0/10", "shared by carrier-grade NAT", "RFC 6598"},
		{"127.0.0.0/8", "loopback", "RFC 1122"},
		{"169.254.0.0/16", "link-local", "RFC 3927"},
		{"172.16.0.0/12", "private", "RFC 1918"},
		{"192.0.0.0/24", "for protocol assignments", "RFC 6890"},
		{"192.0.0.0/29", "for IPv4 service continuity", "RFC 7335"},
		{"192.0.0.8/32", "the IPv4 dummy address", "RFC 7600"},
		{"192.0.0.9/32", "the anycast address of PCP", "RFC 7723"},
		{"192.0.0.10/32", "the anycast address of TURN", "RFC 8155"},
		{"192.0.0.170/32", "for NAT64 discovery", "RFC 8880"},
		{"192.0.0.171/32", "for NAT64 discovery", "RFC 8880"},
		{"192.0.2.0/24", "for documentation", "RFC 5737"},
		{"192.31.196.0/24", "anycast of AS112", "RFC 7535"},
		{"192.52.193.0/24", "anycast of AMT", "RFC 7450"},
		{"192.88.99.0/24", "anycast of 6to4 relays, deprecated", "RFC 7526"},
		{"192.88.99.2/32", "the anycast address of 6a44 relays", "RFC 6751"},
		{"192.168.0.0/16", "private", "RFC 1918"},
		{"192.175.48.0/24", "anycast of AS112", "RFC 7534"},
		{"198.18.0.0/15", "for benchmarking", "RFC 2544"},
		{"198.51.100.0/24", "for documentation", "RFC 5737"},
		{"203.0.113.0/24", "for documentation", "RFC 5737"},
		{"224.0.0.0/4", "multicast", "RFC 5771"},
		{"240.0.0.0/4", "reserved", "RFC 1112"},
		{"255.255.255.255/32", "the limited broadcast", "RFC 919"},
	}
}

// special6 is IANA's IPv6 Special-Purpose Address Registry, and multicast and site-local addresses, which
// stand in the registry of the address space.
func special6() []special {
	return []special{
		{"::1/128", "loopback", "RFC 4291"},
		{"::/128", "unspecified", "RFC 4291"},
		{"::ffff:0:0/96", "an IPv4 address mapped into IPv6", "RFC 4291"},
		{"64:ff9b::/96", "an IPv4 address translated into IPv6", "RFC 6052"},
		{"64:ff9b:1::/48", "an IPv4 address translated into IPv6 locally", "RFC 8215"},
		{"100::/64", "for discarding", "RFC 6666"},
		{"100:0:0:1::/64", "of the IPv6 dummy prefix", "RFC 9780"},
		{"2001::/23", "for protocol assignments", "RFC 2928"},
		{"2001::/32", "of a Teredo tunnel", "RFC 4380"},
		{"2001:1::1/128", "the anycast address of PCP", "RFC 7723"},
		{"2001:1::2/128", "the anycast address of TURN", "RFC 8155"},
		{"2001:1::3/128", "the anycast address of service registration", "RFC 9665"},
		{"2001:2::/48", "for benchmarking", "RFC 5180"},
		{"2001:3::/32", "anycast of AMT", "RFC 7450"},
		{"2001:4:112::/48", "anycast of AS112", "RFC 7535"},
		{"2001:10::/28", "an ORCHID, deprecated", "RFC 4843"},
		{"2001:20::/28", "an ORCHID", "RFC 7343"},
		{"2001:30::/28", "a drone's remote id", "RFC 9374"},
		{"2001:db8::/32", "for documentation", "RFC 3849"},
		{"2002::/16", "of a 6to4 tunnel", "RFC 3056"},
		{"2620:4f:8000::/48", "anycast of AS112", "RFC 7534"},
		{"3fff::/20", "for documentation", "RFC 9637"},
		{"5f00::/16", "a segment routing id", "RFC 9602"},
		{"fc00::/7", "unique local", "RFC 4193"},
		{"fe80::/10", "link-local", "RFC 4291"},
		{"fec0::/10", "site-local, deprecated", "RFC 3879"},
		{"ff00::/8", "multicast", "RFC 4291"},
	}
}
