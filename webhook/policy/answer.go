package policy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// answer is what a host can point to: addresses of both families, or one host name. Lists are canonical,
// sorted and without duplicates.
type answer struct {
	name   string // how it is called in decisions: the target's name, or its values
	v4, v6 []string
	host   []string // of length 0 or 1, so that it can serve as a list of targets
	wan    wan      // when it is the site's address, which is a fact of the moment
}

// wan says which addresses of a site an answer stands for; the zero wan is none.
type wan struct {
	target string // its name in the configuration
	v4, v6 bool
}

var (
	errNoAddress = errors.New("want an IPv4 address, an IPv6 address or a host name")
	errOneHost   = errors.New("want either addresses or exactly one host name: a CNAME stands alone")
)

// parseAnswer reads addresses, or one host name. On error bad is the index of the value that is wrong.
func parseAnswer(values []string) (a *answer, bad int, err error) {
	a = &answer{}
	for i, v := range values {
		switch typ, text, err := parseValue(v); {
		case err != nil:
			return nil, i, err
		case typ == endpoint.RecordTypeA:
			a.v4 = append(a.v4, text)
		case typ == endpoint.RecordTypeAAAA:
			a.v6 = append(a.v6, text)
		default:
			a.host = append(a.host, text)
		}
	}
	a.v4, a.v6, a.host = sorted(a.v4), sorted(a.v6), sorted(a.host)
	if len(a.host) > 1 || len(a.host) == 1 && len(a.v4)+len(a.v6) > 0 {
		return nil, len(values) - 1, errOneHost
	}
	a.name = strings.Join(slices.Concat(a.v4, a.v6, a.host), ",")
	return a, 0, nil
}

// parseValue tells an address from a host name, and returns it in canonical form with the type of the
// record that holds it. A host name has a dot: "hub" alone is the name of a target, rightly written or
// not.
func parseValue(s string) (typ, text string, err error) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		switch a = a.Unmap(); {
		case a.Zone() != "":
			return "", "", errNoAddress
		case a.Is4():
			return endpoint.RecordTypeA, a.String(), nil
		default:
			return endpoint.RecordTypeAAAA, a.String(), nil
		}
	}
	name, err := backend.Name(s)
	if err != nil || !strings.Contains(name, ".") || numeric(name[strings.LastIndexByte(name, '.')+1:]) {
		return "", "", errNoAddress
	}
	return endpoint.RecordTypeCNAME, name, nil
}

// numeric reports whether a last label makes a name look like an address: "10.0.0.300" is a mistake and
// no host name (RFC 1123 §2.1).
func numeric(label string) bool {
	return strings.Trim(label, "0123456789") == ""
}

// sorted returns the values sorted and without duplicates, in place.
func sorted(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// same reports whether both point to the same place.
func (a *answer) same(b *answer) bool {
	return a == b || a != nil && b != nil && a.wan == b.wan &&
		slices.Equal(a.v4, b.v4) && slices.Equal(a.v6, b.v6) && slices.Equal(a.host, b.host)
}

// of returns the values for one record type.
func (a *answer) of(typ string) []string {
	switch typ {
	case endpoint.RecordTypeA:
		return a.v4
	case endpoint.RecordTypeAAAA:
		return a.v6
	}
	return a.host
}
