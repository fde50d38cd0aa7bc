package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	upstream "sigs.k8s.io/external-dns/provider/webhook"
	"sigs.k8s.io/external-dns/registry"
	txtregistry "sigs.k8s.io/external-dns/registry/txt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/extdns"
	"github.com/spokedns/spokedns/webhook/policy"
	webhookview "github.com/spokedns/spokedns/webhook/view"
)

// These tests speak to our handler with external-dns's own client, plan and TXT registry, in one
// process: what the protocol promises is what that code makes of it.

// dialWebhook is external-dns's client with the timeouts external-dns has.
func dialWebhook(t *testing.T, h http.Handler) provider.Provider {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.CloseClientConnections) // a hanging call would keep Close waiting
	client, err := upstream.New(t.Context(), &externaldns.Config{
		WebhookProviderURL: server.URL, WebhookProviderReadTimeout: 5 * time.Second, WebhookProviderWriteTimeout: 10 * time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func protocolHandler(p extdns.Provider) http.Handler {
	return extdns.Handler(p, extdns.Options{}, slog.New(slog.DiscardHandler))
}

// inMemory is a Provider over views with a backend in memory each, which wrap may change.
func inMemory(t *testing.T, wrap func(backend.Backend) backend.Backend, names ...string) *webhookview.Provider {
	t.Helper()
	zones := []string{"example.org"}
	var rules policy.Config
	c := webhookview.Config{Log: slog.New(slog.DiscardHandler), Metrics: webhookview.NewMetrics(prometheus.NewRegistry())}
	for _, name := range names {
		m, err := memory.New(memory.Config{Zones: zones})
		if err != nil {
			t.Fatal(err)
		}
		var b backend.Backend = m
		if wrap != nil {
			b = wrap(m)
		}
		rules.Views = append(rules.Views, policy.View{Name: name, Zones: zones})
		c.Views = append(c.Views, webhookview.View{Name: name, Zones: zones, Backend: b, BackendName: "memory"})
	}
	var err error
	if c.Policy, err = policy.New(rules); err != nil {
		t.Fatal(err)
	}
	p, err := webhookview.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// callAll makes the three calls that external-dns makes in every loop, all at once.
func callAll(client provider.Provider) map[string]error {
	ep := func() *endpoint.Endpoint { return endpoint.NewEndpoint("www.example.org", "A", "192.0.2.1") }
	var records, adjust, apply error
	var wg sync.WaitGroup
	wg.Go(func() { _, records = client.Records(context.Background()) })
	wg.Go(func() { _, adjust = client.AdjustEndpoints([]*endpoint.Endpoint{ep()}) })
	wg.Go(func() {
		apply = client.ApplyChanges(context.Background(), &plan.Changes{Create: []*endpoint.Endpoint{ep()}})
	})
	wg.Wait()
	return map[string]error{"records": records, "adjust": adjust, "apply": apply}
}

// The premise of docs/design/protocol.md: which statuses external-dns survives.
func TestStatusesExternalDNSSurvives(t *testing.T) {
	t.Parallel()
	for status := 201; status < 600; status++ {
		if status > 208 && status < 300 || status > 308 && status < 400 || status > 431 && status < 499 {
			continue // not assigned
		}
		client := dialWebhook(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", extdns.MediaType)
			if r.URL.Path == "/" {
				_, _ = io.WriteString(w, "{}")
				return
			}
			w.WriteHeader(status)
		}))
		for call, err := range callAll(client) {
			survives := status >= 500 && status <= 510
			if status == http.StatusNoContent && call == "apply" {
				if err != nil {
					t.Errorf("apply answered with 204 fails: %v", err)
				}
				continue
			}
			if err == nil || errors.Is(err, provider.SoftError) != survives {
				t.Errorf("%s answered with %d: %v", call, status, err)
			}
		}
	}
}

func TestClientAndViewsUnderstandEachOther(t *testing.T) {
	t.Parallel()
	client := dialWebhook(t, protocolHandler(inMemory(t, nil, "public")))
	filter := client.GetDomainFilter()
	if !filter.Match("www.example.org") || filter.Match("www.example.com") {
		t.Errorf("the negotiated filter is %+v", filter)
	}
	for call, err := range callAll(client) {
		if err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	got, err := client.Records(t.Context())
	if err != nil || len(got) != 1 || got[0].DNSName != "www.example.org" || got[0].RecordTTL != 300 {
		t.Errorf("records are %v, %v", got, err)
	}
}

// brokenBackend fails, panics or hangs.
type brokenBackend struct {
	backend.Backend
	do func(context.Context) error
}

func (b *brokenBackend) List(ctx context.Context, _ string) ([]backend.RRset, error) {
	return nil, b.do(ctx)
}

func (b *brokenBackend) Apply(ctx context.Context, _ string, _ []backend.Change) error {
	return b.do(ctx)
}

func TestExternalDNSSurvivesEveryFailure(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	for what, do := range map[string]func(context.Context) error{
		"unreachable": func(context.Context) error { return errors.New("connection refused") },
		"denied": func(context.Context) error {
			return &backend.Error{Kind: backend.Denied, Op: "test", Err: errors.New("bad key")}
		},
		"panic": func(context.Context) error { panic("ouch") },
		"slow": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"hanging": func(context.Context) error { <-released; return nil },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			client := dialWebhook(t, protocolHandler(inMemory(t, func(b backend.Backend) backend.Backend { return &brokenBackend{b, do} }, "public")))
			for call, err := range callAll(client) {
				if !errors.Is(err, provider.SoftError) {
					t.Errorf("%s ends external-dns: %v", call, err)
				}
			}
		})
	}
	t.Run("not configured yet", func(t *testing.T) {
		t.Parallel()
		var none webhookview.Switch
		ready := inMemory(t, nil, "public")
		server := protocolHandler(&none)
		if w := ask(server, http.MethodGet, "/", "", ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("negotiation before the configuration is answered with %d", w.Code)
		}
		none.Replace(ready)
		client := dialWebhook(t, server)
		if _, err := client.Records(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func ask(h http.Handler, method, path, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A client that is no external-dns, or a broken one, is told what is wrong.
func TestOtherClientsAreToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := protocolHandler(inMemory(t, nil, "public"))
	for _, c := range []struct {
		method, path, contentType, body string
		status                          int
	}{
		{"POST", "/adjustendpoints", "application/json", "[]", 415},
		{"POST", "/records", "", "{}", 415},
		{"POST", "/records", extdns.MediaType, "{", 400},
		{"POST", "/records", extdns.MediaType, `{"create":[{"recordTTL":"soon"}]}`, 400},
		{"POST", "/adjustendpoints", extdns.MediaType, "[{]", 400},
		{"PUT", "/records", extdns.MediaType, "{}", 405},
		{"GET", "/applychanges", "", "", 404},
	} {
		w := ask(h, c.method, c.path, c.contentType, c.body)
		if w.Code != c.status || w.Body.Len() == 0 || w.Body.Len() > 2100 {
			t.Errorf("%s %s %q as %q: %d %q, want %d", c.method, c.path, c.body, c.contentType, w.Code, w.Body, c.status)
		}
	}
}

func TestExternalDNSSurvivesItsOwnHugeBody(t *testing.T) {
	t.Parallel()
	client := dialWebhook(t, protocolHandler(inMemory(t, nil, "public")))
	huge := []*endpoint.Endpoint{{DNSName: "www.example.org", RecordType: "TXT", Targets: []string{strings.Repeat("x", 100<<20)}}}
	if _, err := client.AdjustEndpoints(huge); !errors.Is(err, provider.SoftError) {
		t.Errorf("adjust ends external-dns: %v", err)
	}
	if err := client.ApplyChanges(t.Context(), &plan.Changes{Create: huge}); !errors.Is(err, provider.SoftError) {
		t.Errorf("apply ends external-dns: %v", err)
	}
	for call, err := range callAll(client) {
		if err != nil {
			t.Errorf("%s afterwards: %v", call, err)
		}
	}
}

// externalDNSLoop is what external-dns does at every interval (controller.RunOnce). It returns what it
// changed.
func externalDNSLoop(t *testing.T, r registry.Registry, owner string, desired ...*endpoint.Endpoint) *plan.Changes {
	t.Helper()
	current, err := r.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []*endpoint.Endpoint
	for _, e := range desired { // sources make new endpoints every time
		c := endpoint.NewEndpointWithTTL(e.DNSName, e.RecordType, e.RecordTTL, e.Targets...)
		c.Labels = maps.Clone(e.Labels)
		found = append(found, c)
	}
	adjusted, err := r.AdjustEndpoints(found)
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Plan{Policies: []plan.Policy{&plan.SyncPolicy{}}, Current: current, Desired: adjusted, OwnerID: owner,
		DomainFilter: endpoint.MatchAllDomainFilters{r.GetDomainFilter()}, ManagedRecords: managedTypes}
	changes := p.Calculate().Changes
	if changes.HasChanges() {
		if err := r.ApplyChanges(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
	}
	return changes
}

// managedTypes has no TXT: the registry cannot own one, its names for them are not understood on return.
var managedTypes = []string{"A", "AAAA", "CNAME", "MX", "SRV"}

// With the TXT registry, on one view and on two: a change is made once and the next loop plans nothing.
func TestSecondLoopPlansNothing(t *testing.T) {
	t.Parallel()
	for _, views := range [][]string{{"public"}, {"public", "internal"}} {
		for _, key := range []string{"", "0123456789abcdef0123456789abcdef"} {
			t.Run(fmt.Sprintf("%v encrypted %v", views, key != ""), func(t *testing.T) {
				t.Parallel()
				p := inMemory(t, nil, views...)
				r, err := txtregistry.New(&externaldns.Config{TXTOwnerID: "me", TXTPrefix: "%{record_type}-.", TXTWildcardReplacement: "any",
					ManagedDNSRecordTypes: managedTypes, TXTEncryptEnabled: key != "", TXTEncryptAESKey: key}, dialWebhook(t, protocolHandler(p)))
				if err != nil {
					t.Fatal(err)
				}
				resource := func(e *endpoint.Endpoint) *endpoint.Endpoint { return e.WithLabel("resource", "crd/shop/all") }
				want := []*endpoint.Endpoint{
					resource(endpoint.NewEndpoint("www.example.org", "A", "192.0.2.2", "192.0.2.1")),
					resource(endpoint.NewEndpoint("www.example.org", "AAAA", "2001:DB8::1")),
					resource(endpoint.NewEndpointWithTTL("Alias.example.org", "CNAME", 60, "lb.example.net")),
					resource(endpoint.NewEndpoint("*.apps.example.org", "A", "192.0.2.3")),
					resource(endpoint.NewEndpoint("example.org", "MX", "10 mail.example.org")),
					resource(endpoint.NewEndpoint("_x._tcp.example.org", "SRV", "0 5 443 www.example.org.")),
				}
				if first := externalDNSLoop(t, r, "me", want...); len(first.Create) != len(want)*len(views) {
					t.Errorf("the first loop creates %v", first.Create)
				}
				second := externalDNSLoop(t, r, "me", want...)
				if second.HasChanges() {
					t.Errorf("the second loop plans %s", asJSON(t, second))
				}
				want[0].Targets = []string{"192.0.2.9"}
				want[2] = resource(endpoint.NewEndpoint("alias.example.org", "A", "192.0.2.8"))
				externalDNSLoop(t, r, "me", want...)
				if fourth := externalDNSLoop(t, r, "me", want...); fourth.HasChanges() {
					t.Errorf("the loop after a change plans %s", asJSON(t, fourth))
				}
				externalDNSLoop(t, r, "me")
				left, err := p.Records(t.Context())
				if err != nil || len(left) != 0 {
					t.Errorf("after everything is gone there is %s, %v", asJSON(t, left), err)
				}
			})
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Two owners share a zone and leave each other's records alone.
func TestOwnersShareAZone(t *testing.T) {
	t.Parallel()
	p := inMemory(t, nil, "public")
	h := protocolHandler(p)
	owners := map[string]registry.Registry{}
	for _, id := range []string{"one", "two"} {
		r, err := txtregistry.New(&externaldns.Config{TXTOwnerID: id, ManagedDNSRecordTypes: managedTypes}, dialWebhook(t, h))
		if err != nil {
			t.Fatal(err)
		}
		owners[id] = r
	}
	for _, id := range slices.Sorted(maps.Keys(owners)) {
		externalDNSLoop(t, owners[id], id, endpoint.NewEndpoint("shared.example.org", "A", "192.0.2."+fmt.Sprint(len(id))),
			endpoint.NewEndpoint(id+".example.org", "A", "192.0.2.7"))
	}
	externalDNSLoop(t, owners["two"], "two") // removes its own, and not the shared one, which it never had
	left, err := p.Records(t.Context())
	if err != nil || len(left) != 4 || strings.Contains(asJSON(t, left), "two.example.org") {
		t.Errorf("left is %s, %v", asJSON(t, left), err)
	}
}
