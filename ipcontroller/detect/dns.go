package detect

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Carrier is what carries a DNS query.
type Carrier string

// The carriers.
const (
	UDP   Carrier = "udp"   // anybody on the way can answer; networks that intercept port 53 do
	TLS   Carrier = "tls"   // RFC 7858
	HTTPS Carrier = "https" // RFC 8484
)

// DNS is a name server that answers a certain question with the asker's address: as an address record
// (myip.opendns.com), or as a text (o-o.myaddr.l.google.com, whoami.cloudflare of class CHAOS).
type DNS struct {
	ID      Identity
	Carrier Carrier
	Server  string // host:port, or the URL of DNS over HTTPS
	Name    string // the question
	Text    bool   // ask for TXT; otherwise for A or AAAA, as the family is
	Chaos   bool   // ask in class CH
	Trust   Trust
}

// Identity says who answers.
func (s *DNS) Identity() Identity { return s.ID }

// Lookup asks once, over UDP again each second.
func (s *DNS) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	// Over HTTPS the id is 0, as RFC 8484 wants it for caches; elsewhere it is a secret of the two.
	var id uint16
	if s.Carrier != HTTPS {
		id = randomID()
	}
	q, query, err := s.query(id, family)
	if err != nil {
		return netip.Addr{}, err
	}
	ours := func(reply []byte) error { return answers(reply, id, q) }
	var reply []byte
	switch s.Carrier {
	case TLS:
		reply, err = s.overTLS(ctx, family, query)
	case HTTPS:
		reply, err = s.overHTTPS(ctx, family, query)
	default:
		reply, err = overUDP(ctx, family, s.Server, query, time.Second, func(b []byte) bool { return ours(b) == nil })
	}
	if err == nil {
		err = ours(reply)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	return readReply(reply, family)
}

// query is the question for an address of the family, and the message that asks it.
func (s *DNS) query(id uint16, family Family) (dnsmessage.Question, []byte, error) {
	q := dnsmessage.Question{Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	if family == IPv6 {
		q.Type = dnsmessage.TypeAAAA
	}
	if s.Text {
		q.Type = dnsmessage.TypeTXT
	}
	if s.Chaos {
		q.Class = dnsmessage.ClassCHAOS
	}
	name, err := dnsmessage.NewName(strings.TrimSuffix(s.Name, ".") + ".")
	if err != nil {
		return q, nil, broken(err)
	}
	q.Name = name
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
	packed, err := m.Pack()
	if err != nil {
		return q, nil, broken(err)
	}
	return q, packed, nil
}

func (s *DNS) overTLS(ctx context.Context, family Family, query []byte) ([]byte, error) {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return nil, broken(err)
	}
	d := tls.Dialer{NetDialer: dialer(), Config: tlsConfig(s.Trust, host)}
	conn, err := d.DialContext(ctx, network("tcp", family), s.Server)
	if err != nil {
		return nil, lateOr(ctx, err)
	}
	defer conn.Close()
	defer interrupt(ctx, conn)()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, lateOr(ctx, err)
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, lateOr(ctx, err)
	}
	n := binary.BigEndian.Uint16(size[:])
	if n > maxBody {
		return nil, fail(NotAddress, "the message is longer than %d bytes", maxBody)
	}
	reply := make([]byte, n)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return nil, lateOr(ctx, err)
	}
	return reply, nil
}

func (s *DNS) overHTTPS(ctx context.Context, family Family, query []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Server, strings.NewReader(string(query)))
	if err != nil {
		return nil, broken(err)
	}
	const media = "application/dns-message"
	req.Header.Set("Content-Type", media)
	req.Header.Set("Accept", media)
	body, header, err := fetch(newClient(s.Trust, family), req, maxBody)
	if err != nil {
		return nil, err
	}
	if got := header.Get("Content-Type"); got != media {
		return nil, fail(NotAddress, "want a body of type %s, got %s", media, excerpt(got))
	}
	return []byte(body), nil
}

// answers says why a message is not the reply to our question, nil when it is.
func answers(reply []byte, id uint16, q dnsmessage.Question) error {
	var p dnsmessage.Parser
	h, err := p.Start(reply)
	if err != nil {
		return fail(Untrusted, "not a DNS message: %w", err)
	}
	if h.ID != id || !h.Response {
		return fail(Untrusted, "not the reply to our query")
	}
	got, err := p.AllQuestions()
	if err != nil || len(got) != 1 || !strings.EqualFold(got[0].Name.String(), q.Name.String()) || got[0].Type != q.Type || got[0].Class != q.Class {
		return fail(Untrusted, "not the reply to our question")
	}
	return nil
}

// readReply takes the address out of a reply to our question. Google adds a text to its TXT answer that says
// what it knows of the client's subnet; it is an address too, but not ours.
func readReply(reply []byte, family Family) (netip.Addr, error) {
	var m dnsmessage.Message
	if err := m.Unpack(reply); err != nil {
		return netip.Addr{}, fail(NotAddress, "not a DNS message: %w", err)
	}
	if m.RCode != dnsmessage.RCodeSuccess {
		return netip.Addr{}, fail(Refused, "the name server says %s", strings.TrimPrefix(m.RCode.String(), "RCode"))
	}
	if m.Truncated {
		return netip.Addr{}, fail(NotAddress, "the reply is truncated")
	}
	var texts []string
	for _, rr := range m.Answers {
		switch b := rr.Body.(type) {
		case *dnsmessage.AResource:
			texts = append(texts, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			texts = append(texts, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.TXTResource:
			for _, t := range b.TXT {
				if !strings.HasPrefix(t, "edns0-client-subnet ") {
					texts = append(texts, t)
				}
			}
		}
	}
	if len(texts) != 1 {
		return netip.Addr{}, fail(NotAddress, "want one address, got %d answers", len(texts))
	}
	return parse(texts[0], family)
}

// overUDP sends a query, again after wait, twice wait and so on, until a datagram comes that is ours or ctx
// ends. Datagrams that are not ours are dropped, not answered to: who does not know the query's secret may
// still know its port.
func overUDP(ctx context.Context, family Family, server string, query []byte, wait time.Duration, ours func([]byte) bool) ([]byte, error) {
	conn, err := dialer().DialContext(ctx, network("udp", family), server)
	if err != nil {
		return nil, lateOr(ctx, err)
	}
	defer conn.Close()
	buf := make([]byte, maxBody)
	for ; ; wait *= 2 {
		if _, err := conn.Write(query); err != nil {
			return nil, lateOr(ctx, err)
		}
		until := time.Now().Add(wait)
		if d, ok := ctx.Deadline(); ok && d.Before(until) {
			until = d
		}
		if err := conn.SetReadDeadline(until); err != nil {
			return nil, broken(err)
		}
		// After the deadline is set, so that a context that ends meanwhile is not overruled by it.
		done := interrupt(ctx, conn)
		for {
			n, err := conn.Read(buf)
			if err == nil && ours(buf[:n]) {
				done()
				return buf[:n], nil
			}
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				break
			}
			if err != nil {
				done()
				return nil, lateOr(ctx, err)
			}
		}
		done()
		if ctx.Err() != nil {
			return nil, fail(NoAnswer, "%w", context.Cause(ctx))
		}
	}
}

// interrupt ends a connection's waiting when ctx ends. The function it returns ends that.
func interrupt(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // a closed connection waits no more
	return func() { stop() }
}
