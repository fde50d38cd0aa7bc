package etcd

import (
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/webhook/backend"
)

// plan is what one unit means for the keys that stand.
type plan struct {
	layout
	unit  []backend.Change
	rev   int64    // revision it was made at
	puts  []put    // keys to write
	dels  []held   // keys to delete
	keeps []held   // keys of changed RRsets that stay
	fresh []string // keys that must not be there yet and are in no span
	spans []span   // where nothing may have been written since rev
	above []above  // names that need a guard
}

// put is a key with the value it gets.
type put struct{ key, value string }

// held is a key with the revision it must still have.
type held struct {
	key string
	mod int64
}

// above is a name above a record.
type above struct {
	name    string
	guarded bool
}

// refusal is why a unit cannot be applied: the change at fault, and what kind of failure it is.
type refusal struct {
	kind backend.Kind
	key  backend.Key
	err  error
}

// plan decides what the unit means.
func (r *replica) plan(unit []backend.Change, rev int64, limits backend.Limits) (*plan, *refusal) {
	w := writer{
		replica: r, changed: make([]changedSet, 0, len(unit)),
		plan: &plan{layout: r.layout, unit: unit, rev: rev, puts: make([]put, 0, len(unit)), spans: make([]span, 0, len(unit))},
	}
	large := isLarge(unit)
	for _, c := range unit {
		name, t := c.Key().Name, typeOf(c.Key().Type)
		if c.New != nil && limits.Clamp(c.New.TTL) != c.New.TTL {
			wanted := *c.New
			wanted.TTL = limits.Clamp(wanted.TTL)
			c.New = &wanted
		}
		items := r.names[name].ofType(t)
		standing := current(name, t, items)
		write, err := backend.Decide(standing, c)
		if err != nil && large && onTheWay(standing, c) {
			write, err = true, nil
		}
		if err != nil {
			return nil, &refusal{backend.Conflict, c.Key(), err}
		}
		// Another writer's keys may say the same already; then ours take their place.
		if write || c.New != nil && !allRight(items) {
			if err := w.replace(name, t, c.New); err != nil {
				return nil, &refusal{backend.Rejected, c.Key(), err}
			}
		}
	}
	if refused := w.lonelyAliases(); refused != nil {
		return nil, refused
	}
	return w.plan, nil
}

// isLarge reports whether a unit may need several transactions.
func isLarge(unit []backend.Change) bool {
	n := 0
	for _, c := range unit {
		n += len(values(c.Old)) + len(values(c.New))
	}
	return n > maxOps/2
}

// onTheWay reports whether what stands can be a change half made: that of a large unit whose
// transactions were interrupted.
func onTheWay(standing *backend.RRset, c backend.Change) bool {
	return standing != nil && !slices.ContainsFunc(standing.Values, func(v string) bool {
		_, old := slices.BinarySearch(values(c.Old), v)
		_, wanted := slices.BinarySearch(values(c.New), v)
		return !old && !wanted
	})
}

func values(set *backend.RRset) []string {
	if set == nil {
		return nil
	}
	return set.Values
}

func allRight(items []item) bool {
	for i := range items {
		if !items[i].right || items[i].ttl != items[0].ttl {
			return false
		}
	}
	return true
}

// idle reports whether there is nothing to do.
func (p *plan) idle() bool { return len(p.puts) == 0 && len(p.dels) == 0 }

// compares are the conditions under which the plan still holds.
func (p *plan) compares(out []clientv3.Cmp) []clientv3.Cmp {
	for _, s := range p.spans {
		out = append(out, s.unchangedSince(p.rev))
	}
	for _, key := range p.fresh {
		out = append(out, clientv3.Compare(clientv3.CreateRevision(key), "=", 0))
	}
	for _, keys := range [][]held{p.dels, p.keeps} {
		for _, h := range keys {
			out = append(out, clientv3.Compare(clientv3.ModRevision(h.key), "=", h.mod))
		}
	}
	return out
}

// unchangedSince is true while no key of the span was written after the revision. Etcd compares every
// key in it; an empty one counts as written at 0.
func (s span) unchangedSince(rev int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(s.first).WithRange(s.end), "<", rev+1)
}

// operations are the writes: first everything that is added, then what goes.
func (p *plan) operations(out []clientv3.Op) []clientv3.Op {
	for _, w := range p.puts {
		out = append(out, clientv3.OpPut(w.key, w.value))
	}
	for _, h := range p.dels {
		out = append(out, clientv3.OpDelete(h.key))
	}
	return out
}
