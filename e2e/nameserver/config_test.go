package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// TestConfigurationIsReadBack sets configurations of all kinds, on primaries and secondaries: what named prints
// of each is recognised as what was set, and a change made by hand is undone.
func TestConfigurationIsReadBack(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	primary := open(t, b, v1alpha1.Primary, startSeed(t))
	const zone = "example.org"
	if _, err := primary.Ensure(ctx, nameserver.ZoneConfig{Zone: zone}, content(zone, 1, 1)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		z := nameserver.ZoneConfig{
			Zone:          zone,
			AllowTransfer: rapid.SliceOfN(networks(), 0, 4).Draw(r, "allowTransfer"),
			AlsoNotify:    rapid.SliceOfN(endpoints(), 0, 4).Draw(r, "alsoNotify"),
		}
		if _, err := primary.Ensure(ctx, z, never(t)); err != nil {
			r.Fatal(err)
		}
		if changed, err := primary.Ensure(ctx, z, never(t)); changed || err != nil {
			out, _ := rndcTool(t, b, "showzone", zone)
			r.Fatalf("again: %t, %v; want that %q is recognised as %+v", changed, err, out, z)
		}
	})
	file := matches(t, b, "spokedns.*.db")[0]
	z := nameserver.ZoneConfig{Zone: zone, AllowTransfer: []string{"192.0.2.0/24"}}
	if _, err := primary.Ensure(ctx, z, never(t)); err != nil {
		t.Fatal(err)
	}
	if out, err := rndcTool(t, b, "modzone", zone, fmt.Sprintf(`{ type primary; file %q; allow-update { any; }; };`, file)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if changed, err := primary.Ensure(ctx, z, never(t)); !changed || err != nil {
		t.Errorf("after a change by hand: %t, %v; want it undone", changed, err)
	}
}

func addresses() *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(r *rapid.T) netip.Addr {
		if rapid.Bool().Draw(r, "v4") {
			// Told of changes are only hosts of this machine.
			return netip.AddrFrom4([4]byte{127, rapid.Byte().Draw(r, "b"), rapid.Byte().Draw(r, "c"), 1})
		}
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "v6"))
		b[0], b[1] = 0x20, 0x01
		return netip.AddrFrom16(b)
	})
}

func networks() *rapid.Generator[string] {
	return rapid.Custom(func(r *rapid.T) string {
		a := addresses().Draw(r, "addr")
		if rapid.Bool().Draw(r, "host") {
			return a.String()
		}
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(r, "bits")).String()
	})
}

func endpoints() *rapid.Generator[string] {
	return rapid.Custom(func(r *rapid.T) string {
		a := addresses().Filter(netip.Addr.Is4).Draw(r, "addr")
		if rapid.Bool().Draw(r, "bare") {
			return a.String()
		}
		return netip.AddrPortFrom(a, uint16(rapid.IntRange(1, 65535).Draw(r, "port"))).String()
	})
}

func TestViews(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{Views: []string{"other", "inside"}})
	from := startSeed(t)
	inView := func(view string) *nameserver.Server {
		return with(t, nameserver.Config{
			Name: view, Role: v1alpha1.Primary, Address: b.Addr, TSIG: key(b.Key), Seed: from, Timeout: 5 * time.Second,
			Control: nameserver.Control{RNDC: &nameserver.RNDC{Address: b.Control, Key: key(b.ControlKey), View: view}},
		})
	}
	z := nameserver.ZoneConfig{Zone: "example.org"}
	s := inView("inside")
	if _, err := s.Ensure(ctx, z, content(z.Zone, 1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := stack.EventuallyAnswers(ctx, time.Second, b.Addr, "host0.example.org", "A", "10.0.0.0"); err != nil {
		t.Error(err)
	}
	if out, err := rndcTool(t, b, "showzone", "example.org", "IN", "other"); err == nil {
		t.Errorf("the zone is in the other view, too: %s", out)
	}
	if err := s.Remove(ctx, z.Zone); err != nil {
		t.Error(err)
	}
	var unsupported *nameserver.Unsupported
	if _, err := inView("missing").Ensure(ctx, z, content(z.Zone, 1, 1)); !errors.As(err, &unsupported) {
		t.Errorf("a view that is not there: %v; want *Unsupported", err)
	}
}

func TestDNSSEC(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	z := nameserver.ZoneConfig{Zone: "example.org", DNSSECPolicy: "default"}
	signed := func(want bool) []string {
		t.Helper()
		var ds []string
		err := stack.Eventually(ctx, 10*time.Second, func(context.Context) (err error) {
			if ds, err = s.DNS().DS(ctx, z.Zone); err == nil && (len(ds) > 0) != want {
				err = fmt.Errorf("DS is %q", ds)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ds
	}
	if _, err := s.Ensure(ctx, z, content(z.Zone, 1, 3)); err != nil {
		t.Fatal(err)
	}
	before := signed(true)
	if err := update(ctx, s, z.Zone); err != nil {
		t.Error(err)
	}
	if changed, err := s.Ensure(ctx, z, never(t)); changed || err != nil {
		t.Errorf("again: %t, %v", changed, err)
	}
	state, err := s.State(ctx, z.Zone)
	if err != nil {
		t.Fatal(err)
	}
	z.Floor = state.SOA.Serial + 1
	if _, err := s.Ensure(ctx, z, content(z.Zone, z.Floor+1, 4)); err != nil {
		t.Fatal(err)
	}
	if after := signed(true); !slices.Equal(after, before) {
		t.Errorf("filled again, the keys are others: DS %q, before %q", after, before)
	}
	z.DNSSECPolicy = ""
	if changed, err := s.Ensure(ctx, z, never(t)); !changed || err != nil {
		t.Errorf("without the policy: %t, %v; want true, nil", changed, err)
	}
	if changed, err := s.Ensure(ctx, z, never(t)); changed || err != nil {
		out, _ := rndcTool(t, b, "showzone", z.Zone)
		t.Errorf("without the policy, again: %t, %v (%s)", changed, err, out)
	}
	if out, err := rndcTool(t, b, "showzone", z.Zone); err != nil || !strings.Contains(out, `dnssec-policy "insecure"`) {
		t.Errorf("%s, %v; want the policy that takes signatures away in order", out, err)
	}
	z.DNSSECPolicy = "default"
	if changed, err := s.Ensure(ctx, z, never(t)); !changed || err != nil {
		t.Errorf("with the policy again: %t, %v; want true, nil", changed, err)
	}
	z.DNSSECPolicy = "missing"
	var unsupported *nameserver.Unsupported
	if _, err := s.Ensure(ctx, z, never(t)); !errors.As(err, &unsupported) {
		t.Errorf("a policy that the server does not know: %v; want *Unsupported", err)
	}
}
