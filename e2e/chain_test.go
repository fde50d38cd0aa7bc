package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/policy"
	webhookview "github.com/spokedns/spokedns/webhook/view"
)

// The chain in front of our own webhook: in process with zones in memory, and as the built program with
// zones on BIND. In both it keeps every promise.

func openChain(t *testing.T, c chain.Config) *chain.Backend {
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

func TestChainConformanceOnOurHandler(t *testing.T) {
	t.Parallel()
	zones := []string{"zone.example", "other.example"}
	backendtest.Run(t, backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			limits := memory.Everything()
			limits.SetIDs, limits.Attrs, limits.DefaultTTL = true, []string{backend.AnyAttr}, 0
			m, err := memory.New(memory.Config{Zones: zones, Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			url := serve(t, viewHandler(t, webhookview.View{Name: "far", Zones: zones, Backend: m, BackendName: "memory"}))
			return backendtest.Subject{
				Backend: openChain(t, chain.Config{URL: url}), Zone: zones[0], Other: zones[1],
				Reopen: func(t *testing.T) backend.Backend { return openChain(t, chain.Config{URL: url}) },
				Put:    func(_ *testing.T, zone string, r backend.RRset) { m.Put(zone, r) },
				Remove: func(_ *testing.T, zone string, key backend.Key) { m.Remove(zone, key) },
			}
		},
	})
}

// viewHandler is our webhook with one view that keeps everything as it is.
func viewHandler(t *testing.T, v webhookview.View) http.Handler {
	t.Helper()
	rules, err := policy.New(policy.Config{Views: []policy.View{{Name: v.Name, Zones: v.Zones}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := webhookview.New(webhookview.Config{Views: []webhookview.View{v}, Policy: rules, MaxDeleteShare: 1,
		Log: slog.New(slog.DiscardHandler), Metrics: webhookview.NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		t.Fatal(err)
	}
	return protocolHandler(p)
}

// serve serves h until the test ends.
func serve(t *testing.T, h http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// asItsView is the chain with what a view in front of it adds: a TTL for records that ask for none, and
// what the peer said when it was asked to adjust: this one stores neither set identifiers nor properties.
type asItsView struct{ *chain.Backend }

func (b asItsView) Limits() backend.Limits {
	l := b.Backend.Limits()
	l.DefaultTTL, l.SetIDs, l.Attrs = 5*time.Minute, false, nil
	return l
}

func (b asItsView) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	var errs []error
	var fine []backend.Change
	for _, c := range changes {
		if c.New != nil {
			if err := b.Limits().Check(zone, *c.New); err != nil {
				errs = append(errs, &backend.Error{Kind: backend.Rejected, Op: "view", Zone: zone, Key: c.Key(), Err: err})
				continue
			}
		}
		fine = append(fine, c)
	}
	return errors.Join(append(errs, b.Backend.Apply(ctx, zone, fine))...)
}

func TestChainConformanceOnOurProgramOnBIND(t *testing.T) {
	t.Parallel()
	zones := []string{"zone.example", "other.example"}
	s := stack.ForTest(t)
	n, err := s.Named(t.Context(), stack.NamedConfig{Zones: zones})
	if err != nil {
		t.Fatal(err)
	}
	far, err := s.Webhook(t.Context(), stack.WebhookConfig{Program: builtWebhook(t), ConfigYAML: farConfig(n, zones...), Args: []string{"--no-kubernetes"}})
	if err != nil {
		t.Fatal(err)
	}
	bind := &dnsServer{n.Addr, n.Key, zones}
	direct := bind.open(t, rfc2136.Config{})
	open := func(t *testing.T) backend.Backend { return asItsView{openChain(t, chain.Config{URL: far.API})} }
	backendtest.Run(t, backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			for _, zone := range zones {
				empty(t, direct, zone)
			}
			return backendtest.Subject{
				Backend: open(t), Zone: zones[0], Other: zones[1], Reopen: open,
				Put:    func(t *testing.T, zone string, r backend.RRset) { bind.put(t, zone, r) },
				Remove: func(t *testing.T, zone string, k backend.Key) { bind.put(t, zone, backend.RRset{Key: k}) },
				Verify: func(t *testing.T, zone string, want []backend.RRset) { bind.verify(t, want) },
			}
		},
	})
}

// farConfig is the configuration of a webhook that publishes to BIND what it is asked to.
func farConfig(n *stack.Named, zones ...string) string {
	return fmt.Sprintf(`
views:
- name: far
  zones: [%s]
  rules: [{action: keep}]
  backend:
    rfc2136:
      servers: [%q]
      tsig: {name: %s, algorithm: %s, secret: %q}
rails: {maxDeleteShare: 1}
`, strings.Join(zones, ", "), n.Addr, n.Key.Name, n.Key.Algorithm, n.Key.Secret)
}

// empty deletes everything in a zone.
func empty(t *testing.T, b backend.Backend, zone string) {
	t.Helper()
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	var changes []backend.Change
	for _, r := range sets {
		changes = append(changes, backend.Change{Old: &r})
	}
	if err := b.Apply(t.Context(), zone, changes); err != nil {
		t.Fatal(err)
	}
}
