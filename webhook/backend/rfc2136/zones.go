package rfc2136

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Zones is one server, primary or secondary, as somebody sees it who looks after whole zones: SOA and the
// zone's own NS records are RRsets like others, and every type with a name is spoken that servers do not make
// themselves.
//
// Zone names are canonical. Values are as backend.Canonical has them, and beyond its types as Presentation
// has them. It is safe for concurrent use; one zone is transferred or changed by one caller at a time.
type Zones struct {
	server *server
	limits backend.Limits
	scope  *scope
	line   *line
	kept   chan struct{} // holds a token for each connection that is kept for a zone

	mu       sync.Mutex
	sessions map[string]*session
	asked    string // the zone that SOA asked for last; the root at first
}

// maxKept is how many connections are kept for transfers and updates: a server has few for all its clients,
// and the zones that change all the time are few.
const maxKept = 8

// NewZones returns the server that the configuration names; it has to be exactly one. It reads the files
// that the configuration names, and reports what is wrong with it as *setting.Error values; it does not
// connect.
func NewZones(c Config) (*Zones, error) {
	servers, err := c.open()
	if err != nil {
		return nil, err
	}
	if len(servers) > 1 {
		return nil, &setting.Error{Field: "servers", Value: fmt.Sprintf("%q", c.Servers), Want: "want exactly one server as host:port"}
	}
	sc := wholeScope()
	return &Zones{
		server: servers[0], limits: wholeLimits(c, sc), scope: sc, line: newLine(servers[0]),
		kept: make(chan struct{}, maxKept), sessions: map[string]*session{}, asked: ".",
	}, nil
}

// wholeLimits are what a zone can hold for those who look after it.
func wholeLimits(c Config, sc *scope) backend.Limits {
	l := limits(c)
	l.Types, l.ApexTypes, l.Missing = nil, nil, map[string]string{}
	for t := range dns.TypeToString {
		if t := wire.Type(t); madeByServer(t) {
			l.Missing[t.String()] = "servers make it themselves, or it does not stand in zones"
		}
	}
	for _, t := range sc.types {
		name := t.String()
		l.Types = append(l.Types, name)
		if name != "CNAME" {
			l.ApexTypes = append(l.ApexTypes, name)
		}
	}
	return l
}

// Transfer returns the whole zone, its SOA and own NS records included, without what servers make
// themselves: signatures, the chain of names, keys and what is derived of them. A copy is kept, and later
// calls transfer what changed; the same slice is returned when nothing did, and nobody modifies it.
func (z *Zones) Transfer(ctx context.Context, zone string) ([]backend.RRset, SOA, error) {
	var sets []backend.RRset
	var soa SOA
	err := z.with(ctx, zone, func(s *session) error {
		err := s.refresh(ctx)
		if err == nil {
			sets, soa = s.copy.sets, soaOf(s.copy.version)
		}
		return err
	})
	if err != nil {
		return nil, SOA{}, z.failed(opList, zone, err)
	}
	return sets, soa, nil
}

// Apply makes the changes as backend.Backend has it, to the SOA and the zone's own NS records, too, which can
// be changed but not deleted. A change of the SOA stands by itself: it is about everything but the serial, and
// what is written gets one that wins and is at least what New asks for.
func (z *Zones) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	authority, rest, errs := z.separate(zone, changes)
	var units []*unit
	for _, changes := range backend.Units(rest) {
		permitted, v := permit(z.limits, zone, changes)
		if v == nil {
			v = keepsNS(zone, permitted)
		}
		if v != nil {
			errs = append(errs, v.errors(zone, changes)...)
			continue
		}
		if len(permitted) > 0 {
			units = append(units, &unit{changes: permitted})
		}
	}
	if len(units)+len(authority) == 0 {
		return errors.Join(errs...)
	}
	begun := false
	err := z.with(ctx, zone, func(s *session) error {
		begun = true
		errs := []error{s.apply(ctx, units)}
		for _, a := range authority {
			if err := s.applyAuthority(ctx, a); err != nil {
				kind := kindOf(err)
				if errors.Is(err, backend.ErrConflict) {
					kind = backend.Conflict
				}
				errs = append(errs, a.failure(kind, zone, s.explain(err)))
			}
		}
		return errors.Join(errs...)
	})
	if !begun {
		err = backend.Unfinished(ctx, opUpdate, zone, changes, 0)
	}
	return errors.Join(append(errs, err)...)
}

// separate takes the changes of the SOA out.
func (z *Zones) separate(zone string, changes []backend.Change) (authority []authorityChange, rest []backend.Change, errs []error) {
	for _, c := range changes {
		if c.Key().Type != "SOA" {
			rest = append(rest, c)
			continue
		}
		a, err := readAuthorityChange(zone, c)
		if err != nil {
			errs = append(errs, a.failure(backend.Rejected, zone, err))
			continue
		}
		a.ttl = uint32(z.limits.Clamp(c.New.TTL).Seconds())
		authority = append(authority, a)
	}
	return authority, rest, errs
}

// keepsNS refuses a unit that takes the zone's own NS records away.
func keepsNS(zone string, changes []backend.Change) *verdict {
	for _, c := range changes {
		if t, _ := wire.TypeOf(c.Key().Type); c.New == nil && ownNS(zone, c.Key().Name, t) {
			return &verdict{c.Key(), backend.Rejected, errNSDeleted}
		}
	}
	return nil
}

// with hands the zone's session to use, which may have connected it.
func (z *Zones) with(ctx context.Context, zone string, use func(*session) error) error {
	z.mu.Lock()
	s, ok := z.sessions[zone]
	if !ok {
		s = newSession(z.server, zone, z.scope)
		z.sessions[zone] = s
	}
	z.mu.Unlock()
	if err := s.acquire(ctx); err != nil {
		return err
	}
	defer s.release()
	defer z.keep(s)
	return use(s)
}

// keep closes the session's connection when there are enough others, and frees its buffers: they hold more
// than most zones.
func (z *Zones) keep(s *session) {
	switch {
	case s.conn == nil && s.kept:
		<-z.kept
		s.kept = false
	case s.conn != nil && !s.kept:
		select {
		case z.kept <- struct{}{}:
			s.kept = true
		default:
			s.close()
			s.in, s.out, s.buf = nil, nil, nil
		}
	}
}

// Forget drops what is kept of a zone, which nobody looks after any more.
func (z *Zones) Forget(zone string) {
	z.mu.Lock()
	s := z.sessions[zone]
	delete(z.sessions, zone)
	z.mu.Unlock()
	z.hangUp(s)
}

// Close ends the connections. The server can still be used; it is connected to again.
func (z *Zones) Close() error {
	z.mu.Lock()
	sessions := make([]*session, 0, len(z.sessions))
	for _, s := range z.sessions {
		sessions = append(sessions, s)
	}
	z.mu.Unlock()
	for _, s := range sessions {
		z.hangUp(s)
	}
	z.line.close()
	return nil
}

func (z *Zones) hangUp(s *session) {
	if s != nil && s.acquire(context.Background()) == nil {
		s.close()
		z.keep(s)
		s.release()
	}
}
