// Package route53 owns hosted zones in Amazon Route 53.
//
// A changed record set is written as the DELETE of exactly what stood and the CREATE of what shall stand,
// in one change batch. Route 53 makes all of a batch or nothing, and refuses a DELETE that does not match,
// so the batch is its own guard: what somebody else wrote meanwhile is never overwritten.
package route53

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	service "github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// Backend reads and writes hosted zones.
type Backend struct {
	config Config
	limits backend.Limits
	former former
	client *service.Client
	log    *slog.Logger

	zones   *listing.Cache[[]hostedZone]                 // of the account, or those meant by id or VPC
	tags    *listing.Cache[map[string]map[string]string] // by ids of zones
	records *listing.Cache[*content]                     // by id of the zone

	mu      sync.Mutex
	beliefs map[string]*belief // by id of the zone
	ids     map[string]string  // of the zones that were found, by name
}

var (
	_ backend.Backend  = (*Backend)(nil)
	_ backend.Adjuster = (*Backend)(nil)
	_ backend.Closer   = (*Backend)(nil)
)

// New returns a backend with a budget of requests of its own. It asks nobody; what is wrong with the
// settings is a *setting.Error. Without a log nothing is logged.
func New(c Config, observe apicall.Observer, log *slog.Logger) (*Backend, error) {
	return new(Budgets).New(c, observe, log)
}

// New returns a backend that shares the budget of its account with the others opened from b.
func (b *Budgets) New(c Config, observe apicall.Observer, log *slog.Logger) (*Backend, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	client, err := newClient(c, b.of(c), observe)
	if err != nil {
		return nil, err
	}
	return &Backend{
		config: c, limits: limits(c), former: former{c}, client: client, log: log,
		zones:   listing.New[[]hostedZone](c.ZoneCache),
		tags:    listing.New[map[string]map[string]string](c.ZoneCache),
		records: listing.New[*content](c.Cache),
		beliefs: map[string]*belief{}, ids: map[string]string{},
	}, nil
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Close ends what is being listed.
func (b *Backend) Close() error {
	return errors.Join(b.records.Close(), b.tags.Close(), b.zones.Close())
}

// List implements backend.Backend.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	const op = "route53: list"
	z, err := b.zone(ctx, op, zone)
	if err != nil {
		return nil, err
	}
	c, err := b.content(ctx, z)
	if err != nil {
		return nil, b.failed(op, z, err)
	}
	return c.sets, nil
}

// failed is failure for calls about a zone; one that is gone is forgotten.
func (b *Backend) failed(op string, z hostedZone, err error) error {
	if isGone(err) {
		b.zones.Changed(allZones)
	}
	return failure(op, z.name, err)
}

// listedLast is what a zone held when it was listed last, nil when it never was.
func (b *Backend) listedLast(zone string) []backend.RRset {
	b.mu.Lock()
	id := b.ids[zone]
	b.mu.Unlock()
	if last, ok := b.records.Last(id); ok {
		return last.sets
	}
	return nil
}
