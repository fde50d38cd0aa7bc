package chain_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// calls are what can be asked of a backend, each with the request that matters.
func calls() map[string]func(context.Context, *chain.Backend) error {
	www := rrset("www.zone.example", "A", time.Minute, "192.0.2.1")
	return map[string]func(context.Context, *chain.Backend) error{
		"GET /": func(ctx context.Context, b *chain.Backend) error {
			zones, err := b.Zones(ctx)
			return noResult(len(zones), err)
		},
		"GET /records": func(ctx context.Context, b *chain.Backend) error {
			sets, err := b.List(ctx, zone)
			return noResult(len(sets), err)
		},
		"POST /adjustendpoints": func(ctx context.Context, b *chain.Backend) error {
			sets, err := b.Adjust(ctx, zone, []backend.RRset{www})
			return noResult(len(sets), err)
		},
		"POST /records": func(ctx context.Context, b *chain.Backend) error {
			return b.Apply(ctx, zone, []backend.Change{{New: &www}})
		},
	}
}

func noResult(n int, err error) error {
	if err != nil && n != 0 {
		return fmt.Errorf("a result of %d together with %w", n, err)
	}
	return err
}

// misbehaving is a peer that answers one call in its own way.
func misbehaving(call string, do http.HandlerFunc) *chaintest.Peer {
	p := chaintest.New()
	p.Filter = `{"include":["zone.example"]}`
	p.Replace = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method+" "+r.URL.Path != call {
			return false
		}
		do(w, r)
		return true
	}
	return p
}

func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", chaintest.MediaType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Every answer to every call that is not the one of success: its class, and no result beside it.
func TestStatusesOfThePeer(t *testing.T) {
	t.Parallel()
	for status := 200; status < 600; status++ {
		if http.StatusText(status) == "" {
			continue
		}
		want := backend.Rejected
		switch {
		case status == 401 || status == 403 || status == 407:
			want = backend.Denied
		case status == 408 || status == 425 || status == 429 || status >= 500 || status < 300:
			want = backend.Temporary
		}
		for call, do := range calls() {
			if status == 200 && call != "POST /records" || status == 204 && call == "POST /records" {
				continue // success
			}
			if call == "GET /" && status >= 500 {
				continue // repeated, see TestNegotiationIsRepeated
			}
			b := open(t, chain.Config{URL: serve(t, misbehaving(call, text(status, "because")))})
			err := do(t.Context(), b)
			if err == nil || backend.KindOf(err) != want {
				t.Errorf("%s answered with %d: %v, want %s", call, status, err, want)
			} else if status != 304 && !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("%s answered with %d: the error does not say so: %v", call, status, err)
			}
		}
	}
}

// Success with a body that is none.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":           "",
		"a page":            "<!DOCTYPE html><html>Sign in</html>",
		"a cut list":        `[{"dnsName":"www.zone.example","recordType":"A","targets":["192.0.2.1"]},{"dnsN`,
		"a list and more":   `[]{"error":"late"}`,
		"another kind":      `"zone.example"`,
		"a number":          `5`,
		"bytes":             "\x00\xff\xfe",
		"TTL of letters":    `[{"dnsName":"www.zone.example","recordTTL":"soon"}]`,
		"targets of things": `[{"dnsName":"www.zone.example","targets":[{}]}]`,
		"deep":              strings.Repeat("[", 100_000),
	} {
		for call, do := range calls() {
			if call == "POST /records" {
				continue // its answer has no body
			}
			p := misbehaving(call, text(200, body))
			b := open(t, chain.Config{URL: serve(t, p)})
			if err := do(t.Context(), b); err == nil || backend.KindOf(err) != backend.Temporary || len(err.Error()) > 700 {
				t.Errorf("%s answered with %s: %v, want a temporary error, and a short one", call, name, err)
			}
			p.Do(func() { p.Replace = nil })
			if err := do(t.Context(), b); err != nil {
				t.Errorf("%s afterwards: %v", call, err)
			}
		}
	}
}

