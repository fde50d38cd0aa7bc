package gandi_test

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
	"github.com/spokedns/spokedns/webhook/clienttls"
)

// requireFailure requires an error of a kind that says all of want.
func requireFailure(t *testing.T, what string, err error, kind backend.Kind, want ...string) {
	t.Helper()
	if err == nil || backend.KindOf(err) != kind {
		t.Errorf("%s: %v, want a %s failure", what, err, kind)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q, want it to say %q", what, err, w)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}, ReadToken: "reader", SharingID: "ours"})
	file := filepath.Join(t.TempDir(), "secret")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	try := func(b *gandi.Backend) error {
		_, err := b.List(t.Context(), zone)
		return err
	}

	if err := try(opened(t, s, gandi.Config{APIKey: ganditest.APIKey, SharingID: "ours"})); err != nil || s.Sharing() != "ours" {
		t.Errorf("with an API key and a sharing id: %v, sharing id %q", err, s.Sharing())
	}
	requireFailure(t, "a wrong token", try(opened(t, s, gandi.Config{PersonalAccessToken: "wrong"})), backend.Denied,
		"gandi: list example.org: the API key or token is not accepted (401 Unauthorized)", "your access token has expired")
	requireFailure(t, "a wrong key", try(opened(t, s, gandi.Config{APIKey: "wrong"})), backend.Denied, "401")

	byFile := opened(t, s, gandi.Config{PersonalAccessTokenFile: file})
	requireFailure(t, "no file", try(byFile), backend.Denied, "read the personal access token", "no such file")
	write(" \n")
	requireFailure(t, "an empty file", try(byFile), backend.Denied, "holds no personal access token")
	write(ganditest.Token + "\n")
	if err := try(byFile); err != nil {
		t.Errorf("a token that came later: %v", err)
	}
	write(ganditest.APIKey)
	if err := try(opened(t, s, gandi.Config{APIKeyFile: file})); err != nil {
		t.Errorf("an API key in a file: %v", err)
	}
	s.Expire(true)
	write(ganditest.Token)
	requireFailure(t, "an expired token", try(byFile), backend.Denied, "the token has expired or lacks a permission (403 Forbidden)")
	s.Expire(false)
	if err := try(byFile); err != nil {
		t.Errorf("a token that is valid again: %v", err)
	}
}

// A token that may only read is not tried on every record.
func TestNoRightToWrite(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}, ReadToken: "reader"})
	b := opened(t, s, gandi.Config{PersonalAccessToken: "reader"})
	var hosts []backend.RRset
	for i := range 200 {
		hosts = append(hosts, rr(string(rune('a'+i/26))+string(rune('a'+i%26))+"."+zone, "A", 5*time.Minute, "192.0.2.1"))
	}
	err := b.Apply(t.Context(), zone, create(hosts...))
	requireFailure(t, "without the right to write", err, backend.Denied, "403")
	if named := len(backend.Errors(err)); named != len(hosts) {
		t.Errorf("%d RRsets are named, want all %d", named, len(hosts))
	}
	if n := s.Requests()["POST records"]; n > 50 {
		t.Errorf("%d writes were tried", n)
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone, "b.example.org"}})
	s.Put(zone, ganditest.Record{Name: "x.a.b", Type: "A", TTL: 300, Values: []string{"192.0.2.99"}})
	s.Put("b.example.org", ganditest.Record{Name: "x.a", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	s.Put("b.example.org", ganditest.Record{Name: "y", Type: "A", TTL: 300, Values: []string{"192.0.2.2"}})
	b := opened(t, s, gandi.Config{})
	if got := names(list(t, b, "a.b.example.org")); !cmp.Equal(got, []string{"x.a.b.example.org A"}) {
		t.Errorf("the longest domain holds the zone, and only what is in the zone is listed: %v", got)
	}
	_, err := b.List(t.Context(), "home.example.net")
	requireFailure(t, "a zone nobody holds", err, backend.Rejected, "gandi: list home.example.net: the account has neither home.example.net nor a domain above it in LiveDNS")
	s.AddDomain("example.net")
	if got := list(t, b, "home.example.net"); len(got) != 0 {
		t.Errorf("a domain that is new lists %v", got)
	}
	s.RemoveDomain("example.net")
	_, err = b.List(t.Context(), "home.example.net")
	requireFailure(t, "a domain that went", err, backend.Rejected, "404")
	_, err = b.List(t.Context(), "home.example.net")
	requireFailure(t, "the same, looked up again", err, backend.Rejected, "the account has neither")

	_ = list(t, b, zone)
	s.RemoveDomain(zone)
	err = b.Apply(t.Context(), zone, create(rr("www."+zone, "A", 0, "192.0.2.1")))
	requireFailure(t, "a write to a domain that went", err, backend.Rejected, "gandi: apply example.org: www.example.org A: refused (404 Not Found)")
}

// The service throttles, fails, loses replies and answers nonsense; what was asked for comes about.
func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	www := "www." + zone
	old := rr(www, "A", 5*time.Minute, "192.0.2.1")
	for name, fault := range map[string]func(*ganditest.Server){
		"throttled":              func(s *ganditest.Server) { s.Throttle(1, 0) },
		"throttled, with a wait": func(s *ganditest.Server) { s.Throttle(1, time.Second) },
		"failing":                func(s *ganditest.Server) { s.Fail(2, http.StatusServiceUnavailable) },
		"a write failing":        func(s *ganditest.Server) { s.FailWrites(1, 1, http.StatusInternalServerError) },
		"a gateway's page":       func(s *ganditest.Server) { s.Break(1) },
		"replies lost":           func(s *ganditest.Server) { s.LoseReply(2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := example(t, ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
				ganditest.Record{Name: "gone", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
				ganditest.Record{Name: "alias", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
			list(t, b, zone)
			fault(s)
			apply(t, b, update(old, rr(www, "A", 5*time.Minute, "192.0.2.2")),
				create(rr("new."+zone, "A", 5*time.Minute, "192.0.2.3"))[0],
				remove(rr("gone."+zone, "A", 0, "192.0.2.1"))[0],
				remove(rr("alias."+zone, "A", 0, "192.0.2.1"))[0], create(rr("alias."+zone, "CNAME", 5*time.Minute, www))[0])
			requireHeld(t, s, "alias CNAME 300 www.example.org.", "new A 300 192.0.2.3", "www A 300 192.0.2.2")
			fault(s)
			if got := names(list(t, b, zone)); len(got) != 3 {
				t.Errorf("listed %v", got)
			}
		})
	}
}

// What does not pass in time is temporary and says what it is; nothing else is harmed.
func TestFaultsThatStay(t *testing.T) {
	t.Parallel()
	soon := func(t *testing.T) context.Context {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	t.Run("throttled for a minute", func(t *testing.T) {
		t.Parallel()
		s, b := example(t)
		list(t, b, zone)
		s.Throttle(100, time.Minute)
		_, err := b.List(soon(t), zone)
		requireFailure(t, "list", err, backend.Temporary)
		err = b.Apply(soon(t), zone, create(rr("www."+zone, "A", 0, "192.0.2.1")))
		requireFailure(t, "apply", err, backend.Temporary, "www.example.org A: throttled (429 Too Many Requests)")
	})
	t.Run("hanging", func(t *testing.T) {
		t.Parallel()
		s, b := example(t)
		list(t, b, zone)
		s.Hang(100, time.Minute)
		err := b.Apply(soon(t), zone, create(rr("www."+zone, "A", 0, "192.0.2.1")))
		requireFailure(t, "apply", err, backend.Temporary, "no answer in time", "deadline exceeded")
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s, b := example(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err := b.Apply(soon(t), zone, create(rr("www."+zone, "A", 0, "192.0.2.1")))
		requireFailure(t, "apply", err, backend.Temporary)
	})
	t.Run("another service", func(t *testing.T) {
		t.Parallel()
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello") }))
		t.Cleanup(other.Close)
		b, err := gandi.New(gandi.Config{PersonalAccessToken: "x", Endpoint: other.URL}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		_, err = b.List(t.Context(), zone)
		requireFailure(t, "list", err, backend.Temporary, "the answer is not what the API documents")
	})
	t.Run("a record the service refuses", func(t *testing.T) {
		t.Parallel()
		s, b := example(t)
		err := b.Apply(t.Context(), zone, create(rr("bad."+zone, "MX", 0, "10 192.0.2.1"), rr("good."+zone, "A", 0, "192.0.2.1")))
		requireFailure(t, "apply", err, backend.Rejected, "bad.example.org MX: refused (400 Bad Request): rrset_values: '10 192.0.2.1.': invalid hostname")
		requireHeld(t, s, "good A 300 192.0.2.1")
	})
	t.Run("an aborted answer", func(t *testing.T) {
		t.Parallel()
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `[{"rrset_name":"www",`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		t.Cleanup(other.Close)
		b, err := gandi.New(gandi.Config{PersonalAccessToken: "x", Endpoint: other.URL, Timeout: 300 * time.Millisecond}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		_, err = b.List(t.Context(), zone)
		requireFailure(t, "list", err, backend.Temporary, "not complete within 300ms")
	})
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	secure := httptest.NewUnstartedServer(s)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust us says so itself
	secure.StartTLS()
	t.Cleanup(secure.Close)
	b := opened(t, s, gandi.Config{Endpoint: secure.URL})
	_, err := b.List(t.Context(), zone)
	requireFailure(t, "an unknown authority", err, backend.Denied, "certificate")

	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	b = opened(t, s, gandi.Config{Endpoint: secure.URL + "/", TLS: clienttls.Files{CAFile: ca}})
	if _, err := b.List(t.Context(), zone); err != nil {
		t.Errorf("a trusted authority: %v", err)
	}
	if _, err := gandi.New(gandi.Config{PersonalAccessToken: "x", TLS: clienttls.Files{CAFile: ca + ".missing"}}, nil, nil); err == nil || !strings.Contains(err.Error(), "tls.caFile") {
		t.Errorf("a missing file: %v", err)
	}
}

// Every request is counted, the repeated ones too, under its name in the documentation.
func TestEveryRequestIsObserved(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	var mu sync.Mutex
	seen := map[string]int{}
	b, err := gandi.New(gandi.Config{PersonalAccessToken: ganditest.Token, Endpoint: s.URL()}, func(operation string, result apicall.Result, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		seen[operation+" "+string(result)]++
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	s.Throttle(1, 0)
	www := "www." + zone
	one, two := rr(www, "A", 5*time.Minute, "192.0.2.1"), rr(www, "AAAA", 5*time.Minute, "2001:db8::1")
	apply(t, b, create(one, two)...)
	list(t, b, zone)
	apply(t, b, update(one, rr(www, "A", 5*time.Minute, "192.0.2.2")), update(two, rr(www, "AAAA", 5*time.Minute, "2001:db8::2")))
	apply(t, b, remove(rr(www, "A", 0, "192.0.2.2"))...)
	want := map[string]int{
		"GET /domains/{fqdn} throttled":                               1,
		"GET /domains/{fqdn} ok":                                      1,
		"GET /domains/{fqdn}/records ok":                              2,
		"POST /domains/{fqdn}/records ok":                             2,
		"GET /domains/{fqdn}/records/{rrset_name} ok":                 2,
		"PUT /domains/{fqdn}/records/{rrset_name} ok":                 1,
		"DELETE /domains/{fqdn}/records/{rrset_name}/{rrset_type} ok": 1,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

// fronted is a backend that reaches the service through answers of ours; those of 0 are the service's own.
func fronted(t *testing.T, s *ganditest.Server, status func(r *http.Request) int) *gandi.Backend {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := status(r); code != 0 {
			http.Error(w, "{}", code)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return opened(t, s, gandi.Config{Endpoint: front.URL})
}

// A token may be limited to the domain that holds the zone, and see nothing of the name of the zone.
func TestATokenForTheDomainOnly(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	denied := func(names ...string) func(*http.Request) int {
		return func(r *http.Request) int {
			if slices.Contains(names, strings.TrimPrefix(r.URL.Path, "/v5/livedns/domains/")) {
				return http.StatusForbidden
			}
			return 0
		}
	}
	if _, err := fronted(t, s, denied("home."+zone)).List(t.Context(), "home."+zone); err != nil {
		t.Errorf("a zone in a domain that the token is for: %v", err)
	}
	_, err := fronted(t, s, denied("home."+zone, zone)).List(t.Context(), "home."+zone)
	requireFailure(t, "a domain that the token is not for", err, backend.Denied, "403")
}

// The service says that a record exists and shows none: asking again may help.
func TestAConflictThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	b := fronted(t, s, func(r *http.Request) int {
		if r.Method == http.MethodPost {
			return http.StatusConflict
		}
		return 0
	})
	err := b.Apply(t.Context(), zone, create(rr("www."+zone, "A", 0, "192.0.2.1")))
	requireFailure(t, "apply", err, backend.Temporary, "www.example.org A: refused (409 Conflict)")
}

// An ownership text that cannot be taken back is left where it is, and not said to have failed.
func TestAnOwnershipTextThatStays(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	b := fronted(t, s, func(r *http.Request) int {
		if r.Method == http.MethodDelete {
			return http.StatusForbidden
		}
		return 0
	})
	list(t, b, zone)
	s.Put(zone, ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.99"}})
	www := "www." + zone
	err := b.Apply(t.Context(), zone, in(www, create(rr(www, "A", 0, "192.0.2.1"), rr("a-"+www, "TXT", 0, "owner=hub"))...))
	requireFailure(t, "apply", err, backend.Conflict, "www.example.org A")
	if named := backend.Errors(err); len(named) != 1 {
		t.Errorf("%v, want only what failed", err)
	}
	requireHeld(t, s, `a-www TXT 300 "owner=hub"`, "www A 300 192.0.2.99")
}

// Where the zone cannot be read before it is written, nothing is written.
func TestNoLookNoWrite(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	var all []backend.RRset
	for i := range 5 {
		all = append(all, rr(string(rune('a'+i))+"."+zone, "A", 5*time.Minute, "192.0.2.1"))
	}
	var blind atomic.Bool
	b := fronted(t, s, func(r *http.Request) int {
		if r.Method == http.MethodGet && blind.Load() {
			return http.StatusForbidden
		}
		return 0
	})
	apply(t, b, create(all...)...)
	list(t, b, zone)
	blind.Store(true)
	err := b.Apply(t.Context(), zone, remove(all...))
	requireFailure(t, "many deletes", err, backend.Denied, "gandi: apply example.org: the token")
	err = b.Apply(t.Context(), zone, remove(all[0]))
	requireFailure(t, "one delete", err, backend.Denied, "gandi: apply example.org: a.example.org A")
	if left := len(s.Records(zone)); left != len(all) {
		t.Errorf("%d of %d records are left", left, len(all))
	}
}
