// Package clouddns owns zones in Google Cloud DNS, public and private.
//
// A change of the service is atomic and guards itself: a deletion has to say exactly what stands, an
// addition that nothing does. So what the last listing showed is believed, many units are put into one
// change, and only when the service refuses it is looked at what stands now.
package clouddns

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// Backend reads and writes the managed zones of one or more projects.
type Backend struct {
	config  Config
	limits  backend.Limits
	client  *client
	zones   *listing.Cache[[]managedZone] // by project
	content *listing.Cache[*content]      // by DNS zone
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Closer  = (*Backend)(nil)
)

// New returns a backend; it does no network I/O. observe is told of every request, log of repeated ones;
// both may be nil.
func New(c Config, observe apicall.Observer, log *slog.Logger) (*Backend, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	client, err := newClient(c, observe, log)
	if err != nil {
		return nil, err
	}
	return &Backend{
		config:  c,
		limits:  limits(c.BatchSize, c.DefaultTTL),
		client:  client,
		zones:   listing.New[[]managedZone](c.ZoneCache),
		content: listing.New[*content](c.Cache),
	}, nil
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// List implements backend.Backend.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	const op = "clouddns: list"
	if ctx.Err() != nil {
		return nil, &backend.Error{Kind: backend.Temporary, Op: op, Zone: zone, Err: context.Cause(ctx)}
	}
	m, err := b.find(ctx, op, zone)
	if err != nil {
		return nil, err
	}
	c, err := b.listed(ctx, op, zone, m)
	if err != nil {
		return nil, err
	}
	return c.sets, nil
}

// listed is the content of a zone, listed now or within the lifetime of a listing.
func (b *Backend) listed(ctx context.Context, op, zone string, m managedZone) (*content, error) {
	c, err := b.content.Get(ctx, zone, func(ctx context.Context, last *content) (*content, error) {
		return b.list(ctx, zone, m, last)
	})
	if err != nil {
		return nil, b.failure(op, zone, m, err)
	}
	return c, nil
}

// failure is an error about a zone as a whole.
func (b *Backend) failure(op, zone string, m managedZone, err error) *backend.Error {
	what := classify(err)
	if what == gone {
		b.zones.Changed(m.project) // another one may have its place
	}
	return &backend.Error{Kind: what.kind(), Op: op, Zone: zone, Err: explain(err, nil, backend.Key{})}
}

// Close implements backend.Closer.
func (b *Backend) Close() error {
	err := errors.Join(b.content.Close(), b.zones.Close())
	b.client.transport.CloseIdleConnections()
	return err
}
