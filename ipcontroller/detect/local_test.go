package detect_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

func TestStatic(t *testing.T) {
	for _, tt := range []struct {
		addr   string
		family detect.Family
		want   detect.Kind
	}{
		{here4, detect.IPv4, ""}, {here6, detect.IPv6, ""},
		{here4, detect.IPv6, detect.WrongFamily}, {"10.0.0.1", detect.IPv4, detect.NotPublic},
	} {
		got := detect.Ask(t.Context(), &detect.Static{Addr: addr(tt.addr)}, tt.family)
		if detect.KindOf(got.Err) != tt.want || (got.Err == nil && got.Addr != addr(tt.addr)) {
			t.Errorf("%s as %s: %v %v", tt.addr, tt.family, got.Addr, got.Err)
		}
	}
}

func TestAddressesOfTheCluster(t *testing.T) {
	broken := errors.New("the API server is away")
	for _, tt := range []struct {
		name   string
		list   []string
		err    error
		family detect.Family
		want   string
		kind   detect.Kind
	}{
		{"one", []string{here4}, nil, detect.IPv4, here4, ""},
		{"of both families", []string{here6, here4}, nil, detect.IPv6, here6, ""},
		{"a private one beside it", []string{"10.0.0.7", here4}, nil, detect.IPv4, here4, ""},
		{"the same from several nodes", []string{here4, here4}, nil, detect.IPv4, here4, ""},
		{"mapped", []string{"::ffff:" + here4}, nil, detect.IPv4, here4, ""},
		{"two", []string{here4, there4}, nil, detect.IPv4, "", detect.NotAddress},
		{"private only", []string{"10.0.0.7"}, nil, detect.IPv4, "", detect.NotPublic},
		{"of the other family only", []string{here6}, nil, detect.IPv4, "", detect.NoAnswer},
		{"none", nil, nil, detect.IPv4, "", detect.NoAnswer},
		{"unknown", nil, broken, detect.IPv4, "", detect.NoAnswer},
	} {
		s := &detect.Addresses{List: func(context.Context) ([]netip.Addr, error) {
			var all []netip.Addr
			for _, a := range tt.list {
				all = append(all, addr(a))
			}
			return all, tt.err
		}}
		got := detect.Ask(t.Context(), s, tt.family)
		if detect.KindOf(got.Err) != tt.kind || (tt.want != "" && got.Addr != addr(tt.want)) {
			t.Errorf("%s: %v %v", tt.name, got.Addr, got.Err)
		}
		if tt.err != nil && !errors.Is(got.Err, broken) {
			t.Errorf("%s: the cause got lost: %v", tt.name, got.Err)
		}
	}
}

