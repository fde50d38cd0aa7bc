package route53

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/spokedns/spokedns/webhook/backend"
)

// belief is what we think stands in a zone: a listing, and what was written and read of it since. The
// service confirms or refuses whatever is written on it. Who holds turn may use the rest.
type belief struct {
	turn chan struct{} // holds one token: batches of one zone are made one after the other

	base    *content
	since   map[string][]stored // by name in the service's form; the slices are never changed in place
	unknown map[string]bool     // names with a write that was never answered
}

// belief returns the belief about a zone.
func (b *Backend) belief(id string) *belief {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.beliefs[id]
	if v == nil {
		v = &belief{turn: make(chan struct{}, 1), since: map[string][]stored{}, unknown: map[string]bool{}}
		b.beliefs[id] = v
	}
	return v
}

// rest begins anew on a listing, if it is another one. A listing that was begun before a write of ours
// ended is never handed out as the last (see listing.Cache.Writing), so none is older than what we wrote.
func (v *belief) rest(base *content) {
	if v.base != base {
		v.base = base
		clear(v.since)
		clear(v.unknown)
	}
}

// refreshed takes a listing of ours that is not in the cache: the next one there may be older.
func (v *belief) refreshed(c *content) {
	clear(v.since)
	clear(v.unknown)
	for name := range v.base.names {
		v.since[name] = nil
	}
	for name, all := range c.names {
		v.since[name] = all
	}
}

// at is what stands at a name.
func (v *belief) at(name string) []stored {
	if all, ok := v.since[name]; ok {
		return all
	}
	return v.base.names[name]
}

// learn replaces what stands at a name.
func (v *belief) learn(name string, all []stored) {
	v.since[name] = all
	delete(v.unknown, name)
}

// pages is how many requests a listing of the zone would take.
func (v *belief) pages() int { return len(v.base.all)/pageSize + 1 }

// view is what would stand if some changes were made.
type view struct {
	under interface{ at(name string) []stored }
	names map[string][]stored
}

func over(under interface{ at(name string) []stored }) *view {
	return &view{under, map[string][]stored{}}
}

func (v *view) at(name string) []stored {
	if all, ok := v.names[name]; ok {
		return all
	}
	return v.under.at(name)
}

// find is what stands under a key.
func (v *view) find(k backend.Key) *stored {
	for _, s := range v.at(wireName(k.Name)) {
		if string(s.raw.Type) == k.Type && aws.ToString(s.raw.SetIdentifier) == k.SetID {
			return &s
		}
	}
	return nil
}

// set replaces what stands under a key; nil removes it.
func (v *view) set(k backend.Key, s *stored) {
	name := wireName(k.Name)
	v.names[name] = replaced(v.at(name), k, s)
}

// replaced is all with another record set under the key, in a new slice.
func replaced(all []stored, k backend.Key, s *stored) []stored {
	out := slices.DeleteFunc(slices.Clone(all), func(o stored) bool {
		return string(o.raw.Type) == k.Type && aws.ToString(o.raw.SetIdentifier) == k.SetID
	})
	if s != nil {
		out = append(out, *s)
	}
	return out
}

// coherent reports whether what stands at a name can stand together: a CNAME alone (RFC 1034 §3.6.2), and
// of one type either one record set without an identifier or several with.
func (v *view) coherent(name string) bool {
	all := v.at(name)
	for _, s := range all {
		if s.raw.Type == "CNAME" && slices.ContainsFunc(all, func(o stored) bool { return o.raw.Type != "CNAME" }) {
			return false
		}
		if s.raw.SetIdentifier == nil && slices.ContainsFunc(all, func(o stored) bool { return o.raw.Type == s.raw.Type && o.raw.SetIdentifier != nil }) {
			return false
		}
	}
	return true
}
