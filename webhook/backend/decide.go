package backend

import "errors"

// ErrConflict is the cause inside a Conflict error made by Decide.
var ErrConflict = errors.New("the zone holds something else than expected; left untouched")

// ErrAlone is the cause inside a Conflict error about a CNAME and another record of one name.
var ErrAlone = errors.New("a CNAME stands alone at its name (RFC 1034 §3.6.2); left untouched")

// Decide says what a change means for the RRset that stands now (nil when there is none): nothing to
// do, write, or ErrConflict. It is the one definition of idempotence and conflict for all backends.
//
//   - What stands already equals New, TTL included: nothing to do. A delete of nothing is done.
//   - What stands has Old's values (or New's values and only the TTL differs): write.
//   - Anything else is a conflict.
//
// TTLs of Old are not compared: RFC 2136 prerequisites cannot see them either.
func Decide(current *RRset, c Change) (write bool, err error) {
	if current == nil && c.New == nil {
		return false, nil
	}
	if current.Same(c.New) {
		return c.New.TTL != 0 && current.TTL != c.New.TTL, nil
	}
	if current.Same(c.Old) {
		return true, nil
	}
	return false, ErrConflict
}
