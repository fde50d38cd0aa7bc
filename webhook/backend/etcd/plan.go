package etcd

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// plan is what one unit means for the keys that stand.
type plan struct {
	layout
	unit  []backend.Change
	rev   int64             // revision it was made at
	puts  map[string]string // key → value
	dels  map[string]int64  // key → revision it must still have
	keeps map[string]int64  // keys of a changed RRset that stay, likewise
	fresh []string          // keys that must not be there yet and are in no span
	spans []span            // where nothing may have been written since rev
	above map[string]bool   // names that need a guard → it stands already
}

// refusal is why a unit cannot be applied: the change at fault, and what kind of failure it is.
type refusal struct {
	kind backend.Kind
	key  backend.Key
	err  error
}

// plan decides what the unit means. A plan without puts and dels has nothing to do.
func (r *replica) plan(unit []backend.Change, rev int64, limits backend.Limits) (*plan, *refusal) {
	p := &plan{
		layout: r.layout, unit: unit, rev: rev, puts: map[string]string{}, dels: map[string]int64{}, keeps: map[string]int64{},
		above: map[string]bool{},
	}
	w := writer{replica: r, plan: p}
	large := isLarge(unit)
	for _, c := range unit {
		name, t := c.Key().Name, typeOf(c.Key().Type)
		if c.New != nil {
			wanted := *c.New
			wanted.TTL = limits.Clamp(wanted.TTL)
			c.New = &wanted
		}
		items := r.names[name].ofType(t)
		current := rrset(name, t, items)
		write, err := backend.Decide(current, c)
		if err != nil && large && onTheWay(current, c) {
			write, err = true, nil
		}
		if err != nil {
			return nil, &refusal{backend.Conflict, c.Key(), err}
		}
		if !write && c.New != nil && !allRight(items) {
			write = true // another writer's keys say the same; ours take their place
		}
		if write {
			if err := w.replace(name, t, c.New); err != nil {
				return nil, &refusal{backend.Rejected, c.Key(), err}
			}
		}
	}
	if err := w.lonelyAliases(); err != nil {
		return nil, err
	}
	w.guardNames()
	return p, nil
}

// isLarge reports whether a unit may need several transactions.
func isLarge(unit []backend.Change) bool {
	values := 0
	for _, c := range unit {
		if c.Old != nil {
			values += len(c.Old.Values)
		}
		if c.New != nil {
			values += len(c.New.Values)
		}
	}
	return values > maxOps/2
}

// onTheWay reports whether what stands can be a change half made: that of a large unit whose
// transactions were interrupted.
func onTheWay(current *backend.RRset, c backend.Change) bool {
	if current == nil {
		return false
	}
	among := func(set *backend.RRset, v string) bool {
		if set == nil {
			return false
		}
		_, ok := slices.BinarySearch(set.Values, v)
		return ok
	}
	return !slices.ContainsFunc(current.Values, func(v string) bool { return !among(c.Old, v) && !among(c.New, v) })
}

func allRight(items []item) bool {
	for i := range items {
		if !items[i].right || items[i].ttl != items[0].ttl {
			return false
		}
	}
	return true
}

// writer collects the writes of one plan.
type writer struct {
	*replica
	plan    *plan
	changed map[typeAt]*backend.RRset // what the changed RRsets become
}

type typeAt struct {
	name string
	typ  rrType
}

// replace makes the RRset of one name and type become set, nil for none.
func (w *writer) replace(name string, t rrType, set *backend.RRset) error {
	if w.changed == nil {
		w.changed = map[typeAt]*backend.RRset{}
	}
	w.changed[typeAt{name, t}] = set
	e := w.names[name]
	if err := w.write(name, t, e.ofType(t), values(set), set); err != nil || t != typeSRV {
		return err
	}
	return w.write(name, typeFill, e.ofType(typeFill), fills(set), set)
}

func values(set *backend.RRset) []string {
	if set == nil {
		return nil
	}
	return set.Values
}

