package nameserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

func TestKnot(t *testing.T) {
	ctx := t.Context()
	st := stack.ForTest(t)
	k, err := st.KnotServer(ctx, "knot-1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := st.KnotServer(ctx, "knot-2")
	if err != nil {
		t.Fatal(err)
	}
	from := startSeed(t)
	program, err := stack.System("knotc", "knot")
	if err != nil {
		t.Fatal(err)
	}
	server := func(k *stack.KnotServer, role v1alpha1.Role) *nameserver.Server {
		return with(t, nameserver.Config{
			Name: k.Addr, Role: role, Address: k.Addr, TSIG: key(k.Key), Seed: from,
			Control: nameserver.Control{Knot: &nameserver.Knot{Socket: k.Socket, Program: program}},
		})
	}
	s, secondary := server(k, v1alpha1.Primary), server(other, v1alpha1.Secondary)
	z := nameserver.ZoneConfig{Zone: "example.org", AllowTransfer: []string{"192.0.2.1", "10.0.0.0/8"}, AlsoNotify: []string{other.Addr}}

	if state, err := s.State(ctx, z.Zone); err != nil || state.Is != nameserver.Absent {
		t.Errorf("before: %+v, %v; want absent", state, err)
	}
	if changed, err := s.Ensure(ctx, z, content(z.Zone, 5, 300)); !changed || err != nil {
		t.Fatalf("Ensure: %t, %v; want true, nil", changed, err)
	}
	if changed, err := s.Ensure(ctx, z, never(t)); changed || err != nil {
		t.Errorf("again: %t, %v; want false, nil", changed, err)
	}
	if err := update(ctx, s, z.Zone); err != nil {
		t.Errorf("update: %v", err)
	}
	z.AllowTransfer = z.AllowTransfer[:1]
	if changed, err := s.Ensure(ctx, z, never(t)); !changed || err != nil {
		t.Errorf("another configuration: %t, %v; want true, nil", changed, err)
	}
	if err := stack.EventuallyAnswers(ctx, time.Second, k.Addr, "added.example.org", "A", "192.0.2.1"); err != nil {
		t.Error(err)
	}

	mirror := nameserver.ZoneConfig{Zone: z.Zone, Primaries: []nameserver.Endpoint{{Addr: k.Addr, Key: key(k.Key)}}}
	if changed, err := secondary.Ensure(ctx, mirror, never(t)); !changed || err != nil {
		t.Errorf("secondary: %t, %v; want true, nil", changed, err)
	}
	if changed, err := secondary.Ensure(ctx, mirror, never(t)); changed || err != nil {
		t.Errorf("secondary, again: %t, %v; want false, nil", changed, err)
	}

	t.Run("content lost", func(t *testing.T) {
		k.Kill()
		files, err := filepath.Glob(filepath.Join(k.Dir, "spokedns.*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("files %q, %v", files, err)
		}
		for _, path := range append(files, filepath.Join(k.Dir, "journal")) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		z.Floor = 6
		if changed, err := s.Ensure(ctx, z, content(z.Zone, 7, 2)); !changed || err != nil {
			t.Fatalf("Ensure: %t, %v; want true, nil", changed, err)
		}
		if state, err := s.State(ctx, z.Zone); err != nil || state.SOA.Serial != 7 {
			t.Errorf("%+v, %v; want serial 7", state, err)
		}
		if err := stack.EventuallyAnswers(ctx, 10*time.Second, other.Addr, "host1.example.org", "A", "10.0.0.1"); err != nil {
			t.Errorf("secondary: %v", err)
		}
	})
	t.Run("older content", func(t *testing.T) {
		z.Floor = 10
		if changed, err := s.Ensure(ctx, z, content(z.Zone, 11, 3)); !changed || err != nil {
			t.Fatalf("Ensure: %t, %v; want true, nil", changed, err)
		}
		if err := stack.EventuallyAnswers(ctx, time.Second, k.Addr, "host2.example.org", "A", "10.0.0.2"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a zone of somebody else's", func(t *testing.T) {
		for _, args := range [][]string{{"conf-begin"}, {"conf-set", "zone[own.test]"}, {"conf-commit"}} {
			if out, err := exec.CommandContext(ctx, program, append([]string{"-s", k.Socket}, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		var unsupported *nameserver.Unsupported
		if _, err := s.Ensure(ctx, nameserver.ZoneConfig{Zone: "own.test"}, never(t)); !errors.As(err, &unsupported) {
			t.Errorf("Ensure: %v; want *Unsupported", err)
		}
		if err := s.Remove(ctx, "own.test"); err != nil {
			t.Errorf("Remove: %v", err)
		}
		if out, err := exec.CommandContext(ctx, program, "-s", k.Socket, "zone-status", "own.test").CombinedOutput(); err != nil {
			t.Errorf("it is gone: %v: %s", err, out)
		}
	})
	t.Run("removal", func(t *testing.T) {
		for range 2 {
			if err := s.Remove(ctx, z.Zone); err != nil {
				t.Errorf("Remove: %v", err)
			}
		}
		files, err := filepath.Glob(filepath.Join(k.Dir, "spokedns.*"))
		if state, serr := s.State(ctx, z.Zone); serr != nil || state.Is != nameserver.Absent || err != nil || len(files) > 0 {
			t.Errorf("%+v, %v, files %q, %v; want nothing", state, serr, files, err)
		}
	})
	t.Run("signed", func(t *testing.T) {
		z := nameserver.ZoneConfig{Zone: "signed.test", DNSSECPolicy: "default"}
		if _, err := s.Ensure(ctx, z, content(z.Zone, 1, 2)); err != nil {
			t.Fatal(err)
		}
		before, err := s.DNS().DS(ctx, z.Zone)
		if err != nil || len(before) != 1 {
			t.Errorf("DS: %q, %v; want one", before, err)
		}
		z.Floor = 1000
		if _, err := s.Ensure(ctx, z, content(z.Zone, 1001, 2)); err != nil {
			t.Fatal(err)
		}
		if after, err := s.DNS().DS(ctx, z.Zone); err != nil || !slices.Equal(after, before) {
			t.Errorf("filled again, the keys are others: DS %q, %v, before %q", after, err, before)
		}
		var unsupported *nameserver.Unsupported
		z.DNSSECPolicy = ""
		if _, err := s.Ensure(ctx, z, never(t)); !errors.As(err, &unsupported) {
			t.Errorf("not signed any more: %v; want *Unsupported", err)
		}
	})
	t.Run("not there", func(t *testing.T) {
		k.Stop()
		var unreachable *nameserver.Unreachable
		if _, err := s.Ensure(ctx, z, never(t)); !errors.As(err, &unreachable) {
			t.Errorf("Ensure: %v; want *Unreachable", err)
		}
	})
}

// TestKnotIsCutAnywhere cuts the making of a zone before every command. Somebody else, who knows nothing of it,
// ends it, and the transaction that was left open.
func TestKnotIsCutAnywhere(t *testing.T) {
	ctx := t.Context()
	k, err := stack.ForTest(t).KnotServer(ctx, "knot-1")
	if err != nil {
		t.Fatal(err)
	}
	knotc, err := stack.System("knotc", "knot")
	if err != nil {
		t.Fatal(err)
	}
	from := startSeed(t)
	server := func(program string) *nameserver.Server {
		return with(t, nameserver.Config{
			Name: k.Addr, Role: v1alpha1.Primary, Address: k.Addr, TSIG: key(k.Key), Seed: from,
			Control: nameserver.Control{Knot: &nameserver.Knot{Socket: k.Socket, Program: program}},
		})
	}
	for at, done := 0, false; !done; at++ {
		// Each run writes a byte, and the one after the last that is let through fails for good.
		dir := t.TempDir()
		cut := filepath.Join(dir, "knotc")
		script := fmt.Sprintf("#!/bin/sh\necho >> %[1]s/runs\nif [ $(wc -l < %[1]s/runs) -gt %[2]d ]; then echo 'error: failed to connect' >&2; exit 1; fi\nexec %[3]s \"$@\"\n", dir, at, knotc)
		if err := os.WriteFile(cut, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		z := nameserver.ZoneConfig{Zone: fmt.Sprintf("cut%d.test", at)}
		_, err := server(cut).Ensure(ctx, z, content(z.Zone, 3, 2))
		done = err == nil
		other := server(knotc)
		if _, err := other.Ensure(ctx, z, content(z.Zone, 3, 2)); err != nil {
			t.Fatalf("cut at %d: %v", at, err)
		}
		if changed, err := other.Ensure(ctx, z, never(t)); changed || err != nil {
			t.Errorf("cut at %d, again: %t, %v; want nothing to do", at, changed, err)
		}
		if err := update(ctx, other, z.Zone); err != nil {
			t.Errorf("cut at %d: update: %v", at, err)
		}
		if done {
			t.Logf("%d cuts", at)
		}
	}
}
