package content

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// Zone is what a DNSZone itself asks for: the RRset of its SOA, with serial 0 where serials are left to us (see SOA), that
// of its NS records, and those of the glue. With faults there are no RRsets.
func Zone(z *v1alpha1.DNSZone) ([]backend.RRset, []Fault) {
	var faults []Fault
	wrong := func(field, format string, args ...any) {
		faults = append(faults, *fault(v1alpha1.ReasonInvalid, field, format, args...))
	}
	zone, err := backend.Name(z.Spec.ZoneName)
	if err == nil {
		err = spelling(z.Spec.ZoneName, zone)
	}
	if err != nil {
		wrong("spec.zoneName", "%v, for example example.org", err)
		return nil, faults
	}
	ttl := checkTTL("spec.ttl", z.Spec.TTL, &faults)
	soaTTL := ttl
	if z.Spec.SOA.TTL != nil {
		soaTTL = checkTTL("spec.soa.ttl", *z.Spec.SOA.TTL, &faults)
	}
	soa := backend.RRset{Key: backend.Key{Name: zone, Type: "SOA"}, TTL: soaTTL, Values: []string{soaValue(&z.Spec.SOA, wrong)}}
	ns := backend.RRset{Key: backend.Key{Name: zone, Type: "NS"}, TTL: ttl}
	sets := []backend.RRset{soa}
	for i, server := range z.Spec.NameServers {
		field := fmt.Sprintf("spec.nameServers[%d]", i)
		host, err := hostname(server.Hostname)
		if err != nil {
			wrong(field+".hostname", "%v", err)
			continue
		}
		if slices.Contains(ns.Values, host) {
			wrong(field+".hostname", "%q is given twice: want every name server once, with all its addresses", server.Hostname)
			continue
		}
		ns.Values = append(ns.Values, host)
		glue := glueOf(&server, field, &faults)
		switch inside := backend.InZone(host, zone); {
		case inside && len(glue) == 0:
			wrong(field, "%q lies in the zone: want its addresses in ipv4Addresses or ipv6Addresses, without which it cannot be found", server.Hostname)
		case !inside && len(glue) > 0:
			wrong(field, "%q lies outside the zone %s: want no addresses, they belong into the zone of the name", server.Hostname, zone)
		}
		glueTTL := ttl
		if server.TTL != nil {
			glueTTL = checkTTL(field+".ttl", *server.TTL, &faults)
		}
		for _, set := range glue {
			set.Name, set.TTL = host, glueTTL
			sets = append(sets, set)
		}
	}
	if len(z.Spec.NameServers) == 0 {
		wrong("spec.nameServers", "want at least one name server")
	}
	if len(faults) > 0 {
		return nil, faults
	}
	slices.Sort(ns.Values)
	return append(sets, ns), nil
}

// checkTTL is a TTL of an object.
func checkTTL(field string, seconds int64, faults *[]Fault) time.Duration {
	ttl := time.Duration(seconds) * time.Second
	if seconds < 1 || seconds > int64(backend.MaxTTL/time.Second) {
		*faults = append(*faults, *fault(v1alpha1.ReasonInvalid, field, "%d: want a TTL from 1 to 2147483647 seconds (RFC 2181 §8)", seconds))
		return 0
	}
	return ttl
}

// hostname is a name to which NS records may point.
func hostname(s string) (string, error) {
	if _, err := netip.ParseAddr(strings.TrimSuffix(s, ".")); err == nil {
		return "", fmt.Errorf("%q is an address: want the name of the server, for example ns1.example.org", s)
	}
	n, err := backend.Name(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w, want the name of the server, for example ns1.example.org", err)
	case !strings.Contains(s, "."):
		return "", fmt.Errorf("%q: want the whole name of the server, for example ns1.example.org", s)
	}
	return n, spelling(s, n)
}

