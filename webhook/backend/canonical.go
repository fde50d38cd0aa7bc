package backend

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// InZone reports whether a canonical name is the zone's own or lies below it, on label boundaries.
func InZone(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, zone) && name[len(name)-len(zone)-1] == '.'
}

// Name returns the canonical form of a domain name: lower case, no trailing dot, "*" for "\052". It
// refuses names DNS cannot hold: empty, longer than 253 bytes, labels empty or longer than 63 bytes
// (RFC 1035 §2.3.4), and bytes outside printable ASCII or among those that master files give a meaning.
//
// A "*" is a byte like others where it is not the whole leftmost label (RFC 4592 §2.1.1): external-dns
// keeps the ownership of *.example.org at a-*.example.org unless it is told to replace the star.
func Name(s string) (string, error) {
	n := strings.TrimSuffix(strings.Map(lower, s), ".")
	if rest, ok := strings.CutPrefix(n, `\052.`); ok {
		n = "*." + rest
	}
	if n == "" || len(n) > 253 {
		return "", fmt.Errorf("%q is not a domain name: want 1 to 253 bytes", s)
	}
	for label := range strings.SplitSeq(n, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("%q is not a domain name: each label has 1 to 63 bytes", s)
		}
		for _, c := range []byte(label) {
			if !plain(c) {
				return "", fmt.Errorf("%q is not a domain name: byte %q in a label", s, c)
			}
		}
	}
	return n, nil
}

// plain reports whether a byte may stand in a label as it is.
func plain(c byte) bool {
	switch c {
	case '"', '\'', '\\', ';', '(', ')', '@', '$', ',', '<', '>', '&':
		return false
	}
	return ' ' < c && c < 0x7f
}

// lower is for ASCII only: strings.ToLower turns the Kelvin sign into a k, and with it one name into
// another.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// Canonical returns the RRset in the one form that all layers compare: canonical names, values in
// canonical text, sorted and without duplicates. The forms are:
//
//	A, AAAA           the address as netip prints it; never an IPv4-mapped IPv6 address. Of an alias
//	                  (see RRset.Alias), the one name it points to, canonical
//	CNAME, NS, PTR    the name, canonical
//	MX                "<preference> <name>"; the name may be "." (RFC 7505)
//	SRV               "<priority> <weight> <port> <name>"; the name may be "." (RFC 2782)
//	NAPTR             `<order> <preference> "<flags>" "<services>" "<regexp>" <name or .>`
//	TXT               the bytes of the text itself: no quotes, no escapes, strings joined
//
// Other types keep their values as they are. An error names the value and what would be right.
func Canonical(r RRset) (RRset, error) {
	name, err := Name(r.Name)
	if err != nil {
		return RRset{}, err
	}
	r.Name, r.Type = name, strings.ToUpper(r.Type)
	values := make([]string, 0, len(r.Values))
	form := r.Type
	if r.Alias() {
		form = "CNAME"
	}
	for _, v := range r.Values {
		c, err := canonicalValue(form, v)
		if err != nil {
			return RRset{}, err
		}
		values = append(values, c)
	}
	slices.Sort(values)
	r.Values = slices.Compact(values)
	return r, nil
}

func canonicalValue(typ, v string) (string, error) {
	switch typ {
	case "A", "AAAA":
		return canonicalAddr(typ, v)
	case "CNAME", "NS", "PTR":
		return Name(strings.TrimSpace(v))
	case "MX":
		return numbersAndName(typ, v, "<preference> <name>", 1)
	case "SRV":
		return numbersAndName(typ, v, "<priority> <weight> <port> <name>", 3)
	case "NAPTR":
		return canonicalNAPTR(v)
	}
	return v, nil
}

func canonicalAddr(typ, v string) (string, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(v))
	if err != nil || a.Zone() != "" || a.Is4() != (typ == "A") || a.Is4In6() {
		want := "an IPv4 address like 192.0.2.1"
		if typ == "AAAA" {
			want = "an IPv6 address like 2001:db8::1"
		}
		return "", fmt.Errorf("%q is not an %s value: want %s", v, typ, want)
	}
	return a.String(), nil
}

// numbersAndName canonicalises n 16-bit numbers followed by a host name.
func numbersAndName(typ, v, want string, n int) (string, error) {
	fields := strings.Fields(v)
	if len(fields) != n+1 {
		return "", fmt.Errorf("%q is not an %s value: want %q", v, typ, want)
	}
	for i, f := range fields[:n] {
		u, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return "", fmt.Errorf("%q is not an %s value: %q is not a number from 0 to 65535 (%s)", v, typ, f, want)
		}
		fields[i] = strconv.FormatUint(u, 10)
	}
	host, err := nameOrRoot(fields[n])
	if err != nil {
		return "", fmt.Errorf("%q is not an %s value: %w", v, typ, err)
	}
	fields[n] = host
	return strings.Join(fields, " "), nil
}

func nameOrRoot(s string) (string, error) {
	if s == "." {
		return s, nil
	}
	return Name(s)
}

// canonicalNAPTR normalises the six fields of RFC 3403 §4.1.
func canonicalNAPTR(v string) (string, error) {
	bad := func() (string, error) {
		return "", fmt.Errorf(`%q is not a NAPTR value: want <order> <preference> "<flags>" "<services>" "<regexp>" <name>`, v)
	}
	rest := strings.TrimSpace(v)
	var fields [6]string
	for i := range fields {
		var ok bool
		if fields[i], rest, ok = cutField(rest); !ok {
			return bad()
		}
	}
	if rest != "" {
		return bad()
	}
	for i, f := range fields[:2] {
		u, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return bad()
		}
		fields[i] = strconv.FormatUint(u, 10)
	}
	host, err := nameOrRoot(fields[5])
	if err != nil {
		return bad()
	}
	return fmt.Sprintf(`%s %s "%s" "%s" "%s" %s`, fields[0], fields[1], fields[2], fields[3], fields[4], host), nil
}

// cutField cuts one field off a master-file line: a word without quotes or backslashes, or a quoted
// string whose quotes are dropped and whose backslash escapes are kept.
func cutField(s string) (field, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	if s[0] != '"' {
		field, rest, _ = strings.Cut(s, " ")
		return field, strings.TrimLeft(rest, " "), !strings.ContainsAny(field, `"\`)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], strings.TrimLeft(s[i+1:], " "), true
		}
	}
	return "", "", false
}
