package rfc2136

import (
	"context"
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// SOA is a zone's start of authority (RFC 1035 §3.3.13): canonical names, times in seconds.
type SOA struct {
	MName, RName                            string
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// ParseSOA reads the value of an SOA RRset.
func ParseSOA(value string) (SOA, error) {
	data, err := wire.AppendData(nil, wire.SOA, value)
	if err != nil {
		return SOA{}, err
	}
	v, err := wire.ReadVersion(data)
	return soaOf(v), err
}

// Value is the value of an SOA RRset, as Presentation returns it.
func (s SOA) Value() string {
	return fmt.Sprintf("%s %s %d %d %d %d %d", dotted(s.MName), dotted(s.RName), s.Serial, s.Refresh, s.Retry, s.Expire, s.Minimum)
}

func dotted(name string) string {
	if name == "." {
		return name
	}
	return name + "."
}

// Newer reports whether the serial comes after another one (RFC 1982 §3.2).
func Newer(serial, than uint32) bool { return int32(serial-than) > 0 }

func soaOf(v wire.Version) SOA {
	return SOA{MName: v.Primary, RName: v.Contact, Serial: v.Serial, Refresh: v.Refresh, Retry: v.Retry, Expire: v.Expire, Minimum: v.Minimum}
}

// Same reports whether both say the same, their serials aside: servers change those with every update.
func (s SOA) Same(o SOA) bool {
	s.Serial = o.Serial
	return s == o
}

// soaRRset is an SOA record as an RRset.
func soaRRset(r *wire.Record) (backend.RRset, error) {
	value, err := r.AppendValue(nil)
	return backend.RRset{Key: backend.Key{Name: r.Name, Type: "SOA"}, TTL: seconds(r.TTL), Values: []string{string(value)}}, err
}

// authorityChange is a change of the SOA, read.
type authorityChange struct {
	key      backend.Key
	old, new SOA
	created  bool // nothing is known of what stands
	ttl      uint32
}

var (
	errSOADeleted = errors.New("a zone is not without an SOA record; remove the zone instead")
	errNSDeleted  = errors.New("a zone is not without name servers (RFC 2136 §3.4.2.4); name at least one")
	errSOAValues  = errors.New("want exactly one value")
	errSOAName    = errors.New("an SOA record stands at the zone's own name only")
)

func readAuthorityChange(zone string, c backend.Change) (a authorityChange, err error) {
	a = authorityChange{key: c.Key(), created: c.Old == nil}
	switch {
	case a.key.Name != zone:
		return a, errSOAName
	case c.New == nil:
		return a, errSOADeleted
	case len(c.New.Values) != 1 || c.Old != nil && len(c.Old.Values) != 1:
		return a, errSOAValues
	}
	if c.Old != nil {
		if a.old, err = ParseSOA(c.Old.Values[0]); err != nil {
			return a, err
		}
	}
	a.new, err = ParseSOA(c.New.Values[0])
	return a, err
}

// failure is why the change was not made.
func (a authorityChange) failure(kind backend.Kind, zone string, err error) error {
	return &backend.Error{Kind: kind, Op: opUpdate, Zone: zone, Key: a.key, Err: err}
}

// decide says what the change means for the SOA that stands: what to write, nothing when all is done, or
// backend.ErrConflict. What stands may have a later serial than was asked for,
// and what is written gets one after what stands.
func (a authorityChange) decide(live SOA, ttl uint32) (write *SOA, err error) {
	same := live.Same(a.new)
	if same && ttl == a.ttl && !Newer(a.new.Serial, live.Serial) {
		return nil, nil
	}
	if !same && (a.created || !live.Same(a.old)) {
		return nil, backend.ErrConflict
	}
	s := a.new
	if !Newer(s.Serial, live.Serial) {
		if s.Serial = live.Serial + 1; s.Serial == 0 { // servers take 0 for none
			s.Serial = 1
		}
	}
	return &s, nil
}

// applyAuthority makes the change and sees that it was made: a server ignores an SOA record whose serial is
// not higher than its own at that moment, without a word (RFC 2136 §3.4.2.2). PowerDNS takes all of it but
// the TTL, which then is not asked for again.
func (s *session) applyAuthority(ctx context.Context, a authorityChange) error {
	message, err := wire.NewUpdate(s.zone)
	if err != nil {
		return err
	}
	for try := range maxTries + 1 {
		live, ttl, err := s.authority(ctx)
		if err != nil {
			return err
		}
		if try > 0 && ttl != a.ttl && soaOf(live).Same(a.new) {
			s.ownTTL = true
		}
		if s.ownTTL {
			ttl = a.ttl
		}
		write, err := a.decide(soaOf(live), ttl)
		if err != nil || write == nil {
			return err
		}
		data, err := wire.AppendData(nil, wire.SOA, write.Value())
		if err != nil {
			return err
		}
		message.Reset()
		message.Add(s.zone, wire.SOA, a.ttl, data)
		code, err := s.send(ctx, message)
		if err != nil {
			return err
		}
		if code != wire.NoError {
			return s.refusal("update", code)
		}
	}
	return errSOAIgnored
}

var errSOAIgnored = errors.New("the server says that it wrote the SOA record, and has another one")