// glueOf are the addresses of a name server, without name and TTL.
func glueOf(server *v1alpha1.NameServer, field string, faults *[]Fault) []backend.RRset {
	var sets []backend.RRset
	for _, family := range []struct {
		typ, field string
		addresses  []string
	}{{"A", "ipv4Addresses", server.IPv4Addresses}, {"AAAA", "ipv6Addresses", server.IPv6Addresses}} {
		if len(family.addresses) == 0 {
			continue
		}
		set, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "x", Type: family.typ}, Values: family.addresses})
		if err != nil {
			*faults = append(*faults, *fault(v1alpha1.ReasonInvalid, field+"."+family.field, "%v", err))
			continue
		}
		sets = append(sets, set)
	}
	return sets
}

// soaValue is the SOA as text, with serial 0 where none is given.
func soaValue(s *v1alpha1.SOA, wrong func(field, format string, args ...any)) string {
	mname, err := hostname(s.PrimaryNS)
	if err != nil {
		wrong("spec.soa.primaryNS", "%v", err)
	}
	rname, err := mailbox(s.AdminEmail)
	if err != nil {
		wrong("spec.soa.adminEmail", "%v", err)
	}
	serial := int64(0)
	if s.Serial != nil {
		serial = *s.Serial
	}
	for _, n := range []struct {
		field string
		value int64
		most  int64
	}{
		{"serial", serial, 1<<32 - 1}, {"refresh", s.Refresh, 1<<31 - 1}, {"retry", s.Retry, 1<<31 - 1},
		{"expire", s.Expire, 1<<31 - 1}, {"negativeTTL", s.NegativeTTL, 1<<31 - 1},
	} {
		if n.value < 0 || n.value > n.most {
			wrong("spec.soa."+n.field, "%d: want a number from 0 to %d", n.value, n.most)
		}
	}
	return rfc2136.SOA{
		MName: mname, RName: rname, Serial: uint32(serial),
		Refresh: uint32(s.Refresh), Retry: uint32(s.Retry), Expire: uint32(s.Expire), Minimum: uint32(s.NegativeTTL),
	}.Value()
}

// mailbox is an address of e-mail as a name (RFC 1035 §8): hostmaster.example.org, with dots of the part before the @
// escaped. Without an @ it is such a name already.
func mailbox(email string) (string, error) {
	local, domain, ok := strings.Cut(strings.ToLower(email), "@")
	if !ok {
		if i := firstDot(local); i > 0 {
			local, domain, ok = unescapedDots(local[:i]), local[i+1:], true
		}
	}
	host, err := backend.Name(domain)
	if !ok || err != nil || local == "" || len(local) > 63 || strings.Trim(local, localPart) != "" || strings.Contains(host, "*") {
		return "", fmt.Errorf("%q is not an address of e-mail: want one like hostmaster@example.org", email)
	}
	return strings.ReplaceAll(local, ".", `\046`) + "." + host, nil // as rfc2136.SOA has it
}

// unescapedDots is a label whose dots are written as they are.
func unescapedDots(label string) string {
	return strings.NewReplacer(`\.`, ".", `\046`, ".").Replace(label)
}

// Email is the address of e-mail that a mailbox in an SOA value means, or the mailbox where it means none that can be
// written so. A DNSZone takes both.
func Email(rname string) string {
	rname = strings.TrimSuffix(rname, ".")
	if i := firstDot(rname); i > 0 {
		email := unescapedDots(rname[:i]) + "@" + rname[i+1:]
		if back, err := mailbox(email); err == nil && back == rname {
			return email
		}
	}
	return rname
}

// localPart is what may stand before an @: what needs no escape in a zone file, but for the dot.
const localPart = "abcdefghijklmnopqrstuvwxyz0123456789.-_+="

// firstDot is where the first label ends.
func firstDot(name string) int {
	for i := 1; i < len(name); i++ {
		if name[i] == '.' && name[i-1] != '\\' {
			return i
		}
	}
	return -1
}
