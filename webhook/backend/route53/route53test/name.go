package route53test

import (
	"fmt"
	"slices"
	"strings"
)

// canonicalName returns a name as the service returns it: lower case, with a dot at the end, every byte
// other than a-z, 0-9, "-", "_" and "." as \ and three octal digits (Developer Guide, DNS Domain Name
// Format). It refuses what the guide refuses: empty labels, labels of more than 63 bytes, names of more
// than 255, and escapes that are no three octal digits.
func canonicalName(s string) (string, error) {
	labels, err := splitName(s)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, label := range labels {
		for _, c := range label {
			b.WriteString(escaped(c))
		}
		b.WriteByte('.')
	}
	return b.String(), nil
}

func escaped(c byte) string {
	if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
		return string(c)
	}
	return fmt.Sprintf(`\%03o`, c)
}

// splitName reads a name as labels of plain bytes.
func splitName(s string) ([][]byte, error) {
	var labels [][]byte
	label, total := []byte{}, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '.':
			if len(label) == 0 {
				return nil, fmt.Errorf("empty label")
			}
			labels, label = append(labels, label), []byte{}
			continue
		case c == '\\':
			n, ok := octal(s[i+1:])
			if !ok {
				return nil, fmt.Errorf("escape codes have the format \\three-digit octal code")
			}
			c, i = n, i+3
		case c <= ' ' || c >= 0x7f:
			return nil, fmt.Errorf("byte %q is only allowed as an escape code", c)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		label = append(label, c)
		if len(label) > 63 {
			return nil, fmt.Errorf("label of more than 63 bytes")
		}
		total++
	}
	if len(label) > 0 {
		labels = append(labels, label)
	}
	if len(labels) == 0 || total+len(labels) > 255 {
		return nil, fmt.Errorf("a name has 1 to 255 bytes")
	}
	return labels, nil
}

// octal reads three octal digits.
func octal(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s[:3]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n<<3 | int(c-'0')
	}
	return byte(n), n < 256
}

// order is what record sets are sorted by: the name with its labels reversed, a dot at its end
// (ListResourceRecordSets, "How sort order works"), the type, and the set identifier.
func order(name, typ, setID string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + ".\x00" + typ + "\x00" + setID
}

// inZone reports whether a canonical name is the zone's or below it.
func inZone(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }
