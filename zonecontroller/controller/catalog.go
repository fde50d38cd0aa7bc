package controller

import (
	"context"
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
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// catalogs are the catalog zones (RFC 9432) by which secondaries learn what zones there are. To a secondary a catalog zone
// is one, wherever it gets it from, and a zone that is not in it is to be dropped. So all primaries that carry it have all
// members of it, and no primary has a serial that falls behind another's.
type catalogs struct {
	mu     sync.Mutex
	queue  map[string][]*entry
	shelfs map[string]*shelf
}

// entry is a zone that is to be in a catalog zone, or not to be.
type entry struct {
	member string
	in     bool
	on     []types.NamespacedName // primaries of the zone, also those that are about to let go of it
	done   chan error
}

// shelf is a catalog zone, which one changes at a time.
type shelf struct {
	mu       sync.Mutex
	seen     uint32                          // the highest serial that any primary had
	settings map[types.NamespacedName]string // that primaries were last given
}

func newCatalogs() *catalogs {
	return &catalogs{queue: map[string][]*entry{}, shelfs: map[string]*shelf{}}
}

// catalogOf is the catalog zone that a server follows; "" when it follows none.
func catalogOf(s *v1alpha1.DNSServer) string {
	if s == nil || s.Spec.Role != v1alpha1.Secondary || s.Spec.Control == nil || s.Spec.Control.Catalog == nil {
		return ""
	}
	name, err := backend.Name(s.Spec.Control.Catalog.Zone)
	if err != nil {
		return ""
	}
	return name
}

// catalogsOf are the catalog zones that servers follow.
func catalogsOf(stops []*stop) []string {
	var names []string
	for _, s := range stops {
		if name := catalogOf(s.object); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// enterCatalogs puts the zone into the catalog zones of its secondaries, once a primary serves it. What it is known to be in
// is written again only when a primary was filled, which lost its catalog zones, too.
func (t *tour) enterCatalogs(ctx context.Context) {
	served := slices.ContainsFunc(t.primaries, func(s *stop) bool { return s.err == nil && s.read })
	filled := slices.ContainsFunc(t.primaries, func(s *stop) bool { return s.filled })
	for _, name := range catalogsOf(t.secondaries) {
		if !served || t.k.catalogs[name] && !filled {
			continue
		}
		if err := t.c.catalogs.put(ctx, t, name, true); err != nil {
			t.complain(ReasonServersFailing, fmt.Sprintf("catalog zone %s: %v", name, err))
			delete(t.k.catalogs, name)
			t.unlisted = true
			continue
		}
		t.k.catalogs[name] = true
	}
}

// leaveCatalogs takes the zone out of the catalog zones that its secondaries do not follow any more, and those from
// primaries that carry none of their members.
func (t *tour) leaveCatalogs(ctx context.Context, leaving []*stop) {
	stays := catalogsOf(t.secondaries)
	for _, s := range leaving {
		name := catalogOf(s.object)
		switch {
		case name == "" || s.err != nil:
		case slices.Contains(stays, name):
			s.stuck = fmt.Sprintf("it follows catalog zone %s, as a server does that keeps the zone", name)
		default:
			if err := t.c.catalogs.put(ctx, t, name, false); err != nil {
				s.err = fmt.Errorf("catalog zone %s: %w", name, err)
			}
			delete(t.k.catalogs, name)
		}
	}
	zones, err := t.c.allZones(ctx)
	if err != nil {
		return
	}
	for i := range t.servers {
		name := catalogOf(&t.servers[i])
		if name == "" {
			continue
		}
		_, carriers := membership(name, zones, t.servers)
		for _, s := range leaving {
			// The last that carries it goes on: nobody else would say that it is empty.
			if s.role == v1alpha1.Primary && s.err == nil && len(carriers) > 0 && !carriers[s.server] {
				s.err = t.c.catalogs.drop(ctx, name, s, t.c.opts.Call)
			}
		}
	}
}

func (c *Controller) allZones(ctx context.Context) ([]v1alpha1.DNSZone, error) {
	var list v1alpha1.DNSZoneList
	if err := c.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list DNSZones: %w", err)
	}
	return list.Items, nil
}

// membership is which zones may be in a catalog zone, and which primaries carry it: those of its members.
func membership(catalog string, zones []v1alpha1.DNSZone, servers []v1alpha1.DNSServer) (members map[string]bool, carriers map[types.NamespacedName]bool) {
	members, carriers = map[string]bool{}, map[types.NamespacedName]bool{}
	for i := range zones {
		chosen, err := choose(&zones[i], servers)
		if err != nil || zones[i].DeletionTimestamp != nil || !slices.ContainsFunc(chosen.servers, func(s *v1alpha1.DNSServer) bool { return catalogOf(s) == catalog }) {
			continue
		}
		members[zones[i].Spec.ZoneName] = true
		for _, s := range chosen.servers {
			if s.Spec.Role == v1alpha1.Primary {
				carriers[keyOf(s)] = true
			}
		}
	}
	return members, carriers
}

// put has the tour's zone entered or taken out. Whoever comes first writes for all that wait.
func (c *catalogs) put(ctx context.Context, t *tour, catalog string, in bool) error {
	e := &entry{member: t.k.name, in: in, done: make(chan error, 1)}
	for name, p := range t.k.places {
		if p.role == v1alpha1.Primary {
			e.on = append(e.on, name)
		}
	}
	c.mu.Lock()
	c.queue[catalog] = append(c.queue[catalog], e)
	s := c.shelfOf(catalog)
	c.mu.Unlock()

	s.mu.Lock()
	c.mu.Lock()
	batch := c.queue[catalog]
	delete(c.queue, catalog)
	c.mu.Unlock()
	if len(batch) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.opts.Call)
		err := s.write(ctx, t, catalog, batch)
		cancel()
		for _, b := range batch {
			b.done <- err
		}
	}
	s.mu.Unlock()
	return <-e.done
}

