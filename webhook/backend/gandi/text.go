package gandi

import (
	"errors"
	"fmt"
	"strings"
)

// maxString is the longest string in a TXT record (RFC 1035 §3.3).
const maxString = 255

// writeText puts a text in quotes as a master file has it (RFC 1035 §5.1), in strings of at most 255
// bytes. JSON carries no bytes that are not UTF-8, so what is not printable ASCII becomes \DDD.
func writeText(text string) string {
	var b strings.Builder
	for first := true; first || text != ""; first = false {
		if !first {
			b.WriteByte(' ')
		}
		part := text[:min(len(text), maxString)]
		text = text[len(part):]
		b.WriteByte('"')
		for _, c := range []byte(part) {
			switch {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, "\\%03d", c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
	}
	return b.String()
}

// readText joins the strings of a text in quotes. Text without quotes is taken as it is.
func readText(shown string) (string, error) {
	rest := strings.Trim(shown, " \t")
	if !strings.HasPrefix(rest, `"`) {
		return shown, nil
	}
	var text []byte
	for rest != "" {
		if rest[0] != '"' {
			return "", errors.New("text beside quotes")
		}
		var err error
		if text, rest, err = readString(text, rest[1:]); err != nil {
			return "", err
		}
		rest = strings.TrimLeft(rest, " \t")
	}
	return string(text), nil
}

// readString appends a string to text, up to its closing quote, and returns what follows.
func readString(text []byte, s string) (all []byte, rest string, err error) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return text, s[i+1:], nil
		case c != '\\':
			text = append(text, c)
		case i+3 < len(s) && digits(s[i+1:i+4]):
			n := int(s[i+1]-'0')*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0')
			if n > 255 {
				return nil, "", fmt.Errorf("\\%s is no byte", s[i+1:i+4])
			}
			text = append(text, byte(n))
			i += 3
		case i+1 < len(s):
			i++
			text = append(text, s[i])
		}
	}
	return nil, "", errors.New("a quote is not closed")
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
