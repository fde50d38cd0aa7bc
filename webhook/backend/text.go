package backend

import (
	"strings"
	"unicode/utf8"
)

// Text returns the bytes that a TXT target of external-dns stands for. Targets come as the text itself,
// or in the presentation form of RFC 1035 §5.1: quoted strings, one or more, with \" \\ and \DDD inside.
// What begins like the second and is none is the first.
func Text(target string) string {
	if !strings.HasPrefix(target, `"`) {
		return target
	}
	if text, ok := strings.CutSuffix(target[1:], `"`); ok && !strings.ContainsAny(text, `"\\`) {
		return text // one string without escapes: all of external-dns's own
	}
	var b strings.Builder
	for rest := target; rest != ""; rest = strings.TrimLeft(rest, " \t") {
		var ok bool
		if rest, ok = unquote(&b, rest); !ok {
			return target
		}
	}
	return b.String()
}

// unquote writes the bytes of the quoted string that s begins with, and returns what follows it.
func unquote(b *strings.Builder, s string) (rest string, ok bool) {
	if s[0] != '"' {
		return "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[i+1:], true
		case c != '\\':
			b.WriteByte(c)
		case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
			n := int(s[i+1]-'0')*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0')
			if n > 255 {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 3
		case i+1 < len(s):
			i++
			b.WriteByte(s[i])
		}
	}
	return "", false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// QuoteText returns the text as one quoted string, of which Text makes the same bytes again and which
// survives JSON: control bytes, and bytes that are no UTF-8, as \DDD.
func QuoteText(text string) string {
	characters := utf8.ValidString(text)
	var b strings.Builder
	b.Grow(len(text) + 8)
	b.WriteByte('"')
	for _, c := range []byte(text) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f || c >= 0x80 && !characters:
			b.Write([]byte{'\\', '0' + c/100, '0' + c/10%10, '0' + c%10})
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
