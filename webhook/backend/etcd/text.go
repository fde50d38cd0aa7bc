package etcd

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// CoreDNS cuts a text into strings of 255 bytes and packs each one as master-file text: "\" followed by
// three digits is a byte, "\" followed by anything else is that character, and a "\" at the very end of
// a string is nothing at all. Stored texts are escaped so that exactly our bytes come out.
const stringLength = 255

var errText = errors.New("bytes that are not UTF-8 cannot stand at the seam of two 255-byte strings of a text")

// escapeText returns what has to be stored for CoreDNS to answer with the text.
func escapeText(text string) (string, error) {
	if text == "" {
		return `\`, nil // an empty text would not be a text record
	}
	if utf8.ValidString(text) && strings.IndexByte(text, '\\') < 0 {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		unit, n := escapeAt(text, i)
		if room := stringLength - b.Len()%stringLength; len(unit) > room && unit[0] == '\\' {
			if room > 1 {
				return "", errText
			}
			b.WriteByte('\\') // fills the string up and is packed as nothing
		}
		b.WriteString(unit)
		i += n
	}
	return b.String(), nil
}

// escapeAt is the stored form of the character at i, and its length in the text.
func escapeAt(text string, i int) (unit string, n int) {
	if text[i] == '\\' {
		return `\\`, 1
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	if r != utf8.RuneError || n > 1 {
		return text[i : i+n], n
	}
	c := text[i] // JSON cannot hold a byte that is not UTF-8
	return string([]byte{'\\', '0' + c/100, '0' + c/10%10, '0' + c%10}), 1
}

// unescapeText is what CoreDNS answers for a stored text.
func unescapeText(stored string) string {
	if strings.IndexByte(stored, '\\') < 0 {
		return stored
	}
	var b strings.Builder
	for len(stored) > 0 {
		part := stored[:min(len(stored), stringLength)]
		stored = stored[len(part):]
		for i := 0; i < len(part); i++ {
			if part[i] != '\\' {
				b.WriteByte(part[i])
				continue
			}
			rest := part[i+1:]
			switch {
			case len(rest) >= 3 && isDigit(rest[0]) && isDigit(rest[1]) && isDigit(rest[2]):
				b.WriteByte((rest[0]-'0')*100 + (rest[1]-'0')*10 + rest[2] - '0')
				i += 3
			case len(rest) > 0:
				b.WriteByte(rest[0])
				i++
			}
		}
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// unquoteText drops the quotes that external-dns's own CoreDNS provider leaves around a text, and keeps
// any other text as it is. Several quoted strings are one text.
func unquoteText(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return text
	}
	var b strings.Builder
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inside = !inside
		case c == '\\' && inside && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case inside:
			b.WriteByte(c)
		case c != ' ':
			return text
		}
	}
	if inside {
		return text
	}
	return b.String()
}
