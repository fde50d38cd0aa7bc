package chain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// opinionated is a peer with a form of its own: a lowest TTL of a minute and one for those who ask for
// none, addresses instead of aliases to its own balancers, no PTR, and a property for everything.
func opinionated() *chaintest.Peer {
	p := chaintest.New()
	p.Adjust = func(e chaintest.Endpoint) []chaintest.Endpoint {
		e.RecordTTL = max(e.RecordTTL, 60)
		e.ProviderSpecific = []chaintest.Property{{Name: "proxied", Value: "false"}}
		switch {
		case e.RecordType == "PTR":
			return []chaintest.Endpoint{{DNSName: "elsewhere.zone.example", RecordType: "A", Targets: []string{"192.0.2.1"}}}
		case e.RecordType == "CNAME" && strings.HasSuffix(e.Targets[0], ".lb.example"):
			v6 := e
			e.RecordType, e.Targets = "A", []string{"192.0.2.1", "192.0.2.2"}
			v6.RecordType, v6.Targets = "AAAA", []string{"2001:DB8::1"}
			return []chaintest.Endpoint{v6, e}
		}
		return []chaintest.Endpoint{e}
	}
	return p
}

func byKey(a, b backend.RRset) bool { return a.String() < b.String() }

func TestThePeersFormIsRespected(t *testing.T) {
	t.Parallel()
	p := opinionated()
	b := open(t, chain.Config{URL: serve(t, p)})
	blue := rrset("www.zone.example", "A", 10*time.Second, "192.0.2.3")
	blue.SetID = "blue"
	wanted := []backend.RRset{
		rrset("www.zone.example", "A", 10*time.Second, "192.0.2.1"), blue,
		rrset("none.zone.example", "TXT", 0, `a "text"`),
		rrset("app.zone.example", "CNAME", time.Hour, "one.lb.example"),
		rrset("ptr.zone.example", "PTR", 0, "www.zone.example"),
	}
	got, err := b.Adjust(t.Context(), zone, wanted)
	names, kind := failed(err)
	if !slices.Equal(names, []string{"ptr.zone.example"}) || kind != backend.Rejected {
		t.Errorf("refused are %v", err)
	}
	proxied := map[string]string{"proxied": "false"}
	want := []backend.RRset{
		rrset("www.zone.example", "A", time.Minute, "192.0.2.1"), blue,
		rrset("none.zone.example", "TXT", 0, `a "text"`),
		rrset("app.zone.example", "A", time.Hour, "192.0.2.1", "192.0.2.2"), rrset("app.zone.example", "AAAA", time.Hour, "2001:db8::1"),
	}
	want[1].TTL = time.Minute
	for i := range want {
		want[i].Attrs = proxied
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(byKey)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	again, err := b.Adjust(t.Context(), zone, got)
	if diff := cmp.Diff(got, again, cmpopts.SortSlices(byKey)); diff != "" || err != nil {
		t.Errorf("adjusted twice (%v), -once +twice:\n%s", err, diff)
	}
}

func TestNothingIsAskedAboutNothing(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	b := open(t, chain.Config{URL: serve(t, p)})
	if got, err := b.Adjust(t.Context(), zone, nil); err != nil || len(got) != 0 || len(p.Requests()) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// What a peer cannot take is refused alone, however it says so.
func TestARefusedRecordDoesNotSpoilTheQuestion(t *testing.T) {
	t.Parallel()
	for name, style := range map[string]func(p *chaintest.Peer){
		"400":         func(p *chaintest.Peer) { p.Refuse = refusing(400, "h0003.zone.example").Refuse },
		"500":         func(p *chaintest.Peer) { p.Refuse = refusing(500, "h0003.zone.example").Refuse },
		"left out":    func(p *chaintest.Peer) { p.Adjust = without("h0003.zone.example", nil) },
		"no value":    func(p *chaintest.Peer) { p.Adjust = without("h0003.zone.example", []string{}) },
		"no address":  func(p *chaintest.Peer) { p.Adjust = without("h0003.zone.example", []string{"nonsense"}) },
		"other set":   func(p *chaintest.Peer) { p.Adjust = otherSet("h0003.zone.example") },
		"other names": func(p *chaintest.Peer) { p.Adjust = renamed("h0003.zone.example") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := chaintest.New()
			style(p)
			b := open(t, chain.Config{URL: serve(t, p)})
			var wanted []backend.RRset
			for _, c := range hosts(20) {
				if c.New.Type == "A" {
					wanted = append(wanted, *c.New)
				}
			}
			got, err := b.Adjust(t.Context(), zone, wanted)
			if names, kind := failed(err); !slices.Equal(names, []string{"h0003.zone.example"}) || kind != backend.Rejected || len(got) != 19 {
				t.Errorf("%d RRsets and %v", len(got), err)
			}
		})
	}
}

func without(name string, targets []string) func(chaintest.Endpoint) []chaintest.Endpoint {
	return func(e chaintest.Endpoint) []chaintest.Endpoint {
		if e.DNSName == name {
			if targets == nil {
				return nil
			}
			e.Targets = targets
		}
		return []chaintest.Endpoint{e}
	}
}

func otherSet(name string) func(chaintest.Endpoint) []chaintest.Endpoint {
	return func(e chaintest.Endpoint) []chaintest.Endpoint {
		if e.DNSName == name {
			e.SetIdentifier = "other"
		}
		return []chaintest.Endpoint{e}
	}
}

func renamed(name string) func(chaintest.Endpoint) []chaintest.Endpoint {
	return func(e chaintest.Endpoint) []chaintest.Endpoint {
		if e.DNSName == name {
			e.DNSName = "x." + name
		}
		return []chaintest.Endpoint{e}
	}
}

// When the peer takes nothing at all, that says nothing about the records.
func TestAPeerThatAdjustsNothing(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]backend.Kind{400: backend.Rejected, 401: backend.Denied, 404: backend.Rejected, 429: backend.Temporary, 500: backend.Temporary, 503: backend.Temporary} {
		p := chaintest.New()
		p.Refuse = func(chaintest.Endpoint) int { return status }
		b := open(t, chain.Config{URL: serve(t, p)})
		var wanted []backend.RRset
		for _, c := range hosts(50) {
			wanted = append(wanted, *c.New)
		}
		got, err := b.Adjust(t.Context(), zone, wanted)
		all := backend.Errors(err)
		if len(got) != 0 || len(all) != 1 || all[0].Key != (backend.Key{}) || all[0].Kind == backend.Conflict {
			t.Errorf("status %d: %d RRsets and %v, want one error about the zone", status, len(got), err)
		}
		if n := p.Requests()["POST /adjustendpoints"]; n > 4 {
			t.Errorf("status %d: %d requests", status, n)
		}
		if status != 400 && all[0].Kind != kind {
			t.Errorf("status %d: %s, want %s", status, all[0].Kind, kind)
		}
	}
}
