package content

import (
	"fmt"
	"strconv"
	"strings"
)

// Newer reports whether serial a comes after b, in the arithmetic of RFC 1982.
func Newer(a, b uint32) bool { return int32(a-b) > 0 }

// Serial reads the serial out of an SOA value.
func Serial(soa string) (uint32, error) {
	f, err := soaFields(soa)
	if err != nil {
		return 0, err
	}
	return f.serial(), nil
}

// SOA decides what SOA value a server is to have: wish is what the objects ask for (see Zone; a serial of 0 leaves it to
// us), live what the server has, "" for none, and floor a serial that must not be gone below, 0 for none.
//
// The result is live, when that has all that is wished. Otherwise it is the wish with a serial that comes after live's,
// and is neither below the wished one nor below the floor, so that servers take it and secondaries follow.
func SOA(wish, live string, floor uint32) (string, error) {
	w, err := soaFields(wish)
	if err != nil {
		return "", err
	}
	least := w.serial()
	if least == 0 || floor != 0 && Newer(floor, least) {
		least = floor
	}
	if live == "" {
		return w.with(max(least, 1)), nil
	}
	l, err := soaFields(live)
	if err != nil {
		return "", err
	}
	serial := l.serial()
	high := least == 0 || !Newer(least, serial)
	if high && l.with(0) == w.with(0) {
		return live, nil
	}
	if high {
		if least = serial + 1; least == 0 {
			least = 1 // some servers take 0 for none
		}
	}
	return w.with(least), nil
}

// soa are the seven fields of an SOA value, names in lower case with a dot at the end.
type soa [7]string

func soaFields(value string) (soa, error) {
	f := strings.Fields(value)
	if len(f) != 7 {
		return soa{}, fmt.Errorf("%q is not an SOA value: want <primary> <mailbox> <serial> <refresh> <retry> <expire> <negative TTL>", value)
	}
	s := soa(f)
	for i := range s {
		if i < 2 {
			s[i] = strings.TrimSuffix(strings.ToLower(s[i]), ".") + "."
			continue
		}
		n, err := strconv.ParseUint(s[i], 10, 32)
		if err != nil {
			return soa{}, fmt.Errorf("%q is not an SOA value: %q is not a number from 0 to 4294967295", value, s[i])
		}
		s[i] = strconv.FormatUint(n, 10)
	}
	return s, nil
}

func (s soa) serial() uint32 {
	n, _ := strconv.ParseUint(s[2], 10, 32) // soaFields has read it
	return uint32(n)
}

func (s soa) with(serial uint32) string {
	s[2] = strconv.FormatUint(uint64(serial), 10)
	return strings.Join(s[:], " ")
}
