package policy

import (
	"slices"
	"strings"
)

// ownTargets returns what the kept claims publish themselves. ok is false when the records hold just
// that already. Otherwise they cannot tell, being merged from all claims: where a claim is dropped, or
// asks for another address than its own, the targets come from the claims that stay.
func (r *run) ownTargets(recs []rec) (targets []string, ok bool) {
	dropped, replaced, complete := false, false, true
	for i := range r.asks {
		dropped = dropped || r.dropped(i)
		replaced = replaced || r.asks[i].seed
	}
	if !dropped && !replaced {
		return nil, false
	}
	var gone []string
	for i := range r.asks {
		a := &r.asks[i]
		if r.dropped(i) {
			gone = append(gone, a.own...)
			continue
		}
		gone, targets = append(gone, a.old...), append(targets, a.own...)
		complete = complete && a.own != nil
	}
	if dropped && recs[0].id != "" {
		// Which claim a set identifier belongs to is not known, but its record holds no other's targets.
		targets = slices.DeleteFunc(targets, func(t string) bool { return !holds(recs, t) })
	}
	if complete {
		return targets, true
	}
	for i := range recs {
		for _, t := range recs[i].targets {
			if !slices.Contains(gone, t) {
				targets = append(targets, t)
			}
		}
	}
	return targets, true
}

func holds(recs []rec, target string) bool {
	return slices.ContainsFunc(recs, func(rc rec) bool { return slices.Contains(rc.targets, target) })
}

func answerOf(targets []string) *answer {
	a := &answer{}
	for _, t := range targets {
		switch {
		case !isAddress(t):
			a.host = append(a.host, t)
		case strings.Contains(t, ":"):
			a.v6 = append(a.v6, t)
		default:
			a.v4 = append(a.v4, t)
		}
	}
	a.v4, a.v6, a.host = sorted(a.v4), sorted(a.v6), sorted(a.host)
	return a
}
