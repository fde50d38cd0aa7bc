package chain_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// The suite against providers of different manners. Real ones are in e2e.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, style := range map[string]func(*chaintest.Peer){
		"plain":                  func(*chaintest.Peer) {},
		"one endpoint per value": func(p *chaintest.Peer) { p.EachValue, p.UnstableOrder = true, true },
		"creates first":          func(p *chaintest.Peer) { p.CreatesFirst = true },
		"deletes first":          func(p *chaintest.Peer) { p.DeletesFirst = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, harness(style))
		})
	}
}

func harness(style func(*chaintest.Peer)) backendtest.Harness {
	return backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			p := chaintest.New()
			p.Filter = `{"include":["zone.example","other.example"]}`
			style(p)
			url := serve(t, p)
			return backendtest.Subject{
				Backend: open(t, chain.Config{URL: url}), Zone: "zone.example", Other: "other.example",
				Reopen: func(t *testing.T) backend.Backend { return open(t, chain.Config{URL: url}) },
				Put:    func(_ *testing.T, _ string, r backend.RRset) { p.Put(wire(r)) },
				Remove: func(_ *testing.T, _ string, k backend.Key) { p.Put(wire(backend.RRset{Key: k})) },
			}
		},
	}
}

// wire is an RRset as another writer of the peer might have put it there.
func wire(r backend.RRset) chaintest.Endpoint {
	e := chaintest.Endpoint{DNSName: r.Name, RecordType: r.Type, SetIdentifier: r.SetID, RecordTTL: int64(r.TTL / time.Second), Targets: r.Values}
	if r.Type == "TXT" {
		e.Targets = nil
		for _, v := range r.Values {
			e.Targets = append(e.Targets, backend.QuoteText(v))
		}
	}
	return e
}

func serve(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections() // a hanging request would keep Close waiting
		s.Close()
	})
	return s.URL
}

func open(t testing.TB, c chain.Config) *chain.Backend {
	t.Helper()
	b, err := chain.New(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}
