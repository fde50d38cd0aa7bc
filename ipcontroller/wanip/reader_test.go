package wanip_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// site is a Reader with its API server, on a clock of its own.
type site struct {
	*apiServer
	*wanip.Reader
	line    *inProcess
	changes atomic.Int32
	noted   wanip.State // what put last stored
}

// atSite runs a test with a Reader at work.
func atSite(t *testing.T, configure func(*wanip.ReaderConfig), before func(*site), test func(*testing.T, *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := newAPIServer()
		s := &site{apiServer: a, line: &inProcess{handler: a}}
		c := wanip.ReaderConfig{
			Client:    &rest.Config{Host: "http://server", Transport: s.line},
			Namespace: "dns", Logger: slog.New(slog.DiscardHandler), Changed: func() { s.changes.Add(1) },
		}
		if configure != nil {
			configure(&c)
		}
		r, err := wanip.NewReader(c)
		if err != nil {
			t.Fatal(err)
		}
		s.Reader = r
		if before != nil {
			before(s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		test(t, s)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		a.disconnect() // what a test has left hanging
	})
}

// fresh stores the address as just detected, and IPv6 as given.
func (s *site) fresh(a netip.Addr, ipv6 wanip.Finding) {
	s.noted.Sequence++
	s.noted.WrittenAt = time.Now().UTC()
	s.noted.IPv4 = wanip.Finding{Status: wanip.Verified, Addr: a, DetectedAt: s.noted.WrittenAt, VerifiedAt: s.noted.WrittenAt, ChangedAt: s.noted.WrittenAt}
	s.noted.IPv6 = ipv6
	s.store()
}

func (s *site) store() {
	cm, err := wanip.Encode(s.noted)
	if err != nil {
		panic(err)
	}
	s.put(name, cm)
}

// expect says what IPv4 is: "8.9.10.11", or the beginning of a reason.
func (s *site) expect(t *testing.T, when string, kind wanip.Kind, origin wanip.Origin, why string) {
	t.Helper()
	synctest.Wait()
	got := s.Snapshot(time.Now()).IPv4
	if got.Kind != kind || got.Origin != origin || !strings.Contains(got.Why, why) || (why == "" && got.Why != "") || (kind == wanip.Known && got.Addr != v4) {
		t.Errorf("%s: %+v, want %v from %q: %q", when, got, kind, origin, why)
	}
}

// heartbeats writes as an ipcontroller does, for a time.
func (s *site) heartbeats(d time.Duration) {
	for ; d > 0; d -= wanip.Heartbeat {
		s.fresh(v4, wanip.Finding{})
		time.Sleep(wanip.Heartbeat)
	}
}

func TestReaderFollows(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		s.expect(t, "without a ConfigMap", wanip.Unknown, "", "there is no ConfigMap dns/spokedns-wan-ip")
		s.fresh(v4, wanip.Finding{})
		s.expect(t, "with one", wanip.Known, wanip.FromConfigMap, "")
		snap := s.Snapshot(time.Now())
		if snap.Of(wanip.IPv6).Kind != wanip.Absent || snap.Problem != "" || snap.State.Sequence != 1 || snap.Of(wanip.IPv4) != snap.IPv4 {
			t.Errorf("the snapshot is %+v", snap)
		}
		if got := s.changes.Load(); got != 1 {
			t.Errorf("%d changes, want 1", got)
		}
		s.heartbeats(20 * time.Minute)
		s.expect(t, "20 minutes later", wanip.Known, wanip.FromConfigMap, "")
		if got := s.changes.Load(); got != 1 {
			t.Errorf("%d changes with heartbeats only, want 1", got)
		}
		s.fresh(netip.MustParseAddr("9.9.9.9"), wanip.Finding{})
		synctest.Wait()
		if got := s.Snapshot(time.Now()).IPv4.Addr.String(); got != "9.9.9.9" || s.changes.Load() != 2 {
			t.Errorf("after a change: %v with %d changes", got, s.changes.Load())
		}
		if lists := count(s.apiServer, "list"); lists != 1 {
			t.Errorf("%d lists, want the watch to go on from the first", lists)
		}
	})
}

