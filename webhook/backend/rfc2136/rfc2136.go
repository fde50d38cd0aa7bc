// Package rfc2136 owns the zones of DNS servers that take dynamic updates: BIND, Knot, PowerDNS and kin.
//
// It writes UPDATE messages (RFC 2136) guarded by prerequisites, and reads by zone transfer: the whole
// zone once (AXFR), later only what changed (IXFR). Messages are signed by TSIG and travel over TCP or TLS.
package rfc2136

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Backend is the zones of one or several primary servers.
type Backend struct {
	servers []*server
	limits  backend.Limits

	mu    sync.Mutex
	zones map[string]*primaries
}

var (
	_ backend.Backend = (*Backend)(nil)
	_ backend.Closer  = (*Backend)(nil)
)

// New returns a backend. It reads the files that the configuration names, and reports what is wrong with
// it as *setting.Error values; it does not connect.
func New(c Config) (*Backend, error) {
	servers, err := c.open()
	if err != nil {
		return nil, err
	}
	return &Backend{servers: servers, limits: limits(c), zones: map[string]*primaries{}}, nil
}

// open makes the servers of a configuration; it does not connect.
func (c Config) open() ([]*server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	key, err := c.TSIG.key()
	if err != nil {
		return nil, setting.Under("tsig", err)
	}
	tlsConfig, err := c.TLS.config()
	if err != nil {
		return nil, setting.Under("tls", err)
	}
	var servers []*server
	for _, addr := range c.Servers {
		servers = append(servers, &server{
			addr: addr, key: key, keyName: c.TSIG.Name, tls: tlsConfig, timeout: cmp.Or(c.Timeout, defaultTimeout),
		})
	}
	return servers, nil
}

func limits(c Config) backend.Limits {
	l := backend.Limits{
		Missing: map[string]string{
			"DNAME": "names below it would have to be guarded too",
			"SOA":   "it belongs to the server",
		},
		Wildcard:   true,
		MinTTL:     c.MinTTL,
		DefaultTTL: max(c.MinTTL, cmp.Or(c.DefaultTTL, defaultTTL)),
		MaxText:    31_000, // a message has to hold the old text and the new one
		Atomic:     backend.AtomicUnit,
	}
	for _, t := range usersScope().types {
		l.Types = append(l.Types, t.String())
		if name := t.String(); name != "CNAME" && name != "NS" {
			l.ApexTypes = append(l.ApexTypes, name)
		}
	}
	return l
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// List implements backend.Backend. With several servers that do not hold the same RRset, all its values are
// reported, without a TTL, so that the next comparison writes it to all of them.
func (b *Backend) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	return b.primaries(zone).list(ctx)
}

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	var errs []error
	var units []*unit
	for _, changes := range backend.Units(changes) {
		permitted, v := permit(b.limits, zone, changes)
		if v != nil {
			errs = append(errs, v.errors(zone, changes)...)
			continue
		}
		if len(permitted) > 0 {
			units = append(units, &unit{changes: permitted})
		}
	}
	return errors.Join(append(errs, b.primaries(zone).apply(ctx, units))...)
}

// Close ends the connections. The backend can still be used; it connects again.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.zones {
		for _, s := range p.sessions {
			if s.acquire(context.Background()) == nil {
				s.close()
				s.release()
			}
		}
	}
	return nil
}

func (b *Backend) primaries(zone string) *primaries {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok := b.zones[zone]
	if !ok {
		p = &primaries{zone: zone}
		for _, s := range b.servers {
			p.sessions = append(p.sessions, newSession(s, zone, usersScope()))
		}
		b.zones[zone] = p
	}
	return p
}
