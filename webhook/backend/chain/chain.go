// Package chain owns zones behind another external-dns webhook provider: it speaks the client's side of
// the protocol, over HTTP or a unix socket. The other one may be a sidecar of the ecosystem, external-dns
// itself with --webhook-server and any in-tree provider, or another of our own webhooks.
//
// The protocol has no conditional writes and takes or refuses a request as a whole, so this package reads
// before it writes, judges each change by what stands, and finds out which record it is that a refused
// request was refused for.
package chain

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// negotiated is how long a domain filter is good for. external-dns asks once in its life.
const negotiated = 5 * time.Minute

// whole is the name under which the listings of everything the other webhook has are kept.
const whole = ""

// Backend is the zones behind another webhook.
type Backend struct {
	config  Config
	limits  backend.Limits
	client  *client
	log     *slog.Logger
	filters *listing.Cache[*filter]
	records *listing.Cache[content]

	mu    sync.Mutex
	zones map[string]*zone
}

// zone is what is remembered of one zone.
type zone struct {
	turn     chan struct{} // holds an element while an Apply is under way: nobody else guards what stands
	suspects []string      // units that were refused alone in the last Apply; held with the turn
}

var (
	_ backend.Backend  = (*Backend)(nil)
	_ backend.Adjuster = (*Backend)(nil)
	_ backend.Closer   = (*Backend)(nil)
)

// New returns a backend. It reads the TLS files and does no network I/O.
func New(c Config, observe apicall.Observer, log *slog.Logger) (*Backend, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	c = c.withDefaults()
	client, err := newClient(c, observe)
	if err != nil {
		return nil, fmt.Errorf("chain: %w", err)
	}
	return &Backend{
		config: c, limits: limits(c), client: client, log: log,
		filters: listing.New[*filter](negotiated), records: listing.New[content](c.Cache), zones: map[string]*zone{},
	}, nil
}

// limits are those of the protocol: what the other webhook can store it says when it is asked to adjust.
func limits(c Config) backend.Limits {
	missing := map[string]string{}
	for _, typ := range allTypes() {
		missing[typ] = "the setting types says that the other webhook does not store it"
	}
	for _, typ := range c.Types {
		delete(missing, typ)
	}
	return backend.Limits{
		Types:    c.Types,
		Missing:  missing,
		Wildcard: true,
		SetIDs:   true,
		Attrs:    []string{backend.AnyAttr},
		Atomic:   backend.AtomicRRset,
	}
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Close implements backend.Closer.
func (b *Backend) Close() error {
	_ = b.filters.Close() // neither fails
	_ = b.records.Close()
	b.client.Close()
	return nil
}

// Zones returns the zones that the other webhook's domain filter names, sorted. The error says why there
// are none: it does not answer yet (Temporary), or its filter does not name zones (Rejected).
func (b *Backend) Zones(ctx context.Context) ([]string, error) {
	const op = "chain: negotiate"
	b.filters.Changed(whole)
	f, err := b.filter(ctx)
	if err != nil {
		return nil, &backend.Error{Kind: kindOf(err), Op: op, Err: err}
	}
	zones, err := f.zones()
	if err != nil {
		return nil, &backend.Error{Kind: backend.Rejected, Op: op, Err: err}
	}
	return zones, nil
}

// List implements backend.Backend.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	const op = "chain: list"
	if ctx.Err() != nil {
		return nil, &backend.Error{Kind: backend.Temporary, Op: op, Zone: zone, Err: context.Cause(ctx)}
	}
	if _, err := b.serving(ctx, op, zone); err != nil {
		return nil, err
	}
	c, err := b.content(ctx)
	if err != nil {
		return nil, &backend.Error{Kind: kindOf(err), Op: op, Zone: zone, Err: err}
	}
	return c.zone(zone), nil
}

// content is everything the other webhook has.
func (b *Backend) content(ctx context.Context) (content, error) {
	return b.records.Get(ctx, whole, b.list)
}

// filter is what the other webhook serves.
func (b *Backend) filter(ctx context.Context) (*filter, error) {
	return b.filters.Get(ctx, whole, func(ctx context.Context, _ *filter) (*filter, error) { return b.client.negotiate(ctx) })
}

// serving returns the filter when the other webhook serves the zone. One it did not serve lately may have
// come since.
func (b *Backend) serving(ctx context.Context, op, zone string) (*filter, error) {
	_, known := b.filters.Last(whole)
	for {
		f, err := b.filter(ctx)
		if err != nil {
			return nil, &backend.Error{Kind: kindOf(err), Op: op, Zone: zone, Err: err}
		}
		switch err := f.refuses(zone); {
		case err == nil:
			return f, nil
		case !known:
			return nil, &backend.Error{Kind: backend.Rejected, Op: op, Zone: zone, Err: err}
		}
		known = false
		b.filters.Changed(whole)
	}
}

// zoneState returns what is remembered of a zone.
func (b *Backend) zoneState(name string) *zone {
	b.mu.Lock()
	defer b.mu.Unlock()
	z := b.zones[name]
	if z == nil {
		z = &zone{turn: make(chan struct{}, 1)}
		b.zones[name] = z
	}
	return z
}