func count(a *apiServer, verb string) (n int) {
	a.do(func() {
		for _, r := range a.requests {
			if r == verb {
				n++
			}
		}
	})
	return n
}

func TestLastGoodAddressIsKeptUntilItIsStale(t *testing.T) {
	for label, row := range map[string]struct {
		harm func(*site)
		why  string
	}{
		"deleted": {func(s *site) { s.remove(name) }, "there is no ConfigMap dns/spokedns-wan-ip"},
		"edited": {func(s *site) {
			s.edit(name, func(cm *corev1.ConfigMap) { cm.Data["ipv4"], cm.Data["current_ip"] = "9.9.9.9", "9.9.9.9" })
		}, "edited by hand"},
		"emptied": {func(s *site) {
			s.edit(name, func(cm *corev1.ConfigMap) { cm.Data, cm.Annotations = nil, nil })
		}, "schema is missing"},
		"private": {func(s *site) {
			s.edit(name, func(cm *corev1.ConfigMap) {
				cm.Data["ipv4"], cm.Data["current_ip"] = "10.0.0.1", "10.0.0.1"
				seal(cm)
			})
		}, "10.0.0.1 is private (RFC 1918)"},
		"in the future": {func(s *site) {
			s.noted.IPv4.DetectedAt = time.Now().UTC().Add(24 * time.Hour)
			s.store()
		}, "in the future: a clock is wrong"},
		"restored from a backup": {func(s *site) {
			s.noted.IPv4.DetectedAt = time.Now().UTC().Add(-24 * time.Hour)
			s.store()
		}, "is stale: last confirmed 24h"},
		"without an address": {func(s *site) {
			s.noted.IPv4 = wanip.Finding{Status: wanip.Holding}
			s.store()
		}, "no IPv4 address has been agreed on yet (Holding)"},
	} {
		t.Run(label, func(t *testing.T) {
			atSite(t, nil, nil, func(t *testing.T, s *site) {
				s.fresh(v4, wanip.Finding{})
				time.Sleep(time.Minute)
				row.harm(s)
				s.expect(t, "harmed", wanip.Known, wanip.FromMemory, row.why)
				time.Sleep(wanip.StaleAfter - time.Minute)
				s.expect(t, "nearly stale", wanip.Known, wanip.FromMemory, row.why)
				time.Sleep(time.Second)
				s.expect(t, "stale", wanip.Unknown, "", row.why)
				time.Sleep(10 * time.Second)
				if got := s.changes.Load(); got != 2 {
					t.Errorf("%d changes, want that it is known and that it is no more", got)
				}
				s.fresh(v4, wanip.Finding{})
				s.expect(t, "put right", wanip.Known, wanip.FromConfigMap, "")
			})
		})
	}
}

func TestUnmanagedStaysAbsentForAWhile(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		ipv6 := func() wanip.Reading {
			synctest.Wait()
			return s.Snapshot(time.Now()).IPv6
		}
		s.fresh(v4, wanip.Finding{})
		if got := ipv6(); got.Kind != wanip.Absent || got.Origin != wanip.FromConfigMap {
			t.Errorf("unmanaged it is %v", got)
		}
		time.Sleep(time.Hour) // no leader: the addresses are stale, but what is configured is
		if got := ipv6(); got.Kind != wanip.Absent {
			t.Errorf("an hour later it is %v", got)
		}
		s.remove(name)
		if got := ipv6(); got.Kind != wanip.Absent || got.Origin != wanip.FromMemory {
			t.Errorf("deleted it is %v", got)
		}
		time.Sleep(wanip.StaleAfter + time.Second)
		if got := ipv6(); got.Kind != wanip.Unknown {
			t.Errorf("long after that it is %v", got)
		}
	})
}

