package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
	"sigs.k8s.io/external-dns/endpoint"
)

// rawDNS is the shortest client of RFC 2136, 5936 and 1995: one connection, full messages, no
// prerequisites, nothing checked but the answer's code. It is the limit others are measured by.
type rawDNS struct {
	addr string
	conn net.Conn
}

func dialRaw(ctx context.Context, addr string) (*rawDNS, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	return &rawDNS{addr: addr, conn: conn}, err
}

func (r *rawDNS) close() { _ = r.conn.Close() }

// records are the endpoints as resource records.
func records(eps []*endpoint.Endpoint) ([]dns.RR, error) {
	out := make([]dns.RR, len(eps))
	for i, e := range eps {
		rr, err := dns.NewRR(fmt.Sprintf("%s. %d %s %s", e.DNSName, e.RecordTTL, e.RecordType, e.Targets[0]))
		if err != nil {
			return nil, err
		}
		out[i] = rr
	}
	return out, nil
}

// create adds the endpoints in messages of 65,000 bytes, one at a time.
func (r *rawDNS) create(zone string, eps []*endpoint.Endpoint) error {
	rrs, err := records(eps)
	if err != nil {
		return err
	}
	return r.send(zone, rrs)
}

// update replaces the RRsets of the endpoints.
func (r *rawDNS) update(zone string, eps []*endpoint.Endpoint) error {
	rrs, err := records(eps)
	if err != nil {
		return err
	}
	both := make([]dns.RR, 0, 2*len(rrs))
	for _, rr := range rrs {
		remove := &dns.ANY{Hdr: dns.RR_Header{Name: rr.Header().Name, Rrtype: rr.Header().Rrtype, Class: dns.ClassANY}}
		both = append(both, remove, rr)
	}
	return r.send(zone, both)
}

func (r *rawDNS) send(zone string, rrs []dns.RR) error {
	const most, overhead = 65_000, 200
	for len(rrs) > 0 {
		m := new(dns.Msg).SetUpdate(zone + ".")
		size := overhead
		for len(rrs) > 0 && size+dns.Len(rrs[0]) <= most {
			size += dns.Len(rrs[0])
			m.Ns = append(m.Ns, rrs[0])
			rrs = rrs[1:]
		}
		m.SetTsig(tsigName+".", dns.HmacSHA256, 300, time.Now().Unix())
		// A dns.Conn chains signatures over its life, which servers do not: one for each message.
		exchange := dns.Conn{Conn: r.conn, TsigSecret: map[string]string{tsigName + ".": tsigSecret}}
		if err := exchange.WriteMsg(m); err != nil {
			return err
		}
		answer, err := exchange.ReadMsg()
		if err != nil {
			return err
		}
		if answer.Rcode != dns.RcodeSuccess {
			return fmt.Errorf("the update was answered %s", dns.RcodeToString[answer.Rcode])
		}
	}
	return nil
}

// list transfers the zone and merges it into endpoints through one map. It returns their number and the
// serial.
func (r *rawDNS) list(zone string) (count int, serial uint32, err error) {
	m := new(dns.Msg).SetAxfr(zone + ".")
	m.SetTsig(tsigName+".", dns.HmacSHA256, 300, time.Now().Unix())
	merged := map[string]*endpoint.Endpoint{}
	serial, err = r.transfer(m, func(rr dns.RR) {
		var text string
		switch rr := rr.(type) {
		case *dns.A:
			text = rr.A.String()
		case *dns.TXT:
			text = strings.Join(rr.Txt, "")
		default:
			return
		}
		h := rr.Header()
		key := h.Name + dns.TypeToString[h.Rrtype]
		if e, ok := merged[key]; ok {
			e.Targets = append(e.Targets, text)
			return
		}
		merged[key] = &endpoint.Endpoint{
			DNSName: strings.TrimSuffix(h.Name, "."), RecordType: dns.TypeToString[h.Rrtype],
			RecordTTL: endpoint.TTL(h.Ttl), Targets: endpoint.Targets{text},
		}
	})
	return len(merged), serial, err
}

// delta transfers what changed since serial.
func (r *rawDNS) delta(zone string, serial uint32) (count int, next uint32, err error) {
	m := new(dns.Msg).SetIxfr(zone+".", serial, "ns."+zone+".", "hostmaster."+zone+".")
	m.SetTsig(tsigName+".", dns.HmacSHA256, 300, time.Now().Unix())
	next, err = r.transfer(m, func(dns.RR) { count++ })
	return count, next, err
}

// transfer reads a whole transfer over a connection of its own.
func (r *rawDNS) transfer(m *dns.Msg, each func(dns.RR)) (serial uint32, err error) {
	t := dns.Transfer{TsigSecret: map[string]string{tsigName + ".": tsigSecret}}
	envelopes, err := t.In(m, r.addr)
	if err != nil {
		return 0, err
	}
	for e := range envelopes {
		if e.Error != nil {
			return 0, e.Error
		}
		for _, rr := range e.RR {
			if soa, ok := rr.(*dns.SOA); ok && serial == 0 {
				serial = soa.Serial
			}
			each(rr)
		}
	}
	return serial, nil
}

// serial asks for the zone's SOA over the connection that is open already.
func (r *rawDNS) serial(zone string) error {
	exchange := dns.Conn{Conn: r.conn}
	if err := exchange.WriteMsg(new(dns.Msg).SetQuestion(zone+".", dns.TypeSOA)); err != nil {
		return err
	}
	_, err := exchange.ReadMsg()
	return err
}
