package chain

import (
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
)

// ground is what changes are judged by: what stands at the names they are about.
type ground struct {
	zone   string
	limits backend.Limits
	filter *filter
	odd    map[backend.Key]string
	names  map[string]map[backend.Key]*backend.RRset
}

// write is a change that is still to be made, and what stands in its place.
type write struct {
	backend.Change
	current *backend.RRset
}

// unit is the changes that stand or fall together.
type unit struct {
	name    string
	changes []backend.Change
	writes  []write // those still to be made
	// sent is what stood in the place of each write when it was sent first. Some providers delete before
	// they create, and may stop in between.
	sent map[backend.Key]*backend.RRset
}

// groundOf takes what stands at the names of the changes out of a listing.
func (b *Backend) groundOf(zone string, f *filter, c content, all []backend.Change) *ground {
	g := &ground{zone: zone, limits: b.limits, filter: f, odd: c.odd, names: make(map[string]map[backend.Key]*backend.RRset, len(all))}
	for _, change := range all {
		g.names[change.Key().Name] = nil
	}
	sets := c.zone(zone)
	for i := range sets {
		at, asked := g.names[sets[i].Name]
		if !asked {
			continue
		}
		if at == nil {
			at = map[backend.Key]*backend.RRset{}
			g.names[sets[i].Name] = at
		}
		at[sets[i].Key] = &sets[i]
	}
	return g
}

// judge finds what of a unit is still to be made. What must not be made refuses the unit as a whole, with
// an error for each of its changes.
func (g *ground) judge(u *unit) []*backend.Error {
	u.writes = nil
	var refused []*backend.Error
	for i := range u.changes {
		c := &u.changes[i]
		current := g.names[c.Key().Name][c.Key()]
		needed, kind, err := g.decide(c, current)
		if _, ours := u.sent[c.Key()]; err != nil && ours && current == nil && c.New != nil {
			needed, err = true, nil // it was deleted to be replaced
		}
		if err != nil {
			refused = append(refused, &backend.Error{Kind: kind, Key: c.Key(), Err: err})
		} else if needed {
			u.writes = append(u.writes, write{*c, current})
		}
	}
	if len(refused) == 0 {
		for _, w := range u.writes {
			if w.New != nil && !g.coherent(u, w.New.Name) {
				refused = append(refused, &backend.Error{Kind: backend.Conflict, Key: w.Key(), Err: backend.ErrAlone})
			}
		}
	}
	if len(refused) == 0 {
		return nil
	}
	u.writes = nil
	guilty := refused[0]
	for _, c := range u.changes {
		if !names(refused, c.Key()) {
			refused = append(refused, &backend.Error{Kind: guilty.Kind, Key: c.Key(), Err: fmt.Errorf("not changed, because %s is refused", guilty.Key)})
		}
	}
	return refused
}

func names(errs []*backend.Error, key backend.Key) bool {
	for _, e := range errs {
		if e.Key == key {
			return true
		}
	}
	return false
}

// decide judges one change.
func (g *ground) decide(c *backend.Change, current *backend.RRset) (needed bool, kind backend.Kind, err error) {
	if c.New != nil {
		wanted := *c.New
		wanted.TTL = g.limits.Clamp(wanted.TTL)
		c.New = &wanted
		if err := g.limits.Check(g.zone, wanted); err != nil {
			return false, backend.Rejected, err
		}
	}
	if why := g.odd[c.Key()]; why != "" {
		return false, backend.Conflict, fmt.Errorf("what stands there cannot be read: %s; left untouched", why)
	}
	needed, err = backend.Decide(current, *c)
	if needed && !g.filter.matches(c.Key().Name) {
		return false, backend.Rejected, errors.New("the other webhook's domain filter leaves the name out")
	}
	return needed, backend.Conflict, err
}

// coherent reports whether a CNAME, if the name has one after the unit's writes, is the only type there.
func (g *ground) coherent(u *unit, name string) bool {
	after := map[backend.Key]bool{}
	for key := range g.names[name] {
		after[key] = true
	}
	for _, w := range u.writes {
		if w.Key().Name == name {
			after[w.Key()] = w.New != nil
		}
	}
	aliases, others := 0, 0
	for key, stands := range after {
		switch {
		case !stands:
		case key.Type == "CNAME":
			aliases++
		default:
			others++
		}
	}
	return aliases == 0 || others == 0
}

// swaps reports whether a CNAME comes or goes beside other changes of its name.
func (u *unit) swaps() bool {
	if len(u.writes) < 2 {
		return false
	}
	at := map[string]int{}
	for _, w := range u.writes {
		at[w.Key().Name]++
	}
	for _, w := range u.writes {
		if w.Key().Type == "CNAME" && (w.current == nil) != (w.New == nil) && at[w.Key().Name] > 1 {
			return true
		}
	}
	return false
}

// request is the writes of units as the protocol has them. What goes or is replaced is named as it stands,
// because that is what the other webhook knows.
func request(units []*unit) changes {
	var out changes
	for _, u := range units {
		for _, w := range u.writes {
			switch {
			case w.current == nil:
				out.Create = append(out.Create, w.endpoint(w.New))
			case w.New == nil:
				out.Delete = append(out.Delete, w.endpoint(w.current))
			default:
				out.UpdateOld = append(out.UpdateOld, w.endpoint(w.current))
				out.UpdateNew = append(out.UpdateNew, w.endpoint(w.New))
			}
		}
	}
	return out
}

// remember keeps what stands in the place of writes that are about to be sent.
func (u *unit) remember() {
	if u.sent == nil {
		u.sent = make(map[backend.Key]*backend.RRset, len(u.writes))
	}
	for _, w := range u.writes {
		if _, before := u.sent[w.Key()]; !before {
			u.sent[w.Key()] = w.current
		}
	}
}

// lost is what stood in the place of the unit's writes before, and does not any more: to be put back.
func (u *unit) lost() []write {
	var back []write
	for _, w := range u.writes {
		if before := u.sent[w.Key()]; before != nil && w.current == nil && w.New != nil {
			back = append(back, write{Change: backend.Change{New: before, Unit: w.Unit}})
		}
	}
	return back
}

// endpoint tells the other webhook which record an ownership text is for, as external-dns does.
func (w *write) endpoint(r *backend.RRset) endpoint {
	e := endpointOf(r)
	if r.Type == "TXT" && w.Unit != "" && w.Unit != r.Name {
		e.Labels.OwnedRecord = w.Unit
	}
	return e
}
