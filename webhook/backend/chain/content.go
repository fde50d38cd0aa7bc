package chain

import (
	"cmp"
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// content is one listing.
type content struct {
	*records
	began time.Time
	took  time.Duration
}

// records is everything the other webhook has.
type records struct {
	sum  [sha256.Size]byte      // of the answer it was read from
	sets []backend.RRset        // sorted by key; each key once
	odd  map[backend.Key]string // what could not be read, and why
	mu   sync.Mutex
	cut  map[string][]backend.RRset // sets by zone, for the zones that were asked for
}

// list asks for everything. What did not change is the very same as in the last listing.
func (b *Backend) list(ctx context.Context, last content) (content, error) {
	began := time.Now()
	body, err := b.client.records(ctx)
	if err != nil {
		return content{}, err
	}
	sum := sha256.Sum256(body)
	if last.records == nil || last.sum != sum {
		next, err := b.read(body)
		if err != nil {
			return content{}, err
		}
		next.sum = sum
		b.warn(ctx, next.odd, last.records)
		next.follow(last.records)
		last.records = next
	}
	return content{records: last.records, began: began, took: time.Since(began)}, nil
}

// read makes RRsets of an answer. Some providers return one endpoint for each value; they are joined.
func (b *Backend) read(body []byte) (*records, error) {
	r := &records{odd: map[backend.Key]string{}, cut: map[string][]backend.RRset{}}
	err := decodeEach(body, func(e *endpoint) {
		set, err := e.rrset()
		switch {
		case !slices.Contains(b.limits.Types, set.Type):
			// of another type than we write, or an empty element
		case err != nil:
			r.odd[set.Key] = err.Error()
		default:
			r.sets = append(r.sets, set)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(r.sets, func(x, y backend.RRset) int { return compareKeys(x.Key, y.Key) })
	joined := r.sets[:0]
	for _, set := range r.sets {
		if n := len(joined); n > 0 && joined[n-1].Key == set.Key {
			joined[n-1] = join(joined[n-1], set)
			continue
		}
		joined = append(joined, set)
	}
	r.sets = slices.DeleteFunc(joined, func(set backend.RRset) bool { return r.odd[set.Key] != "" }) // not a part of one
	return r, nil
}

// join makes one RRset of two of the same key, the same one in either order.
func join(a, b backend.RRset) backend.RRset {
	values := slices.Concat(a.Values, b.Values)
	slices.Sort(values)
	a.Values = slices.Compact(values)
	if a.TTL == 0 || b.TTL != 0 && b.TTL < a.TTL {
		a.TTL = b.TTL
	}
	if len(b.Attrs) == 0 {
		return a
	}
	attrs := maps.Clone(b.Attrs)
	for name, value := range a.Attrs {
		if other, both := attrs[name]; !both || value < other {
			attrs[name] = value
		}
	}
	a.Attrs = attrs
	return a
}

func compareKeys(a, b backend.Key) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type), strings.Compare(a.SetID, b.SetID))
}

// warn names what could not be read, when it was not named before.
func (b *Backend) warn(ctx context.Context, odd map[backend.Key]string, last *records) {
	for _, key := range slices.SortedFunc(maps.Keys(odd), compareKeys) {
		if last == nil || last.odd[key] != odd[key] {
			b.log.WarnContext(ctx, "a record of the other webhook cannot be read; it is left out and stays as it is",
				"url", b.config.URL, "name", key.Name, "type", key.Type, "reason", odd[key])
		}
	}
}

// follow takes over from the last listing what is the same in this one.
func (r *records) follow(last *records) {
	if last == nil {
		return
	}
	last.mu.Lock()
	defer last.mu.Unlock()
	for zone, before := range last.cut {
		now := cut(r.sets, zone)
		if slices.EqualFunc(now, before, func(x, y backend.RRset) bool { return x.TTL == y.TTL && x.Same(&y) }) {
			now = before
		}
		r.cut[zone] = now
	}
}

// zone is the RRsets of one zone, the same slice each time.
func (r *records) zone(name string) []backend.RRset {
	r.mu.Lock()
	defer r.mu.Unlock()
	sets, ok := r.cut[name]
	if !ok {
		sets = cut(r.sets, name)
		r.cut[name] = sets
	}
	return sets
}

// cut returns what is in a zone and not its own business, as its NS records at the top are.
func cut(sets []backend.RRset, zone string) []backend.RRset {
	out := make([]backend.RRset, 0, len(sets))
	for i := range sets {
		if s := &sets[i]; backend.InZone(s.Name, zone) && (s.Type != "NS" || s.Name != zone) {
			out = append(out, *s)
		}
	}
	return out
}
