package clouddns

import (
	"fmt"
	"strings"

	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
)

// maxString is the longest string of a TXT record (RFC 1035 §3.3).
const maxString = 255

// encode is the RRset as the service takes it: names absolute, values in the text of master files (RFC 1035
// §5).
func encode(r *backend.RRset) *dns.ResourceRecordSet {
	rrdatas := make([]string, len(r.Values))
	for i, v := range r.Values {
		switch r.Type {
		case "CNAME", "NS", "PTR", "MX", "SRV", "NAPTR":
			rrdatas[i] = v
			if !strings.HasSuffix(v, " .") {
				rrdatas[i] += "."
			}
		case "TXT":
			rrdatas[i] = quote(v)
		default:
			rrdatas[i] = v
		}
	}
	return &dns.ResourceRecordSet{Name: r.Name + ".", Type: r.Type, Ttl: int64(r.TTL.Seconds()), Rrdatas: rrdatas}
}

// quote writes a text as strings of at most 255 bytes in quotes. What is not printable ASCII is escaped by
// its number, as RFC 1035 §5.1 has it, so it survives whatever is between us and the zone.
func quote(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	for first := true; first || text != ""; first = false {
		if !first {
			b.WriteByte(' ')
		}
		n := min(len(text), maxString)
		b.WriteByte('"')
		for _, c := range []byte(text[:n]) {
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
		b.WriteByte('"')
		text = text[n:]
	}
	return b.String()
}

// unquote reads a text of master files: strings in quotes or bare words, which belong together.
func unquote(rrdata string) (string, error) {
	var b strings.Builder
	b.Grow(len(rrdata))
	quoted := false
	for i := 0; i < len(rrdata); i++ {
		switch c := rrdata[i]; {
		case c == '"':
			quoted = !quoted
		case c == ' ' && !quoted:
		case c == '\\':
			n, width := escaped(rrdata[i+1:])
			if width == 0 {
				return "", fmt.Errorf("%.100q ends in an escape or has one that means no byte", rrdata)
			}
			b.WriteByte(n)
			i += width
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", fmt.Errorf("%.100q has an open quote", rrdata)
	}
	return b.String(), nil
}

// escaped reads what follows a backslash: three digits or any other byte. A width of 0 means neither.
func escaped(s string) (c byte, width int) {
	if s == "" {
		return 0, 0
	}
	if s[0] < '0' || s[0] > '9' {
		return s[0], 1
	}
	if len(s) < 3 {
		return 0, 0
	}
	n := 0
	for _, d := range []byte(s[:3]) {
		if d < '0' || d > '9' {
			return 0, 0
		}
		n = 10*n + int(d-'0')
	}
	if n > 255 {
		return 0, 0
	}
	return byte(n), 3
}
