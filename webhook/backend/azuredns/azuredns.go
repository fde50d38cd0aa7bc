// Package azuredns owns zones in Azure DNS and Azure Private DNS.
//
// Both services change one record set per request, and have an ETag for each: what is written here is
// written only if the record set is still the one that was judged, or is still missing. Record sets are
// changed in parallel, in the order that backend.Sequence gives within a unit; a unit that fails on the
// way is undone.
package azuredns

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// Backend is Azure's DNS services behind one set of credentials.
type Backend struct {
	limits      backend.Limits
	zones       *zones
	records     *listing.Cache[*content]
	concurrency int // changes under way in one Apply: a zone that is throttled keeps no other one waiting
	transport   *http.Transport
	log         *slog.Logger
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Closer  = (*Backend)(nil)
)

// New returns a backend for the configuration. It does no network I/O; files that the configuration names
// are read. observe is told of every request to Azure.
func New(c Config, observe apicall.Observer, log *slog.Logger) (*Backend, error) {
	return open(c, observe, log, os.Getenv)
}

func open(c Config, observe apicall.Observer, log *slog.Logger, getenv func(string) string) (*Backend, error) {
	c = c.fromEnvironment(getenv).withDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	transport, err := c.transport()
	if err != nil {
		return nil, err
	}
	// A redirect would carry the token elsewhere.
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client, err := c.connect(&http.Client{Transport: transport, CheckRedirect: noRedirect}, observe)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		zones:       newZones(c, client),
		records:     listing.New[*content](c.Cache),
		concurrency: c.Concurrency,
		transport:   transport,
		log:         log,
	}
	b.limits = c.limits(b.isPrivate)
	return b, nil
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Close implements backend.Closer.
func (b *Backend) Close() error {
	err := errors.Join(b.records.Close(), b.zones.lists.Close())
	b.transport.CloseIdleConnections()
	return err
}

// List implements backend.Backend. The slice is the same until the zone changes.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	c, err := b.content(ctx, zone)
	if err != nil {
		return nil, failure(ctx, "azuredns: list", zone, err)
	}
	return c.sets, nil
}

// content lists a zone, once for all who ask at the same time.
func (b *Backend) content(ctx context.Context, zone string) (*content, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c, err := b.records.Get(ctx, zone, func(ctx context.Context, last *content) (*content, error) {
		began := time.Now()
		z, records, err := b.listed(ctx, zone)
		if err != nil {
			return nil, failure(ctx, "azuredns: list", zone, err)
		}
		c := newContent(z, records, b.limits, last)
		if b.log != nil {
			b.log.Debug("listed a zone", "zone", z.id, "record_sets", len(records), "took", time.Since(began))
		}
		return c, nil
	})
	var e *backend.Error
	if err != nil && !errors.As(err, &e) {
		err = &backend.Error{Kind: backend.Temporary, Err: err} // of the waiting, not of Azure
	}
	return c, err
}

// listed finds a zone and asks for its record sets. A zone that is not where it was found before is looked
// for once more: somebody may have moved it to another resource group.
func (b *Backend) listed(ctx context.Context, zone string) (zoneID, []record, error) {
	for again := true; ; again = false {
		z, err := b.zones.find(ctx, zone)
		if err != nil {
			return z, nil, err
		}
		s, err := b.zones.service(z.kind, z.subscription)
		if err != nil {
			return z, nil, err
		}
		records, err := paged(ctx, func(ctx context.Context, large bool) ([]record, error) { return s.list(ctx, z, large) })
		if err == nil || !zoneGone(err) || !again {
			return z, records, err
		}
		b.zones.forget()
	}
}

// isPrivate reports whether a zone is known to be private.
func (b *Backend) isPrivate(zone string) bool {
	c, ok := b.records.Last(zone)
	return ok && c.zone.kind == private
}

// failure makes a *backend.Error about a zone of what went wrong; one that is there already gets the
// operation and the zone.
func failure(ctx context.Context, op, zone string, err error) error {
	var e *backend.Error
	if !errors.As(err, &e) {
		return &backend.Error{Kind: kindOf(err), Op: op, Zone: zone, Err: explained(ctx, err)}
	}
	if e.Op != "" {
		return e
	}
	return &backend.Error{Kind: e.Kind, Op: op, Zone: zone, Err: e.Err}
}
