// Package gandi owns zones in Gandi LiveDNS (https://api.gandi.net/docs/livedns/).
//
// A zone is a domain that uses LiveDNS, or any name below one. The service stores whole RRsets and has no
// ETag, no serial and no transaction, so the guards are these: POST makes an RRset only if there is none
// (it answers 409), which makes creating safe without a look; before anything is replaced or deleted, what
// stands is read and judged with backend.Decide. Several types of one name are changed in one request (PUT
// of the name), so that a name that becomes an alias is never without an answer. The API can also replace
// a whole domain in one request: that would lose what others wrote in between, so it is never used.
//
// What is left is a window. A record that somebody else changes between our look and our write is
// overwritten: within one round trip where names are read one by one (few changes, and names written as a
// whole), within the time of one Apply where many changes made it cheaper to read the zone. Another record
// at a name that is written as a whole is lost if it comes within that round trip.
//
// The requests are sent by a client of our own over apicall.Client and not by github.com/go-gandi/go-gandi:
// that one makes an http.Client for each request, which can be given neither a transport to pace, repeat
// and count nor a context, and it keeps of an error only its message.
package gandi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

const (
	opList  = "gandi: list"
	opApply = "gandi: apply"
)

// Backend is the domains of one account or organization.
type Backend struct {
	client  *client
	limits  backend.Limits
	log     *slog.Logger
	zones   *listing.Cache[*content]
	domains *listing.Cache[string] // zone → the domain that holds it
	traffic traffics
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Closer  = (*Backend)(nil)
)

// New returns a backend; it asks nobody yet. observe is told of every request and may be nil. Errors are
// *setting.Error about c.
func New(c Config, observe apicall.Observer, log *slog.Logger) (*Backend, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	client, err := newClient(c, observe, log)
	if err != nil {
		return nil, err
	}
	return &Backend{
		client:  client,
		limits:  limits(c.DefaultTTL),
		log:     log,
		zones:   listing.New[*content](c.Cache),
		domains: listing.New[string](c.ZoneCache),
		traffic: traffics{all: map[string]*traffic{}},
	}, nil
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// Close implements backend.Closer.
func (b *Backend) Close() error {
	defer b.client.http.CloseIdleConnections()
	_ = b.zones.Close() // the readings of zones wait for those of domains
	return b.domains.Close()
}

// List implements backend.Backend. It returns the very same slice until the zone changes.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	c, err := b.list(ctx, zone)
	if err != nil {
		return nil, fail(opList, zone, backend.Key{}, err)
	}
	return c.sets, nil
}

func (b *Backend) list(ctx context.Context, zone string) (*content, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b.zones.Get(ctx, zone, func(ctx context.Context, last *content) (*content, error) {
		domain, err := b.domainOf(ctx, zone)
		if err != nil {
			return nil, err
		}
		c, err := b.readZone(ctx, domain, zone, last)
		b.forget(zone, err)
		return c, err
	})
}

// forget makes the next call look for the domain of a zone anew when the last one was not found there.
func (b *Backend) forget(zone string, err error) {
	if status(err) == http.StatusNotFound {
		b.domains.Changed(zone)
	}
}
