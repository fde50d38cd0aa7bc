package etcd

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// replica is what stands in etcd below one zone, as of one revision. It is fed key by key and keeps the
// list of RRsets up to date in time proportional to what changed, but for copying the list.
type replica struct {
	layout
	log *slog.Logger

	names  map[string]*entry
	others map[string]string   // keys that are not ours → the name whose records they hold
	guards map[string]struct{} // names that have one
	below  map[string]int      // how many names with records are strictly below
	broken map[string]error    // keys that cannot be read, and why

	list  []backend.RRset
	dirty map[string]struct{} // names whose part of the list is out of date; nil while there is no list
}

// entry is what stands at one name.
type entry struct {
	items []item  // by type
	at    []int32 // where its RRsets are in the list
}

// newReplica returns an empty replica for about as many keys.
func newReplica(l layout, log *slog.Logger, keys int) *replica {
	return &replica{
		layout: l, log: log,
		names: make(map[string]*entry, keys), others: map[string]string{}, guards: map[string]struct{}{},
		below: map[string]int{}, broken: map[string]error{},
	}
}

// put takes over a key's new value.
func (r *replica) put(key string, value []byte, mod int64) {
	r.remove(key)
	r.add(key, value, mod)
}

// add takes over a key that was not there.
func (r *replica) add(key string, value []byte, mod int64) {
	got, err := r.read(key, value, mod)
	if err == nil && got.guard {
		r.guards[got.name] = struct{}{}
		return
	}
	if err != nil {
		r.report(key, err)
		return
	}
	e := r.names[got.name]
	if e == nil {
		e = &entry{}
		r.names[got.name] = e
	}
	if len(e.items) == 0 {
		r.count(got.name, 1)
	}
	for _, it := range got.items[:got.n] {
		at, _ := slices.BinarySearchFunc(e.items, it.typ, func(i item, t rrType) int { return int(i.typ) - int(t) })
		e.items = slices.Insert(e.items, at, it)
		if it.key != "" {
			r.others[it.key] = got.name
		}
	}
	r.touch(got.name)
}

// remove forgets a key.
func (r *replica) remove(key string) {
	delete(r.broken, key)
	if name, foreign := r.others[key]; foreign {
		delete(r.others, key)
		r.removeAt(name, key)
		return
	}
	name, id, ok := r.position(key)
	switch {
	case !ok:
	case id == idMark:
		delete(r.guards, name)
	case !r.removeAt(name, key) && name == "apex.dns."+r.zone:
		r.removeAt(r.zone, key)
	}
}

// removeAt takes the items of the key away from the name, and reports whether there were any.
func (r *replica) removeAt(name, key string) bool {
	e := r.names[name]
	if e == nil {
		return false
	}
	kept := slices.DeleteFunc(e.items, func(it item) bool { return r.keyOfItem(name, &it) == key })
	if len(kept) == len(e.items) {
		return false
	}
	e.items = kept
	if len(kept) == 0 {
		r.count(name, -1)
	}
	r.touch(name)
	return true
}

// touch notes that the list has to be brought up to date at the name.
func (r *replica) touch(name string) {
	if r.dirty != nil {
		r.dirty[name] = struct{}{}
	}
}

// count notes that a name begins or ceases to have records.
func (r *replica) count(name string, n int) {
	for name != r.zone {
		name = name[strings.IndexByte(name, '.')+1:]
		if r.below[name] += n; r.below[name] == 0 {
			delete(r.below, name)
		}
	}
}

// needsGuard reports whether something stands below the name that must not answer for it.
func (r *replica) needsGuard(name string) bool {
	if r.below[name] > 0 {
		return true
	}
	e := r.names[r.zone]
	if e == nil || name != r.zone && name != "dns."+r.zone {
		return false
	}
	return slices.ContainsFunc(e.items, func(it item) bool { return it.typ == typeA || it.typ == typeAAAA })
}

// report says once that a key cannot be read. CoreDNS logs the same on every query it fails.
func (r *replica) report(key string, err error) {
	r.broken[key] = err
	r.log.Warn("a key in etcd is not a record; it is left alone", "zone", r.zone, "key", key, "error", err)
}

// current is the RRset of the items of one type, nil for none.
func current(name string, t rrType, items []item) *backend.RRset {
	if len(items) == 0 {
		return nil
	}
	set := rrset(name, t, items)
	return &set
}

func rrset(name string, t rrType, items []item) backend.RRset {
	set := backend.RRset{Key: backend.Key{Name: name, Type: t.String()}, Values: make([]string, len(items))}
	ttl := items[0].ttl
	for i := range items {
		set.Values[i] = items[i].value
		ttl = min(ttl, items[i].ttl)
	}
	set.TTL = time.Duration(ttl) * time.Second
	if len(items) > 1 {
		slices.Sort(set.Values)
		set.Values = slices.Compact(set.Values)
	}
	return set
}

// ofType is the items of one type, which stand together.
func (e *entry) ofType(t rrType) []item {
	if e == nil {
		return nil
	}
	first, _ := slices.BinarySearchFunc(e.items, t, func(i item, t rrType) int { return int(i.typ) - int(t) })
	end := first
	for end < len(e.items) && e.items[end].typ == t {
		end++
	}
	return e.items[first:end]
}

// rrsets is everything that stands. The slice is never changed afterwards; it is the same one as long
// as nothing changed.
func (r *replica) rrsets() []backend.RRset {
	u := update{replica: r, list: r.list}
	if r.dirty == nil {
		u.list, u.copied = make([]backend.RRset, 0, len(r.names)), true
		for name := range r.names {
			u.rewrite(name)
		}
		r.dirty = map[string]struct{}{}
	}
	for name := range r.dirty {
		u.rewrite(name)
	}
	clear(r.dirty)
	u.close()
	r.list = u.list
	return r.list
}

// update makes a new list out of the last one, which others still hold.
type update struct {
	*replica
	list   []backend.RRset
	copied bool
	holes  []int32
}

// own copies the list before the first change to it.
func (u *update) own() {
	if !u.copied {
		u.list = append(make([]backend.RRset, 0, len(u.list)+len(u.dirty)), u.list...)
		u.copied = true
	}
}

// rewrite puts what stands at the name in the places where its RRsets were.
func (u *update) rewrite(name string) {
	e := u.names[name]
	if e == nil {
		return
	}
	n := 0
	for items := e.items; len(items) > 0; {
		t := items[0].typ
		same := e.ofType(t)
		items = items[len(same):]
		if t == typeFill {
			continue
		}
		set := rrset(name, t, same)
		switch {
		case n >= len(e.at):
			u.own()
			e.at = append(e.at, int32(len(u.list)))
			u.list = append(u.list, set)
		case !set.Same(&u.list[e.at[n]]) || set.TTL != u.list[e.at[n]].TTL:
			u.own()
			u.list[e.at[n]] = set
		}
		n++
	}
	u.holes = append(u.holes, e.at[n:]...)
	e.at = e.at[:n]
	if len(e.items) == 0 {
		delete(u.names, name)
	}
}

// close fills the holes from the end of the list.
func (u *update) close() {
	if len(u.holes) == 0 {
		return
	}
	u.own()
	slices.Sort(u.holes)
	for _, hole := range slices.Backward(u.holes) {
		last := int32(len(u.list) - 1)
		if hole != last {
			moved := u.list[last]
			u.list[hole] = moved
			at := u.names[moved.Name].at
			at[slices.Index(at, last)] = hole
		}
		u.list[last] = backend.RRset{}
		u.list = u.list[:last]
	}
}
