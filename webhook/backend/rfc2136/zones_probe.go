package rfc2136

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// Identity is what a server says of itself.
type Identity struct {
	Version string        // "" when it does not tell
	Skew    time.Duration // how far its clock is ahead of ours, in whole seconds; 0 when it signs nothing
}

// Probe asks the server for its version, as BIND answers it (version.bind), and for its clock, which its
// signatures carry (RFC 8945 §5.2.3). A clock too far off for the server to answer anything else is no error
// here. Errors are *backend.Error values: Denied for a wrong key, Temporary for a server that is not reached.
//
// Knot looks at a signature only where it is asked about a zone that it has. The zone that SOA asked for last is
// asked about; before the first one, Knot's clock and a wrong key are not seen.
func (z *Zones) Probe(ctx context.Context) (Identity, error) {
	z.mu.Lock()
	zone := z.asked
	z.mu.Unlock()
	replies := z.line.ask(ctx, []question{{"version.bind", wire.TXT, wire.ClassChaos}, {zone, wire.SOA, wire.ClassIN}})
	var id Identity
	for _, r := range replies {
		var refused *wire.SignatureError
		switch {
		case errors.As(r.err, &refused) && !refused.Server.IsZero():
			id.Skew = skew(r.sent, r.received, refused.Server)
		case r.err != nil:
			return Identity{}, z.failed("rfc2136: probe", "", r.err)
		case !r.signed.IsZero():
			id.Skew = skew(r.sent, r.received, r.signed)
		}
	}
	var m dns.Msg
	if m.Unpack(replies[0].message) == nil {
		for _, rr := range m.Answer {
			if txt, ok := rr.(*dns.TXT); ok {
				id.Version = strings.Join(txt.Txt, "")
			}
		}
	}
	return id, nil
}

// skew is how far a clock is ahead that showed the whole second between two moments of ours; 0 when it may
// be right.
func skew(sent, received, second time.Time) time.Duration {
	switch next := second.Add(time.Second); {
	case second.After(received):
		return second.Sub(received).Round(time.Second)
	case next.Before(sent):
		return next.Sub(sent).Round(time.Second)
	}
	return 0
}

// DS returns the data of the DS records (SHA-256, RFC 4509) that belong into the parent zone: one for each
// key signing key that the server serves (RFC 4034 §5), sorted; none for a zone that is not signed. The
// errors are those of SOA.
func (z *Zones) DS(ctx context.Context, zone string) ([]string, error) {
	r := z.line.ask(ctx, []question{{zone, wire.Type(dns.TypeDNSKEY), wire.ClassIN}})[0]
	if err := z.served("rfc2136: keys of", zone, r); err != nil {
		return nil, err
	}
	var m dns.Msg
	if err := m.Unpack(r.message); err != nil {
		return nil, z.failed("rfc2136: keys of", zone, err)
	}
	var ds []string
	for _, rr := range m.Answer {
		key, ok := rr.(*dns.DNSKEY)
		if !ok || key.Flags&dns.SEP == 0 || key.Flags&dns.REVOKE != 0 {
			continue
		}
		if d := key.ToDS(dns.SHA256); d != nil {
			ds = append(ds, strings.TrimPrefix(d.String(), d.Header().String()))
		}
	}
	slices.Sort(ds)
	return ds, nil
}

// SOA asks for the zone's SOA record. The error is a *NotServed when the server answers, but not with
// authority and data, else a *backend.Error: Denied for a wrong key, Temporary for a server that is not
// reached.
func (z *Zones) SOA(ctx context.Context, zone string) (SOA, error) {
	z.mu.Lock()
	z.asked = zone
	z.mu.Unlock()
	r := z.line.ask(ctx, []question{{zone, wire.SOA, wire.ClassIN}})[0]
	if err := z.served("rfc2136: authority of", zone, r); err != nil {
		return SOA{}, err
	}
	var records wire.Records
	if err := records.Reset(r.message); err != nil {
		return SOA{}, z.failed("rfc2136: authority of", zone, err)
	}
	for records.Next() {
		if records.Type == wire.SOA && records.Name == zone {
			v, err := records.Version()
			return soaOf(v), err
		}
	}
	if err := records.Err(); err != nil {
		return SOA{}, z.failed("rfc2136: authority of", zone, err)
	}
	return SOA{}, &NotServed{Zone: zone, Rcode: "NOERROR"}
}

// NotServed is a server's answer that it has no data of a zone with authority.
type NotServed struct {
	Zone  string
	Rcode string // "REFUSED", "SERVFAIL", …; "NOERROR" is an answer without authority, or about another zone
}

func (e *NotServed) Error() string { return fmt.Sprintf("zone %s is not served (%s)", e.Zone, e.Rcode) }

// served says why an answer does not come from the zone, or nil.
func (z *Zones) served(op, zone string, r reply) error {
	switch {
	case r.err != nil:
		return z.failed(op, zone, r.err)
	case r.header.Rcode != wire.NoError || !r.header.Authority:
		return &NotServed{Zone: zone, Rcode: r.header.Rcode.String()}
	}
	return nil
}

func (z *Zones) failed(op, zone string, err error) error {
	return &backend.Error{Kind: kindOf(err), Op: op, Zone: zone, Err: z.explain(err)}
}

func (z *Zones) explain(err error) error { return z.server.explain(err) }
