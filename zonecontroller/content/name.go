package content

import (
	"fmt"
	"iter"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// FQDN is the canonical name of a record in a zone. Names are as in a zone file: "@" is the zone, one with a dot at the
// end is whole, others are relative. The zone's own name at the end of a relative one is refused, for it is a whole
// name whose dot was forgotten.
func FQDN(zone, name string) (string, error) {
	zone, err := backend.Name(zone)
	if err != nil {
		return "", err
	}
	return fqdn(zone, name)
}

// fqdn is FQDN in a zone whose name is canonical.
func fqdn(zone, name string) (string, error) {
	if name == "@" {
		return zone, nil
	}
	n, err := backend.Name(name)
	if err != nil {
		return "", err
	}
	switch whole := strings.HasSuffix(name, "."); {
	case whole && !backend.InZone(n, zone):
		return "", &outside{name: name, zone: zone}
	case !whole && backend.InZone(n, zone):
		return "", fmt.Errorf("%q is relative and would be %s.%s: want %q, or %q with a dot at the end", name, n, zone, relative(n, zone), n+".")
	case !whole:
		const longest = 253 // RFC 1035 §2.3.4, as text
		if n += "." + zone; len(n) > longest {
			return "", fmt.Errorf("%q is %d bytes with the zone's name: want at most %d", name, len(n), longest)
		}
	}
	plain := strings.TrimPrefix(n, "*.")
	if strings.Contains(plain, "*") {
		return "", fmt.Errorf("%q: want * only as the whole first label (RFC 4592), for example *.apps", name)
	}
	return n, spelling(name, plain)
}

// spelling refuses names that DNS could hold and the API server does not take: objects are for names that people can
// write without escapes.
func spelling(given, name string) error {
	edge := true // a dash or a slash here would begin or end a label
	for i := range len(name) {
		c, ends := name[i], i+1 == len(name) || name[i+1] == '.'
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '.':
		case (c == '-' || c == '/') && !edge && !ends:
		default:
			return fmt.Errorf("%q: want labels of letters, digits, underscores, and dashes or slashes between them", given)
		}
		edge = c == '.'
	}
	return nil
}

// outside is a name that does not lie in the zone.
type outside struct{ name, zone string }

func (o *outside) Error() string {
	return fmt.Sprintf("%q lies outside the zone %s: want a name in it, or the DNSZone that it lies in", o.name, o.zone)
}

// relative is a name of the zone as short as it goes: "www", "@".
func relative(name, zone string) string {
	if name == zone {
		return "@"
	}
	return strings.TrimSuffix(name, "."+zone)
}

// upward yields a name of the zone and those above it, without the zone's own.
func upward(name, zone string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(name) > len(zone) && yield(name) {
			_, name, _ = strings.Cut(name, ".")
		}
	}
}
