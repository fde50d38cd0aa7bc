package nameserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
)

func channel(t *testing.T, b *stack.BIND, k keyfile.Key, now func() time.Time) *rndc.Client {
	t.Helper()
	c, err := rndc.New(rndc.Config{Addr: b.Control, Key: k, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCommands gives named every command there is a method for.
func TestCommands(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	c := channel(t, b, key(b.ControlKey), nil)
	z := rndc.Zone{Name: "example.org"}
	if err := os.WriteFile(filepath.Join(b.Dir, "zone.db"), []byte(ownZone), 0o600); err != nil {
		t.Fatal(err)
	}
	conf := func(more ...clause.Statement) []clause.Statement {
		return append([]clause.Statement{clause.Of("type", "primary"), clause.Text("file", "zone.db"), clause.Of("allow-update").With(clause.Of("key", b.Key.Name))}, more...)
	}
	status, err := c.Status(ctx)
	if err != nil || !strings.HasPrefix(status.Version, "BIND 9") || status.Fields["worker threads"] != "2" {
		t.Errorf("status: %+v, %v", status, err)
	}
	frozen := func() string {
		fields, err := c.ZoneStatus(ctx, z)
		if err != nil {
			t.Error(err)
		}
		return fields["type"] + " " + fields["frozen"]
	}
	for _, step := range []struct {
		name string
		do   func() error
		then func() string
		want string
	}{
		{"addzone", func() error { return c.AddZone(ctx, z, conf()) }, frozen, "primary no"},
		{"freeze", func() error { return c.Freeze(ctx, z) }, frozen, "primary yes"},
		{"thaw", func() error { return c.Thaw(ctx, z) }, frozen, "primary no"},
		{"sync", func() error { return c.Sync(ctx, z) }, frozen, "primary no"},
		{"notify", func() error { return c.Notify(ctx, z) }, frozen, "primary no"},
		{"modzone", func() error { return c.ModZone(ctx, z, conf(clause.Of("notify", "no"))) }, func() string {
			s, err := c.ShowZone(ctx, z)
			notify, _ := clause.Find(s, "notify")
			return fmt.Sprint(notify.Value(), " ", err)
		}, "no <nil>"},
		{"reconfig", func() error { return c.Reconfig(ctx) }, frozen, "primary no"},
		{"delzone", func() error { return c.DelZone(ctx, z, false) }, func() string {
			_, err := c.ShowZone(ctx, z)
			_, kept := os.Stat(filepath.Join(b.Dir, "zone.db"))
			return fmt.Sprint(rndc.Is(err, rndc.NotFound), kept)
		}, "true <nil>"},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if got := step.then(); got != step.want {
			t.Errorf("after %s: %q, want %q", step.name, got, step.want)
		}
	}
	if err := c.Retransfer(ctx, z); err == nil {
		t.Error("retransfer of no zone: want an error")
	}
	if _, err := c.Do(ctx, "nonsense"); err == nil {
		t.Error("no command: want an error")
	}
	var refused *rndc.Error
	if err := c.AddZone(ctx, z, conf(clause.Of("allow-query").With(clause.Of("nonsense")))); !errors.As(err, &refused) {
		t.Errorf("a configuration that means nothing: %v; want *rndc.Error", err)
	}
}

func TestAlgorithmsOfTheControlChannel(t *testing.T) {
	for _, algorithm := range keyfile.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			b := startBIND(t, stack.ForTest(t), stack.BINDConfig{ControlKey: stack.TSIGKey{Name: "control", Algorithm: algorithm, Secret: "Y29udHJvbCBjb250cm9sIGNvbnRyb2wgY29udHJvbA=="}})
			if _, err := channel(t, b, key(b.ControlKey), nil).Status(t.Context()); err != nil {
				t.Error(err)
			}
			var denied *rndc.Denied
			if _, err := channel(t, b, key(b.Key), nil).Status(t.Context()); !errors.As(err, &denied) {
				t.Errorf("with a key of another name and secret: %v; want *Denied", err)
			}
		})
	}
}

// TestClocks has clocks apart by as much as named tolerates, and by more.
func TestClocks(t *testing.T) {
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	for _, tt := range []struct {
		off  time.Duration
		fine bool
	}{{0, true}, {4 * time.Minute, true}, {-4 * time.Minute, true}, {6 * time.Minute, false}, {-6 * time.Minute, false}} {
		_, err := channel(t, b, key(b.ControlKey), func() time.Time { return time.Now().Add(tt.off) }).Status(t.Context())
		var denied *rndc.Denied
		if tt.fine && err != nil || !tt.fine && (!errors.As(err, &denied) || !strings.Contains(err.Error(), "clocks")) {
			t.Errorf("%s ahead: %v; want fine: %t", tt.off, err, tt.fine)
		}
	}
}

// TestChannelUnderLoad asks from many goroutines at once, more than named's accept queue holds.
func TestChannelUnderLoad(t *testing.T) {
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	c := channel(t, b, key(b.ControlKey), nil)
	errs := make(chan error)
	for range 200 {
		go func() {
			_, err := c.Status(context.WithoutCancel(t.Context()))
			errs <- err
		}()
	}
	for range 200 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
