package content

import (
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// SOA decides what SOA value a server is to have: wish is what the objects ask for (see Zone; a serial of 0 leaves it to
// us), live what the server has, "" for none, and floor a serial that must not be gone below, 0 for none.
//
// The result is live, when that has all that is wished. Otherwise it is the wish with a serial that comes after live's in
// the arithmetic of RFC 1982, and is neither below the wished one nor below the floor, so that servers take it and
// secondaries follow.
func SOA(wish, live string, floor uint32) (string, error) {
	w, err := rfc2136.ParseSOA(wish)
	if err != nil {
		return "", err
	}
	if w.Serial == 0 || floor != 0 && rfc2136.Newer(floor, w.Serial) {
		w.Serial = floor
	}
	if live == "" {
		w.Serial = max(w.Serial, 1)
		return w.Value(), nil
	}
	l, err := rfc2136.ParseSOA(live)
	if err != nil {
		return "", err
	}
	if w.Serial == 0 || !rfc2136.Newer(w.Serial, l.Serial) {
		if l.Same(w) {
			return live, nil
		}
		w.Serial = max(l.Serial+1, 1) // 0 is no serial here
	}
	return w.Value(), nil
}
