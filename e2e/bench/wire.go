package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/provider"
	upstreamwebhook "sigs.k8s.io/external-dns/provider/webhook"
	upstreamapi "sigs.k8s.io/external-dns/provider/webhook/api"

	"github.com/spokedns/spokedns/webhook/extdns"
)

// wire measures the protocol as external-dns sees it: its own client against its own server, against
// bytes that are ready, and against ours.
func (b *bench) wire(ctx context.Context) ([]row, error) {
	const small, large = "bench.test", "large.test"
	addr, err := b.named(ctx, "named", 0, zoneFile{small, b.n}, zoneFile{large, b.large})
	if err != nil {
		return nil, err
	}
	records, err := b.wireRecords(ctx, addr, small)
	if err != nil {
		return nil, err
	}
	adjust, err := b.wireAdjust(ctx, addr, large)
	return []row{records, adjust}, err
}

func (b *bench) wireRecords(ctx context.Context, addr, zone string) (row, error) {
	r := row{work: fmt.Sprintf("GET /records through HTTP, %d names in BIND, nothing changed", b.n)}
	ours, stop, err := b.ourHandler(addr, zone, b.n)
	if err != nil {
		return r, err
	}
	defer stop()
	peer, err := upstreamBIND(ctx, addr, defaultBatch, zone)
	if err != nil {
		return r, err
	}
	body := httptest.NewRecorder() // the limit answers with the very bytes that ours does
	ours.ServeHTTP(body, httptest.NewRequestWithContext(ctx, http.MethodGet, "/records", nil))
	ready := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", extdns.MediaType)
		_, _ = w.Write(body.Body.Bytes())
	})
	get := func(client provider.Provider) error {
		got, err := client.Records(ctx)
		if err == nil && len(got) < 2*b.n {
			err = fmt.Errorf("%d records, want %d", len(got), 2*b.n)
		}
		return err
	}
	s, err := b.throughHTTP(ctx, r.work,
		server{"upstream", upstreamHandler(peer), 1, get}, server{"bytes ready", ready, 15, get}, server{"spokedns", ours, 15, get})
	if err != nil {
		return r, err
	}
	limit, result := took("bytes that are ready", s["bytes ready"]), took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{took("its rfc2136 provider behind its server", s["upstream"])}, []cell{limit}, []cell{result}
	r.near(1.15, cell{label: "limit", samples: limit.samples}, result)
	return r, nil
}

func (b *bench) wireAdjust(ctx context.Context, addr, zone string) (row, error) {
	r := row{
		work: fmt.Sprintf("POST /adjustendpoints, %d endpoints", b.large),
		note: "ours looks up every host's claims and rewrites every endpoint; upstream's server returns what it got",
	}
	ours, stop, err := b.ourHandler(addr, zone, b.large)
	if err != nil {
		return r, err
	}
	defer stop()
	var eps []*endpoint.Endpoint
	for i := range b.large {
		eps = append(eps, host(zone, i, 0)[0])
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", extdns.MediaType)
		_, _ = w.Write(body)
	})
	post := func(want string) func(provider.Provider) error {
		return func(client provider.Provider) error {
			got, err := client.AdjustEndpoints(eps)
			if err == nil && (len(got) != len(eps) || want != "" && got[0].Targets[0] != want) {
				err = fmt.Errorf("%d endpoints, the first is %v; want %d", len(got), got[0], len(eps))
			}
			return err
		}
	}
	s, err := b.throughHTTP(ctx, r.work,
		server{"upstream", upstreamHandler(idle{}), 3, post("")}, server{"echo", echo, 3, post("")}, server{"spokedns", ours, 3, post("203.0.113.10")})
	if err != nil {
		return r, err
	}
	peer, result := took("upstream's server, doing nothing", s["upstream"]), took("rewriting by claims", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{peer}, []cell{took("the same bytes back", s["echo"])}, []cell{result}
	r.near(1, cell{label: "upstream doing nothing", samples: peer.samples}, result)
	return r, nil
}

// ourHandler is the whole of our webhook on a BIND's zone.
func (b *bench) ourHandler(addr, zone string, n int) (http.Handler, func(), error) {
	backend, err := ourBIND(addr)
	if err != nil {
		return nil, nil, err
	}
	provider, err := fullView(backend, zone, n)
	if err != nil {
		return nil, nil, err
	}
	handler := extdns.Handler(provider, extdns.Options{Budget: time.Minute}, slog.New(slog.DiscardHandler))
	return handler, func() { _ = backend.Close() }, nil
}

// server is a handler, and the call that a sample makes to it a number of times.
type server struct {
	name    string
	handler http.Handler
	times   int
	call    func(provider.Provider) error
}

// throughHTTP serves each handler on its own port and measures calls of external-dns's own client. The
// first call of each is not measured: a webhook lives for weeks and starts once.
func (b *bench) throughHTTP(ctx context.Context, work string, servers ...server) (map[string]samples, error) {
	var contenders []contender
	for _, s := range servers {
		client, stop, err := serveAndConnect(ctx, s.handler)
		if err != nil {
			return nil, err
		}
		defer stop()
		if err := s.call(client); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", work, s.name, err)
		}
		contenders = append(contenders, contender{name: s.name, run: func(context.Context) (time.Duration, error) {
			return often(s.times, func() error { return s.call(client) })
		}})
	}
	return b.interleave(ctx, work, contenders...)
}

// serveAndConnect serves h on loopback and returns external-dns's client of it.
func serveAndConnect(ctx context.Context, h http.Handler) (provider.Provider, func(), error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	s := &http.Server{Handler: negotiating(h), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(listener) }()
	stop := func() { _ = s.Close() }
	client, err := upstreamwebhook.New(ctx, &externaldns.Config{
		WebhookProviderURL: "http://" + listener.Addr().String(), WebhookProviderReadTimeout: time.Minute, WebhookProviderWriteTimeout: time.Minute,
	}, nil)
	if err != nil {
		stop()
	}
	return client, stop, err
}

// negotiating answers the client's first call, so that handlers need not.
func negotiating(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", extdns.MediaType)
		_, _ = io.Copy(w, strings.NewReader("{}"))
	})
}

func upstreamHandler(p provider.Provider) http.Handler {
	s := upstreamapi.WebhookServer{Provider: p}
	mux := http.NewServeMux()
	mux.HandleFunc("/records", s.RecordsHandler)
	mux.HandleFunc("/adjustendpoints", s.AdjustEndpointsHandler)
	return mux
}

// idle is a provider that does nothing; only its AdjustEndpoints, which returns its argument, is called.
type idle struct{ provider.Provider }

func (idle) AdjustEndpoints(eps []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) { return eps, nil }
