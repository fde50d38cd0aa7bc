// Package seed owns how a DNS server gets the first content of a zone: from us, by a zone transfer
// (RFC 5936) that is signed (RFC 8945). It serves what is offered at the moment to those who know the
// offer's key, and refuses everything else.
package seed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

const (
	// patience is how long a peer may take to send a question or to take in a message of the answer.
	patience = 30 * time.Second
	// maxConnections is how many transfers and questions are served at the same time over TCP.
	maxConnections = 256
	// scarcity is the time from a connection that could not be taken to the next try.
	scarcity = 50 * time.Millisecond
)

// Config says where the server listens.
type Config struct {
	Listen string // host:port for UDP and TCP; port 0: any
	// Advertise is host:port as DNS servers reach it. Empty: the address listened on.
	Advertise string
	Log       *slog.Logger
}

// Server hands out zones that are offered.
type Server struct {
	tcp       net.Listener
	udp       net.PacketConn
	advertise string
	log       *slog.Logger
	slots     chan struct{}

	mu     sync.Mutex
	offers []*Offer // the youngest last
}

// New listens; Serve answers.
func New(ctx context.Context, cfg Config) (*Server, error) {
	lc := net.ListenConfig{}
	tcp, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	udp, err := lc.ListenPacket(ctx, "udp", tcp.Addr().String())
	if err != nil {
		_ = tcp.Close()
		return nil, fmt.Errorf("seed: %w", err)
	}
	s := &Server{tcp: tcp, udp: udp, advertise: cfg.Advertise, log: cfg.Log, slots: make(chan struct{}, maxConnections)}
	if s.advertise == "" {
		s.advertise = tcp.Addr().String()
	}
	return s, nil
}

// Address is host:port as DNS servers reach it.
func (s *Server) Address() string { return s.advertise }

// Serve answers until ctx ends, and returns when the last answer was given.
func (s *Server) Serve(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { _, _ = s.tcp.Close(), s.udp.Close() })
	defer cancel() // which ends all others, whatever ended this
	all.Go(func() { s.questions(ctx) })
	for {
		conn, err := s.tcp.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("seed: %w", err)
		}
		if err != nil { // of one peer that is gone already, or of files that are scarce for a while
			s.log.Warn("seed: a connection cannot be taken", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(scarcity):
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
			all.Go(func() { s.converse(ctx, conn); <-s.slots })
		default:
			_ = conn.Close()
		}
	}
}

// Offer is one zone that is handed out until it is released.
type Offer struct {
	server  *Server
	zone    string // canonical
	key     keyfile.Key
	records []dns.RR // the SOA first
	fetched chan struct{}
	once    sync.Once
}

// Offer hands out the zone's content, which has one SOA record, to who knows the key. Where a zone is offered
// several times with one key, the youngest is handed out. The caller releases the offer.
func (s *Server) Offer(zone string, content []backend.RRset, key keyfile.Key) (*Offer, error) {
	name, err := backend.Name(zone)
	if err != nil {
		return nil, err
	}
	if key == (keyfile.Key{}) {
		return nil, fmt.Errorf("zone %s: a transfer has to be signed, and the server has no TSIG key", zone)
	}
	records, err := Records(name, content)
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", zone, err)
	}
	o := &Offer{server: s, zone: name, key: key, records: records, fetched: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offers = append(s.offers, o)
	return o, nil
}

// Fetched is closed when somebody who knows the key has been sent all of the zone, from this offer or another
// one. Of several servers with one key it does not say which one has it: that server itself does.
func (o *Offer) Fetched() <-chan struct{} { return o.fetched }

// Release ends the offer. It may be called several times.
func (o *Offer) Release() {
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	o.server.offers = slices.DeleteFunc(o.server.offers, func(other *Offer) bool { return other == o })
}

// handedOut tells of a transfer all who offer the zone with that key.
func (s *Server) handedOut(o *Offer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range append(slices.Clone(s.offers), o) {
		if other.zone == o.zone && other.key == o.key {
			other.once.Do(func() { close(other.fetched) })
		}
	}
}

// find returns the youngest offer of the zone whose key signed the message, and the signature.
func (s *Server) find(zone string, raw []byte, t *dns.TSIG) (*Offer, error) {
	s.mu.Lock()
	offers := slices.Clone(s.offers)
	s.mu.Unlock()
	err := errors.New("the zone is not offered")
	for _, o := range slices.Backward(offers) {
		if o.zone != zone {
			continue
		}
		if dns.CanonicalName(t.Hdr.Name) != dns.Fqdn(o.key.Name) || dns.CanonicalName(t.Algorithm) != dns.Fqdn(o.key.Algorithm) {
			err = fmt.Errorf("the key is %s (%s)", t.Hdr.Name, t.Algorithm)
			continue
		}
		if err = dns.TsigVerify(raw, o.key.Secret, "", false); err == nil {
			return o, nil
		}
	}
	return nil, err
}
