// Package memory owns zones that live in the process: the reference for what every other backend does,
// and a stand-in for one in tests and dry runs.
package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Config is what New needs.
type Config struct {
	Zones  []string       // names of the zones, empty at first
	Limits backend.Limits // what can be stored; without Types: Everything
}

// Everything is the limits of a server that stores all the types Canonical knows.
func Everything() backend.Limits {
	return backend.Limits{
		Types:      []string{"A", "AAAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV", "TXT"},
		ApexTypes:  []string{"A", "AAAA", "MX", "NAPTR", "PTR", "SRV", "TXT"},
		Wildcard:   true,
		DefaultTTL: 5 * time.Minute,
		Atomic:     backend.AtomicUnit,
	}
}

// Backend holds zones in memory. It refuses what a DNS server would refuse.
type Backend struct {
	limits backend.Limits

	mu    sync.Mutex
	zones map[string]*zone
}

var _ backend.Backend = (*Backend)(nil)

// New returns a backend with empty zones. An error names the zone that is no domain name.
func New(c Config) (*Backend, error) {
	b := &Backend{limits: c.Limits, zones: make(map[string]*zone, len(c.Zones))}
	if b.limits.Types == nil {
		b.limits = Everything()
	}
	for _, name := range c.Zones {
		canonical, err := backend.Name(name)
		if err != nil {
			return nil, fmt.Errorf("memory: zone: %w", err)
		}
		b.zones[canonical] = &zone{names: map[string][]backend.RRset{}}
	}
	return b, nil
}

// Limits implements backend.Backend.
func (b *Backend) Limits() backend.Limits { return b.limits }

// List implements backend.Backend. It returns the very same slice until the zone changes.
func (b *Backend) List(ctx context.Context, name string) ([]backend.RRset, error) {
	const op = "memory: list"
	b.mu.Lock()
	defer b.mu.Unlock()
	z, err := b.zone(op, name)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, &backend.Error{Kind: backend.Temporary, Op: op, Zone: name, Err: context.Cause(ctx)}
	}
	return z.list(), nil
}

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, name string, changes []backend.Change) error {
	const op = "memory: apply"
	b.mu.Lock()
	defer b.mu.Unlock()
	z, err := b.zone(op, name)
	if err != nil {
		return err
	}
	var errs []error
	done := 0
	units := backend.Units(changes)
	for i, unit := range units {
		if ctx.Err() != nil {
			errs = append(errs, backend.Unfinished(ctx, op, name, slices.Concat(units[i:]...), done))
			break
		}
		done += len(unit)
		for _, refused := range z.apply(name, b.limits, unit) {
			refused.Op, refused.Zone = op, name
			errs = append(errs, refused)
		}
	}
	return errors.Join(errs...)
}

// Put makes r the zone's RRset of its key, as another writer of the same zone would. It panics when
// there is no such zone.
func (b *Backend) Put(name string, r backend.RRset) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.zones[name].set(r.Key, &r)
}

// Remove takes the RRset of key out of the zone, as another writer of the same zone would. It panics
// when there is no such zone.
func (b *Backend) Remove(name string, key backend.Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.zones[name].set(key, nil)
}

func (b *Backend) zone(op, name string) (*zone, error) {
	z, ok := b.zones[name]
	if !ok {
		return nil, &backend.Error{Kind: backend.Rejected, Op: op, Zone: name, Err: errors.New("there is no such zone")}
	}
	return z, nil
}
