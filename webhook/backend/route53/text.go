package route53

import (
	"fmt"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Names and texts as Route 53 writes them (Developer Guide, DNS Domain Name Format and TXT record type):
// bytes out of the ordinary are \ and three octal digits.

// wireName is a canonical name in the form the service returns it in, with a dot at its end.
func wireName(name string) string {
	var b strings.Builder
	b.Grow(len(name) + 1)
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	b.WriteByte('.')
	return b.String()
}

// plainName is a name of the service in canonical form, or false when there is none.
func plainName(s string) (string, bool) {
	if strings.IndexByte(s, '\\') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if c, ok := octal(s[i:]); ok {
				if c == '.' {
					return "", false // a dot inside a label
				}
				b.WriteByte(c)
				i += 3
				continue
			}
			b.WriteByte(s[i])
		}
		s = b.String()
	}
	name, err := backend.Name(s)
	return name, err == nil
}

// octal reads an escape at the beginning of s.
func octal(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s[1:4]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int(c-'0')
	}
	return byte(n), n < 256
}

// maxString is the most bytes that one string of a TXT record holds (RFC 1035 §3.3).
const maxString = 255

// wireText is a text as strings in quotation marks.
func wireText(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('"')
	for i := range len(text) {
		if i > 0 && i%maxString == 0 {
			b.WriteString(`" "`)
		}
		switch c := text[i]; {
		case c == '"':
			b.WriteString(`\"`)
		case c == '\\' || c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// plainText is the text that strings in quotation marks hold. Others write them less strictly than we do,
// so bytes are taken as they are where they need no escape to be understood.
func plainText(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '"' && strings.IndexByte(s, '\\') < 0 && strings.IndexByte(s[1:], '"') == len(s)-2 {
		return s[1 : len(s)-1], true
	}
	var b strings.Builder
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, " \t") {
		rest, ok := cutString(s, &b)
		if !ok {
			return "", false
		}
		s = rest
	}
	return b.String(), true
}

// cutString reads one string, with or without quotation marks, into b.
func cutString(s string, b *strings.Builder) (rest string, ok bool) {
	quoted := s[0] == '"'
	i := 0
	if quoted {
		i = 1
	}
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && quoted:
			return s[i+1:], true
		case (c == ' ' || c == '\t') && !quoted:
			return s[i:], true
		case c == '\\':
			if n, ok := octal(s[i:]); ok {
				b.WriteByte(n)
				i += 3
			} else if i+1 < len(s) {
				i++
				b.WriteByte(s[i])
			} else {
				return "", false
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", !quoted
}

// wireValue is a canonical value as the service takes it. Names end with a dot, for where they do not, the
// service leaves it to the reader what they are relative to.
func wireValue(typ, v string) string {
	switch typ {
	case "TXT":
		return wireText(v)
	case "CNAME", "NS", "PTR", "MX", "SRV", "NAPTR":
		if !strings.HasSuffix(v, ".") {
			return v + "."
		}
	}
	return v
}
