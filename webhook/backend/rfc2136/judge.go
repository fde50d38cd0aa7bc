package rfc2136

import (
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

var errHidden = errors.New("something stands at the name that the zone transfer does not show, or changes all the time; left untouched")

// verdict is an error about one RRset of a unit; the whole unit is left as it is.
type verdict struct {
	key  backend.Key
	kind backend.Kind
	err  error
}

// permit says whether the zone can take the unit at all, before anything is sent. It returns the changes
// with their TTLs clamped, one for each RRset: a deletion and a creation of the same one replace it.
func permit(l backend.Limits, zone string, changes []backend.Change) ([]backend.Change, *verdict) {
	u := unit{changes: make([]backend.Change, 0, len(changes))}
	for _, c := range changes {
		if c.New != nil {
			if ttl := l.Clamp(c.New.TTL); ttl != c.New.TTL {
				wanted := *c.New
				wanted.TTL = ttl
				c.New = &wanted
			}
			if err := l.Check(zone, *c.New); err != nil {
				return nil, &verdict{c.Key(), backend.Rejected, err}
			}
		}
		if c.Old != nil {
			if err := storable(l, zone, c.Old.Key); err != nil {
				return nil, &verdict{c.Key(), backend.Rejected, err}
			}
		}
		u.add(c)
	}
	for _, c := range u.changes {
		if alias := u.at(c.Key().Name, "CNAME"); c.New != nil && c.New.Type != "CNAME" && alias != nil && alias.New != nil {
			return nil, &verdict{c.Key(), backend.Conflict, backend.ErrAlone}
		}
	}
	return u.changes, nil
}

// storable says whether an RRset can stand in the zone at all; its values are the server's business.
func storable(l backend.Limits, zone string, k backend.Key) error {
	return l.Check(zone, backend.RRset{Key: k, Values: []string{""}})
}

// judge decides the unit on what stands in the copy. It returns the changes still to be made, with Old
// as it stands; none when all is done.
func judge(u *unit, held *copied) ([]backend.Change, *verdict) {
	var todo []backend.Change
	for _, c := range u.changes {
		k := c.Key()
		t, _ := wire.TypeOf(k.Type)
		current := held.find(k.Name, t)
		write, err := backend.Decide(current, c)
		if err != nil {
			return nil, &verdict{k, backend.Conflict, err}
		}
		if !write {
			continue
		}
		if current == nil {
			if other := neighbour(u, held, k); other != "" {
				return nil, &verdict{k, backend.Conflict, fmt.Errorf("%s stands there: %w", other, backend.ErrAlone)}
			}
		}
		todo = append(todo, backend.Change{Old: current, New: c.New, Unit: c.Unit})
	}
	return todo, nil
}

// neighbour names the type of an RRset that stands at the name, stays there, and cannot stand beside
// the one to be created; "" when there is none.
func neighbour(u *unit, held *copied, created backend.Key) string {
	for _, t := range held.scope.types {
		other := t.String()
		if (created.Type == "CNAME") == (other == "CNAME") || held.find(created.Name, t) == nil {
			continue
		}
		if c := u.at(created.Name, other); c == nil || c.New != nil {
			return other
		}
	}
	return ""
}