// write puts a key for each value that has none yet, and deletes the items' other keys.
func (w *writer) write(name string, t rrType, items []item, values []string, set *backend.RRset) error {
	standing := make(map[string]*item, len(items))
	for i := range items {
		standing[w.keyOfItem(name, &items[i])] = &items[i]
	}
	for _, v := range values {
		ttl := uint32(set.TTL / time.Second)
		id := v
		if t == typeFill {
			id = fillID(v)
		}
		key := w.key(name, t, id)
		it, stands := standing[key]
		delete(standing, key)
		if stands {
			w.plan.keeps[key] = it.mod
			if it.right && it.ttl == ttl && it.value == v {
				continue
			}
		}
		s, err := w.service(name, t, v, ttl)
		if err != nil {
			return err
		}
		w.plan.puts[key] = s.encode()
		if t == typePTR && !stands {
			w.plan.fresh = append(w.plan.fresh, key)
		}
	}
	for key, it := range standing {
		w.plan.dels[key] = it.mod
		if err := w.rescue(name, key, t); err != nil {
			return err
		}
	}
	return nil
}

// rescue gives the records that share a deleted key with another type a key of their own.
func (w *writer) rescue(name, key string, but rrType) error {
	if _, shared := w.others[key]; !shared {
		return nil
	}
	for _, it := range w.names[name].items {
		if it.key != key || it.typ == but || w.inUnit(name, it.typ) {
			continue
		}
		if _, done := w.changed[typeAt{name, it.typ}]; done {
			continue
		}
		if err := w.replace(name, it.typ, rrset(name, it.typ, w.names[name].ofType(it.typ))); err != nil {
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

// fillID is the part of a fill that its key depends on: the priority.
func fillID(v string) string {
	n, _, _ := numbers(v+" .", 2)
	return strconv.Itoa(n[0])
}

// lonelyAliases refuses a unit after which a CNAME would stand beside other records that it did not
// stand beside before (RFC 2181 §10.1).
func (w *writer) lonelyAliases() *refusal {
	for _, c := range w.plan.unit {
		name := c.Key().Name
		if c.New == nil {
			continue
		}
		before, after := map[rrType]bool{}, map[rrType]bool{}
		if e := w.names[name]; e != nil {
			for _, it := range e.items {
				before[it.typ], after[it.typ] = true, true
			}
		}
		for at, set := range w.changed {
			if at.name == name {
				after[at.typ] = set != nil
			}
		}
		if mixed(after) && !mixed(before) {
			return &refusal{backend.Conflict, c.Key(), fmt.Errorf("a CNAME cannot stand beside other records (RFC 2181 §10.1): %w", backend.ErrConflict)}
		}
	}
	return nil
}

func mixed(types map[rrType]bool) bool {
	others := 0
	for t, there := range types {
		if there && t != typeCNAME && t != typeFill {
			others++
		}
	}
	return types[typeCNAME] && others > 0
}

// guardNames notes where nothing may change until the plan is carried out, and which names need a guard.
func (w *writer) guardNames() {
	seen := map[string]bool{}
	for at, set := range w.changed {
		if dir := w.dir(at.name, at.typ); !seen[dir] {
			seen[dir] = true
			w.plan.spans = append(w.plan.spans, ids(dir))
		}
		if set != nil {
			w.guarded(at.name, at.typ, func(above string) {
				_, stands := w.guards[above]
				w.plan.above[above] = stands
			})
		}
	}
}

// compares are the conditions under which the plan still holds.
func (p *plan) compares() []clientv3.Cmp {
	var out []clientv3.Cmp
	for _, s := range p.spans {
		out = append(out, s.unchangedSince(p.rev))
	}
	for _, key := range p.fresh {
		out = append(out, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
	}
	for _, m := range []map[string]int64{p.dels, p.keeps} {
		for key, mod := range m {
			out = append(out, clientv3.Compare(clientv3.ModRevision(key), "=", mod))
		}
	}
	return out
}

// unchangedSince is true while no key of the span was written after the revision. Etcd compares every
// key in it; an empty one counts as written at 0.
func (s span) unchangedSince(rev int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(s.first).WithRange(s.end), "<", rev+1)
}

func (p *plan) putOps() []clientv3.Op {
	out := make([]clientv3.Op, 0, len(p.puts))
	for key, value := range p.puts {
		out = append(out, clientv3.OpPut(key, value))
	}
	return out
}

func (p *plan) deleteOps() []clientv3.Op {
	out := make([]clientv3.Op, 0, len(p.dels))
	for key := range p.dels {
		if _, again := p.puts[key]; !again {
			out = append(out, clientv3.OpDelete(key))
		}
	}
	return out
}

// idle reports whether there is nothing to do.
func (p *plan) idle() bool { return len(p.puts) == 0 && len(p.dels) == 0 }
