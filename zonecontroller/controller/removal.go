package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// orphanAfter is how long a removal waits for a server when the zone does not say.
const orphanAfter = time.Hour

// remove takes a zone that is being deleted from all its servers, and lets it go.
func (t *tour) remove(ctx context.Context) error {
	for _, p := range t.k.places {
		if p.state != v1alpha1.Leaving {
			p.turn(v1alpha1.Leaving, "", t.now)
		}
	}
	t.tellAll(outcome{reason: ReasonZoneNotReady, message: fmt.Sprintf("DNSZone %s is being deleted", t.k.key)})
	t.release(ctx)
	if len(t.k.places) > 0 {
		t.reportLeaving()
		return ctx.Err()
	}
	if err := t.c.opts.Ledger.Drop(ctx, t.z.UID); err != nil {
		return fmt.Errorf("drop the ledger: %w", err)
	}
	if err := t.c.letGo(ctx, t.z); err != nil {
		return err
	}
	t.gone = true
	t.c.memory.forget(t.k.key)
	return nil
}

// release has servers that are not selected any more let go. Of a zone that goes from everywhere what is ours is deleted
// first, so that nobody who still follows its primaries goes on with it; then it leaves the secondaries, then the primaries.
// Where it stays, because it was not made by us, it loses what is ours; from a primary of a zone that goes on elsewhere
// only then, for secondaries may follow it still.
func (t *tour) release(ctx context.Context) {
	var leaving []*stop
	for _, p := range t.k.sorted() {
		if p.state != v1alpha1.Leaving {
			continue
		}
		s := t.leaver(ctx, p)
		if s.link != nil {
			leaving = append(leaving, s)
		}
	}
	of := func(role v1alpha1.Role) []*stop {
		return slices.DeleteFunc(slices.Clone(leaving), func(s *stop) bool { return s.role != role || s.err != nil })
	}
	drain := func(s *stop) { s.err = t.drain(ctx, s) }
	if t.z.DeletionTimestamp != nil {
		t.each(of(v1alpha1.Primary), drain)
	}
	leaves := slices.DeleteFunc(slices.Clone(leaving), func(s *stop) bool { return s.heir != nil })
	t.leaveCatalogs(ctx, leaves)
	away := func(s *stop) {
		if s.heir != nil || s.stuck != "" {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
		defer cancel()
		s.err = s.link.server.Remove(ctx, t.k.name)
		if unsupported := (*nameserver.Unsupported)(nil); errors.As(s.err, &unsupported) {
			s.err = nil
		}
	}
	t.each(of(v1alpha1.Secondary), away)
	t.each(of(v1alpha1.Primary), away)
	if t.z.DeletionTimestamp == nil {
		t.each(of(v1alpha1.Primary), drain)
		for _, s := range of(v1alpha1.Primary) { // who followed it has to follow the others
			if rfc2136.Newer(s.serial, t.k.seen) {
				t.k.seen, t.more = after(s.serial), true
			}
		}
	}
	for _, s := range leaving {
		t.left(s)
	}
}

// leaver is a place that has to let go. One whose server is gone does so at once.
func (t *tour) leaver(ctx context.Context, p *place) *stop {
	s := &stop{place: p, failed: map[backend.Key]error{}}
	i := slices.IndexFunc(t.servers, func(o v1alpha1.DNSServer) bool { return keyOf(&o) == p.server })
	if i < 0 {
		t.c.opts.Events.zone(t.z, EventOrphaned, "DNSServer %s is gone; should its server have the zone still, it keeps it", p.server)
		delete(t.k.places, p.server)
		return s
	}
	s.object, s.link = &t.servers[i], t.c.pool.get(ctx, &t.servers[i])
	if s.err = s.link.reached(); s.err == nil {
		s.heir, s.err = t.heir(ctx, p.server)
	}
	return s
}

// heir is another DNSZone of the name that is to be on the server and can be: it keeps the zone there. nil: nobody.
func (t *tour) heir(ctx context.Context, server types.NamespacedName) (*v1alpha1.DNSZone, error) {
	namesakes, err := t.c.named(ctx, t.z.Spec.ZoneName)
	if err != nil {
		return nil, err
	}
	for i := range namesakes {
		o := &namesakes[i]
		if o.UID == t.z.UID || o.DeletionTimestamp != nil {
			continue
		}
		_, faults := content.Zone(o)
		if servers, err := choose(o, t.servers); err == nil && len(faults) == 0 && servers.has(server) {
			return o, t.c.opts.Ledger.Load(ctx, o.UID) // what is its own, too, stays
		}
	}
	return nil, nil
}

// drain deletes what is ours from a primary.
func (t *tour) drain(ctx context.Context, s *stop) error {
	ctx, cancel := context.WithTimeout(ctx, t.c.opts.Call)
	defer cancel()
	live, _, err := transfer(ctx, s.link.server.DNS, t.k.name)
	if classify(err) == notServed {
		return nil
	}
	if err != nil {
		t.fail(s, err)
		return err
	}
	needed := glue(t.k.name, live)
	changes, _ := content.Changes(nil, func(key backend.Key) bool {
		return !needed[key] && t.c.opts.Ledger.Has(t.z.UID, key) && (s.heir == nil || !t.c.opts.Ledger.Has(s.heir.UID, key))
	}, live)
	if len(changes) == 0 {
		return nil
	}
	err = s.link.server.DNS.Apply(ctx, t.k.name, changes)
	t.c.opts.Metrics.changed(changes, nil, err)
	if soa, err := s.link.server.DNS.SOA(ctx, t.k.name); err == nil {
		s.serial = soa.Serial
	}
	if err != nil && backend.KindOf(err) == backend.Rejected { // it will not do it another time either
		t.c.opts.Log.Warn("a server does not let go of a record", "zone", t.k.name, "server", s.server, "error", err)
		return nil
	}
	return err
}

// glue are the addresses of a zone's own name servers in it. Servers do not let go of them as long as the NS record is
// there, and that belongs to the zone.
func glue(zone string, live []backend.RRset) map[backend.Key]bool {
	keys := map[backend.Key]bool{}
	for i := range live {
		if live[i].Type != "NS" || live[i].Name != zone {
			continue
		}
		for _, host := range live[i].Values {
			keys[backend.Key{Name: host, Type: "A"}], keys[backend.Key{Name: host, Type: "AAAA"}] = true, true
		}
	}
	return keys
}

// left says what became of a server that was to let go. One that does not for too long is given up.
func (t *tour) left(s *stop) {
	if s.err == nil && s.stuck != "" {
		t.c.opts.Events.zone(t.z, EventOrphaned, "%s keeps the zone: %s; want a catalog zone of its own for it", s.server, s.stuck)
		delete(t.k.places, s.server)
		return
	}
	if s.err == nil {
		s.link.server.DNS.Forget(t.k.name)
		t.c.opts.Events.zone(t.z, EventLeft, "the zone has left %s", s.server)
		delete(t.k.places, s.server)
		return
	}
	patience := orphanAfter
	if t.z.Spec.OrphanAfter != nil {
		patience = t.z.Spec.OrphanAfter.Duration
	}
	if waited := t.now.Sub(s.since); waited < patience {
		s.turn(v1alpha1.Leaving, fmt.Sprintf("%v; it is given up in %s", s.err, (patience-waited).Round(time.Minute)), t.now)
		return
	}
	t.c.opts.Events.zone(t.z, EventOrphaned, "%s is given up after %s and has the zone still, should it come back: %v", s.server, patience, s.err)
	t.c.opts.Log.Warn("a server is given up and may have the zone still", "zone", t.k.name, "server", s.server, "error", s.err)
	t.c.opts.Metrics.orphaned()
	if dns := s.link.server.DNS; dns != nil {
		dns.Forget(t.k.name)
	}
	delete(t.k.places, s.server)
}

// fewKeys names some.
func fewKeys(keys []backend.Key) string {
	var texts []string
	for _, key := range keys[:min(few, len(keys))] {
		texts = append(texts, key.String())
	}
	if more := len(keys) - few; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}
