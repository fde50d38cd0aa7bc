package chain_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

const zone = "zone.example"

func list(t *testing.T, b backend.Backend, zone string) []backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// answering is a peer whose listing is this text.
func answering(records string) *chaintest.Peer {
	p := chaintest.New()
	p.Replace = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method+r.URL.Path != "GET/records" {
			return false
		}
		_, _ = io.WriteString(w, records)
		return true
	}
	return p
}

func rrset(name, typ string, ttl time.Duration, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: ttl, Values: values}
}

func TestListReadsWhatProvidersWrite(t *testing.T) {
	t.Parallel()
	attrs := func(r backend.RRset, attrs map[string]string) backend.RRset { r.Attrs = attrs; return r }
	for name, c := range map[string]struct {
		records string
		want    []backend.RRset
	}{
		"null":  {`null`, []backend.RRset{}},
		"empty": {`[]`, []backend.RRset{}},
		"spelling": {`[{"dnsName":"WWW.Zone.Example.","recordType":"a","targets":["192.0.2.9","192.0.2.10"],"recordTTL":60,"unknown":{"x":[1]}}]`,
			[]backend.RRset{rrset("www.zone.example", "A", time.Minute, "192.0.2.10", "192.0.2.9")}},
		"one endpoint per value": {`[{"dnsName":"w.zone.example","recordType":"A","targets":["192.0.2.2"],"recordTTL":300,"providerSpecific":[{"name":"p","value":"1"}]},
			{"dnsName":"v.zone.example","recordType":"A","targets":["192.0.2.2"]},
			{"dnsName":"w.zone.example","recordType":"A","targets":["192.0.2.1"],"recordTTL":60,"providerSpecific":[{"name":"q"}]}]`,
			[]backend.RRset{rrset("v.zone.example", "A", 0, "192.0.2.2"),
				attrs(rrset("w.zone.example", "A", time.Minute, "192.0.2.1", "192.0.2.2"), map[string]string{"p": "1", "q": ""})}},
		"texts": {`[{"dnsName":"t.zone.example","recordType":"TXT","targets":["\"quoted \\\" and \\195\\188\"","bare"]}]`,
			[]backend.RRset{rrset("t.zone.example", "TXT", 0, "bare", "quoted \" and ü")}},
		"hosts": {`[{"dnsName":"s.zone.example","recordType":"SRV","targets":["0 5 443 Host.Example.net."]},
			{"dnsName":"m.zone.example","recordType":"MX","targets":["10 mäil.example.net"]},
			{"dnsName":"ü.zone.example","recordType":"CNAME","targets":["bücher.example."]}]`,
			[]backend.RRset{rrset("m.zone.example", "MX", 0, "10 xn--mil-qla.example.net"), rrset("s.zone.example", "SRV", 0, "0 5 443 host.example.net"),
				rrset("xn--tda.zone.example", "CNAME", 0, "xn--bcher-kva.example")}},
		"an alias": {`[{"dnsName":"a.zone.example","recordType":"A","targets":["lb.example.net"],"providerSpecific":[{"name":"alias","value":"true"}]}]`,
			[]backend.RRset{attrs(rrset("a.zone.example", "A", 0, "lb.example.net"), map[string]string{"alias": "true"})}},
		"what belongs to the zone or to others": {`[{"dnsName":"zone.example","recordType":"NS","targets":["ns.example"]},
			{"dnsName":"sub.zone.example","recordType":"NS","targets":["ns.example"]},{"dnsName":"zone.example","recordType":"SOA","targets":["x"]},
			{"dnsName":"c.zone.example","recordType":"CAA","targets":["0 issue ca"]},{"dnsName":"myzone.example","recordType":"A","targets":["192.0.2.1"]},null]`,
			[]backend.RRset{rrset("sub.zone.example", "NS", 0, "ns.example")}},
		"TTLs out of range": {`[{"dnsName":"a.zone.example","recordType":"A","targets":["192.0.2.1"],"recordTTL":-5},
			{"dnsName":"b.zone.example","recordType":"A","targets":["192.0.2.1"],"recordTTL":9000000000}]`,
			[]backend.RRset{rrset("a.zone.example", "A", 0, "192.0.2.1"), rrset("b.zone.example", "A", backend.MaxTTL, "192.0.2.1")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, chain.Config{URL: serve(t, answering(c.records))})
			if diff := cmp.Diff(c.want, list(t, b, zone)); diff != "" {
				t.Errorf("-want +listed:\n%s", diff)
			}
		})
	}
}

