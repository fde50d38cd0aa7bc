package controller

import (
	"context"
	"crypto/sha1" //nolint:gosec // a short name for a zone, no secret
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// catalogTTL is that of everything in a catalog zone; nobody but secondaries reads it.
const catalogTTL = 5 * time.Minute

// catalogs are the catalog zones (RFC 9432) by which secondaries learn what zones there are. Primaries carry them. Zones
// come to them and go one by one, each by itself; what comes together goes into one message.
type catalogs struct {
	mu    sync.Mutex
	pages map[pageID]*writing
	queue map[pageID][]*entry
}

// pageID is a catalog zone on a primary.
type pageID struct {
	server types.NamespacedName
	zone   string
}

type page struct {
	id       pageID
	server   Server
	settings nameserver.ZoneConfig
	members  func(context.Context) ([]string, error)
}

// entry is a zone that is to be in a catalog zone, or not to be.
type entry struct {
	member string
	in     bool
	done   chan error
}

func newCatalogs() *catalogs {
	return &catalogs{pages: map[pageID]*writing{}, queue: map[pageID][]*entry{}}
}

// member is the record that puts a zone into a catalog zone (RFC 9432 §4.1). Its label is made of the zone's name, so that
// all primaries say the same and a second time says nothing new.
func member(catalog, zone string) backend.RRset {
	sum := sha1.Sum([]byte(zone)) //nolint:gosec // as above
	return backend.RRset{
		Key: backend.Key{Name: hex.EncodeToString(sum[:]) + ".zones." + catalog, Type: "PTR"}, TTL: catalogTTL, Values: []string{zone},
	}
}

// blank is a catalog zone without members (RFC 9432 §4).
func blank(catalog string, serial uint32) []backend.RRset {
	set := func(name, typ, value string) backend.RRset {
		return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: catalogTTL, Values: []string{value}}
	}
	return []backend.RRset{
		set(catalog, "SOA", fmt.Sprintf("invalid. invalid. %d 3600 600 2147483646 0", max(serial, 1))),
		set(catalog, "NS", "invalid"),
		set("version."+catalog, "TXT", "2"),
	}
}