func TestSomethingElseAnswers(t *testing.T) {
	t.Parallel()
	for _, answered := range []string{"", "text/html; charset=utf-8", "application/json", "application/external.dns.webhook+json",
		"application/external.dns.webhook+json;version=2", "nonsense/"} {
		p := misbehaving("GET /", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", answered)
			_, _ = io.WriteString(w, "<html>Welcome</html>")
		})
		b := open(t, chain.Config{URL: serve(t, p)})
		for call, do := range calls() {
			if call == "POST /adjustendpoints" {
				continue // comes after a listing only
			}
			err := do(t.Context(), b)
			if backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), "Welcome") || !strings.Contains(err.Error(), "version=1") {
				t.Errorf("%s when %q answers: %v", call, answered, err)
			}
		}
		if got := p.Requests(); got["POST /records"]+got["GET /records"] != 0 {
			t.Errorf("%q was asked for more: %v", answered, got)
		}
	}
}

func TestAMediaTypeMayBeSpelledFreely(t *testing.T) {
	t.Parallel()
	p := misbehaving("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "Application/external.dns.webhook+json; version=1")
		_, _ = io.WriteString(w, "{}")
	})
	list(t, open(t, chain.Config{URL: serve(t, p)}), zone)
}

func TestOversizedAnswers(t *testing.T) {
	t.Parallel()
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", chaintest.MediaType)
		block := []byte(strings.Repeat(" ", 1<<20))
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	// Of what is not the answer of success, only the beginning is read.
	refusal := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		endless(w, r)
	}
	for call, do := range calls() {
		if call == "GET /" { // the listing's limit takes a while to reach; it is the same code
			b := open(t, chain.Config{URL: serve(t, misbehaving(call, endless))})
			if err := do(t.Context(), b); backend.KindOf(err) != backend.Temporary || !strings.Contains(err.Error(), "longer than") {
				t.Errorf("%s answered without end: %v", call, err)
			}
		}
		b := open(t, chain.Config{URL: serve(t, misbehaving(call, refusal))})
		if err := do(t.Context(), b); backend.KindOf(err) != backend.Denied || len(err.Error()) > 700 {
			t.Errorf("%s refused without end: %v", call, err)
		}
	}
}

// hang answers nothing until whoever asked is gone.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then a closed connection is noticed
	<-r.Context().Done()
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + l.Addr().String()
	l.Close()
	hanging := misbehaving("", nil)
	hanging.Replace = func(w http.ResponseWriter, r *http.Request) bool { hang(w, r); return true }
	resetting := misbehaving("", nil)
	resetting.Replace = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	plain := serve(t, chaintest.New())
	secure := httptest.NewUnstartedServer(chaintest.New())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for name, c := range map[string]chain.Config{
		"connection refused":      {URL: refusing},
		"no such socket":          {URL: "unix://" + t.TempDir() + "/none.sock"},
		"hanging":                 {URL: serve(t, hanging), Timeout: 50 * time.Millisecond},
		"closing":                 {URL: serve(t, resetting)},
		"TLS to a plain server":   {URL: strings.Replace(plain, "http:", "https:", 1)},
		"plain to a TLS server":   {URL: strings.Replace(secure.URL, "https:", "http:", 1)},
		"a certificate of nobody": {URL: secure.URL},
		"password file is gone":   {URL: plain, Username: "u", PasswordFile: "/no/such/file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := backend.Temporary
			switch name {
			case "plain to a TLS server":
				want = backend.Rejected // Go's servers answer 400 to that
			case "a certificate of nobody":
				want = backend.Denied
			}
			var all sync.WaitGroup // each negotiates a few times, with waits
			for call, do := range calls() {
				b := open(t, c)
				all.Go(func() {
					if err := do(t.Context(), b); err == nil || backend.KindOf(err) != want {
						t.Errorf("%s: %v, want %s", call, err, want)
					}
				})
			}
			all.Wait()
		})
	}
}

