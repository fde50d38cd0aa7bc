package clouddns_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

func keys(sets []backend.RRset) []string {
	var out []string
	for _, s := range sets {
		out = append(out, s.Key.String())
	}
	slices.Sort(out)
	return out
}

// requireFailure requires one error about the zone as a whole.
func requireFailure(t *testing.T, err error, kind backend.Kind, says ...string) {
	t.Helper()
	var e *backend.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Zone != zone || e.Key != (backend.Key{}) {
		t.Fatalf("got %v, want %s about zone %s", err, kind, zone)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

func TestListLeavesOutWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	for _, r := range []clouddnstest.Record{
		{Name: "www.zone.example.", Type: "A", TTL: 60, Rrdatas: []string{"192.0.2.1"}},
		{Name: "www.zone.example.", Type: "CAA", TTL: 60, Rrdatas: []string{`0 issue "ca.example"`}},
		{Name: "routed.zone.example.", Type: "A", TTL: 60, RoutingPolicy: map[string]any{"wrr": map[string]any{}}},
		{Name: "sub.zone.example.", Type: "NS", TTL: 60, Rrdatas: []string{"ns.example."}},
		{Name: "zone.example.", Type: "ALIAS", TTL: 60, Rrdatas: []string{"lb.example."}},
		{Name: "broken.zone.example.", Type: "TXT", TTL: 60, Rrdatas: []string{`"open`}},
		{Name: "zone.example.", Type: "TXT", TTL: 60, Rrdatas: []string{`"v=spf1 -all"`}},
	} {
		s.Put(project, "main", r)
	}
	want := []string{"sub.zone.example NS", "www.zone.example A", "zone.example TXT"}
	if got := keys(mustList(t, opened(t, c))); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func TestListIsTheSameSliceUntilTheZoneChanges(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	put(s, published(10, "192.0.2.1"))
	b := opened(t, c)
	first := mustList(t, b)
	if second := mustList(t, b); len(second) != 20 || &first[0] != &second[0] {
		t.Error("an unchanged zone is another slice")
	}
	for name, change := range map[string]func(){
		"a value":       func() { s.Put(project, "main", record(set("host00003", "A", "192.0.2.9"))) },
		"a TTL":         func() { r := record(set("host00003", "A", "192.0.2.9")); r.TTL = 7; s.Put(project, "main", r) },
		"one that goes": func() { s.Remove(project, "main", "host00004.zone.example.", "A") },
	} {
		before := mustList(t, b)
		change()
		if after := mustList(t, b); &before[0] == &after[0] {
			t.Errorf("%s changed, the slice is the same", name)
		}
	}
}

func TestAListingIsGoodForItsLifetimeUnlessWeWrite(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	c.Cache = time.Hour
	b := opened(t, c)
	mustList(t, b)
	s.Put(project, "main", record(set("theirs", "A", "192.0.2.1")))
	if got := mustList(t, b); len(got) != 0 {
		t.Errorf("listed %v again within the lifetime", got)
	}
	if err := b.Apply(t.Context(), zone, create(set("ours", "A", "192.0.2.1"))); err != nil {
		t.Fatal(err)
	}
	if got := mustList(t, b); len(got) != 2 {
		t.Errorf("listed %v after writing, want both", got)
	}
}

// Never a part: what is no complete listing is an error.
func TestListIsAllOrAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault clouddnstest.Fault
		kind  backend.Kind
		says  string
	}{
		{"an empty object", clouddnstest.Fault{Status: 200, Body: `{}`}, backend.Temporary, "no SOA record"},
		{"a page without a next one", clouddnstest.Fault{Status: 200, Body: `{"rrsets":[{"name":"www.zone.example.","type":"A","ttl":1,"rrdatas":["192.0.2.1"]}]}`}, backend.Temporary, "no SOA record"},
		{"a login page", clouddnstest.Fault{Status: 200, Body: `<html>Welcome`}, backend.Temporary, "invalid character"},
		{"a fault in the middle", clouddnstest.Fault{After: 2, Status: 501, Message: "not today"}, backend.Temporary, "not today"},
		{"rights that go in the middle", clouddnstest.Fault{After: 2, Status: 403, Reason: "forbidden", Message: "Forbidden"}, backend.Denied, "Forbidden (see the rights"},
		{"the zone goes in the middle", clouddnstest.Fault{After: 2, Status: 404, Message: "The 'parameters.managedZone' resource named 'main' does not exist."}, backend.Temporary, "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, config := started(t)
			s.Limit(func(l *clouddnstest.Limits) { l.Page = 4 })
			put(s, published(10, "192.0.2.1"))
			c.fault.Operation = "resourceRecordSets.list"
			s.Fail(c.fault)
			b := opened(t, config)
			sets, err := b.List(t.Context(), zone)
			requireFailure(t, err, c.kind, c.says)
			if sets != nil {
				t.Errorf("%d RRsets and an error", len(sets))
			}
			if got := mustList(t, b); len(got) != 20 {
				t.Errorf("%d RRsets once it healed", len(got))
			}
		})
	}
}