// catalogsOf are the catalog zones that secondaries follow.
func catalogsOf(secondaries []*stop) []string {
	var names []string
	for _, s := range secondaries {
		if s.object == nil || s.object.Spec.Control == nil || s.object.Spec.Control.Catalog == nil {
			continue
		}
		if name, err := backend.Name(s.object.Spec.Control.Catalog.Zone); err == nil && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// enterCatalogs puts the zone into the catalog zones of its secondaries, on all its primaries.
func (t *tour) enterCatalogs(ctx context.Context) {
	names := catalogsOf(t.secondaries)
	if len(names) == 0 {
		return
	}
	t.each(t.primaries, func(s *stop) {
		if s.err != nil || !s.read {
			return
		}
		for _, name := range names {
			if s.catalogs[name] && !s.filled {
				continue
			}
			err := t.c.catalogs.put(ctx, t.page(ctx, s, name), &entry{member: t.k.name, in: true, done: make(chan error, 1)}, t.c.opts.Call)
			if err != nil {
				s.warning = fmt.Errorf("catalog zone %s: %w", name, err)
				continue
			}
			if s.catalogs == nil {
				s.catalogs = map[string]bool{}
			}
			s.catalogs[name] = true
		}
	})
}

// leaveCatalogs takes the zone out of the catalog zones that none of its servers follows any more: on all primaries it has
// or had.
func (t *tour) leaveCatalogs(ctx context.Context, leaving []*stop) {
	secondaries := slices.DeleteFunc(slices.Clone(leaving), func(s *stop) bool { return s.role != v1alpha1.Secondary })
	primaries := slices.DeleteFunc(slices.Clone(leaving), func(s *stop) bool { return s.role != v1alpha1.Primary })
	stays := catalogsOf(t.secondaries)
	out := func(s *stop, name string) {
		if s.err != nil {
			return
		}
		err := t.c.catalogs.put(ctx, t.page(ctx, s, name), &entry{member: t.k.name, done: make(chan error, 1)}, t.c.opts.Call)
		if err != nil {
			s.err = fmt.Errorf("catalog zone %s: %w", name, err)
			return
		}
		delete(s.catalogs, name)
	}
	t.each(primaries, func(s *stop) {
		for _, name := range slices.Concat(stays, catalogsOf(secondaries)) {
			out(s, name)
		}
	})
	for _, name := range catalogsOf(secondaries) {
		if !slices.Contains(stays, name) {
			t.each(t.primaries, func(s *stop) { out(s, name) })
		}
	}
}

// page is a catalog zone on a primary, and all that is needed to make it there.
func (t *tour) page(ctx context.Context, s *stop, catalog string) page {
	settings := nameserver.ZoneConfig{Zone: catalog}
	for i := range t.servers {
		o := &t.servers[i]
		if o.DeletionTimestamp == nil && follows(o, catalog) {
			admit(&settings, t.c.pool.get(ctx, o))
		}
	}
	return page{
		id: pageID{s.server, catalog}, server: s.link.server, settings: settings,
		members: func(ctx context.Context) ([]string, error) { return t.c.members(ctx, s.server, catalog, t.servers) },
	}
}

func follows(s *v1alpha1.DNSServer, catalog string) bool {
	if s.Spec.Role != v1alpha1.Secondary || s.Spec.Control == nil || s.Spec.Control.Catalog == nil {
		return false
	}
	name, err := backend.Name(s.Spec.Control.Catalog.Zone)
	return err == nil && name == catalog
}

// members are all zones that belong into a catalog zone on a primary. One that is made anew has them all at once: what it
// lacked, secondaries would drop.
func (c *Controller) members(ctx context.Context, primary types.NamespacedName, catalog string, servers []v1alpha1.DNSServer) ([]string, error) {
	var list v1alpha1.DNSZoneList
	if err := c.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list DNSZones: %w", err)
	}
	var names []string
	for i := range list.Items {
		z := &list.Items[i]
		chosen, err := choose(z, servers)
		if err != nil || z.DeletionTimestamp != nil || !chosen.has(primary) {
			continue
		}
		if slices.ContainsFunc(chosen.servers, func(s *v1alpha1.DNSServer) bool { return follows(s, catalog) }) {
			names = append(names, z.Spec.ZoneName)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// put has an entry written. Whoever comes first writes for all that wait.
func (c *catalogs) put(ctx context.Context, p page, e *entry, limit time.Duration) error {
	c.mu.Lock()
	if c.pages[p.id] == nil {
		c.pages[p.id] = &writing{}
	}
	turn := c.pages[p.id]
	c.queue[p.id] = append(c.queue[p.id], e)
	c.mu.Unlock()

	turn.mu.Lock()
	c.mu.Lock()
	batch := c.queue[p.id]
	c.queue[p.id] = nil
	c.mu.Unlock()
	if len(batch) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		err := turn.write(ctx, p, batch)
		cancel()
		for _, b := range batch {
			b.done <- err
		}
	}
	turn.mu.Unlock()
	return <-e.done
}

// writing is the one who writes a page at a time, and what it knows.
type writing struct {
	mu       sync.Mutex
	settings string // that the primary was last given
}

// write makes the catalog zone, if it is not there or its settings are others, and changes its members.
func (w *writing) write(ctx context.Context, p page, batch []*entry) error {
	catalog := p.id.zone
	live, _, err := p.server.DNS.Transfer(ctx, catalog)
	gone := (*rfc2136.NotServed)(nil)
	missing := errors.As(err, &gone)
	if missing && !slices.ContainsFunc(batch, func(e *entry) bool { return e.in }) {
		return nil
	}
	if digest := settingsDigest(p.settings); missing || err == nil && w.settings != digest {
		_, err = p.server.Ensure(ctx, p.settings, func(ctx context.Context) ([]backend.RRset, error) {
			// Time makes a serial that comes after any the zone had before it was lost: members come one by one.
			sets := blank(catalog, uint32(time.Now().Unix())) //nolint:gosec // serials wrap
			members, err := p.members(ctx)
			for _, name := range members {
				sets = append(sets, member(catalog, name))
			}
			return sets, err
		})
		if unsupported := (*nameserver.Unsupported)(nil); errors.As(err, &unsupported) && !missing {
			err = nil // it was made elsewhere, and stays as it is
		}
		if err == nil {
			w.settings = digest
			live, _, err = p.server.DNS.Transfer(ctx, catalog)
		}
	}
	if err != nil {
		return err
	}
	if changes := pageChanges(catalog, batch, live); len(changes) > 0 {
		return p.server.DNS.Apply(ctx, catalog, changes)
	}
	return nil
}

// pageChanges are what entries change in a catalog zone. Of two about one zone the later counts.
func pageChanges(catalog string, batch []*entry, live []backend.RRset) []backend.Change {
	has := map[backend.Key]*backend.RRset{}
	for i := range live {
		has[live[i].Key] = &live[i]
	}
	wish := map[backend.Key]backend.Change{}
	for _, e := range batch {
		set := member(catalog, e.member)
		old := has[set.Key]
		switch {
		case e.in && (old == nil || !old.Same(&set)):
			wish[set.Key] = backend.Change{Old: old, New: &set}
		case !e.in && old != nil:
			wish[set.Key] = backend.Change{Old: old}
		default:
			delete(wish, set.Key)
		}
	}
	changes := make([]backend.Change, 0, len(wish))
	for _, c := range wish {
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b backend.Change) int { return compareKeys(a.Key(), b.Key()) })
	return changes
}