func TestTheStableAddressOfAnInterface(t *testing.T) {
	// Address, index, prefix length, scope, flags, interface: flags 01 temporary, 04 optimistic, 08 duplicate,
	// 20 deprecated, 40 tentative, 80 permanent.
	const (
		loopback   = "00000000000000000000000000000001 01 80 10 80       lo\n"
		linkLocal  = "fe80000000000000021122fffe334455 02 40 20 80     eth0\n"
		unique     = "fd000000000000000000000000000002 02 40 00 80     eth0\n"
		temporary  = "2606280002200001aaaaaaaaaaaaaaaa 02 40 00 01     eth0\n"
		deprecated = "2606280002200001bbbbbbbbbbbbbbbb 02 40 00 20     eth0\n"
		tentative  = "2606280002200001cccccccccccccccc 02 40 00 40     eth0\n"
		optimistic = "26062800022000010000000000000001 02 40 00 04     eth0\n"
		duplicate  = "26062800022000010000000000000002 02 40 00 c8     eth0\n"
		learnt     = "2606280002200001021122fffe334455 02 40 00 00     eth0\n"
		configured = "26062800022000010000000000000053 02 40 00 80     eth0\n"
		elsewhere  = "26062800022000010000000000000054 03 40 00 80     eth1\n"
		cut        = "260628 02 40 00 80     eth0\n"
	)
	all := loopback + linkLocal + unique + temporary + deprecated + tentative + optimistic + duplicate + elsewhere + cut
	for _, tt := range []struct {
		name, lines, within, want string
	}{
		{"learnt from the router", all + learnt, "", "2606:2800:220:1:211:22ff:fe33:4455"},
		{"configured before learnt", all + learnt + configured, "", "2606:2800:220:1::53"},
		{"in any order", configured + learnt + all, "", "2606:2800:220:1::53"},
		{"within a prefix", all + learnt + configured, "2606:2800:220:1:200::/72", "2606:2800:220:1:211:22ff:fe33:4455"},
		{"outside the prefix", all + learnt, "2606:2800:220:2::/64", ""},
		{"none that is stable", all, "", ""},
		{"none", "", "", ""},
	} {
		path := filepath.Join(t.TempDir(), "if_inet6")
		if err := os.WriteFile(path, []byte(tt.lines), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &detect.Interface{Name: "eth0", InetSix: path}
		if tt.within != "" {
			s.Within = netip.MustParsePrefix(tt.within)
		}
		got := detect.Ask(t.Context(), s, detect.IPv6)
		if tt.want == "" {
			if detect.KindOf(got.Err) != detect.NoAnswer {
				t.Errorf("%s: %v %v", tt.name, got.Addr, got.Err)
			}
			continue
		}
		if got.Err != nil || got.Addr != addr(tt.want) {
			t.Errorf("%s: %v %v, want %s", tt.name, got.Addr, got.Err, tt.want)
		}
	}
}

// The kernel's own list and its own interface: no address of a loopback is public.
func TestTheRealInterface(t *testing.T) {
	for _, family := range []detect.Family{detect.IPv4, detect.IPv6} {
		if got := detect.Ask(t.Context(), &detect.Interface{Name: "lo"}, family); detect.KindOf(got.Err) != detect.NoAnswer {
			t.Errorf("%s: %v %v", family, got.Addr, got.Err)
		}
	}
	if got := detect.Ask(t.Context(), &detect.Interface{Name: "no-such"}, detect.IPv4); detect.KindOf(got.Err) != detect.NoAnswer {
		t.Errorf("got %v %v", got.Addr, got.Err)
	}
}

func TestPrefixAndHostID(t *testing.T) {
	for _, tt := range []struct {
		seen, host, want string
		bits             int
		kind             detect.Kind
	}{
		{here6, "::53", "2606:2800:21f:cb07::53", 64, ""},
		{here6, "::1:0:0:0:53", "2606:2800:21f:cb01::53", 60, ""},
		{here6, "::8:0:0:0:1", "2606:2800:21f:cb08::1", 56, ""},
		{here6, here6, here6, 128, ""},
		{"fd00::1", "::53", "", 64, detect.NotPublic},
		{here4, "::53", "", 64, detect.WrongFamily},
	} {
		s := &detect.HostID{Source: &detect.Static{Addr: addr(tt.seen)}, Bits: tt.bits, Host: addr(tt.host)}
		got := detect.Ask(t.Context(), s, detect.IPv6)
		if detect.KindOf(got.Err) != tt.kind || (tt.want != "" && got.Addr != addr(tt.want)) {
			t.Errorf("%s/%d and %s: %v %v, want %s", tt.seen, tt.bits, tt.host, got.Addr, got.Err, tt.want)
		}
	}
}

// The upper bits are those of the prefix and the lower ones those of the host, for every length.
func TestPrefixAndHostIDProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16)
		p, h := [16]byte(raw.Draw(t, "prefix")), [16]byte(raw.Draw(t, "host"))
		p[0] = 0x26 // public, mostly
		bits := rapid.IntRange(0, 128).Draw(t, "bits")
		seen := netip.AddrFrom16(p)
		got := detect.Ask(context.Background(), &detect.HostID{Source: &detect.Static{Addr: seen}, Bits: bits, Host: netip.AddrFrom16(h)}, detect.IPv6)
		if got.Err != nil {
			return
		}
		if prefix := netip.PrefixFrom(seen, bits); !prefix.Contains(got.Addr) {
			t.Errorf("%v is not in %v", got.Addr, prefix)
		}
		out := got.Addr.As16()
		for i := bits; i < 128; i++ {
			if mask := byte(0x80 >> (i % 8)); out[i/8]&mask != h[i/8]&mask {
				t.Fatalf("bit %d of %v is not the host's", i, got.Addr)
			}
		}
	})
}