func TestListHealsFromFaultsInTheMiddle(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	s.Limit(func(l *clouddnstest.Limits) { l.Page = 4 })
	put(s, published(10, "192.0.2.1"))
	s.Fail(clouddnstest.Fault{Operation: "resourceRecordSets.list", After: 1, Status: 503})
	s.Fail(clouddnstest.Fault{Operation: "resourceRecordSets.list", After: 1, LoseReply: true})
	s.Fail(clouddnstest.Throttled(1))
	if got := mustList(t, opened(t, c)); len(got) != 20 {
		t.Errorf("%d RRsets, want 20", len(got))
	}
}

func TestThrottledForAMinute(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]clouddnstest.Fault{
		"in the API's words":     {Status: 403, Reason: "rateLimitExceeded", Message: "Rate Limit Exceeded"},
		"the quota of requests":  {Status: 403, Reason: "quotaExceeded", Message: "Quota exceeded for quota metric 'Write requests'"},
		"in the gateway's words": {Status: 429, Reason: "rateLimitExceeded", Message: "Resource has been exhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := started(t)
			b := opened(t, c)
			mustList(t, b)
			fault.Times, fault.RetryAfter = 1000, 60
			s.Fail(fault)
			s.ResetCalls()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			// It is told at once, as there is no time to wait as long as asked.
			requireFailure(t, b.Apply(ctx, zone, create(set("www", "A", "192.0.2.1"))), backend.Temporary, "throttled: ")
			if n := s.Calls()["changes.create"]; n != 1 {
				t.Errorf("asked %d times, want once", n)
			}
			s.Heal()
			if err := b.Apply(t.Context(), zone, create(set("www", "A", "192.0.2.1"))); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAServiceThatHangs(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	mustList(t, b)
	s.Fail(clouddnstest.Fault{Times: 1000, Delay: time.Minute})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("out of time"))
	defer cancel()
	_, err := b.List(ctx, zone)
	requireFailure(t, err, backend.Temporary, "out of time")
	c.Timeout = time.Second
	impatient := opened(t, c)
	s.Heal()
	s.Fail(clouddnstest.Fault{Times: 1, Delay: time.Minute})
	if _, err := impatient.List(t.Context(), zone); err != nil {
		t.Errorf("one answer did not come: %v, want it asked for again", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	plain := strings.Replace(s.URL(), "http://", "https://", 1)
	secure := secured(t, s)
	c.Endpoint = secure.URL
	_, err := opened(t, c).List(t.Context(), zone)
	requireFailure(t, err, backend.Denied, "certificate")

	c.TLS.CAFile = file(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	mustList(t, opened(t, c))

	c.Endpoint = plain
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = opened(t, c).List(ctx, zone)
	requireFailure(t, err, backend.Temporary)

	c.TLS.CAFile = "/nowhere/ca.pem"
	if _, err := clouddns.New(c, nil, nil); err == nil || !strings.Contains(err.Error(), "tls.caFile") {
		t.Errorf("a missing file: %v", err)
	}
}

func TestEveryRequestIsObserved(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	seen := &observed{}
	b, err := clouddns.New(c, seen.saw, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	s.Fail(clouddnstest.Fault{Operation: "resourceRecordSets.list", Status: http.StatusServiceUnavailable})
	s.Fail(clouddnstest.Throttled(1))
	mustList(t, b)
	if err := b.Apply(t.Context(), zone, create(set("www", "A", "192.0.2.1"))); err != nil {
		t.Fatal(err)
	}
	s.Fail(clouddnstest.Fault{Operation: "changes.create", Status: http.StatusForbidden, Reason: "forbidden"})
	requireFailure(t, b.Apply(t.Context(), zone, create(set("more", "A", "192.0.2.1"))), backend.Denied)
	want := []string{
		"managedZones.list throttled", "managedZones.list ok", "resourceRecordSets.list failed", "resourceRecordSets.list ok",
		"changes.create ok", "changes.create denied",
	}
	if got := seen.all(); !slices.Equal(got, want) {
		t.Errorf("observed %q, want %q", got, want)
	}
}

// A listing with a hole in it is no listing, and no reason to end the program: what reads it again while a
// change is made runs beside the call.
func TestAHoleInAListing(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	target, err := url.Parse(c.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var odd atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch what := path.Base(r.URL.Path); {
		case odd.Load() && what == "rrsets":
			_, _ = io.WriteString(w, `{"rrsets":[null]}`)
		case odd.Load() && what == "changes":
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error":{"code":409,"message":"it exists","errors":[{"reason":"alreadyExists"}]}}`)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	c.Endpoint = front.URL
	b := opened(t, c)
	mustList(t, b)
	odd.Store(true)
	www := backend.RRset{Key: backend.Key{Name: "www." + zone, Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}}
	requireFailure(t, b.Apply(t.Context(), zone, []backend.Change{{New: &www}}), backend.Temporary, "record set")
	_, err = b.List(t.Context(), zone)
	requireFailure(t, err, backend.Temporary, "record set")
	odd.Store(false)
	if err := b.Apply(t.Context(), zone, []backend.Change{{New: &www}}); err != nil || len(s.Records(project, "main")) == 0 {
		t.Errorf("afterwards: %v", err)
	}
}
