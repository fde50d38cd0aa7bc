package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// AppendData appends the wire form of a record's data given in the text of backend.Canonical, or for types
// that it does not know in that of Text, without its length. A TXT value is cut into strings of 255 bytes.
// Names are not compressed: the rules which types may be differ between servers, and what is compressed
// cannot be compared.
func AppendData(b []byte, t Type, value string) ([]byte, error) {
	switch t {
	case A, AAAA:
		addr, err := netip.ParseAddr(value)
		if err != nil || addr.Is4() != (t == A) || addr.Zone() != "" {
			return nil, fmt.Errorf("%q is not an %s value", value, t)
		}
		return append(b, addr.AsSlice()...), nil
	case CNAME, NS, PTR:
		return AppendName(b, value)
	case MX:
		return appendNumbersAndName(b, t, value, 1)
	case SRV:
		return appendNumbersAndName(b, t, value, 3)
	case NAPTR:
		return appendNAPTR(b, value)
	case TXT:
		for len(value) > 255 {
			b = append(append(b, 255), value[:255]...)
			value = value[255:]
		}
		return append(append(b, byte(len(value))), value...), nil
	}
	return appendFurtherData(b, t, value)
}

func appendNumbersAndName(b []byte, t Type, value string, numbers int) ([]byte, error) {
	rest := value
	for range numbers {
		var field string
		field, rest, _ = strings.Cut(rest, " ")
		n, err := strconv.ParseUint(field, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is not an %s value: %q is not a number from 0 to 65535", value, t, field)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return AppendName(b, rest)
}

// appendNAPTR encodes the canonical text of RFC 3403 §4.1: two numbers, three quoted strings, a name.
func appendNAPTR(b []byte, value string) ([]byte, error) {
	bad := fmt.Errorf("%q is not a NAPTR value", value)
	rest := value
	for range 2 {
		var field string
		field, rest, _ = strings.Cut(rest, " ")
		n, err := strconv.ParseUint(field, 10, 16)
		if err != nil {
			return nil, bad
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	for range 3 {
		length := len(b)
		b = append(b, 0)
		var ok bool
		if b, rest, ok = appendQuoted(b, rest); !ok || len(b)-length-1 > 255 {
			return nil, bad
		}
		b[length] = byte(len(b) - length - 1)
		rest = strings.TrimPrefix(rest, " ")
	}
	return AppendName(b, rest)
}

// appendQuoted appends the bytes of the quoted string that s starts with.
func appendQuoted(b []byte, s string) (out []byte, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return nil, "", false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		switch c {
		case '"':
			return b, s[i+1:], true
		case '\\':
			var n int
			if c, n = unescape(s[i:]); n == 0 {
				return nil, "", false
			}
			i += n - 1
		}
		b = append(b, c)
	}
	return nil, "", false
}

// appendDataText appends the canonical text of the record data msg[off:end].
func appendDataText(b, msg []byte, off, end int, t Type) ([]byte, error) {
	data := msg[off:end]
	var err error
	switch t {
	case A:
		if len(data) != 4 {
			return nil, errData(t)
		}
		return netip.AddrFrom4([4]byte(data)).AppendTo(b), nil
	case AAAA:
		if len(data) != 16 {
			return nil, errData(t)
		}
		return netip.AddrFrom16([16]byte(data)).AppendTo(b), nil
	case TXT:
		return appendText(b, data)
	case CNAME, NS, PTR:
		return appendLastName(b, msg, off, end, t)
	case MX:
		if b, off, err = appendNumbers(b, msg, off, end, 1); err != nil {
			return nil, errData(t)
		}
		return appendLastName(b, msg, off, end, t)
	case SRV:
		if b, off, err = appendNumbers(b, msg, off, end, 3); err != nil {
			return nil, errData(t)
		}
		return appendLastName(b, msg, off, end, t)
	case NAPTR:
		if b, off, err = appendNumbers(b, msg, off, end, 2); err != nil {
			return nil, errData(t)
		}
		for range 3 {
			if off >= end || off+1+int(msg[off]) > end {
				return nil, errData(t)
			}
			next := off + 1 + int(msg[off])
			b = append(appendQuotedText(b, msg[off+1:next]), ' ')
			off = next
		}
		return appendLastName(b, msg, off, end, t)
	}
	return append(b, readFurther(t, msg, off, end).text...), nil
}

func errData(t Type) error { return fmt.Errorf("malformed data of a record of type %s", t) }

// appendNumbers appends n 16-bit numbers, each with a space behind it.
func appendNumbers(b, msg []byte, off, end, n int) (text []byte, next int, err error) {
	if off+2*n > end {
		return nil, 0, errCut
	}
	for range n {
		b = append(strconv.AppendUint(b, uint64(binary.BigEndian.Uint16(msg[off:])), 10), ' ')
		off += 2
	}
	return b, off, nil
}

// appendLastName appends the name that the data ends with.
func appendLastName(b, msg []byte, off, end int, t Type) ([]byte, error) {
	b, next, _, err := appendNameText(b, msg[:end], off)
	if err != nil {
		return nil, err
	}
	if next != end {
		return nil, errData(t)
	}
	return b, nil
}

// appendText joins the strings of a TXT record.
func appendText(b, data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, errData(TXT)
	}
	for len(data) > 0 {
		n := int(data[0])
		if 1+n > len(data) {
			return nil, errData(TXT)
		}
		b = append(b, data[1:1+n]...)
		data = data[1+n:]
	}
	return b, nil
}

// usualText reports whether a TXT record is cut into strings where AppendData cuts.
func usualText(data []byte) bool {
	first := true
	for len(data) > 256 && data[0] == 255 {
		data, first = data[256:], false
	}
	return len(data) > 0 && len(data) == 1+int(data[0]) && (data[0] > 0 || first)
}

// appendQuotedText appends a character string in quotes, as master files hold it (RFC 1035 §5.1).
func appendQuotedText(b, s []byte) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c >= 0x7f:
			b = fmt.Appendf(b, `\%03d`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
