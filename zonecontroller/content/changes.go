package content

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// ErrNotOurs is the cause of a conflict with something in DNS that no object has made.
var ErrNotOurs = errors.New("it is not ours and left untouched")

// Owned is a conflict with external-dns: its ownership TXT says that a record is its own.
type Owned struct {
	Key   backend.Key // the record
	Text  string      // name of the TXT record
	Owner string      // the --txt-owner-id
}

// Error says whose it is, and what to do.
func (o *Owned) Error() string {
	return fmt.Sprintf("%s belongs to external-dns %q by the TXT record at %s and is left untouched: want it out of external-dns, or the DNSRecord deleted", o.Key, o.Owner, o.Text)
}

// Changes is what has to be done to a server that holds live for it to hold wanted: RRsets of both Zone and Records, with
// the canonical values that live has, too. ours tells which RRsets are known to have been made by us, wanted or not; the NS
// records of the zone itself always are. The SOA is left out, see the function of that name.
//
//   - What is wanted is made; where something else stands, it is changed if it is ours and is a conflict if not. What
//     stands exactly as wanted is left as it is, and is no conflict.
//   - What is ours and not wanted is deleted; NS records of the zone itself never are.
//   - NS records below the zone's own name that would delegate away what others have are a conflict, unless they are ours.
//   - What the ownership TXT of external-dns stands for is a conflict, made by us or not, wanted or not. An ownership
//     TXT that is itself ours, or wanted, speaks for nobody.
//   - Nothing else is touched.
//
// A conflict under a key that is not wanted means: it is not ours any more, and can be forgotten.
//
// The order is one in which a server can check after every name: addresses before what points to them, deletions last. All
// changes of a name are in one unit.
func Changes(wanted []backend.RRset, ours func(backend.Key) bool, live []backend.RRset) ([]backend.Change, map[backend.Key]error) {
	d := &difference{
		wanted: byKey(wanted), live: byKey(live), conflicts: map[backend.Key]error{}, stays: map[string][]backend.Key{},
	}
	d.apex = apexOf(wanted, live)
	d.ours = func(k backend.Key) bool { return d.isApex(k) || ours(k) }
	d.owners = readOwners(live, func(k backend.Key) bool { return d.wanted[k] != nil || d.ours(k) })
	for i := range live {
		d.keepOrDelete(&live[i])
	}
	for i := range wanted {
		d.want(&wanted[i])
	}
	slices.SortStableFunc(d.changes, func(a, b backend.Change) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		return compareKeys(a.Key(), b.Key())
	})
	return d.changes, d.conflicts
}

// difference is the work of Changes.
type difference struct {
	apex         string
	wanted, live map[backend.Key]*backend.RRset
	ours         func(backend.Key) bool
	owners       *owners
	stays        map[string][]backend.Key // by name: what stands and will, though nobody wants it
	below        map[string][]backend.Key // the same by its name and all names above it, made when it is needed

	changes   []backend.Change
	conflicts map[backend.Key]error
}

// isApex reports whether a key is of the zone's own SOA or NS records.
func (d *difference) isApex(k backend.Key) bool {
	return k.Type == "SOA" || k.Type == "NS" && k.Name == d.apex
}

// keepOrDelete decides on what stands and is not wanted.
func (d *difference) keepOrDelete(set *backend.RRset) {
	if d.wanted[set.Key] != nil || d.isApex(set.Key) {
		return
	}
	if !d.ours(set.Key) {
		d.stays[set.Name] = append(d.stays[set.Name], set.Key)
		return
	}
	if owned := d.owners.of(set.Key); owned != nil {
		d.conflicts[set.Key] = owned
		d.stays[set.Name] = append(d.stays[set.Name], set.Key)
		return
	}
	d.changes = append(d.changes, backend.Change{Old: set})
}

// want decides on what is wanted.
func (d *difference) want(set *backend.RRset) {
	if set.Type == "SOA" {
		return
	}
	there := d.live[set.Key]
	if !d.isApex(set.Key) {
		if owned := d.owners.of(set.Key); owned != nil {
			d.conflicts[set.Key] = owned
			return
		}
		for _, other := range d.stays[set.Name] {
			if other.Type == "CNAME" || set.Type == "CNAME" {
				d.conflicts[set.Key] = fmt.Errorf("%s stands at the name, a CNAME stands alone (RFC 1034 §3.6.2): %w; want it deleted in DNS, or the DNSRecord", other, ErrNotOurs)
				return
			}
		}
	}
	switch {
	case there == nil:
		if lost := d.cutOff(set); lost != nil {
			d.conflicts[set.Key] = fmt.Errorf("NS records at %s would delegate away %s, which stands in DNS (RFC 1034 §4.2.1): %w; want it deleted in DNS, or the DNSRecord", set.Name, lost, ErrNotOurs)
			return
		}
		d.changes = append(d.changes, backend.Change{New: set})
	case there.Same(set) && there.TTL == set.TTL:
	case there.Same(set) || d.ours(set.Key):
		d.changes = append(d.changes, backend.Change{Old: there, New: set})
	default:
		d.conflicts[set.Key] = fmt.Errorf("%s stands in DNS with %s: %w; want it deleted in DNS, or exactly these values in the DNSRecord to take it over", set.Key, someOf(there.Values), ErrNotOurs)
	}
}

// cutOff is something of others that nobody would be answered with any more below new NS records; nil when there is nothing.
// The addresses of the servers that they name, and DS records beside them, belong to a delegation.
func (d *difference) cutOff(set *backend.RRset) *backend.Key {
	if set.Type != "NS" || d.ours(set.Key) {
		return nil
	}
	if d.below == nil {
		d.below = map[string][]backend.Key{}
		for name, keys := range d.stays {
			for above := range upward(name, d.apex) {
				d.below[above] = append(d.below[above], keys...)
			}
		}
	}
	var first *backend.Key
	for _, k := range d.below[set.Name] {
		glue := (k.Type == "A" || k.Type == "AAAA") && slices.Contains(set.Values, k.Name)
		if glue || k.Type == "DS" && k.Name == set.Name || first != nil && compareKeys(*first, k) < 0 {
			continue
		}
		first = &k
	}
	return first
}

// rank is the place of a change among others.
func rank(c backend.Change) int {
	switch t := c.Key().Type; {
	case c.New == nil:
		return 2
	case t == "A" || t == "AAAA":
		return 0
	}
	return 1
}

func byKey(sets []backend.RRset) map[backend.Key]*backend.RRset {
	m := make(map[backend.Key]*backend.RRset, len(sets))
	for i := range sets {
		m[sets[i].Key] = &sets[i]
	}
	return m
}

// apexOf is the name of the zone: that of its SOA, else of the highest NS records.
func apexOf(lists ...[]backend.RRset) string {
	apex := ""
	for _, sets := range lists {
		for i := range sets {
			switch set := &sets[i]; {
			case set.Type == "SOA":
				return set.Name
			case set.Type == "NS" && (apex == "" || len(set.Name) < len(apex)):
				apex = set.Name
			}
		}
	}
	return apex
}

// someOf shows values, a few.
func someOf(values []string) string {
	const few = 3
	if len(values) > few {
		return fmt.Sprintf("%q and %d more", values[:few], len(values)-few)
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%q", values)), " ")
}
