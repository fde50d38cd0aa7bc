package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// broken is a backend behind a line that is down for a while.
type broken struct {
	*memory.Backend
	fails, tries int
}

func (b *broken) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	if b.tries++; b.tries <= b.fails {
		return &backend.Error{Kind: backend.Temporary, Op: "memory: update", Zone: zone, Err: errors.New("no route to host")}
	}
	return b.Backend.Apply(ctx, zone, changes)
}

// moving is a webhook whose one name, already published, has the site's address, which is *addr.
func moving(t *testing.T, addr *string, log *bytes.Buffer) (*webhook, *broken) {
	t.Helper()
	w := &webhook{log: slog.New(slog.NewTextHandler(log, nil)), metrics: view.NewMetrics(prometheus.NewRegistry()), sites: newSites(nil, slog.New(slog.DiscardHandler))}
	rules, err := policy.New(policy.Config{
		Views:   []policy.View{{Name: "public", Zones: []string{"example.org"}, Rules: []policy.Rule{{Action: policy.Rewrite, Target: "site"}}}},
		Targets: map[string]policy.Target{"site": {WANIP: &policy.WANIP{Name: "wan"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := memory.New(memory.Config{Zones: []string{"example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	b := &broken{Backend: m}
	p, err := view.New(view.Config{
		Views:  []view.View{{Name: "public", Zones: []string{"example.org"}, Backend: b, BackendName: "memory"}},
		Policy: rules, Log: w.log, Metrics: w.metrics, Registry: ownership.New(ownership.Config{Registry: "noop"}),
		Site: func(string) policy.Site {
			return policy.Site{V4: policy.Reading{Addr: netip.MustParseAddr(*addr)}, V6: policy.Reading{Absent: true}}
		},
		Moves: func(string) view.Moves {
			return view.Moves{V4: view.Move{To: netip.MustParseAddr(*addr), From: []netip.Addr{netip.MustParseAddr("8.8.8.8")}}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.current.Replace(p)
	eps, err := p.Adjust(t.Context(), []*endpoint.Endpoint{{DNSName: "www.example.org", RecordType: "A", Targets: endpoint.Targets{"10.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), &plan.Changes{Create: eps}); err != nil {
		t.Fatal(err)
	}
	b.tries = 0
	return w, b
}

// Where an address changes, connections break: a move is tried again, and not for ever.
func TestAMoveIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name         string
		fails, tries int
		want         string
	}{
		{"at once", 0, 1, "9.9.9.9"},
		{"the third time", 2, 3, "9.9.9.9"},
		{"never", 100, failoverTries, "8.8.8.8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				addr, log := "8.8.8.8", &bytes.Buffer{}
				w, b := moving(t, &addr, log)
				b.fails = c.fails
				addr = "9.9.9.9"
				w.move(t.Context(), rate.NewLimiter(rate.Every(failoverEvery), failoverBurst))
				if b.tries != c.tries {
					t.Errorf("tried %d times, want %d", b.tries, c.tries)
				}
				rrsets, err := b.List(t.Context(), "example.org")
				if err != nil || len(rrsets) != 1 || rrsets[0].Values[0] != c.want {
					t.Errorf("the record is %v (%v), want %s", rrsets, err, c.want)
				}
				if failed := strings.Contains(log.String(), "no route to host"); failed != (c.fails > 0) {
					t.Errorf("the log says:\n%s", log)
				}
			})
		})
	}
}

// A change while a move is tried again ends the tries: the next move knows better.
func TestAnotherChangeEndsTheTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addr, log := "8.8.8.8", &bytes.Buffer{}
		w, b := moving(t, &addr, log)
		b.fails = 1
		addr = "9.9.9.9"
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() { w.failOver(ctx); close(done) }()
		w.sites.signal()
		synctest.Wait()
		addr = "1.1.1.1"
		w.sites.signal()
		synctest.Wait()
		rrsets, err := b.List(ctx, "example.org")
		if err != nil || rrsets[0].Values[0] != "1.1.1.1" || b.tries != 2 {
			t.Errorf("after %d tries the record is %v (%v), want the last address at the second", b.tries, rrsets, err)
		}
		cancel()
		<-done
	})
}

// A site that flaps is followed a few times, then once a minute.
func TestAFlappingSiteIsFollowedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		addr, log := "8.8.8.8", &bytes.Buffer{}
		w, b := moving(t, &addr, log)
		limit := rate.NewLimiter(rate.Every(failoverEvery), failoverBurst)
		flap := func(times int) {
			for range times {
				// As if external-dns had put the former address back meanwhile.
				_ = b.Backend.Apply(t.Context(), "example.org", []backend.Change{{Old: record("9.9.9.9"), New: record("8.8.8.8")}})
				addr = "9.9.9.9"
				if _, err := w.current.Records(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.move(t.Context(), limit)
			}
		}
		flap(failoverBurst + 5)
		if b.tries != failoverBurst {
			t.Errorf("moved %d times in a row, want %d", b.tries, failoverBurst)
		}
		if !strings.Contains(log.String(), "changes too often") {
			t.Error("nothing is said about it")
		}
		time.Sleep(failoverEvery)
		flap(2)
		if b.tries != failoverBurst+1 {
			t.Errorf("a minute later it was moved %d times, want once more", b.tries-failoverBurst)
		}
	})
}

func record(addr string) *backend.RRset {
	return &backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, TTL: 5 * time.Minute, Values: []string{addr}}
}