func TestAgeIsJudgedByTheLocalClockToo(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		s.fresh(v4, wanip.Finding{})
		s.noted.IPv4.DetectedAt = time.Now().UTC().Add(50 * time.Second) // the writer's clock is ahead
		s.store()
		synctest.Wait()
		time.Sleep(wanip.StaleAfter / 2)
		s.remove(name) // and restored as it was: that is nothing new
		s.store()
		time.Sleep(wanip.StaleAfter / 2)
		s.noted.IPv4.Status = wanip.Ambiguous // which is no sign of life of the address
		s.store()
		s.expect(t, "10 minutes later", wanip.Known, wanip.FromConfigMap, "")
		time.Sleep(time.Second)
		s.expect(t, "and a second", wanip.Unknown, "", "8.9.10.11 is stale: nothing new has been heard for 10m1s")
	})
}

func TestClockAheadIsWaitedFor(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		s.fresh(v4, wanip.Finding{})
		s.noted.IPv4.DetectedAt = time.Now().UTC().Add(2 * time.Minute)
		s.store()
		s.remove(name) // and nothing good before
		s.store()
		time.Sleep(time.Minute)
		s.expect(t, "when the clock comes near", wanip.Known, wanip.FromConfigMap, "")
	})
}

func TestReaderSurvivesTheServer(t *testing.T) {
	for label, row := range map[string]struct {
		harm, heal func(*site)
		trouble    string
	}{
		"down": {func(s *site) { s.line.setDown(true); s.disconnect() }, func(s *site) { s.line.setDown(false) }, "connection refused"},
		"forbidden": {
			func(s *site) { s.do(func() { s.forbidden = true }); s.disconnect() },
			func(s *site) { s.do(func() { s.forbidden = false }) },
			"configmaps is forbidden: User \"webhook\" cannot list resource (needed: get, list and watch of it by its name)",
		},
		"a portal": {
			func(s *site) {
				s.do(func() { s.portal, s.portalType = "<html>please log in</html>", "text/html" })
				s.disconnect()
			},
			func(s *site) { s.do(func() { s.portal = "" }) }, "answered with text/html",
		},
		"a portal that knows better": {
			func(s *site) {
				s.do(func() { s.portal, s.portalType = "{}", "application/json" })
				s.disconnect()
			},
			func(s *site) { s.do(func() { s.portal = "" }) }, "",
		},
		"slow": {
			func(s *site) { s.do(func() { s.slow = time.Hour }); s.disconnect() },
			func(s *site) { s.do(func() { s.slow = 0 }) }, "context deadline exceeded",
		},
	} {
		t.Run(label, func(t *testing.T) {
			atSite(t, nil, nil, func(t *testing.T, s *site) {
				s.fresh(v4, wanip.Finding{})
				synctest.Wait()
				row.harm(s)
				time.Sleep(wanip.StaleAfter)
				s.expect(t, "harmed", wanip.Known, wanip.FromConfigMap, "")
				problem := s.Snapshot(time.Now()).Problem
				if !strings.Contains(problem, row.trouble) && !strings.Contains(problem, strings.Replace(row.trouble, "list", "watch", 1)) {
					t.Errorf("the problem is %q, want %q", problem, row.trouble)
				}
				time.Sleep(time.Second)
				s.expect(t, "stale", wanip.Unknown, "", "8.9.10.11 is stale: last confirmed 10m1s ago (Verified); ConfigMap dns/spokedns-wan-ip cannot be followed: ")
				requests := count(s.apiServer, "list") + count(s.apiServer, "watch")
				if requests > 150 {
					t.Errorf("%d requests in ten minutes", requests)
				}
				s.fresh(v4, wanip.Finding{})
				row.heal(s)
				time.Sleep(5 * time.Minute) // a slow request first has to end
				s.expect(t, "healed", wanip.Known, wanip.FromConfigMap, "")
				if got := s.Snapshot(time.Now()).Problem; got != "" {
					t.Errorf("and yet there is a problem: %s", got)
				}
			})
		})
	}
}