// shelfOf is one catalog zone; the caller holds the lock.
func (c *catalogs) shelfOf(catalog string) *shelf {
	s := c.shelfs[catalog]
	if s == nil {
		s = &shelf{settings: map[types.NamespacedName]string{}}
		c.shelfs[catalog] = s
	}
	return s
}

// drop takes a catalog zone from a primary that carries none of its members.
func (c *catalogs) drop(ctx context.Context, catalog string, p *stop, limit time.Duration) error {
	c.mu.Lock()
	s := c.shelfOf(catalog)
	c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	delete(s.settings, p.server)
	if err := p.link.server.Remove(ctx, catalog); err != nil {
		return fmt.Errorf("catalog zone %s: %w", catalog, err)
	}
	p.link.server.DNS.Forget(catalog)
	return nil
}

// carrier is a primary with its catalog zone.
type carrier struct {
	name types.NamespacedName
	link *link
	live []backend.RRset // nil: it does not have it
	soa  rfc2136.SOA
}

// write brings a catalog zone to all primaries that carry it, with what a batch changes.
func (s *shelf) write(ctx context.Context, t *tour, catalog string, batch []*entry) error {
	zones, err := t.c.allZones(ctx)
	if err != nil {
		return err
	}
	may, names := membership(catalog, zones, t.servers)
	for _, e := range batch {
		for _, name := range e.on {
			names[name] = true
		}
	}
	var errs []error
	var carriers []*carrier
	unread := false
	for i := range t.servers {
		o := &t.servers[i]
		if !names[keyOf(o)] {
			continue
		}
		c := &carrier{name: keyOf(o), link: t.c.pool.get(ctx, o)}
		if err := c.link.reached(); err != nil {
			unread = true
			continue // it is brought up to date when it is back
		}
		c.live, c.soa, err = transfer(ctx, c.link.server.DNS, catalog)
		if err != nil && classify(err) != notServed {
			errs, unread = append(errs, fmt.Errorf("%s: %w", c.name, err)), true
			continue
		}
		s.seen = higher(s.seen, c.soa.Serial)
		carriers = append(carriers, c)
	}
	members := s.members(catalog, may, carriers, unread, batch)
	// Time makes a serial that comes after any the zone had before all primaries lost it.
	floor := higher(after(s.seen), uint32(time.Now().Unix())) //nolint:gosec // serials wrap
	settings := t.catalogSettings(ctx, catalog)
	for _, c := range carriers {
		if err := s.bring(ctx, c, settings, members, floor); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		s.seen = higher(s.seen, c.soa.Serial)
	}
	for _, c := range carriers { // none falls behind
		if c.live == nil || !rfc2136.Newer(s.seen, c.soa.Serial) {
			continue
		}
		if err := level(ctx, c, catalog, s.seen); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}

// members are what the catalog zone is to have: what any primary has of it and may stay, and what the batch says. When no
// primary has it, or one that may have more of it could not be read, it is all that may be in it: what it lacked, secondaries
// would drop.
func (s *shelf) members(catalog string, may map[string]bool, carriers []*carrier, unread bool, batch []*entry) map[string]bool {
	members, found := map[string]bool{}, false
	for _, c := range carriers {
		found = found || c.live != nil
		for i := range c.live {
			if zone, ours := memberOf(catalog, &c.live[i]); ours && may[zone] {
				members[zone] = true
			}
		}
	}
	if !found || unread {
		for zone := range may {
			members[zone] = true
		}
	}
	for _, e := range batch { // the later one counts
		if e.in {
			members[e.member] = true
		} else {
			delete(members, e.member)
		}
	}
	return members
}

// memberOf is the zone that one of our entries is about.
func memberOf(catalog string, set *backend.RRset) (zone string, ours bool) {
	if set.Type != "PTR" || len(set.Values) != 1 {
		return "", false
	}
	own := nameserver.CatalogMember(catalog, set.Values[0])
	return set.Values[0], own.Key == set.Key
}

// bring makes one primary carry the members.
func (s *shelf) bring(ctx context.Context, c *carrier, settings nameserver.ZoneConfig, members map[string]bool, floor uint32) error {
	catalog := settings.Zone
	if digest := settingsDigest(settings); c.live == nil || s.settings[c.name] != digest {
		_, err := c.link.server.Ensure(ctx, settings, func(context.Context) ([]backend.RRset, error) {
			sets := nameserver.CatalogZone(catalog, floor)
			for zone := range members {
				sets = append(sets, nameserver.CatalogMember(catalog, zone))
			}
			return sets, nil
		})
		if unsupported := (*nameserver.Unsupported)(nil); err != nil && (c.live == nil || !errors.As(err, &unsupported)) {
			return err
		}
		s.settings[c.name] = digest
		if c.live, c.soa, err = transfer(ctx, c.link.server.DNS, catalog); err != nil {
			return err
		}
	}
	changes := memberChanges(catalog, c.live, members)
	if len(changes) == 0 {
		return nil
	}
	if err := c.link.server.DNS.Apply(ctx, catalog, changes); err != nil {
		return err
	}
	var err error
	c.soa, err = c.link.server.DNS.SOA(ctx, catalog)
	return err
}

// memberChanges are what makes a catalog zone have the members. Entries that somebody else made stay.
func memberChanges(catalog string, live []backend.RRset, members map[string]bool) []backend.Change {
	var changes []backend.Change
	has := map[backend.Key]bool{}
	for i := range live {
		has[live[i].Key] = true
		if zone, ours := memberOf(catalog, &live[i]); ours && !members[zone] {
			changes = append(changes, backend.Change{Old: &live[i]})
		}
	}
	for zone := range members {
		if set := nameserver.CatalogMember(catalog, zone); !has[set.Key] {
			changes = append(changes, backend.Change{New: &set})
		}
	}
	slices.SortFunc(changes, func(a, b backend.Change) int { return compareKeys(a.Key(), b.Key()) })
	return changes
}

// level raises the serial of a primary.
func level(ctx context.Context, c *carrier, catalog string, serial uint32) error {
	live, _, err := c.link.server.DNS.Transfer(ctx, catalog)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(live, func(r backend.RRset) bool { return r.Type == "SOA" })
	if i < 0 {
		return nil
	}
	value, err := content.SOA(live[i].Values[0], live[i].Values[0], serial)
	if err != nil || value == live[i].Values[0] {
		return err
	}
	next := live[i]
	next.Values = []string{value}
	return c.link.server.DNS.Apply(ctx, catalog, []backend.Change{{Old: &live[i], New: &next}})
}

// catalogSettings are those of a catalog zone: all that follow it may transfer it, and are told of changes; also those whose
// DNSServer is being deleted, which have to hear that they are to drop its members.
func (t *tour) catalogSettings(ctx context.Context, catalog string) nameserver.ZoneConfig {
	settings := nameserver.ZoneConfig{Zone: catalog}
	for i := range t.servers {
		if o := &t.servers[i]; catalogOf(o) == catalog {
			admit(&settings, t.c.pool.get(ctx, o))
		}
	}
	return settings
}
