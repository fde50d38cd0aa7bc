// Package nameserver tests how zones come and go, on real servers.
package nameserver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/seed"
)

func key(k stack.TSIGKey) keyfile.Key {
	return keyfile.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: k.Secret}
}

// startBIND starts a BIND server in a stack of the test's.
func startBIND(t *testing.T, s *stack.Stack, cfg stack.BINDConfig) *stack.BIND {
	t.Helper()
	b, err := s.BIND(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// startSeed serves first contents until the test ends.
func startSeed(t *testing.T) *seed.Server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := seed.New(ctx, seed.Config{Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// open is a server of that role, controlled by rndc.
func open(t *testing.T, b *stack.BIND, role v1alpha1.Role, s *seed.Server) *nameserver.Server {
	t.Helper()
	return with(t, nameserver.Config{
		Name: b.Addr, Role: role, Address: b.Addr, TSIG: key(b.Key), Seed: s,
		Control: nameserver.Control{RNDC: &nameserver.RNDC{Address: b.Control, Key: key(b.ControlKey)}},
	})
}

func with(t *testing.T, cfg nameserver.Config) *nameserver.Server {
	t.Helper()
	s, err := nameserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// content is a zone with a serial and as many addresses as asked for: host0, host1, …
func content(zone string, serial uint32, hosts int) nameserver.Content {
	return func(context.Context) ([]backend.RRset, error) {
		set := func(name, typ string, values ...string) backend.RRset {
			return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: time.Minute, Values: values}
		}
		all := []backend.RRset{
			set(zone, "SOA", fmt.Sprintf("ns.%s. hostmaster.%s. %d 3600 600 604800 60", zone, zone, serial)),
			set(zone, "NS", "ns."+zone),
			set("ns."+zone, "A", "127.0.0.1"),
			set("odd_name."+zone, "A", "127.0.0.2"), // a host name to nobody, and all the same a name
		}
		for i := range hosts {
			all = append(all, set(fmt.Sprintf("host%d.%s", i, zone), "A", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)))
		}
		return all, nil
	}
}

// never is the content of a zone that must not be filled.
func never(t *testing.T) nameserver.Content {
	return func(context.Context) ([]backend.RRset, error) {
		t.Error("content was asked for")
		return nil, fmt.Errorf("content was asked for")
	}
}

// update adds a record by a signed UPDATE.
func update(ctx context.Context, s *nameserver.Server, zone string) error {
	set := backend.RRset{Key: backend.Key{Name: "added." + zone, Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}}
	return s.DNS().Apply(ctx, zone, []backend.Change{{New: &set}})
}

func failing(err error) nameserver.Content {
	return func(context.Context) ([]backend.RRset, error) { return nil, err }
}

// without leaves out what stands at a name.
func without(c nameserver.Content, name string) nameserver.Content {
	return func(ctx context.Context) ([]backend.RRset, error) {
		all, err := c(ctx)
		return slices.DeleteFunc(all, func(r backend.RRset) bool { return r.Name == name }), err
	}
}

// rndcTool runs BIND's own rndc.
func rndcTool(t *testing.T, b *stack.BIND, args ...string) (string, error) {
	t.Helper()
	program, err := stack.System("rndc", "bind9-utils")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(b.Control)
	conf := filepath.Join(t.TempDir(), "rndc.conf")
	text := fmt.Sprintf("key %q { algorithm %s; secret %q; };\noptions { default-key %q; default-server %s; default-port %s; };\n",
		b.ControlKey.Name, b.ControlKey.Algorithm, b.ControlKey.Secret, b.ControlKey.Name, host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, append([]string{"-c", conf}, args...)...).CombinedOutput()
	return string(out), err
}

// nothingLeft waits until a server has no files that begin with the prefix: it deletes them after it has said so.
func nothingLeft(t *testing.T, b *stack.BIND, prefix string) {
	t.Helper()
	err := stack.Eventually(t.Context(), 10*time.Second, func(context.Context) error {
		files, err := b.Files(prefix)
		if err == nil && len(files) > 0 {
			err = fmt.Errorf("files are left: %q", files)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
