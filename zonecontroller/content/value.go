package content

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// largest is what an RRset may take, in bytes of its values as text: with names and headers it has to fit into one DNS
// message of 64 KiB (RFC 1035 §4.2.2).
const largest = 48 << 10

// heritage begins the texts by which external-dns marks what is its own.
const heritage = "heritage=external-dns,"

// Types are those that a DNSRecord may have.
func Types() []string {
	return []string{"A", "AAAA", "CNAME", "TXT", "MX", "NS", "SRV", "CAA", "PTR", "SVCB", "HTTPS", "TLSA", "SSHFP"}
}

// Value is the canonical form of one value of a DNSRecord: that of backend.Canonical, and of rfc2136.Presentation for the
// types that it leaves as they are. target is the name that a value of CNAME, MX, NS, PTR or SRV points to, "" for none.
func Value(typ, value string) (canonical, target string, err error) {
	switch typ {
	case "TXT":
		text := backend.Text(value)
		if strings.HasPrefix(text, heritage) {
			return "", "", fmt.Errorf("%q is how external-dns marks its own records: want it left to external-dns", value)
		}
		return text, "", nil
	case "A", "AAAA":
		canonical, err = one(typ, value)
		return canonical, "", err
	case "CNAME", "NS", "PTR", "MX", "SRV":
		return pointer(typ, value)
	}
	if !slices.Contains(Types(), typ) {
		return "", "", fmt.Errorf("%q is not a type of record here: want one of %s", typ, strings.Join(Types(), ", "))
	}
	canonical, err = rfc2136.Presentation(typ, value)
	return canonical, "", err
}

func one(typ, value string) (string, error) {
	r, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "x", Type: typ}, Values: []string{value}})
	if err != nil {
		return "", err
	}
	return r.Values[0], nil
}

// pointer reads a value that ends with a name.
func pointer(typ, value string) (canonical, target string, err error) {
	fields := strings.Fields(value)
	if len(fields) > 0 {
		last := fields[len(fields)-1]
		if _, err := netip.ParseAddr(strings.TrimSuffix(last, ".")); err == nil {
			return "", "", fmt.Errorf("%q: an %s record points to a name, never to an address: want the name of an A or AAAA record, as in %q", value, typ, example(typ))
		}
		if !strings.Contains(last, ".") {
			return "", "", fmt.Errorf("%q: names in values are whole: want all of %q, as in %q", value, last, example(typ))
		}
	}
	if canonical, err = one(typ, value); err != nil {
		return "", "", fmt.Errorf("%w, as in %q", err, example(typ))
	}
	if target = canonical[strings.LastIndexByte(canonical, ' ')+1:]; target != "." {
		err = spelling(value, target)
	}
	return canonical, target, err
}

func example(typ string) string {
	switch typ {
	case "MX":
		return "10 mail.example.org."
	case "SRV":
		return "0 5 5060 sip.example.org."
	}
	return "host.example.org."
}
