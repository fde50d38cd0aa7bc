package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	upstreamwebhook "sigs.k8s.io/external-dns/provider/webhook"
	upstreamapi "sigs.k8s.io/external-dns/provider/webhook/api"

	"github.com/spokedns/spokedns/webhook/extdns"
)

// wire measures the protocol: external-dns's own client against its own server, against bytes that are
// ready, and against ours.
func (b *bench) wire(ctx context.Context) ([]row, error) {
	records, err := b.wireRecords(ctx)
	if err != nil {
		return nil, err
	}
	adjust, err := b.wireAdjust(ctx)
	return []row{records, adjust}, err
}

func (b *bench) wireRecords(ctx context.Context) (row, error) {
	r := row{work: fmt.Sprintf("GET /records through HTTP, %d names, nothing changed", b.n)}
	eps := hosts("bench.test", b.n, 0)
	body, err := json.Marshal(eps)
	if err != nil {
		return r, err
	}
	ready := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", extdns.MediaType)
		_, _ = w.Write(body)
	})
	get := func(client provider.Provider) error {
		got, err := client.Records(ctx)
		if err == nil && len(got) != len(eps) {
			err = fmt.Errorf("%d records, want %d", len(got), len(eps))
		}
		return err
	}
	s, err := b.throughHTTP(ctx, r.work, get, map[string]http.Handler{
		"upstream's server": upstreamHandler(still{eps: eps}), "bytes ready": ready, "spokedns": ourHandler(still{eps: eps}),
	})
	if err != nil {
		return r, err
	}
	limit, ours := took("bytes ready, upstream's client decodes", s["bytes ready"]), took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{took("upstream's server, records in memory", s["upstream's server"])}, []cell{limit}, []cell{ours}
	r.near(1.15, cell{label: "limit", samples: limit.samples}, ours)
	return r, nil
}

func (b *bench) wireAdjust(ctx context.Context) (row, error) {
	r := row{work: fmt.Sprintf("POST /adjustendpoints, %d endpoints", b.large)}
	var eps []*endpoint.Endpoint
	for i := range b.large {
		eps = append(eps, host("bench.test", i, 0)[0])
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", extdns.MediaType)
		_, _ = w.Write(body)
	})
	post := func(client provider.Provider) error {
		got, err := client.AdjustEndpoints(eps)
		if err == nil && len(got) != len(eps) {
			err = fmt.Errorf("%d endpoints, want %d", len(got), len(eps))
		}
		return err
	}
	s, err := b.throughHTTP(ctx, r.work, post, map[string]http.Handler{
		"upstream's server": upstreamHandler(still{}), "echo": echo, "spokedns": ourHandler(still{}),
	})
	if err != nil {
		return r, err
	}
	peer, ours := took("upstream's server, doing nothing", s["upstream's server"]), took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{peer}, []cell{took("the same bytes back", s["echo"])}, []cell{ours}
	r.near(1, cell{label: "upstream doing nothing", samples: peer.samples}, ours)
	return r, nil
}

// throughHTTP serves each handler on its own port and measures calls of external-dns's own client.
func (b *bench) throughHTTP(ctx context.Context, work string, call func(provider.Provider) error, handlers map[string]http.Handler) (map[string]samples, error) {
	var contenders []contender
	for name, h := range handlers {
		client, stop, err := serveAndConnect(ctx, h)
		if err != nil {
			return nil, err
		}
		defer stop()
		contenders = append(contenders, contender{name: name, run: func(context.Context) (time.Duration, error) {
			return often(5, func() error { return call(client) })
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
	server := &http.Server{Handler: negotiating(h), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	stop := func() { _ = server.Close() }
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
		_, _ = io.Copy(w, bytes.NewBufferString("{}"))
	})
}

func upstreamHandler(p provider.Provider) http.Handler {
	s := upstreamapi.WebhookServer{Provider: p}
	mux := http.NewServeMux()
	mux.HandleFunc("/records", s.RecordsHandler)
	mux.HandleFunc("/adjustendpoints", s.AdjustEndpointsHandler)
	return mux
}

func ourHandler(p extdns.Provider) http.Handler {
	return extdns.Handler(p, extdns.Options{Budget: time.Minute}, slog.New(slog.DiscardHandler))
}

// still is a provider on which nothing changes, for upstream's server and for ours.
type still struct {
	provider.BaseProvider
	eps []*endpoint.Endpoint
}

func (s still) Records(context.Context) ([]*endpoint.Endpoint, error) { return s.eps, nil }
func (s still) ApplyChanges(context.Context, *plan.Changes) error     { return nil }
func (s still) Filter() (*endpoint.DomainFilter, error)               { return &endpoint.DomainFilter{}, nil }
func (s still) Apply(context.Context, *plan.Changes) error            { return nil }
func (s still) Adjust(_ context.Context, eps []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
	return eps, nil
}
