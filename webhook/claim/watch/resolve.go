package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spokedns/spokedns/listwatch"
	"github.com/spokedns/spokedns/webhook/claim"
)

const (
	lookups  = 16              // live lookups at a time
	negative = 2 * time.Second // how long "not found" is believed, and how long discovery is
)

// Resolve looks up live the objects that have no claim yet, and the Gateways of Routes that are not
// known yet: external-dns may have seen them before us. Objects that do not exist, or of kinds that are
// not watched or may not be read, are no error.
func (w *Watcher) Resolve(ctx context.Context, refs []claim.Ref) error {
	if err := w.lookUp(ctx, w.unknownObjects(ctx, refs)); err != nil {
		return err
	}
	for range 2 { // a Route's ListenerSet, then that set's Gateway
		if err := w.lookUp(ctx, w.store.unknownParents(refs)); err != nil {
			return err
		}
	}
	return nil
}

// unknownObjects are the objects among refs that the store lacks.
func (w *Watcher) unknownObjects(ctx context.Context, refs []claim.Ref) []lookup {
	kinds := make(map[string]*resource, len(w.all))
	for _, r := range w.all {
		if r.kind != "" {
			kinds[r.kind] = r
		}
	}
	var wanted []lookup
	for _, ref := range refs {
		r := kinds[ref.Kind]
		if r == nil || w.store.index.Get(ref) != nil {
			continue
		}
		wanted = append(wanted, lookup{r.id(), key{ref.Namespace, ref.Name}})
	}
	for _, l := range wanted {
		if w.feed(l.id) == nil { // perhaps its CRD has just appeared
			w.rediscover(ctx)
			break
		}
	}
	return wanted
}

// unknownParents are the Gateways and ListenerSets that the Routes among refs refer to and that the
// store lacks.
func (s *store) unknownParents(refs []claim.Ref) []lookup {
	s.mu.Lock()
	defer s.mu.Unlock()
	var wanted []lookup
	want := func(id string, k key) {
		if _, ok := s.kept[id][k]; !ok {
			wanted = append(wanted, lookup{id, k})
		}
	}
	for _, ref := range refs {
		id := ref.Kind + "s." + gatewayGroup
		r, ok := s.kept[id][key{ref.Namespace, ref.Name}].(*route)
		if !ok {
			continue
		}
		for _, p := range r.parents {
			want(p.resource, p.key)
			if set, ok := s.kept[p.resource][p.key].(*listenerSet); ok {
				want(gateways, set.gateway)
			}
		}
	}
	return wanted
}

func (w *Watcher) lookUp(ctx context.Context, wanted []lookup) error {
	var mu sync.Mutex
	var errs []error
	seen := map[lookup]bool{}
	var group errgroup.Group
	group.SetLimit(lookups)
	for _, l := range wanted {
		f := w.feed(l.id)
		if f == nil || seen[l] || w.missing.has(l, time.Now()) {
			continue
		}
		seen[l] = true
		group.Go(func() error {
			if err := w.fetch(ctx, f, l); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("look up %s %s: %w", l.id, l.key, err))
			}
			return nil
		})
	}
	_ = group.Wait() // errs has them
	return errors.Join(errs...)
}

// fetch gets one object and puts it into the store.
func (w *Watcher) fetch(ctx context.Context, f *feed, l lookup) error {
	w.store.await(f.resource, l.key)
	var found object
	defer func() { w.store.fulfil(f.resource, l.key, found) }()
	var raw json.RawMessage
	err := w.api.Get(ctx, f.objectPath(f.version, l.key), &raw)
	switch {
	case listwatch.Refused(err, http.StatusNotFound):
		w.missing.add(l, time.Now())
		w.store.confirmMissing(f.resource, l.key)
		return nil
	case listwatch.Refused(err, http.StatusForbidden):
		return nil // Watched, or Unknown, says so
	case err != nil:
		return err
	}
	_, o, err := f.readObject(f.reader, func(into any) error { return json.Unmarshal(raw, into) })
	if err != nil {
		return err
	}
	found = o
	return nil
}

// feed is the feed of a resource, or nil.
func (w *Watcher) feed(id string) *feed {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.feeds[id]; f != nil {
		return f.feed
	}
	return nil
}

func (w *Watcher) rediscover(ctx context.Context) {
	w.mu.Lock()
	fresh := time.Since(w.discovered) < negative
	w.mu.Unlock()
	if !fresh {
		w.discover(ctx)
	}
}

// memory remembers for a moment what was not found.
type memory struct {
	mu    sync.Mutex
	until map[lookup]time.Time
}

func newMemory() *memory { return &memory{until: map[lookup]time.Time{}} }

func (m *memory) has(l lookup, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.until[l])
}

func (m *memory) add(l lookup, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.until) > 1000 {
		for l, until := range m.until {
			if now.After(until) {
				delete(m.until, l)
			}
		}
	}
	m.until[l] = now.Add(negative)
}