func TestAHangingPeerHoldsNobodyLongerThanTheyWait(t *testing.T) {
	t.Parallel()
	for call, do := range calls() {
		b := open(t, chain.Config{URL: serve(t, misbehaving(call, hang)), Timeout: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := do(ctx, b); err == nil || backend.KindOf(err) != backend.Temporary {
			t.Errorf("%s that hangs: %v, want a temporary error", call, err)
		}
		cancel()
	}
}

func TestZonesOutsideTheFilter(t *testing.T) {
	t.Parallel()
	www := rrset("www.example.org", "A", 0, "192.0.2.1")
	for filter, served := range map[string]bool{
		`{}`:                                        true,
		`null`:                                      true,
		`{"include":["example.org"]}`:               true,
		`{"include":["org."]}`:                      true,
		`{"include":[".example.org"]}`:              true,
		`{"filters":["example.org"]}`:               true,
		`{"regexInclude":"example"}`:                true,
		`{"exclude":["sub.example.org"]}`:           true,
		`{"include":["example.net","example.com"]}`: false,
		`{"filters":["example.net"]}`:               false,
		`{"include":["www.example.org"]}`:           false,
		`{"include":["ample.org"]}`:                 false,
		`{"exclude":["example.org"]}`:               false,
		`{"include":["org"],"exclude":["org"]}`:     false,
		`{"include":["not a name"]}`:                false,
		`{"regexInclude":"("}`:                      false,
		`{"regexInclude":"x","include":["y"]}`:      false,
	} {
		p := chaintest.New()
		p.Filter = filter
		b := open(t, chain.Config{URL: serve(t, p)})
		_, listing := b.List(t.Context(), "example.org")
		applying := b.Apply(t.Context(), "example.org", []backend.Change{{New: &www}})
		for _, err := range []error{listing, applying} {
			if served && err != nil || !served && (err == nil || backend.KindOf(err) != backend.Rejected) {
				t.Errorf("filter %s: %v, served should be %v", filter, err, served)
			}
			for _, e := range backend.Errors(err) {
				if e.Zone != "example.org" || e.Key != (backend.Key{}) {
					t.Errorf("filter %s: the error is not about the zone: %v", filter, e)
				}
			}
		}
		if strings.Contains(filter, "example.net") && !strings.Contains(listing.Error(), "example.net") {
			t.Errorf("the error does not say what is served: %v", listing)
		}
	}
}

func TestAZoneThatCameLaterIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.Filter = `{"include":["old.example"]}`
	b := open(t, chain.Config{URL: serve(t, p)})
	list(t, b, "old.example")
	if _, err := b.List(t.Context(), "new.example"); backend.KindOf(err) != backend.Rejected {
		t.Errorf("a zone that is not there: %v", err)
	}
	p.Do(func() { p.Filter = `{"include":["old.example","new.example"]}` })
	list(t, b, "new.example")
}

func TestZonesAreThoseOfTheFilter(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		`{"include":["b.example","A.example.",".b.example"],"exclude":["x.a.example"]}`: "a.example b.example",
		`{"filters":["münchen.example"]}`:                                               "xn--mnchen-3ya.example",
		`{}`:                                                                            "rejected: set zones",
		`{"regexInclude":"example"}`:                                                    "rejected: set zones",
		`{"exclude":["a.example"]}`:                                                     "rejected: set zones",
	} {
		p := chaintest.New()
		p.Filter = filter
		zones, err := open(t, chain.Config{URL: serve(t, p)}).Zones(t.Context())
		got := strings.Join(zones, " ")
		if err != nil {
			got = backend.KindOf(err).String()
			if strings.Contains(err.Error(), "set zones") {
				got += ": set zones"
			}
		}
		if got != want {
			t.Errorf("filter %s: zones %q, want %q (%v)", filter, got, want, err)
		}
	}
}
