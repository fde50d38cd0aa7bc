// Package etcd owns records in etcd, in the SkyDNS layout that CoreDNS's etcd plugin answers from.
//
// Every value of an RRset is one key (see layout), written in the one form for which CoreDNS gives
// exactly that record (see service). Keys that others wrote are read as leniently as CoreDNS reads them;
// when an RRset made of such keys is changed, keys of ours take their place in the same transaction.
//
// Lists come from a watched copy of each zone, after one linearizable read that tells how far the copy
// has to be. Changes are transactions of whole units, guarded by the revisions of that copy.
package etcd

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Backend implements backend.Backend and backend.Closer.
type Backend struct {
	cfg    Config
	log    *slog.Logger
	limits backend.Limits
	dialer dialer
	life   context.Context
	end    context.CancelFunc

	mu    sync.Mutex
	zones map[string]*zone
}

// New returns a backend. It reads the files of the TLS settings, so that a mistake shows at once, and
// asks no server. Wrong settings are *setting.Error values.
func New(cfg Config, log *slog.Logger) (*Backend, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if _, err := cfg.tls(); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	return &Backend{
		cfg: cfg, log: log, limits: limitsOf(cfg), life: life, end: end,
		dialer: dialer{cfg: cfg, life: life}, zones: map[string]*zone{},
	}, nil
}

// Close ends the watches and the connection.
func (b *Backend) Close() error {
	b.end()
	_ = b.dialer.close() // its context has ended, which is all it has to say
	return nil
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// List implements backend.Backend. An unchanged zone is answered with the very same slice.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	z := b.zone(zone)
	if _, err := b.fresh(ctx, z); err != nil {
		return nil, b.wrap("list", zone, err)
	}
	sets, err := z.rrsets()
	return sets, b.wrap("list", zone, err)
}

// Malformed returns the keys below the zone that CoreDNS cannot read, each with the reason; they make it
// fail for their name and all names above. It is empty before the first List.
func (b *Backend) Malformed(zone string) []string {
	return b.zone(zone).malformed()
}

func (b *Backend) zone(name string) *zone {
	b.mu.Lock()
	defer b.mu.Unlock()
	z := b.zones[name]
	if z == nil {
		z = newZone(b.life, layout{prefix: b.cfg.Prefix, zone: name, wildcard: b.cfg.WildcardLabel}, b.log)
		b.zones[name] = z
	}
	return z
}

// fresh connects and brings the zone's copy up to date.
func (b *Backend) fresh(ctx context.Context, z *zone) (*conn, error) {
	c, err := b.dialer.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := z.fresh(ctx, c); err != nil {
		if loginFailed(err) {
			b.dialer.drop(c) // the password changed; the next call reads it again
		}
		return nil, err
	}
	return c, nil
}
