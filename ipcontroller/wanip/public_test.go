package wanip_test

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// specialRows has a row for each row of both registries: addresses in it, and what the refusal has to say.
func specialRows() []struct {
	block, addresses, why string
} {
	return []struct{ block, addresses, why string }{
		{"0.0.0.0/8", "0.0.0.1 0.255.255.255", "of this network (RFC 791)"},
		{"0.0.0.0/32", "0.0.0.0", "this host on this network (RFC 1122)"},
		{"10.0.0.0/8", "10.0.0.0 10.1.2.3 10.255.255.255", "private (RFC 1918)"},
		{"100.64.0.0/10", "100.64.0.0 100.64.3.4 100.127.255.255", "carrier-grade NAT (RFC 6598)"},
		{"127.0.0.0/8", "127.0.0.1 127.255.255.255", "loopback (RFC 1122)"},
		{"169.254.0.0/16", "169.254.169.254", "link-local (RFC 3927)"},
		{"172.16.0.0/12", "172.16.0.0 172.31.255.255", "private (RFC 1918)"},
		{"192.0.0.0/24", "192.0.0.11 192.0.0.255", "protocol assignments (RFC 6890)"},
		{"192.0.0.0/29", "192.0.0.0 192.0.0.7", "service continuity (RFC 7335)"},
		{"192.0.0.8/32", "192.0.0.8", "dummy address (RFC 7600)"},
		{"192.0.0.9/32", "192.0.0.9", "PCP (RFC 7723)"},
		{"192.0.0.10/32", "192.0.0.10", "TURN (RFC 8155)"},
		{"192.0.0.170/32", "192.0.0.170", "NAT64 discovery (RFC 8880)"},
		{"192.0.0.171/32", "192.0.0.171", "NAT64 discovery (RFC 8880)"},
		{"192.0.2.0/24", "192.0.2.0 192.0.2.255", "documentation (RFC 5737)"},
		{"192.31.196.0/24", "192.31.196.1", "AS112 (RFC 7535)"},
		{"192.52.193.0/24", "192.52.193.1", "AMT (RFC 7450)"},
		{"192.88.99.0/24", "192.88.99.1 192.88.99.255", "6to4 relays, deprecated (RFC 7526)"},
		{"192.88.99.2/32", "192.88.99.2", "6a44 relays (RFC 6751)"},
		{"192.168.0.0/16", "192.168.0.0 192.168.255.255", "private (RFC 1918)"},
		{"192.175.48.0/24", "192.175.48.6", "AS112 (RFC 7534)"},
		{"198.18.0.0/15", "198.18.0.0 198.19.255.255", "benchmarking (RFC 2544)"},
		{"198.51.100.0/24", "198.51.100.7", "documentation (RFC 5737)"},
		{"203.0.113.0/24", "203.0.113.7", "documentation (RFC 5737)"},
		{"224.0.0.0/4", "224.0.0.1 239.255.255.255", "multicast (RFC 5771)"},
		{"240.0.0.0/4", "240.0.0.0 255.255.255.254", "reserved (RFC 1112)"},
		{"255.255.255.255/32", "255.255.255.255", "the limited broadcast (RFC 919)"},

		{"::1/128", "::1", "loopback (RFC 4291)"},
		{"::/128", "::", "unspecified (RFC 4291)"},
		{"::ffff:0:0/96", "::ffff:8.8.8.8 ::ffff:10.0.0.1 ::ffff:0.0.0.0", "mapped into IPv6 (RFC 4291)"},
		{"64:ff9b::/96", "64:ff9b::808:808", "translated into IPv6 (RFC 6052)"},
		{"64:ff9b:1::/48", "64:ff9b:1::1", "translated into IPv6 locally (RFC 8215)"},
		{"100::/64", "100::1", "discarding (RFC 6666)"},
		{"100:0:0:1::/64", "100:0:0:1::1", "dummy prefix (RFC 9780)"},
		{"2001::/23", "2001:1:: 2001:1ff:ffff::", "protocol assignments (RFC 2928)"},
		{"2001::/32", "2001:: 2001:0:4136:e378::1", "Teredo tunnel (RFC 4380)"},
		{"2001:1::1/128", "2001:1::1", "PCP (RFC 7723)"},
		{"2001:1::2/128", "2001:1::2", "TURN (RFC 8155)"},
		{"2001:1::3/128", "2001:1::3", "service registration (RFC 9665)"},
		{"2001:2::/48", "2001:2::1", "benchmarking (RFC 5180)"},
		{"2001:3::/32", "2001:3::1", "AMT (RFC 7450)"},
		{"2001:4:112::/48", "2001:4:112::1", "AS112 (RFC 7535)"},
		{"2001:10::/28", "2001:10::1 2001:1f::1", "ORCHID, deprecated (RFC 4843)"},
		{"2001:20::/28", "2001:20::1 2001:2f::1", "ORCHID (RFC 7343)"},
		{"2001:30::/28", "2001:30::1 2001:3f::1", "remote id (RFC 9374)"},
		{"2001:db8::/32", "2001:db8::1", "documentation (RFC 3849)"},
		{"2002::/16", "2002:808:808::1", "6to4 tunnel (RFC 3056)"},
		{"2620:4f:8000::/48", "2620:4f:8000::6", "AS112 (RFC 7534)"},
		{"3fff::/20", "3fff::1 3fff:fff:ffff::", "documentation (RFC 9637)"},
		{"5f00::/16", "5f00::1", "segment routing id (RFC 9602)"},
		{"fc00::/7", "fc00::1 fdff::1", "unique local (RFC 4193)"},
		{"fe80::/10", "fe80::1", "link-local (RFC 4291)"},
		{"fec0::/10", "fec0::1", "site-local, deprecated (RFC 3879)"},
		{"ff00::/8", "ff02::1", "multicast (RFC 4291)"},
	}
}

