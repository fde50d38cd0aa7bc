package seed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Records returns the content of a zone as a transfer carries it: the SOA first, names below the zone only.
// Values are canonical, see backend.Canonical, and presentation format (RFC 1035 §5.1) where that knows no form.
func Records(zone string, content []backend.RRset) ([]dns.RR, error) {
	var out []dns.RR
	soa := -1
	for _, set := range content {
		if !backend.InZone(set.Name, zone) {
			return nil, fmt.Errorf("%s is not in the zone", set.Key)
		}
		if set.Type == "SOA" {
			if soa >= 0 || set.Name != zone || len(set.Values) != 1 {
				return nil, errors.New("a zone has one SOA record, at its own name")
			}
			soa = len(out)
		}
		for _, v := range set.Values {
			rr, err := record(set, v)
			if err != nil {
				return nil, err
			}
			out = append(out, rr)
		}
	}
	if soa < 0 {
		return nil, errors.New("there is no SOA record")
	}
	first := out[soa]
	return slices.Insert(slices.Delete(out, soa, soa+1), 0, first), nil
}

func record(set backend.RRset, value string) (dns.RR, error) {
	header := dns.RR_Header{Name: dns.Fqdn(set.Name), Class: dns.ClassINET, Ttl: uint32(set.TTL.Seconds())}
	if set.Type == "TXT" {
		header.Rrtype = dns.TypeTXT
		return &dns.TXT{Hdr: header, Txt: texts(value)}, nil
	}
	if strings.ContainsAny(value, "\r\n") {
		return nil, fmt.Errorf("%s: %q is more than one line", set.Key, value)
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", header.Name, header.Ttl, set.Type, value))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %q: %w", set.Key, value, err)
	case rr == nil || dns.TypeToString[rr.Header().Rrtype] != set.Type || rr.Header().Name != header.Name:
		return nil, fmt.Errorf("%s: %q is not a value of this type", set.Key, value)
	}
	return rr, nil
}

// texts splits the bytes of a text into strings of at most 255 bytes, escaped as the library wants them.
func texts(value string) []string {
	all := []string{}
	for piece := range slices.Chunk([]byte(value), 255) {
		var b strings.Builder
		for _, c := range piece {
			switch {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, `\%03d`, c)
			default:
				b.WriteByte(c)
			}
		}
		all = append(all, b.String())
	}
	if len(all) == 0 {
		all = append(all, "")
	}
	return all
}
