package rfc2136

import (
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// scope is which of a zone's records somebody reads and writes.
type scope struct {
	types []wire.Type // that can be written, sorted by their names
	whole bool        // SOA, the zone's own NS records and names of any bytes, too
}

// usersScope is for those who publish names in a zone that somebody else looks after.
func usersScope() *scope {
	return &scope{types: []wire.Type{wire.A, wire.AAAA, wire.CNAME, wire.MX, wire.NAPTR, wire.NS, wire.PTR, wire.SRV, wire.TXT}}
}

// wants reports whether the record is in the scope. For users it is of a type that Limits names, at a name
// that backend.Name permits, and not the zone's own NS.
func (sc *scope) wants(zone string, r *wire.Record) bool {
	if !backend.InZone(r.Name, zone) {
		return false
	}
	if sc.whole {
		return !madeByServer(r.Type)
	}
	return r.Type.HasText() && r.Plain && (r.Type != wire.NS || r.Name != zone)
}

// wholeScope is for those who look after zones.
func wholeScope() *scope {
	sc := &scope{whole: true}
	for t := range dns.TypeToString {
		if t := wire.Type(t); t != wire.SOA && !madeByServer(t) {
			sc.types = append(sc.types, t)
		}
	}
	slices.SortFunc(sc.types, func(a, b wire.Type) int { return strings.Compare(a.String(), b.String()) })
	return sc
}

// ownNS reports whether an RRset is the zone's own NS records.
func ownNS(zone, name string, t wire.Type) bool { return t == wire.NS && name == zone }

// madeByServer reports whether records of the type are made by the server itself, or never stand in a zone.
func madeByServer(t wire.Type) bool {
	const bindPrivate = 65534 // where BIND keeps how far signing is
	switch uint16(t) {
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY,
		dns.TypeSIG, dns.TypeNXT, bindPrivate, dns.TypeNone, dns.TypeOPT, dns.TypeReserved:
		return true
	}
	return 128 <= t && t <= 255 // questions and what messages carry (RFC 6895 §3.1)
}