func TestPublicRefusesEveryRowOfTheRegistries(t *testing.T) {
	for _, row := range specialRows() {
		for text := range strings.FieldsSeq(row.addresses) {
			err := wanip.Public(netip.MustParseAddr(text))
			if err == nil || !strings.HasPrefix(err.Error(), text+" is ") || !strings.HasSuffix(err.Error(), row.why) {
				t.Errorf("%s: Public(%s) = %v, want ... %s", row.block, text, err, row.why)
			}
		}
	}
}

func TestPublicRefusesWhatIsNotGlobalUnicast(t *testing.T) {
	for address, why := range map[netip.Addr]string{
		{}:                                      "no address",
		netip.MustParseAddr("fe80::1%eth0"):     "has a zone",
		netip.MustParseAddr("2600::1%eth0"):     "has a zone",
		netip.MustParseAddr("::7"):              "outside 2000::/3",
		netip.MustParseAddr("100:0:0:2::"):      "outside 2000::/3",
		netip.MustParseAddr("1fff::"):           "outside 2000::/3",
		netip.MustParseAddr("4000::"):           "outside 2000::/3",
		netip.MustParseAddr("::8.8.8.8"):        "outside 2000::/3",
		netip.MustParseAddr("::ffff:0:8.8.8.8"): "outside 2000::/3",
	} {
		if err := wanip.Public(address); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("Public(%s) = %v, want %q", address, err, why)
		}
	}
}

// The addresses beside each block show that no row is too wide.
func TestPublicAcceptsWhatLiesBeside(t *testing.T) {
	for text := range strings.FieldsSeq(`
		1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
		169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0
		192.31.195.255 192.31.197.0 192.52.192.255 192.52.194.0 192.88.98.255 192.88.100.0
		192.167.255.255 192.169.0.0 192.175.47.255 192.175.49.0 198.17.255.255 198.20.0.0
		198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 8.8.8.8
		2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2001:ffff:: 2003:: 2620:4f:7fff:: 2620:4f:8001::
		2a00:1450::1 2606:4700::1111 3ffe:: 3fff:1000:: 3fff:ffff::`) {
		if err := wanip.Public(netip.MustParseAddr(text)); err != nil {
			t.Errorf("Public(%s) = %v", text, err)
		}
	}
}

// Whatever is drawn out of a row is refused, and what is accepted is in no row.
func TestPublicAgreesWithTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SampledFrom(specialRows()).Draw(t, "row")
		p := netip.MustParsePrefix(row.block)
		b := p.Addr().AsSlice()
		noise := rapid.SliceOfN(rapid.Byte(), len(b), len(b)).Draw(t, "noise")
		for i := range b {
			keep := min(max(p.Bits()-8*i, 0), 8)
			b[i] |= noise[i] & (0xff >> keep)
		}
		a, _ := netip.AddrFromSlice(b)
		if wanip.Public(a) == nil {
			t.Fatalf("%s of %s was accepted", a, p)
		}
	})
}
