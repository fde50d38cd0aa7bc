package backendtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// record is one RRset as a case writes it: names are relative to the zone as in a zone file, "@" is the
// zone itself, and a trailing dot makes a name absolute.
type record struct {
	label  string
	typ    string
	values []string
	ttl    time.Duration
	unit   string // label of the name it stands and falls with
	long   int    // when not 0, labels are put before the name until it has this many bytes
	setID  string
	attrs  map[string]string
}

func a(label string, v ...string) record    { return record{label: label, typ: "A", values: v} }
func aaaa(label string, v ...string) record { return record{label: label, typ: "AAAA", values: v} }
func cname(label, target string) record {
	return record{label: label, typ: "CNAME", values: []string{target}}
}
func txt(label string, v ...string) record   { return record{label: label, typ: "TXT", values: v} }
func mx(label string, v ...string) record    { return record{label: label, typ: "MX", values: v} }
func srv(label string, v ...string) record   { return record{label: label, typ: "SRV", values: v} }
func ns(label string, v ...string) record    { return record{label: label, typ: "NS", values: v} }
func ptr(label string, v ...string) record   { return record{label: label, typ: "PTR", values: v} }
func naptr(label string, v ...string) record { return record{label: label, typ: "NAPTR", values: v} }

// owner is the ownership text external-dns writes beside a record: "a-www" for the A of "www".
func owner(label, typ string) record {
	return txt(strings.ToLower(typ)+"-"+label,
		`"heritage=external-dns,external-dns/owner=hub,external-dns/resource=ingress/shop/`+strings.ReplaceAll(label, "*", "any")+`"`).in(label)
}

func (r record) in(unit string) record            { r.unit = unit; return r }
func (r record) seconds(n int) record             { r.ttl = time.Duration(n) * time.Second; return r }
func (r record) longName(bytes int) record        { r.long = bytes; return r }
func (r record) set(id string) record             { r.setID = id; return r }
func (r record) attr(name, value string) record   { r.attrs = map[string]string{name: value}; return r }
func (r record) lasting(ttl time.Duration) record { r.ttl = ttl; return r }

// absolute is the canonical name that a relative one means in the zone.
func absolute(name, zone string) string {
	switch {
	case name == ".":
		return name
	case name == "@":
		return zone
	case strings.HasSuffix(name, "."):
		return strings.TrimSuffix(name, ".")
	}
	return name + "." + zone
}

// rrset is the record as the portable layer would hand it to the backend: canonical, its TTL clamped.
func (r record) rrset(zone string, l backend.Limits) (set backend.RRset, unit string, err error) {
	name := absolute(r.label, zone)
	for missing := r.long - len(name); missing > 0; missing = r.long - len(name) {
		// A label of one byte and its dot are the least that can be added, so never leave one byte over.
		n := min(missing-1, 63)
		if missing-1-n == 1 {
			n--
		}
		name = strings.Repeat("x", n) + "." + name
	}
	values := make([]string, len(r.values))
	for i, v := range r.values {
		values[i] = v
		switch r.typ {
		case "CNAME", "NS", "PTR", "MX", "SRV", "NAPTR":
			cut := strings.LastIndexByte(v, ' ') + 1
			values[i] = v[:cut] + absolute(v[cut:], zone)
		}
	}
	set, err = backend.Canonical(backend.RRset{
		Key: backend.Key{Name: name, Type: r.typ, SetID: r.setID}, TTL: l.Clamp(r.ttl), Values: values, Attrs: r.attrs,
	})
	if err != nil {
		return set, "", fmt.Errorf("a case of the suite is wrong: %w", err)
	}
	unit = set.Name
	if r.unit != "" {
		unit = absolute(r.unit, zone)
	}
	return set, unit, nil
}

// addresses are n distinct IPv4 addresses out of 10.0.0.0/8.
func addresses(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	}
	return out
}
