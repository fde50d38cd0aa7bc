// Package backend owns the contract between the webhook and a DNS service: what an RRset is, how a
// change to one is asked for, and what every service must promise.
//
// A backend is a concrete type built by its package's New(Config); it does no network I/O before its
// first List or Apply. The promises are checked by package backendtest, which every backend passes.
package backend

import (
	"context"
	"slices"
	"time"
)

// Key identifies an RRset.
type Key struct {
	Name  string // lower case, A-labels, no trailing dot; the leftmost label may be "*"
	Type  string // upper case: "A", "TXT", …
	SetID string // tells RRsets of one name and type apart where Limits.SetIDs allows it; else ""
}

// String is the form used in messages: "www.example.org A" or "www.example.org A (blue)".
func (k Key) String() string {
	if k.SetID == "" {
		return k.Name + " " + k.Type
	}
	return k.Name + " " + k.Type + " (" + k.SetID + ")"
}

// RRset is all records of one name and type (RFC 2181 §5), the unit of everything below the wire.
// RRsets are values: nobody modifies one, or its Values or Attrs, after handing it over.
type RRset struct {
	Key
	TTL    time.Duration     // whole seconds; 0 asks for the backend's default
	Values []string          // canonical (see Canonical), sorted, no duplicates, never empty
	Attrs  map[string]string // service-specific properties named in Limits.Attrs; nil when there are none
}

// AttrAlias is the attribute of an alias: "true" on an A or AAAA RRset whose one value is the name that
// the service looks up itself when it answers, as Route 53 does. external-dns calls it so too.
const AttrAlias = "alias"

// Alias reports whether the RRset stands for the addresses of the name that is its value.
func (r *RRset) Alias() bool {
	return (r.Type == "A" || r.Type == "AAAA") && r.Attrs[AttrAlias] == "true"
}

// Same reports whether both hold the same values and attributes. TTLs are not compared.
func (r *RRset) Same(o *RRset) bool {
	if r == nil || o == nil {
		return r == o
	}
	if r.Key != o.Key || !slices.Equal(r.Values, o.Values) || len(r.Attrs) != len(o.Attrs) {
		return false
	}
	for k, v := range r.Attrs {
		if w, ok := o.Attrs[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// Change replaces Old by New. Exactly one of them may be nil: a nil Old creates, a nil New deletes.
// When both are set they have the same Key.
type Change struct {
	Old, New *RRset
	// Unit names what stands or falls together: the changes of one Apply with the same Unit are made in
	// one step where the service can, and a refusal of one refuses the others. The portable layer puts a
	// name's records and their ownership TXT records into one Unit. Empty means the record's own name.
	Unit string
}

// Key is the key of the RRset the change is about.
func (c Change) Key() Key {
	if c.New != nil {
		return c.New.Key
	}
	return c.Old.Key
}

// Group returns the unit of the change: Unit, or the record's own name.
func (c Change) Group() string {
	if c.Unit != "" {
		return c.Unit
	}
	return c.Key().Name
}

// Backend is one DNS service holding the zones of a view. It is safe for concurrent use.
//
// Zone names are canonical like record names; every RRset is at or below its zone's name.
type Backend interface {
	// Limits says what the service can store. It is constant for the life of the backend.
	Limits() Limits

	// List returns every RRset of the zone that Limits can express, or an error; never a part. SOA and
	// the apex NS, which belong to the zone and not to its users, are left out. RRsets of types outside
	// Limits are left out too and stay untouched. The order is unspecified.
	//
	// The caller does not modify what it gets. A zone that did not change since the last call may be
	// answered with the very same slice, which callers use to skip work.
	List(ctx context.Context, zone string) ([]RRset, error)

	// Apply makes the changes. It is idempotent: repeating a call whose answer was lost succeeds and
	// changes nothing. An RRset that matches neither Old nor New is a Conflict and stays untouched (see
	// Decide). A failed unit never stops another one; the error names every RRset that failed, as
	// *Error values (see Errors), or, when the zone as a whole could not be changed, the zone in one
	// *Error with a zero Key. There is no moment in which a name that had records before and has some
	// after answers with none.
	//
	// When ctx ends, Apply stops between units: what is done is durable, and the rest is reported as
	// Temporary, so that the next call can carry on.
	Apply(ctx context.Context, zone string, changes []Change) error
}

// Adjuster is implemented by backends whose service has a form of its own for what is asked of it: it
// fills in defaults, turns one RRset into others, or does not take it. The portable layer asks before
// anything is planned, so that a second run finds nothing to do.
type Adjuster interface {
	// Adjust returns the RRsets in the form in which List will return them once they are applied. Each
	// result belongs to the one asked for under the same name and set identifier. It is idempotent. TTLs
	// of 0 stay 0. What the service will not take is left out of the result and named by a Rejected
	// *Error; an error of any other kind, or without a Key, means that nothing can be said at all.
	Adjust(ctx context.Context, zone string, sets []RRset) ([]RRset, error)
}

// Closer is implemented by backends that hold connections or goroutines.
type Closer interface{ Close() error }
