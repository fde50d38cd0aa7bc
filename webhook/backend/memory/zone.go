package memory

import (
	"fmt"
	"slices"

	"github.com/spokedns/spokedns/webhook/backend"
)

// zone is the content of one zone by name: a server has to look at all RRsets of a name to keep a CNAME
// alone at it.
type zone struct {
	names  map[string][]backend.RRset
	listed []backend.RRset // the last answer of list; nil after a change
}

func (z *zone) list() []backend.RRset {
	if z.listed == nil {
		z.listed = make([]backend.RRset, 0, len(z.names))
		for _, sets := range z.names {
			z.listed = append(z.listed, sets...)
		}
	}
	return z.listed
}

func (z *zone) get(k backend.Key) *backend.RRset {
	for i := range z.names[k.Name] {
		if r := &z.names[k.Name][i]; r.Key == k {
			return r
		}
	}
	return nil
}

// set replaces the RRset of a key; nil removes it. Slices of names are never changed in place: drafts
// share them.
func (z *zone) set(k backend.Key, r *backend.RRset) {
	sets := slices.DeleteFunc(slices.Clone(z.names[k.Name]), func(o backend.RRset) bool { return o.Key == k })
	if r != nil {
		sets = append(sets, *r)
	}
	z.replace(k.Name, sets)
}

// replace makes sets all that a name has.
func (z *zone) replace(name string, sets []backend.RRset) {
	if slices.EqualFunc(sets, z.names[name], func(a, b backend.RRset) bool { return a.Same(&b) && a.TTL == b.TTL }) {
		return
	}
	if z.names[name] = sets; len(sets) == 0 {
		delete(z.names, name)
	}
	z.listed = nil
}

// apply makes the changes of one unit, or none of them and returns one error for each.
func (z *zone) apply(name string, limits backend.Limits, unit []backend.Change) []*backend.Error {
	draft := &zone{names: map[string][]backend.RRset{}}
	for _, c := range unit {
		draft.names[c.Key().Name] = z.names[c.Key().Name]
	}
	var refused []*backend.Error
	for _, c := range unit {
		if kind, err := draft.change(name, limits, c); err != nil {
			refused = append(refused, &backend.Error{Kind: kind, Key: c.Key(), Err: err})
		}
	}
	for _, c := range unit {
		if len(refused) == 0 && c.New != nil && !draft.coherent(c.New.Name) {
			refused = append(refused, &backend.Error{Kind: backend.Conflict, Key: c.Key(), Err: backend.ErrAlone})
		}
	}
	if len(refused) > 0 {
		return alsoRefused(unit, refused)
	}
	for _, c := range unit {
		z.replace(c.Key().Name, draft.names[c.Key().Name])
	}
	return nil
}

// coherent reports whether a CNAME, if the name has one, is alone.
func (z *zone) coherent(name string) bool {
	sets := z.names[name]
	return len(sets) < 2 || !slices.ContainsFunc(sets, func(r backend.RRset) bool { return r.Type == "CNAME" })
}

func (z *zone) change(name string, limits backend.Limits, c backend.Change) (backend.Kind, error) {
	if c.New != nil {
		wanted := *c.New
		wanted.TTL = limits.Clamp(wanted.TTL)
		c.New = &wanted
		if err := limits.Check(name, wanted); err != nil {
			return backend.Rejected, err
		}
	}
	write, err := backend.Decide(z.get(c.Key()), c)
	if write {
		z.set(c.Key(), c.New)
	}
	return backend.Conflict, err
}

// alsoRefused adds an error for each change of the unit that is not among the refused itself.
func alsoRefused(unit []backend.Change, refused []*backend.Error) []*backend.Error {
	guilty := refused[0]
	all := refused
	for _, c := range unit {
		if !slices.ContainsFunc(refused, func(e *backend.Error) bool { return e.Key == c.Key() }) {
			all = append(all, &backend.Error{Kind: guilty.Kind, Key: c.Key(), Err: fmt.Errorf(
				"not changed, because %s is refused", guilty.Key)})
		}
	}
	return all
}
