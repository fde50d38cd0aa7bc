package nameserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/seed"
)

// scissors stand between a client and a control channel, where every command has a connection of its own.
type scissors struct {
	net.Listener
	to string

	mu    sync.Mutex
	after int  // so many commands get through
	mute  bool // the last of them is done, and its answer is lost
	count int
	cut   func() // called when nothing gets through any more
}

// hold puts scissors before the control channel.
func hold(t *testing.T, to string) *scissors {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scissors{Listener: l, to: to, after: 1 << 30}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.carry(conn)
		}
	}()
	return s
}

// set lets so many commands through from now on and then calls cut, once.
func (s *scissors) set(after int, mute bool, cut func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after, s.mute, s.count, s.cut = after, mute, 0, cut
}

func (s *scissors) commands() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *scissors) carry(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	s.count++
	n, after, mute, cut := s.count, s.after, s.mute, s.cut
	s.mu.Unlock()
	if n > after {
		cut()
		return
	}
	server, err := net.Dial("tcp", s.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, conn) }()
	if n < after || !mute {
		_, _ = io.Copy(conn, server)
		return
	}
	// The greeting is answered, and the command is done: its answer is read to know that.
	b := make([]byte, 1<<16)
	if n, err := server.Read(b); err == nil {
		_, _ = conn.Write(b[:n])
		_, _ = server.Read(b)
	}
	cut()
}

// journey is something that is done to a zone and may be cut.
type journey struct {
	name   string
	before func(t *testing.T, b *stack.BIND, s *nameserver.Server, z nameserver.ZoneConfig) // what stands at its beginning
	zone   func(nameserver.ZoneConfig) nameserver.ZoneConfig                                // what is asked for
	serial uint32                                                                           // that it ends with
	hosts  int
	gone   bool // the zone is removed
}

func made(t *testing.T, _ *stack.BIND, s *nameserver.Server, z nameserver.ZoneConfig) {
	t.Helper()
	if _, err := s.Ensure(t.Context(), z, content(z.Zone, 3, 2)); err != nil {
		t.Fatal(err)
	}
}

func as(z nameserver.ZoneConfig) nameserver.ZoneConfig { return z }

// TestEnsureIsCutAnywhere cuts each journey before every command and after it, with its answer lost; with the
// server killed, too. Somebody else, who knows nothing of it, ends the journey.
func TestEnsureIsCutAnywhere(t *testing.T) {
	st := stack.ForTest(t)
	b := startBIND(t, st, stack.BINDConfig{})
	from := startSeed(t)
	way := hold(t, b.Control)
	plain := open(t, b, v1alpha1.Primary, from)
	zones := 0
	for _, j := range []journey{
		{name: "a new zone", before: func(*testing.T, *stack.BIND, *nameserver.Server, nameserver.ZoneConfig) {}, zone: as, serial: 9, hosts: 4},
		{name: "another configuration", before: made, serial: 3, hosts: 2, zone: func(z nameserver.ZoneConfig) nameserver.ZoneConfig {
			z.AllowTransfer = []string{"192.0.2.7"}
			return z
		}},
		{name: "an older content", before: made, serial: 9, hosts: 4, zone: func(z nameserver.ZoneConfig) nameserver.ZoneConfig {
			z.Floor = 8
			return z
		}},
		{name: "a removal", before: made, zone: as, gone: true},
	} {
		t.Run(j.name, func(t *testing.T) {
			for _, how := range []struct {
				name       string
				mute, kill bool
			}{{"before", false, false}, {"answer lost", true, false}, {"server killed", true, true}} {
				for at := 0; ; at++ {
					if how.mute && at == 0 {
						continue
					}
					zones++
					z := nameserver.ZoneConfig{Zone: fmt.Sprintf("cut%d.test", zones)}
					j.before(t, b, plain, z)
					z = j.zone(z)
					if whole := run(t, b, way, from, j, z, at, how.mute, how.kill); whole {
						t.Logf("%s: %d cuts", how.name, at)
						break
					}
					if t.Failed() {
						t.Fatalf("%s, command %d", how.name, at)
					}
				}
			}
		})
	}
}

// run goes once: cut at a command, then whole by somebody else. It reports that the cut came too late.
func run(t *testing.T, b *stack.BIND, way *scissors, from *seed.Server, j journey, z nameserver.ZoneConfig, at int, mute, kill bool) (whole bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	way.set(at, mute, cancel)
	cut := with(t, nameserver.Config{
		Name: "cut", Role: v1alpha1.Primary, Address: b.Addr, TSIG: key(b.Key), Seed: from, Timeout: 10 * time.Second,
		Control: nameserver.Control{RNDC: &nameserver.RNDC{Address: way.Addr().String(), Key: key(b.ControlKey)}},
	})
	do := func(ctx context.Context, s *nameserver.Server) error {
		if j.gone {
			return s.Remove(ctx, z.Zone)
		}
		_, err := s.Ensure(ctx, z, content(z.Zone, j.serial, j.hosts))
		return err
	}
	err := do(ctx, cut)
	if way.commands() <= at && err == nil && !mute || mute && way.commands() < at {
		whole = true
	} else if err == nil && !mute {
		t.Errorf("cut before command %d: no error", at)
	}
	if kill {
		b.Kill()
		if err := b.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	other := open(t, b, v1alpha1.Primary, from)
	if err := do(t.Context(), other); err != nil {
		t.Errorf("whole: %v", err)
		return whole
	}
	state, err := other.State(t.Context(), z.Zone)
	if j.gone {
		if err != nil || state.Is != nameserver.Absent {
			t.Errorf("after the removal: %+v, %v", state, err)
		}
		if !kill {
			nothingLeft(t, b, "spokedns."+z.Zone)
		}
		return whole
	}
	if err != nil || state.Is != nameserver.Serving || state.SOA.Serial != j.serial {
		t.Errorf("%+v, %v; want serial %d", state, err, j.serial)
	}
	last := fmt.Sprintf("host%d.%s", j.hosts-1, z.Zone)
	if err := stack.EventuallyAnswers(t.Context(), time.Second, b.Addr, last, "A", fmt.Sprintf("10.0.0.%d", j.hosts-1)); err != nil {
		t.Error(err)
	}
	if changed, err := other.Ensure(t.Context(), z, never(t)); changed || err != nil {
		t.Errorf("again: %t, %v; want nothing to do", changed, err)
	}
	if err := update(t.Context(), other, z.Zone); err != nil {
		t.Errorf("update: %v", err)
	}
	return whole
}
