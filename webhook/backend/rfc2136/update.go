package rfc2136

import (
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// unit is the changes that stand or fall together.
type unit struct {
	changes []backend.Change
	tries   int // how often it was decided on a fresh copy of the zone
}

// at returns the unit's change of a name and type, nil when it has none.
func (u *unit) at(name, typ string) *backend.Change {
	for i := range u.changes {
		if k := u.changes[i].Key(); k.Name == name && k.Type == typ {
			return &u.changes[i]
		}
	}
	return nil
}

// add appends a change. One that follows another of the same RRset continues it.
func (u *unit) add(c backend.Change) {
	i := slices.IndexFunc(u.changes, func(before backend.Change) bool { return before.Key() == c.Key() })
	switch {
	case i < 0:
		u.changes = append(u.changes, c)
	case u.changes[i].Old == nil && c.New == nil:
		u.changes = slices.Delete(u.changes, i, i+1)
	default:
		u.changes[i].New = c.New
	}
}

// encode appends the unit to an UPDATE message: prerequisites that hold exactly when every RRset is what
// Old says, and the changes. The changes are deletions first: a server ignores a record that would stand
// beside a CNAME, or a CNAME beside others, without a word (RFC 2136 §3.4.2.2). Only the zone's own NS
// records come before others go: it does not let go of the last one (§3.4.2.4).
func (u *unit) encode(m *wire.Update, held *copied, sc *scope) error {
	for i, c := range u.changes {
		t, _ := wire.TypeOf(c.Key().Type)
		if c.Old == nil {
			u.requireRoom(m, i, t, sc)
			continue
		}
		if u.tries > 1 && foldTogether(c.Old.Values) {
			// PowerDNS compares texts without their case and so never finds such a set to be itself.
			m.RequireSome(c.Old.Name, t)
		} else if err := requireOld(m, t, c.Old, held); err != nil {
			return err
		}
		if !ownNS(m.Zone(), c.Old.Name, t) {
			m.DeleteRRset(c.Old.Name, t)
		}
	}
	var data []byte
	for _, c := range u.changes {
		if c.New == nil {
			continue
		}
		t, _ := wire.TypeOf(c.New.Type)
		for _, v := range c.New.Values {
			var err error
			if data, err = wire.AppendData(data[:0], t, v); err != nil {
				return err
			}
			m.Add(c.New.Name, t, uint32(c.New.TTL.Seconds()), data)
		}
		if c.Old != nil && ownNS(m.Zone(), c.New.Name, t) {
			if err := replaceOwnNS(m, c); err != nil {
				return err
			}
		}
	}
	return m.Err()
}

// replaceOwnNS deletes the records that the change takes out of the zone's own NS, one by one, after those
// it puts in. Knot takes the TTL of an RRset from a record that is new in it only, so that one comes and goes.
func replaceOwnNS(m *wire.Update, c backend.Change) error {
	values := slices.DeleteFunc(slices.Clone(c.Old.Values), func(v string) bool { return slices.Contains(c.New.Values, v) })
	if c.Old.TTL != c.New.TTL {
		const passing = "spokedns.invalid"
		data, err := wire.AppendData(nil, wire.NS, passing)
		if err != nil {
			return err
		}
		m.Add(c.New.Name, wire.NS, uint32(c.New.TTL.Seconds()), data)
		values = append(values, passing)
	}
	for _, v := range values {
		data, err := wire.AppendData(nil, wire.NS, v)
		if err != nil {
			return err
		}
		m.DeleteRecord(c.Old.Name, wire.NS, data)
	}
	return nil
}

// requireOld demands that the RRset holds exactly the values.
func requireOld(m *wire.Update, t wire.Type, old *backend.RRset, held *copied) error {
	if held != nil {
		if unusual := held.unusual[key{old.Name, t}]; unusual != nil && held.find(old.Name, t).Same(old) {
			for _, data := range unusual {
				m.RequireRecord(old.Name, t, data)
			}
			return nil
		}
	}
	var data []byte
	for _, v := range old.Values {
		var err error
		if data, err = wire.AppendData(data[:0], t, v); err != nil {
			return err
		}
		m.RequireRecord(old.Name, t, data)
	}
	return nil
}

// foldTogether reports whether two of the values differ in nothing but case.
func foldTogether(values []string) bool {
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		v = strings.ToLower(v)
		if seen[v] {
			return true
		}
		seen[v] = true
	}
	return false
}

// requireRoom demands that nothing stands where the unit's i-th change creates an RRset: neither another
// RRset of its type, nor a CNAME beside others.
func (u *unit) requireRoom(m *wire.Update, i int, t wire.Type, sc *scope) {
	name := u.changes[i].Key().Name
	here := func(c backend.Change) bool { return c.Key().Name == name && c.Old == nil }
	first := slices.IndexFunc(u.changes, here) == i
	alone := !slices.ContainsFunc(u.changes, func(c backend.Change) bool { return c.Key().Name == name && c.Old != nil })
	switch {
	case alone && (t == wire.CNAME || u.tries == 0 && name != m.Zone()):
		// At first a new record is believed to be of a new name. One prerequisite says so, where each type
		// would need its own; if the belief is wrong, the unit comes back to be decided on.
		if first {
			m.RequireUnused(name)
		}
	case t == wire.CNAME:
		for _, other := range sc.types {
			if u.at(name, other.String()) == nil || other == t {
				m.RequireNone(name, other)
			}
		}
	default:
		m.RequireNone(name, t)
		if first && u.at(name, "CNAME") == nil {
			m.RequireNone(name, wire.CNAME)
		}
	}
}