func TestReaderStartsBeforeItMay(t *testing.T) {
	atSite(t, nil, func(s *site) {
		s.forbidden = true
		s.fresh(v4, wanip.Finding{})
	}, func(t *testing.T, s *site) {
		s.expect(t, "forbidden", wanip.Unknown, "", "has not been read yet; ConfigMap dns/spokedns-wan-ip cannot be followed: configmaps is forbidden")
		s.do(func() { s.forbidden = false })
		time.Sleep(20 * time.Second)
		s.expect(t, "allowed", wanip.Known, wanip.FromConfigMap, "")
	})
}

func TestForgottenHistoryIsListedAgain(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		s.fresh(v4, wanip.Finding{})
		synctest.Wait()
		for round := range 2 {
			s.do(func() { s.forgotten = s.version + 5 })
			if round == 0 {
				s.disconnect() // the next watch is refused; the second time one is told while it is open
			}
			s.remove(name)
			for range 10 {
				s.fresh(netip.MustParseAddr("9.9.9.9"), wanip.Finding{})
			}
			s.fresh(v4, wanip.Finding{})
			time.Sleep(10 * time.Second)
			s.expect(t, "listed again", wanip.Known, wanip.FromConfigMap, "")
			if got := s.Snapshot(time.Now()).State.Sequence; got != s.noted.Sequence {
				t.Errorf("round %d: sequence %d, want %d", round, got, s.noted.Sequence)
			}
		}
		if got := count(s.apiServer, "list"); got < 2 {
			t.Errorf("%d lists", got)
		}
	})
}

func TestCutWatchGoesOnWhereItWas(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		for i := range 20 {
			s.disconnect()
			s.fresh(v4, wanip.Finding{})
			time.Sleep(time.Minute)
			if got := s.Snapshot(time.Now()).State.Sequence; got != int64(i+1) {
				t.Errorf("sequence %d, want %d", got, i+1)
			}
		}
		if got := count(s.apiServer, "list"); got != 1 {
			t.Errorf("%d lists, want 1", got)
		}
	})
}

func TestHangingWatchIsGivenUp(t *testing.T) {
	atSite(t, nil, nil, func(t *testing.T, s *site) {
		s.fresh(v4, wanip.Finding{})
		synctest.Wait()
		s.do(func() { s.mute = true })
		time.Sleep(time.Minute)
		s.fresh(netip.MustParseAddr("9.9.9.9"), wanip.Finding{})
		s.do(func() { s.mute = false; s.faults = nil; s.changed = make(chan struct{}) }) // of which the hanging one hears nothing
		time.Sleep(3 * time.Minute)
		if got := s.Snapshot(time.Now()).IPv4.Addr.String(); got != "9.9.9.9" {
			t.Errorf("it is still %s", got)
		}
	})
}

func TestReaderOverARealConnection(t *testing.T) {
	a := newAPIServer()
	server := httptest.NewServer(a)
	defer server.Close()
	defer a.disconnect()
	changed := make(chan struct{}, 10)
	r, err := wanip.NewReader(wanip.ReaderConfig{
		Client: &rest.Config{Host: server.URL}, Namespace: "dns", Logger: slog.New(slog.DiscardHandler),
		Changed: func() { changed <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	s := &site{apiServer: a}
	for _, address := range []string{"8.8.8.8", "9.9.9.9", "1.1.1.1"} {
		s.fresh(netip.MustParseAddr(address), wanip.Finding{})
		for r.Snapshot(time.Now()).IPv4.Addr.String() != address {
			<-changed
		}
		a.disconnect()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := wanip.NewReader(wanip.ReaderConfig{Client: &rest.Config{Host: ":bad:"}, Namespace: "dns"}); err == nil {
		t.Error("a client that cannot be was made")
	}
}
