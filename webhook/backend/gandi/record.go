package gandi

import (
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// entry is an RRset as it stands: what the service shows, and what it means. set is nil when the type is
// none of ours or the values cannot be read; such an entry is never written.
type entry struct {
	shown record
	set   *backend.RRset
}

// relative is a canonical name as LiveDNS has it: without the domain, "@" for the domain itself.
func relative(name, domain string) string {
	if name == domain {
		return "@"
	}
	return strings.TrimSuffix(name, "."+domain)
}

// absolute is a name out of a record: "target" is below the domain, "target.example.net." is not, and "@"
// is the domain itself. LiveDNS shows names as they were given, so both forms occur.
func absolute(name, domain string) string {
	switch {
	case name == ".", name == "":
		return name
	case name == "@":
		return domain
	case strings.HasSuffix(name, "."):
		return strings.TrimSuffix(name, ".")
	}
	return name + "." + domain
}

// read turns a record into an entry under its canonical name. ok is false for a name in an unusual form:
// nobody here can ask for it.
func read(r record, domain string) (name string, e entry, ok bool) {
	name, err := backend.Name(absolute(strings.TrimSuffix(r.Name, "."), domain))
	if err != nil {
		return "", entry{}, false
	}
	e = entry{shown: r}
	if !ours(r.Type) {
		return name, e, true
	}
	set := backend.RRset{
		Key: backend.Key{Name: name, Type: r.Type}, TTL: time.Duration(r.TTL) * time.Second,
		Values: make([]string, len(r.Values)),
	}
	for i, v := range r.Values {
		if set.Values[i], err = readValue(r.Type, v, domain); err != nil {
			return name, e, true
		}
	}
	if set, err = backend.Canonical(set); err != nil || len(set.Values) == 0 {
		return name, e, true
	}
	e.set = &set
	return name, e, true
}

// readValue is a shown value with absolute names, and text as the text itself.
func readValue(typ, v, domain string) (string, error) {
	switch typ {
	case "TXT":
		return readText(v)
	case "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV":
		v = strings.TrimSpace(v)
		cut := strings.LastIndexAny(v, " \t") + 1
		return v[:cut] + absolute(v[cut:], domain), nil
	}
	return v, nil
}

// written is an RRset as it is sent: names absolute and with a dot, text in quotes.
func written(r backend.RRset, domain string) record {
	out := record{Name: relative(r.Name, domain), Type: r.Type, TTL: int64(r.TTL / time.Second), Values: make([]string, len(r.Values))}
	for i, v := range r.Values {
		switch r.Type {
		case "TXT":
			v = writeText(v)
		case "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV":
			if !strings.HasSuffix(v, ".") {
				v += "."
			}
		}
		out.Values[i] = v
	}
	return out
}
