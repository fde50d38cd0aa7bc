package chain

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// transport is a way to a peer without a network, so that time can be had for nothing.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// toPeer asks the peer after waiting as long as delay says; nobody waits beyond the end of a context.
func toPeer(p *chaintest.Peer, delay func(call string) time.Duration) transport {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(delay(r.Method + r.URL.Path)):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
		return handled(p, r), nil
	}
}

// handled is the answer to a client's request, which is not quite what a server gets.
func handled(h http.Handler, r *http.Request) *http.Response {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// seen is what an Observer was told.
type seen []string

func (s *seen) observe(operation string, result apicall.Result, _ time.Duration) {
	*s = append(*s, operation+" "+string(result))
}

func openOn(t *testing.T, c Config, over http.RoundTripper) (*Backend, *seen) {
	t.Helper()
	var s seen
	c.URL = "http://peer.invalid"
	b, err := New(c, s.observe, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b.client.http.Transport = over
	t.Cleanup(func() { _ = b.Close() })
	return b, &s
}

// A sidecar comes up a moment after us.
func TestNegotiationIsRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []int // 0: connection refused; the last one stays
		want    []string
		kind    backend.Kind
		fine    bool
	}{
		"up":             {answers: []int{200}, want: []string{"negotiate ok"}, fine: true},
		"up soon":        {answers: []int{0, 503, 200}, want: []string{"negotiate no_answer", "negotiate failed", "negotiate ok"}, fine: true},
		"down":           {answers: []int{0}, want: slices.Repeat([]string{"negotiate no_answer"}, 4), kind: backend.Temporary},
		"failing":        {answers: []int{500}, want: slices.Repeat([]string{"negotiate failed"}, 4), kind: backend.Temporary},
		"denying":        {answers: []int{401}, want: []string{"negotiate denied"}, kind: backend.Denied},
		"somewhere else": {answers: []int{404}, want: []string{"negotiate not_found"}, kind: backend.Rejected},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := chaintest.New()
				p.Filter = `{"include":["zone.example"]}`
				n := 0
				b, s := openOn(t, Config{}, transport(func(r *http.Request) (*http.Response, error) {
					status := c.answers[min(n, len(c.answers)-1)]
					n++
					switch status {
					case 0:
						return nil, errors.New("connection refused")
					case 200:
						return handled(p, r), nil
					}
					return handled(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }), r), nil
				}))
				zones, err := b.Zones(t.Context())
				if c.fine != (err == nil) || c.fine != slices.Equal(zones, []string{"zone.example"}) || err != nil && backend.KindOf(err) != c.kind {
					t.Errorf("got %v, %v", zones, err)
				}
				if !slices.Equal(*s, c.want) {
					t.Errorf("observed %q, want %q", *s, c.want)
				}
			})
		})
	}
}

func TestAHangingAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := openOn(t, Config{}, toPeer(chaintest.New(), func(string) time.Duration { return time.Hour }))
		began := time.Now()
		_, err := b.List(t.Context(), "zone.example")
		if backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), "no answer within 10s") || time.Since(began) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if !slices.Equal(*s, []string{"negotiate no_answer"}) {
			t.Errorf("observed %q", *s)
		}
	})
}

