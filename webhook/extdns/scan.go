package extdns

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/external-dns/endpoint"
)

// scanner reads the JSON that external-dns writes. Whatever is unusual (an unknown member, one that
// occurs twice or in other letters, null, surrogates, a fraction) or wrong makes it report false, and the
// caller asks encoding/json instead: so it never has to know the odd rules, only to recognise that one
// is needed.
type scanner struct {
	text   string
	at     int
	block  []endpoint.Endpoint // not yet used
	values []string            // used up to its length
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return
		}
	}
}

// take reads c, and white space before it.
func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// atEnd reports whether only white space is left.
func (s *scanner) atEnd() bool {
	s.space()
	return s.at == len(s.text)
}

// array reads an array whose elements item reads.
func (s *scanner) array(item func() bool) bool {
	if !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if !item() {
			return false
		}
		if !s.take(',') {
			return s.take(']')
		}
	}
}

// object reads an object whose members' values member reads.
func (s *scanner) object(member func(name string) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.str()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// str reads a string; without escapes it shares the text's memory.
func (s *scanner) str() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	start := s.at
	ascii := true
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			found := s.text[start:i]
			return found, ascii || utf8.ValidString(found)
		case c == '\\':
			return s.escaped(start, i)
		case c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// escaped reads the string that began at start and has its first backslash at i.
func (s *scanner) escaped(start, i int) (string, bool) {
	var b strings.Builder
	b.Grow(i - start + 64)
	b.WriteString(s.text[start:i])
	for i < len(s.text) {
		c := s.text[i]
		switch {
		case c == '"':
			s.at = i + 1
			return b.String(), utf8.ValidString(b.String())
		case c < ' ':
			return "", false
		case c != '\\':
			b.WriteByte(c)
			i++
		default:
			r, size := unescape(s.text[i:])
			if size == 0 {
				return "", false
			}
			b.WriteRune(r)
			i += size
		}
	}
	return "", false
}

// unescape reads the escape that text begins with. Size 0: none, or a surrogate.
func unescape(text string) (r rune, size int) {
	if len(text) < 2 {
		return 0, 0
	}
	switch c := text[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		if len(text) < 6 {
			return 0, 0
		}
		n, err := strconv.ParseUint(text[2:6], 16, 16)
		if err != nil || n >= 0xd800 && n < 0xe000 {
			return 0, 0
		}
		return rune(n), 6
	}
	return 0, 0
}

// integer reads a number that is surely an int64.
func (s *scanner) integer() (int64, bool) {
	s.space()
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	digits := s.text[start:s.at]
	if digits == "" || len(digits) > 18 || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}
