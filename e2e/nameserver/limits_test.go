package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

const ownZone = "$TTL 60\n@ SOA ns hostmaster 4 3600 600 604800 60\n@ NS ns\nns A 127.0.0.1\n"

// own is a server with a zone of its own configuration, and another one that it cannot load.
func own(t *testing.T) *stack.BIND {
	t.Helper()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{Statements: `
		zone "own.test" { type primary; file "own.db"; allow-update { key "externaldns"; }; allow-transfer { key "externaldns"; }; };
		zone "broken.test" { type primary; file "missing.db"; };
	`})
	if err := os.WriteFile(filepath.Join(b.Dir, "own.db"), []byte(ownZone), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Stop()
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestZonesOfOthersStay has zones of the server's own configuration, and one that somebody added by rndc, stay
// as they are, whatever is asked for. BIND itself would delete them when told to.
func TestZonesOfOthersStay(t *testing.T) {
	ctx := t.Context()
	b := own(t)
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	if err := os.WriteFile(filepath.Join(b.Dir, "added.db"), []byte(ownZone), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := rndcTool(t, b, "addzone", "added.test", `{ type primary; file "added.db"; allow-update { key "externaldns"; }; };`); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, zone := range []string{"own.test", "added.test"} {
		z := nameserver.ZoneConfig{Zone: zone, AllowTransfer: []string{"192.0.2.1"}, Floor: 100}
		if changed, err := s.Ensure(ctx, z, never(t)); changed || err != nil {
			t.Errorf("Ensure %s: %t, %v; want to use it as it is", zone, changed, err)
		}
		if err := update(ctx, s, zone); err != nil {
			t.Errorf("update %s: %v", zone, err)
		}
		if err := s.Remove(ctx, zone); err != nil {
			t.Errorf("Remove %s: %v", zone, err)
		}
		if state, err := s.State(ctx, zone); err != nil || state.Is != nameserver.Serving || state.SOA.Serial != 5 {
			t.Errorf("%s: %+v, %v; want serial 5 served", zone, state, err)
		}
	}
	var unsupported *nameserver.Unsupported
	if changed, err := s.Ensure(ctx, nameserver.ZoneConfig{Zone: "broken.test"}, never(t)); changed || !errors.As(err, &unsupported) {
		t.Errorf("a broken zone: %t, %v; want *Unsupported", changed, err)
	}
}

func TestServersThatCannotMakeZones(t *testing.T) {
	ctx := t.Context()
	from := startSeed(t)
	open := func(b *stack.BIND, edit func(*nameserver.Config)) *nameserver.Server {
		cfg := nameserver.Config{
			Name: "primary-1", Role: v1alpha1.Primary, Address: b.Addr, TSIG: key(b.Key), Seed: from,
			Control: nameserver.Control{RNDC: &nameserver.RNDC{Address: b.Control, Key: key(b.ControlKey)}},
		}
		edit(&cfg)
		return with(t, cfg)
	}
	b := own(t)
	z := nameserver.ZoneConfig{Zone: "example.org"}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := free.Addr().String()
	_ = free.Close()

	var unsupported *nameserver.Unsupported
	var denied *nameserver.Denied
	var unreachable *nameserver.Unreachable
	for _, tt := range []struct {
		name string
		edit func(*nameserver.Config)
		want any
		says string
	}{
		{"no control", func(c *nameserver.Config) { c.Control = nameserver.Control{} }, &unsupported, "give the DNSServer a control"},
		{"no TSIG key", func(c *nameserver.Config) { c.TSIG.Name, c.TSIG.Secret, c.TSIG.Algorithm = "", "", "" }, &unsupported, "tsig Secret"},
		{"another secret", func(c *nameserver.Config) { c.Control.RNDC.Key.Secret = "YW5vdGhlcg==" }, &denied, "does not accept key externaldns"},
		{"another algorithm", func(c *nameserver.Config) { c.Control.RNDC.Key.Algorithm = "hmac-sha512" }, &denied, "does not accept key externaldns"},
		{"a TSIG key that the server does not know", func(c *nameserver.Config) { c.TSIG.Name = "other" }, &denied, "other"},
		{"another TSIG secret", func(c *nameserver.Config) { c.TSIG.Secret = "YW5vdGhlcg==" }, &denied, "externaldns"},
		{"nobody there", func(c *nameserver.Config) { c.Control.RNDC.Address = down }, &unreachable, "is not reached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(b, tt.edit)
			if _, err := s.Ensure(ctx, z, never(t)); !errors.As(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Ensure: %v; want %T that says %q", err, tt.want, tt.says)
			}
		})
	}
	t.Run("what is healthy", func(t *testing.T) {
		h, err := open(b, func(*nameserver.Config) {}).Probe(ctx)
		if err != nil || !h.Controlled || h.Control != nil || !strings.HasPrefix(h.Version, "BIND 9") || h.Skew != 0 {
			t.Errorf("%+v, %v", h, err)
		}
		h, err = open(b, func(c *nameserver.Config) { c.Control.RNDC.Key.Secret = "YW5vdGhlcg==" }).Probe(ctx)
		if err != nil || h.Controlled || !errors.As(h.Control, &denied) {
			t.Errorf("another secret: %+v, %v", h, err)
		}
	})
	t.Run("a zone that BIND serves empty by itself", func(t *testing.T) {
		b := startBIND(t, stack.ForTest(t), stack.BINDConfig{Options: "empty-zones-enable yes; recursion yes;"})
		s := open(b, func(*nameserver.Config) {})
		const zone = "168.192.in-addr.arpa"
		if err := stack.Eventually(ctx, 10*time.Second, func(ctx context.Context) error { // BIND loads it late
			state, err := s.State(ctx, zone)
			if err == nil && state.Is != nameserver.Absent {
				err = fmt.Errorf("%+v; want absent", state)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		_, err := s.Ensure(ctx, nameserver.ZoneConfig{Zone: zone}, content(zone, 1, 1))
		if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), `disable-empty-zone "168.192.in-addr.arpa";`) {
			t.Errorf("Ensure: %v; want *Unsupported with the remedy", err)
		}
	})
	t.Run("new zones are not allowed", func(t *testing.T) {
		b := startBIND(t, stack.ForTest(t), stack.BINDConfig{Options: "allow-new-zones no;"})
		s := open(b, func(*nameserver.Config) {})
		if _, err := s.Ensure(ctx, z, content(z.Zone, 1, 1)); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "allow-new-zones yes") {
			t.Errorf("Ensure: %v; want *Unsupported with the remedy", err)
		}
	})
}