// A listing that takes longer than a caller waits goes on, and is what the next calls work with: else
// nothing would ever be listed or written.
func TestASlowListingIsForTheNextCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := chaintest.New()
		b, s := openOn(t, Config{Timeout: time.Minute}, toPeer(p, func(call string) time.Duration {
			if call == "GET/records" {
				return 20 * time.Second
			}
			return 0
		}))
		loop := func(do func(context.Context) error) error {
			ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
			defer cancel()
			defer time.Sleep(30 * time.Second)
			return do(ctx)
		}
		www := backend.RRset{Key: backend.Key{Name: "www.zone.example", Type: "A"}, Values: []string{"192.0.2.1"}}
		list := func(ctx context.Context) error { _, err := b.List(ctx, "zone.example"); return err }
		apply := func(ctx context.Context) error {
			return b.Apply(ctx, "zone.example", []backend.Change{{New: &www}})
		}
		if err := loop(list); backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), "next call") {
			t.Errorf("the first list: %v", err)
		}
		if err := loop(list); err != nil {
			t.Errorf("the second list: %v", err)
		}
		if err := loop(apply); err == nil || backend.KindOf(err) != backend.Temporary {
			t.Errorf("the first apply: %v", err)
		}
		if err := loop(apply); err != nil || len(p.Held()) != 1 {
			t.Errorf("the second apply: %v; %v is held", err, p.Held())
		}
		if want := []string{"negotiate ok", "records ok", "records ok", "apply ok"}; !slices.Equal(*s, want) {
			t.Errorf("observed %q, want %q", *s, want)
		}
	})
}

// A listing that is kept for long is good enough to show, but not to overwrite records by, however long the
// next one takes.
func TestASlowPeerIsNotWrittenToByAnOldListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := chaintest.New()
		b, _ := openOn(t, Config{Timeout: time.Minute, Cache: time.Hour}, toPeer(p, func(call string) time.Duration {
			if call == "GET/records" {
				return 7 * time.Second
			}
			return 0
		}))
		www := func(value string) *backend.RRset {
			return &backend.RRset{Key: backend.Key{Name: "www.zone.example", Type: "A"}, TTL: time.Minute, Values: []string{value}}
		}
		p.Put(chaintest.Endpoint{DNSName: "www.zone.example", RecordType: "A", RecordTTL: 60, Targets: []string{"192.0.2.1"}})
		if sets, err := b.List(t.Context(), "zone.example"); err != nil || len(sets) != 1 {
			t.Fatalf("listed %v, %v", sets, err)
		}
		time.Sleep(30 * time.Minute)
		p.Put(chaintest.Endpoint{DNSName: "www.zone.example", RecordType: "A", RecordTTL: 60, Targets: []string{"198.51.100.1"}})
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		err := b.Apply(ctx, "zone.example", []backend.Change{{Old: www("192.0.2.1"), New: www("192.0.2.2")}})
		if held := p.Held(); backend.KindOf(err) != backend.Conflict || held[0].Targets[0] != "198.51.100.1" {
			t.Errorf("got %v, and %v is held; want a conflict, and what others wrote", err, held)
		}
	})
}

// The time ends while changes are made: what was made stays, the rest is named as such.
func TestTheTimeEndsOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := openOn(t, Config{Timeout: time.Minute}, toPeer(chaintest.New(), func(call string) time.Duration {
			if call == "POST/records" {
				return 20 * time.Second
			}
			return 0
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second)
		defer cancel()
		www := backend.RRset{Key: backend.Key{Name: "www.zone.example", Type: "A"}, Values: []string{"192.0.2.1"}}
		err := b.Apply(ctx, "zone.example", []backend.Change{{New: &www}})
		if backend.KindOf(err) != backend.Temporary || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "0 of 1 changes") {
			t.Errorf("got %v", err)
		}
	})
}

// Two changes of a zone take turns, and who waits does not wait longer than its time.
func TestChangesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := openOn(t, Config{Timeout: time.Minute}, toPeer(chaintest.New(), func(call string) time.Duration {
			if call == "POST/records" {
				return 20 * time.Second
			}
			return 0
		}))
		change := func(name string) []backend.Change {
			return []backend.Change{{New: &backend.RRset{Key: backend.Key{Name: name, Type: "A"}, Values: []string{"192.0.2.1"}}}}
		}
		first := make(chan error)
		go func() { first <- b.Apply(t.Context(), "zone.example", change("one.zone.example")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := b.Apply(ctx, "zone.example", change("two.zone.example")); backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), "wait for another change") {
			t.Errorf("the second: %v", err)
		}
		if err := <-first; err != nil {
			t.Errorf("the first: %v", err)
		}
	})
}
