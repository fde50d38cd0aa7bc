package etcd

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// writer fills a plan with the writes that turn what stands into what is wanted.
type writer struct {
	*replica
	plan    *plan
	changed []changedSet
}

// changedSet is an RRset and what it becomes, nil for nothing.
type changedSet struct {
	name string
	typ  rrType
	set  *backend.RRset
}

func (w *writer) hasChanged(name string, t rrType) bool {
	return slices.ContainsFunc(w.changed, func(c changedSet) bool { return c.name == name && c.typ == t })
}

// replace makes the RRset of one name and type become set.
func (w *writer) replace(name string, t rrType, set *backend.RRset) error {
	w.changed = append(w.changed, changedSet{name, t, set})
	dir := w.dir(name, t)
	if s := ids(dir); !slices.Contains(w.plan.spans, s) {
		w.plan.spans = append(w.plan.spans, s)
	}
	if set != nil {
		w.guarded(name, t, w.plan.needGuard(w.guards))
	}
	e := w.names[name]
	if err := w.write(name, dir, t, e.ofType(t), values(set), set); err != nil || t != typeSRV {
		return err
	}
	return w.write(name, dir, typeFill, e.ofType(typeFill), fills(set), set)
}

// needGuard notes a name above a record.
func (p *plan) needGuard(guards map[string]struct{}) func(string) {
	return func(name string) {
		if !slices.ContainsFunc(p.above, func(a above) bool { return a.name == name }) {
			_, stands := guards[name]
			p.above = append(p.above, above{name, stands})
		}
	}
}

// write puts a key for each value that has none yet, and deletes the items' other keys.
func (w *writer) write(name, dir string, t rrType, items []item, values []string, set *backend.RRset) error {
	var standing map[string]*item
	if len(items) > 0 {
		standing = make(map[string]*item, len(items))
		for i := range items {
			standing[w.keyOfItem(name, &items[i])] = &items[i]
		}
	}
	for _, v := range values {
		key := w.keyFor(name, dir, t, v)
		ttl := uint32(set.TTL / time.Second)
		it, stands := standing[key]
		if stands {
			delete(standing, key)
			w.plan.keeps = append(w.plan.keeps, held{key, it.mod})
			if it.right && it.ttl == ttl && it.value == v {
				continue
			}
		}
		s, err := w.service(name, t, v, ttl)
		if err != nil {
			return err
		}
		w.plan.puts = append(w.plan.puts, put{key, s.encode()})
		if t == typePTR && !stands {
			w.plan.fresh = append(w.plan.fresh, key)
		}
	}
	for key, it := range standing {
		if err := w.delete(name, key, it); err != nil {
			return err
		}
	}
	return nil
}

// keyFor is where the value goes.
func (w *writer) keyFor(name, dir string, t rrType, v string) string {
	switch t {
	case typePTR:
		return w.path(name)
	case typeFill:
		v = fillPriority(v)
	}
	h := hash(t, v)
	return dir + "/" + idMark + t.idPrefix() + string(h[:])
}

// delete takes a key away. Records of another type that share it get a key of their own.
func (w *writer) delete(name, key string, it *item) error {
	h := held{key, it.mod}
	if slices.Contains(w.plan.dels, h) {
		return nil
	}
	w.plan.dels = append(w.plan.dels, h)
	if it.key == "" {
		return nil
	}
	e := w.names[name]
	for _, other := range e.items {
		if other.key != key || other.typ == it.typ || w.hasChanged(name, other.typ) || w.inUnit(name, other.typ) {
			continue
		}
		if err := w.replace(name, other.typ, current(name, other.typ, e.ofType(other.typ))); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) inUnit(name string, t rrType) bool {
	return slices.ContainsFunc(w.plan.unit, func(c backend.Change) bool { return c.Key().Name == name && typeOf(c.Key().Type) == t })
}

// fills makes the stored weights of each priority add up to 100, with a key that is in no answer:
// CoreDNS answers each weight as its share of a hundred, and that makes the share the weight itself.
func fills(set *backend.RRset) []string {
	sums := map[int]int{}
	for _, v := range values(set) {
		if n, _, err := numbers(v, 3); err == nil {
			sums[orZero(n[0])] += orZero(n[1])
		}
	}
	var out []string
	for _, priority := range slices.Sorted(maps.Keys(sums)) {
		if missing := 100 - sums[priority]; missing != 0 {
			out = append(out, strconv.Itoa(priority)+" "+strconv.Itoa(missing))
		}
	}
	return out
}

// fillPriority is the part of a fill that its key depends on.
func fillPriority(v string) string {
	n, _, _ := numbers(v+" .", 2)
	return strconv.Itoa(n[0])
}

// lonelyAliases refuses a unit after which a CNAME would stand beside other records that it did not
// stand beside before (RFC 2181 §10.1).
func (w *writer) lonelyAliases() *refusal {
	for _, c := range w.changed {
		if c.set == nil {
			continue
		}
		before := w.types(c.name)
		after := before
		for _, other := range w.changed {
			if other.name == c.name {
				after[other.typ] = other.set != nil
			}
		}
		if after.mixed() && !before.mixed() {
			return &refusal{backend.Conflict, c.set.Key, fmt.Errorf("a CNAME cannot stand beside other records (RFC 2181 §10.1): %w", backend.ErrConflict)}
		}
	}
	return nil
}

// typeSet is which types stand at a name.
type typeSet [typeFill + 1]bool

func (w *writer) types(name string) (t typeSet) {
	if e := w.names[name]; e != nil {
		for i := range e.items {
			t[e.items[i].typ] = true
		}
	}
	return t
}

func (t typeSet) mixed() bool {
	if !t[typeCNAME] {
		return false
	}
	t[typeCNAME], t[typeFill] = false, false
	return slices.Contains(t[:], true)
}
