package ganditest

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// value is a record's value as LiveDNS shows it, or why it does not take it. Names stay relative where
// they are given so (octodns completes them itself), and text comes back in quotes
// (terraform-provider-gandi #40).
func (d *domain) value(typ, v string) (string, error) {
	switch typ {
	case "A", "AAAA":
		if a, err := netip.ParseAddr(v); err != nil || a.Is4() != (typ == "A") {
			return "", errors.New("invalid IP address")
		}
		return v, nil
	case "TXT", "SPF":
		return text(v)
	}
	if typ == "ALIAS" {
		typ = "CNAME"
	}
	rr, err := dns.NewRR("name." + d.name + ". 300 IN " + typ + " " + v)
	if err != nil || rr == nil {
		return "", errors.New("invalid " + typ + " value")
	}
	for _, host := range targets(rr) {
		last := strings.TrimSuffix(host, ".")
		last = last[strings.LastIndexByte(last, '.')+1:]
		if last != "" && strings.Trim(last, "0123456789") == "" {
			return "", errors.New("invalid hostname")
		}
	}
	return v, nil
}

// targets are the host names in a record.
func targets(rr dns.RR) []string {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return []string{rr.Target}
	case *dns.NS:
		return []string{rr.Ns}
	case *dns.MX:
		return []string{rr.Mx}
	case *dns.SRV:
		return []string{rr.Target}
	case *dns.PTR:
		return []string{rr.Ptr}
	}
	return nil
}

// text reads strings in quotes, each of at most 255 bytes (RFC 1035 §3.3), or text without quotes, which
// becomes one string, and writes them in quotes again: printable ASCII as it is, the rest as \DDD.
func text(v string) (string, error) {
	texts := []string{v}
	if strings.HasPrefix(v, `"`) {
		var ok bool
		if texts, ok = quoted(v); !ok {
			return "", errors.New("invalid quotes")
		}
	}
	var shown strings.Builder
	size := 0
	for i, t := range texts {
		if len(t) > 255 {
			return "", fmt.Errorf("a string of %d bytes, at most 255 are allowed", len(t))
		}
		if size += 1 + len(t); size > 65535 {
			return "", errors.New("more than 65535 bytes of text")
		}
		if i > 0 {
			shown.WriteByte(' ')
		}
		shown.WriteByte('"')
		for _, c := range []byte(t) {
			switch {
			case c == '"' || c == '\\':
				shown.WriteByte('\\')
				shown.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&shown, "\\%03d", c)
			default:
				shown.WriteByte(c)
			}
		}
		shown.WriteByte('"')
	}
	return shown.String(), nil
}

// quoted reads strings in quotes with spaces between them, as master files have them (RFC 1035 §5.1).
func quoted(v string) (texts []string, ok bool) {
	for v = strings.TrimSpace(v); v != ""; v = strings.TrimLeft(v, " \t") {
		if v[0] != '"' {
			return nil, false
		}
		var t []byte
		end := 0
		for i := 1; i < len(v) && end == 0; i++ {
			switch c := v[i]; {
			case c == '"':
				end = i
			case c != '\\':
				t = append(t, c)
			case i+3 < len(v) && strings.Trim(v[i+1:i+4], "0123456789") == "":
				n, err := strconv.Atoi(v[i+1 : i+4])
				if err != nil || n > 255 {
					return nil, false
				}
				t = append(t, byte(n))
				i += 3
			case i+1 < len(v):
				i++
				t = append(t, v[i])
			}
		}
		if end == 0 {
			return nil, false
		}
		texts = append(texts, string(t))
		v = v[end+1:]
	}
	return texts, true
}
