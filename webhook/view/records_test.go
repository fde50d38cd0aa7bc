package view_test

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/policy"
)

func TestRecordsOfAllTypes(t *testing.T) {
	r := start(t, one())
	put := func(name, typ string, ttl time.Duration, values ...string) {
		r.backends[0].Put("example.org", backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: ttl, Values: values})
	}
	put("www.example.org", "A", time.Minute, "192.0.2.1", "192.0.2.2")
	put("example.org", "MX", time.Hour, "10 mail.example.org")
	put("t.example.org", "TXT", time.Hour, "heritage=external-dns,external-dns/owner=me")
	put("q.example.org", "TXT", time.Hour, "", "\"quoted\"", "\xff")
	check(t, "records", lines(r.records(t)),
		`example.org MX 1h0m0s 10 mail.example.org`,
		`q.example.org TXT 1h0m0s "","\"quoted\"","\255"`,
		`t.example.org TXT 1h0m0s heritage=external-dns,external-dns/owner=me`,
		`www.example.org A 1m0s 192.0.2.1,192.0.2.2`)
	if got := r.counter(t, "spokedns_records", "view", "public"); got != 4 {
		t.Errorf("spokedns_records is %v", got)
	}
}

// The very same slice says that nothing changed: that is what makes polling every second cheap.
func TestRecordsUnchangedAreTheSameSlice(t *testing.T) {
	r := start(t, two())
	r.apply(t, plan.Changes{Create: []*endpoint.Endpoint{in("public", a("www.example.org", "192.0.2.1"))}})
	first, again := r.records(t), r.records(t)
	if &first[0] != &again[0] {
		t.Error("the slice was built anew")
	}
	r.apply(t, plan.Changes{Create: []*endpoint.Endpoint{in("internal", a("www.example.org", "10.0.0.1"))}})
	if third := r.records(t); len(third) != 2 {
		t.Errorf("after a change: %s", lines(third))
	}
}

// A backend without zone cuts lists the records of a nested zone with its parent's too.
func TestNestedZonesListEachNameOnce(t *testing.T) {
	r := start(t, setup{views: []policy.View{{Name: "public", Zones: []string{"example.org", "k8s.example.org"}}}})
	child := backend.RRset{Key: backend.Key{Name: "www.k8s.example.org", Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1"}}
	r.backends[0].Put("example.org", child)
	r.backends[0].Put("k8s.example.org", child)
	check(t, "records", lines(r.records(t)), `www.k8s.example.org A 1m0s 192.0.2.1`)
	r.apply(t, plan.Changes{Create: []*endpoint.Endpoint{a("api.k8s.example.org", "192.0.2.2")}})
	rrsets, err := r.backends[0].List(t.Context(), "k8s.example.org")
	if err != nil || len(rrsets) != 2 {
		t.Errorf("the longest zone holds %v, %v; want both names", rrsets, err)
	}
}

func TestOneZoneDownFailsRecords(t *testing.T) {
	var last *flaky
	s := two()
	s.wrap = func(b backend.Backend) backend.Backend { last = &flaky{Backend: b}; return last }
	r := start(t, s)
	last.set(errDown, nil)
	eps, err := r.Records(t.Context())
	if err == nil || eps != nil || !strings.Contains(err.Error(), "view internal: flaky: list example.org: connection refused") {
		t.Errorf("got %s, %v", lines(eps), err)
	}
	if got := r.counter(t, "spokedns_errors_total", "view", "internal", "kind", "temporary"); got != 1 {
		t.Errorf("spokedns_errors_total is %v", got)
	}
	last.set(nil, nil)
	r.records(t)
}

func TestFilterNamesAllZones(t *testing.T) {
	r := start(t, setup{views: []policy.View{
		{Name: "a", Zones: []string{"example.org", "example.net"}}, {Name: "b", Zones: []string{"example.org"}}}})
	f, err := r.Filter()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"www.example.org": true, "example.net": true, "example.com": false, "notexample.org": false} {
		if f.Match(name) != want {
			t.Errorf("%s: match is %v", name, !want)
		}
	}
	body, err := f.MarshalJSON()
	if err != nil || string(body) != `{"include":["example.net","example.org"]}` {
		t.Errorf("got %s, %v", body, err)
	}
}

// two is a public and an internal view of one zone that keep everything.
func two() setup {
	return setup{views: []policy.View{
		{Name: "public", Zones: []string{"example.org"}}, {Name: "internal", Zones: []string{"example.org"}}}}
}

// in puts an endpoint into a view.
func in(view string, e *endpoint.Endpoint) *endpoint.Endpoint { return e.WithSetIdentifier(view) }
