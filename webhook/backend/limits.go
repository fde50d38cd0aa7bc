package backend

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits is what a service can store, as data: it decides what is published, what the conformance
// suite asks, and what the feature table in the documentation says.
type Limits struct {
	Types      []string          // record types that can be written, sorted
	Missing    map[string]string // type → why it cannot be stored, for the types people ask for
	ApexTypes  []string          // types that can stand at the zone's own name; nil: as Types, without CNAME and NS
	Wildcard   bool              // "*.example.org" can be stored and is answered for
	SetIDs     bool              // several RRsets of one name and type, told apart by Key.SetID
	Attrs      []string          // attribute names that are stored and returned; AnyAttr: whatever is given
	MinTTL     time.Duration     // lowest TTL; lower ones are raised
	MaxTTL     time.Duration     // highest TTL; higher ones are lowered. 0: 2147483647 s (RFC 2181 §8)
	DefaultTTL time.Duration     // for RRsets that ask for none
	MaxValues  int               // values in one RRset; 0: no limit
	MaxText    int               // bytes in one TXT value, over all its strings; 0: 65,000
	Atomic     Atomicity         // how much changes in one step
	MaxBatch   int               // changes in one step; 0: no fixed number

	// Refuse says why an RRset that passes everything above cannot be stored all the same: what no
	// number expresses, an empty text for example. Nil refuses nothing. Check calls it last.
	Refuse func(zone string, r RRset) error
}

// AnyAttr in Limits.Attrs says that the backend hands on every attribute, because another one decides.
const AnyAttr = "*"

// HasAttr reports whether an attribute of this name is stored.
func (l Limits) HasAttr(name string) bool {
	return slices.Contains(l.Attrs, name) || slices.Contains(l.Attrs, AnyAttr)
}

// Atomicity is how much a service changes in one step.
type Atomicity string

const (
	// AtomicRRset: each RRset by itself.
	AtomicRRset Atomicity = "rrset"
	// AtomicUnit: all changes of one Unit.
	AtomicUnit Atomicity = "unit"
	// AtomicBatch: all changes of one request to the service.
	AtomicBatch Atomicity = "batch"
)

// MaxTTL is the highest TTL DNS knows (RFC 2181 §8).
const MaxTTL = (1<<31 - 1) * time.Second

// Clamp returns the TTL the service would store when asked for ttl: the default for 0 and below, else
// the nearest one in range, in whole seconds and at least one. Clamping again changes nothing.
func (l Limits) Clamp(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		ttl = l.DefaultTTL
	}
	if ttl > 0 {
		ttl = max(ttl.Truncate(time.Second), time.Second) // less than one would turn into "the default"
	}
	high := l.MaxTTL
	if high == 0 {
		high = MaxTTL
	}
	return max(l.MinTTL, min(ttl, high))
}

// Check says why the RRset cannot be stored in the zone, or nil. It does not look at the zone's
// content.
func (l Limits) Check(zone string, r RRset) error {
	switch {
	case !InZone(r.Name, zone):
		return fmt.Errorf("the name is not in zone %s", zone)
	case !slices.Contains(l.Types, r.Type):
		if why := l.Missing[r.Type]; why != "" {
			return fmt.Errorf("type %s cannot be stored: %s", r.Type, why)
		}
		return fmt.Errorf("type %s cannot be stored; possible are %s", r.Type, strings.Join(l.Types, ", "))
	case r.Name == zone && l.ApexTypes == nil && r.Type == "CNAME":
		return fmt.Errorf("a CNAME cannot stand at the zone's own name (RFC 1034 §3.6.2); use addresses")
	case r.Name == zone && l.ApexTypes == nil && r.Type == "NS":
		return fmt.Errorf("the NS records at the zone's own name belong to the zone, not to its users")
	case r.Name == zone && l.ApexTypes != nil && !slices.Contains(l.ApexTypes, r.Type):
		return fmt.Errorf("type %s cannot stand at the zone's own name; possible are %s", r.Type, strings.Join(l.ApexTypes, ", "))
	case strings.HasPrefix(r.Name, "*.") && !l.Wildcard:
		return fmt.Errorf("wildcard names cannot be stored")
	case r.SetID != "" && !l.SetIDs:
		return fmt.Errorf("set identifiers cannot be stored")
	case len(r.Values) == 0:
		return fmt.Errorf("no values")
	case l.MaxValues > 0 && len(r.Values) > l.MaxValues:
		return fmt.Errorf("%d values, at most %d can be stored", len(r.Values), l.MaxValues)
	case r.Type == "CNAME" && len(r.Values) > 1:
		return fmt.Errorf("a CNAME has one value, not %d (RFC 2181 §10.1)", len(r.Values))
	case r.Alias() && len(r.Values) > 1:
		return fmt.Errorf("an alias has one value, not %d", len(r.Values))
	}
	for a := range r.Attrs {
		if !l.HasAttr(a) {
			return fmt.Errorf("property %q cannot be stored", a)
		}
	}
	if r.Type == "TXT" {
		limit := l.MaxText
		if limit == 0 {
			limit = 65000
		}
		for _, v := range r.Values {
			if len(v) > limit {
				return fmt.Errorf("a text of %d bytes, at most %d can be stored", len(v), limit)
			}
		}
	}
	if l.Refuse != nil {
		return l.Refuse(zone, r)
	}
	return nil
}