const unreadable = `[{"dnsName":"good.zone.example","recordType":"A","targets":["192.0.2.1"]},
	{"dnsName":"bad.zone.example","recordType":"A","targets":["not an address"]},
	{"dnsName":"bad name.zone.example","recordType":"A","targets":["192.0.2.1"]},
	{"dnsName":"half.zone.example","recordType":"A","targets":["192.0.2.1"]},
	{"dnsName":"half.zone.example","recordType":"A","targets":["?"]},
	{"dnsName":"empty.zone.example","recordType":"A"}]`

func TestWhatCannotBeReadIsLeftOutAndLeftAlone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := answering(unreadable)
	b, err := chain.New(chain.Config{URL: serve(t, p)}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range 3 {
		if got := list(t, b, zone); len(got) != 1 || got[0].Name != "good.zone.example" {
			t.Fatalf("listed %v", got)
		}
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 4 {
		t.Errorf("%d warnings for 4 names listed 3 times:\n%s", n, log.String())
	}
	wanted := rrset("bad.zone.example", "A", 0, "192.0.2.7")
	if err := b.Apply(t.Context(), zone, []backend.Change{{New: &wanted}}); backend.KindOf(err) != backend.Conflict || !strings.Contains(err.Error(), "not an address") {
		t.Errorf("a change of it: %v, want a conflict", err)
	}
	if n := p.Requests()["POST /records"]; n != 0 {
		t.Errorf("%d requests were made to change it", n)
	}
}

func TestListIsTheSameSliceUntilTheZoneChanges(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.UnstableOrder = true
	for _, n := range []string{"a.zone.example", "b.zone.example", "a.other.example"} {
		p.Put(wire(rrset(n, "A", time.Minute, "192.0.2.1")))
	}
	b := open(t, chain.Config{URL: serve(t, p)})
	first, other := list(t, b, zone), list(t, b, "other.example")
	if second := list(t, b, zone); len(second) != 2 || &second[0] != &first[0] {
		t.Error("nothing changed, but the list is another slice")
	}
	p.Put(wire(rrset("a.zone.example", "A", time.Hour, "192.0.2.1")))
	if third := list(t, b, zone); len(third) != 2 || &third[0] == &first[0] || third[0].TTL != time.Hour {
		t.Errorf("a TTL changed, and the list is %v", third)
	}
	if again := list(t, b, "other.example"); &again[0] != &other[0] {
		t.Error("the other zone did not change, but its list is another slice")
	}
}

func TestAListingIsKeptForItsLifetime(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	b := open(t, chain.Config{URL: serve(t, p), Cache: time.Hour})
	for range 3 {
		list(t, b, zone)
	}
	if got := p.Requests(); got["GET /records"] != 1 || got["GET /"] != 1 {
		t.Errorf("requests %v, want one each", got)
	}
	ours, theirs := rrset("www.zone.example", "A", 0, "192.0.2.1"), rrset("www.zone.example", "A", 0, "198.51.100.1")
	p.Put(wire(theirs))
	if err := b.Apply(t.Context(), zone, []backend.Change{{New: &ours}}); backend.KindOf(err) != backend.Conflict {
		t.Errorf("a change is judged by an old listing: %v", err)
	}
	if got := list(t, b, zone); len(got) != 1 || got[0].Values[0] != "198.51.100.1" {
		t.Errorf("after a conflict the list is still %v", got)
	}
}
