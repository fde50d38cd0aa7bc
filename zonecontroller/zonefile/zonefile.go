// Package zonefile owns a zone as text: as a file in the format of RFC 1035 §5, and as the objects that mean it.
package zonefile

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Write writes the RRsets of a zone as a zone file: the zone's own name first, SOA before all, names above those below
// them. Owners are relative to the zone, names in data are whole. Values are as rfc2136.Zones has them.
func Write(w io.Writer, zone string, sets []backend.RRset) error {
	ordered := slices.Clone(sets)
	slices.SortFunc(ordered, func(a, b backend.RRset) int {
		return cmp.Or(compareNames(a.Name, b.Name), cmp.Compare(typeRank(a.Type), typeRank(b.Type)), strings.Compare(a.Type, b.Type))
	})
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "$ORIGIN %s.\n", zone)
	for _, set := range ordered {
		if !backend.InZone(set.Name, zone) {
			return fmt.Errorf("%s lies outside the zone %s", set.Key, zone)
		}
		owner := "@"
		if set.Name != zone {
			owner = strings.TrimSuffix(set.Name, "."+zone)
		}
		for _, value := range set.Values {
			fmt.Fprintf(b, "%s\t%d\tIN\t%s\t%s\n", owner, set.TTL/time.Second, set.Type, data(set.Type, value))
		}
	}
	return b.Flush()
}

// compareNames is the order of RFC 4034 §6.1: by labels, the last first.
func compareNames(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	slices.Reverse(as)
	slices.Reverse(bs)
	return slices.Compare(as, bs)
}

func typeRank(typ string) int {
	switch typ {
	case "SOA":
		return 0
	case "NS":
		return 1
	}
	return 2
}

// data is a value as a zone file has it.
func data(typ, value string) string {
	switch typ {
	case "TXT":
		return quoted(value)
	case "CNAME", "NS", "PTR", "MX", "SRV", "NAPTR":
		return strings.TrimSuffix(value, ".") + "." // a name is last; "0 ." stays
	}
	return value
}

// quoted is a text as strings of at most 255 bytes (RFC 1035 §3.3), each in quotes.
func quoted(text string) string {
	var b strings.Builder
	for {
		n := min(len(text), 255)
		b.WriteByte('"')
		for _, c := range []byte(text[:n]) {
			switch {
			case c == '"' || c == '\\':
				b.Write([]byte{'\\', c})
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, `\%03d`, c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
		if text = text[n:]; text == "" {
			return b.String()
		}
		b.WriteByte(' ')
	}
}
