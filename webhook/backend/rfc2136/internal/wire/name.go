package wire

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// maxName is the most bytes a name has on the wire, its root label included (RFC 1035 §2.3.4).
const maxName = 255

var (
	errCut     = errors.New("the message ends in the middle of a record")
	errPointer = errors.New("a compressed name points nowhere")
	errName    = errors.New("a name has more than 255 bytes")
)

// AppendName appends the wire form of a name in canonical text: labels without a trailing dot, "." for
// the root, and \DDD for bytes that backend.Name refuses.
func AppendName(b []byte, name string) ([]byte, error) {
	if name == "." {
		return append(b, 0), nil
	}
	start := len(b)
	b, err := appendLabels(b, name)
	if err != nil {
		return nil, err
	}
	b = append(b, 0)
	if len(b)-start > maxName {
		return nil, fmt.Errorf("%q: %w", name, errName)
	}
	return b, nil
}

// appendLabels appends the labels of a name, without the root's.
func appendLabels(b []byte, name string) ([]byte, error) {
	for rest := name; rest != ""; {
		length := len(b)
		b = append(b, 0)
		i := 0
		for ; i < len(rest) && rest[i] != '.'; i++ {
			c := rest[i]
			if c == '\\' {
				var n int
				if c, n = unescape(rest[i:]); n == 0 {
					return nil, fmt.Errorf("%q is not a domain name: a backslash without its digits", name)
				}
				i += n - 1
			}
			b = append(b, c)
		}
		size := len(b) - length - 1
		if size == 0 || size > 63 || i == len(rest)-1 {
			return nil, fmt.Errorf("%q is not a domain name: each label has 1 to 63 bytes", name)
		}
		b[length] = byte(size)
		rest = rest[min(i+1, len(rest)):]
	}
	return b, nil
}

// unescape decodes the escape sequence at the start of s (\DDD or \X) and its length; 0 when it is none.
func unescape(s string) (c byte, n int) {
	switch {
	case len(s) < 2:
		return 0, 0
	case s[1] < '0' || s[1] > '9':
		return s[1], 2
	case len(s) < 4 || s[2] < '0' || s[2] > '9' || s[3] < '0' || s[3] > '9':
		return 0, 0
	}
	v := int(s[1]-'0')*100 + int(s[2]-'0')*10 + int(s[3]-'0')
	if v > 255 {
		return 0, 0
	}
	return byte(v), 4
}

// appendNameText appends the canonical text of the name at off in msg, following compression, and
// returns the offset behind it. plain is false when the text needed an escape.
func appendNameText(b, msg []byte, off int) (text []byte, next int, plain bool, err error) {
	start, length, low := len(b), 0, off
	plain = true
	for next = -1; ; {
		if off >= len(msg) {
			return nil, 0, false, errCut
		}
		c := int(msg[off])
		switch {
		case c == 0:
			if next < 0 {
				next = off + 1
			}
			if len(b) == start {
				b = append(b, '.')
			}
			return b, next, plain, nil
		case c >= 0xc0:
			if off+1 >= len(msg) {
				return nil, 0, false, errCut
			}
			if next < 0 {
				next = off + 2
			}
			// A pointer leads to an earlier place (RFC 1035 §4.1.4); each one lower than the last ends.
			target := (c&0x3f)<<8 | int(msg[off+1])
			if target >= low {
				return nil, 0, false, errPointer
			}
			off, low = target, target
		case c > 63:
			return nil, 0, false, errPointer
		default:
			end := off + 1 + c
			if end > len(msg) {
				return nil, 0, false, errCut
			}
			if length += 1 + c; length >= maxName {
				return nil, 0, false, errName
			}
			label := msg[off+1 : end]
			off = end
			if len(b) > start {
				b = append(b, '.')
			}
			var ok bool
			b, ok = appendLabelText(b, label)
			plain = plain && ok
		}
	}
}

// plainBytes maps each byte that canonical text holds as it is to its lower case, and the others to 0.
var plainBytes = func() (table [256]byte) { //nolint:gochecknoglobals // a table
	for c := '!'; c <= '~'; c++ {
		if !strings.ContainsRune(`."'\;()@$,<>&`, c) {
			table[c] = byte(unicode.ToLower(c))
		}
	}
	return table
}()

// appendLabelText appends a label's canonical text and reports whether it needed no escape.
func appendLabelText(b, label []byte) ([]byte, bool) {
	plain := true
	for _, c := range label {
		if lower := plainBytes[c]; lower != 0 {
			b = append(b, lower)
			continue
		}
		b = fmt.Appendf(b, `\%03d`, c)
		plain = false
	}
	return b, plain
}

// skipName returns the offset behind the name at off.
func skipName(msg []byte, off int) (int, error) {
	for off < len(msg) {
		switch c := int(msg[off]); {
		case c == 0:
			return off + 1, nil
		case c >= 0xc0:
			return off + 2, nil
		case c > 63:
			return 0, errPointer
		default:
			off += 1 + c
		}
	}
	return 0, errCut
}
