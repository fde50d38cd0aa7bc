package seed

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// fullMessage is the size up to which a message of a transfer is filled, before compression: a signature
// and the header have to fit below 64 KiB.
const fullMessage = 60_000

const fudge = 300 // seconds, RFC 8945 §10

// questions answers what comes over UDP.
func (s *Server) questions(ctx context.Context) {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, peer, err := s.udp.ReadFrom(buf)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			continue // of one peer: a port unreachable
		}
		s.answer(buf[:n], peer, false, func(b []byte) error {
			_, err := s.udp.WriteTo(b, peer)
			return err
		})
	}
}

// converse answers what comes over one connection.
func (s *Server) converse(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	in := bufio.NewReader(conn)
	for ctx.Err() == nil {
		_ = conn.SetDeadline(time.Now().Add(patience))
		var size [2]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return
		}
		raw := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(in, raw); err != nil {
			return
		}
		ok := s.answer(raw, conn.RemoteAddr(), true, func(b []byte) error {
			_ = conn.SetWriteDeadline(time.Now().Add(patience))
			_, err := conn.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, len(b)+2), uint16(len(b))), b...))
			return err
		})
		if !ok {
			return
		}
	}
}

// answer answers one message; false when there is nothing more to say to this peer.
func (s *Server) answer(raw []byte, peer net.Addr, stream bool, send func([]byte) error) bool {
	var q dns.Msg
	if err := q.Unpack(raw); err != nil || q.Response {
		return false
	}
	refuse := func(why string) bool {
		s.log.Info("seed: refused", "peer", peer.String(), "question", question(&q), "why", why)
		m := new(dns.Msg).SetRcode(&q, dns.RcodeRefused)
		b, err := m.Pack()
		return err == nil && send(b) == nil
	}
	t := q.IsTsig()
	if q.Opcode != dns.OpcodeQuery || len(q.Question) != 1 || t == nil {
		return refuse("it is not a signed question")
	}
	o, err := s.find(strings.TrimSuffix(dns.CanonicalName(q.Question[0].Name), "."), raw, t)
	if err != nil {
		return refuse(err.Error())
	}
	switch typ := q.Question[0].Qtype; {
	case typ == dns.TypeSOA, typ == dns.TypeIXFR && !stream: // who asks for more over UDP is sent to TCP by one SOA
		return o.send(&q, t, o.records[:1], send) == nil
	case stream && (typ == dns.TypeAXFR || typ == dns.TypeIXFR):
		if err := o.send(&q, t, append(o.records[:len(o.records):len(o.records)], o.records[0]), send); err != nil {
			s.log.Warn("seed: transfer broke", "peer", peer.String(), "zone", o.zone, "err", err)
			return false
		}
		s.handedOut(o)
		return true
	}
	return refuse("only SOA and transfers are answered")
}

func question(q *dns.Msg) string {
	if len(q.Question) == 0 {
		return ""
	}
	return q.Question[0].Name + " " + dns.Type(q.Question[0].Qtype).String()
}

// send answers with the records in as many messages as they need, each signed on top of the one before.
func (o *Offer) send(q *dns.Msg, t *dns.TSIG, records []dns.RR, send func([]byte) error) error {
	mac := t.MAC
	for sent := 0; sent < len(records); {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative, m.Compress = true, true
		if sent > 0 {
			m.Question = nil
		}
		first := sent
		for size := 0; sent < len(records); sent++ {
			if size += dns.Len(records[sent]); size > fullMessage && sent > first {
				break
			}
		}
		m.Answer = records[first:sent]
		m.SetTsig(dns.Fqdn(o.key.Name), dns.Fqdn(o.key.Algorithm), fudge, time.Now().Unix())
		b, next, err := dns.TsigGenerate(m, o.key.Secret, mac, first > 0)
		if err != nil {
			return err
		}
		if err := send(b); err != nil {
			return err
		}
		mac = next
	}
	return nil
}
