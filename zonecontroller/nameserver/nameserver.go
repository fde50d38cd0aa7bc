// Package nameserver owns one DNS server as a home of zones: what it serves, and how a zone comes to it,
// is kept as wished, is filled again after a loss, and goes.
//
// What it finds decides, not what it remembers: every call may be cut at any point and be made again, by
// another process, too. A zone that was not made here is never changed and never deleted.
package nameserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/knot"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/rndc"
	"github.com/spokedns/spokedns/zonecontroller/nameserver/seed"
)

const defaultTimeout = 20 * time.Second

// Config is a server and how it is spoken to.
type Config struct {
	Name            string // for messages
	Role            v1alpha1.Role
	Address         string      // host:port for DNS
	TransferAddress string      // host:port for other servers; empty: Address
	TSIG            keyfile.Key // signs updates and transfers; zero: none
	Control         Control
	Timeout         time.Duration // of one step: a command, a transfer; 0: 20 s
	Seed            *seed.Server  // gives zones their first content; only primaries with a control need it
}

// Control is how zones are made on the server: at most one is set. Without one they are made elsewhere.
type Control struct {
	RNDC    *RNDC
	Knot    *Knot
	Catalog string // the catalog zone that a secondary follows (RFC 9432)
}

// RNDC is BIND's control channel.
type RNDC struct {
	Address string // host:port
	Key     keyfile.Key
	View    string // in which zones are made; empty: the only one
}

// Knot is Knot's control socket.
type Knot struct {
	Socket  string // path
	Program string // of the control tool; empty: knotc
}

// Endpoint is a server that zones are fetched from.
type Endpoint struct {
	Addr string      // host:port
	Key  keyfile.Key // that signs the transfer; zero: none
}

// ZoneConfig is a zone as it should be on a server.
type ZoneConfig struct {
	Zone          string
	Primaries     []Endpoint // a secondary fetches the zone from them
	AllowTransfer []string   // addresses, networks and host names that may transfer it; who knows TSIG may anyway
	AlsoNotify    []string   // addresses and host names, with a port or without, that are told of changes
	DNSSECPolicy  string     // that the server knows; empty: not signed
	// Floor is the highest serial that the server was seen with, 0 when none was: a primary that serves a
	// lower one lost content and is filled again.
	Floor uint32
}

// Content gives the whole content of a zone, with its SOA and NS, its serial above Floor.
type Content func(ctx context.Context) ([]backend.RRset, error)

// State is what a server does with a zone.
type State struct {
	Is  Is
	SOA rfc2136.SOA // when Serving
}

// Is is how far a zone is.
type Is int

const (
	// Absent: the server does not know the zone.
	Absent Is = iota
	// Empty: the server knows the zone and has no data of it.
	Empty
	// Serving: the server answers with authority.
	Serving
)

// Health is what a server is like.
type Health struct {
	Version    string        // as the server tells; empty when it does not
	Skew       time.Duration // how far its clock is ahead of ours, to a second; 0 without TSIG
	Controlled bool          // zones can be made on it
	Control    error         // why not, where it has a control: *Denied, *ClockSkew, *Unreachable, …
}

// controller makes zones on one kind of server.
type controller interface {
	ensure(ctx context.Context, z ZoneConfig, content Content) (changed bool, err error)
	remove(ctx context.Context, zone string) error
	// status returns the server's version.
	status(ctx context.Context) (string, error)
}

// Server is one DNS server. It may be used by several goroutines, for one zone by one at a time.
type Server struct {
	cfg     Config
	dns     *rfc2136.Zones
	control controller
	probe   func(ctx context.Context) (rfc2136.Identity, error)
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
}

// New returns a server. It does not connect. What is wrong with the configuration is a *setting.Error.
func New(cfg Config) (*Server, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	dns, err := rfc2136.NewZones(rfc2136.Config{
		Servers: []string{cfg.Address},
		TSIG:    rfc2136.TSIG{Name: cfg.TSIG.Name, Algorithm: cfg.TSIG.Algorithm, Secret: cfg.TSIG.Secret},
		Timeout: min(cfg.Timeout, 5*time.Second),
	})
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, dns: dns, probe: dns.Probe, lookup: lookup}
	switch c := cfg.Control; {
	case c.RNDC != nil:
		client, err := rndc.New(rndc.Config{Addr: c.RNDC.Address, Key: c.RNDC.Key, Timeout: cfg.Timeout})
		if err != nil {
			return nil, &setting.Error{Field: "control.rndc.key", Value: c.RNDC.Key.Name, Want: err.Error()}
		}
		s.control = &bind{s, client, c.RNDC.View}
	case c.Knot != nil:
		s.control = &knotd{s, knot.New(c.Knot.Program, c.Knot.Socket)}
	default:
		s.control = &elsewhere{s}
	}
	return s, nil
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// DNS is the server as it is spoken to by DNS.
func (s *Server) DNS() *rfc2136.Zones { return s.dns }

// State asks what the server does with the zone. An error means that it was not reached, or did not
// understand.
func (s *Server) State(ctx context.Context, zone string) (State, error) {
	soa, err := s.dns.SOA(ctx, zone)
	var not *rfc2136.NotServed
	switch {
	case err == nil && automatic(zone, soa):
		return State{Is: Absent}, nil
	case err == nil:
		return State{Serving, soa}, nil
	case errors.As(err, &not):
		if not.Rcode == "SERVFAIL" {
			return State{Is: Empty}, nil
		}
		return State{Is: Absent}, nil
	}
	return State{}, err
}

// automatic reports whether a zone is one of those that BIND serves empty by itself (RFC 6303), to keep
// questions for private addresses at home.
func automatic(zone string, soa rfc2136.SOA) bool { return soa.Serial == 0 && soa.MName == zone }

// Ensure makes the server have and serve the zone. It returns when it does; content is asked for only when
// a primary has to be filled. Errors are *Unsupported, *Denied, *ClockSkew, *Unreachable, *Unfetched, or what
// the server said.
func (s *Server) Ensure(ctx context.Context, z ZoneConfig, content Content) (changed bool, err error) {
	if z.Zone, err = backend.Name(z.Zone); err != nil {
		return false, err
	}
	changed, err = s.control.ensure(ctx, z, content)
	return changed, s.explain(ctx, err)
}

// Remove makes the server forget the zone, with its files. A zone that is not there, or was not made here, is
// left as it is; that is no error.
func (s *Server) Remove(ctx context.Context, zone string) error {
	zone, err := backend.Name(zone)
	if err != nil {
		return err
	}
	return s.explain(ctx, s.control.remove(ctx, zone))
}

// Probe asks the server who it is. An error means that it does not answer DNS.
func (s *Server) Probe(ctx context.Context) (Health, error) {
	id, err := s.probe(ctx)
	if err != nil {
		return Health{}, err
	}
	h := Health{Version: id.Version, Skew: id.Skew}
	if _, none := s.control.(*elsewhere); none {
		return h, nil
	}
	version, err := s.control.status(ctx)
	if err != nil {
		h.Control = s.explain(ctx, err)
		return h, nil
	}
	h.Version, h.Controlled = version, true
	return h, nil
}

// Close ends the connections.
func (s *Server) Close() error { return s.dns.Close() }
