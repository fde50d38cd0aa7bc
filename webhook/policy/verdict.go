package policy

import (
	"cmp"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
)

// outcome is what a view decides about one claim.
type outcome struct {
	action Action
	rank   int // of what decided: an override before all rules, the rules in order, then the default
	rule   *rule
	answer *answer // what Rewrite publishes
	ttl    endpoint.TTL
}

// same reports whether both have the same effect.
func (o *outcome) same(b *outcome) bool {
	return o.action == b.action && o.ttl == b.ttl && (o.action != Rewrite || o.answer.same(b.answer))
}

// beats orders rewrites: an override before rules, an earlier rule before a later one, then the name of
// the target.
func (o *outcome) beats(b *outcome) bool {
	return cmp.Or(cmp.Compare(o.rank, b.rank), strings.Compare(o.answer.name, b.answer.name)) < 0
}

// verdict is what a view decides about a host.
type verdict struct {
	action   Action
	by       outcome      // the winner among the claims' outcomes
	ttl      endpoint.TTL // 0: the records' own
	reason   string       // why the host is held
	conflict string       // how the claims disagree
}

// possible appends to out every outcome the claim may have in the view. There are several only when a
// rule depends on what cannot be seen, and it makes a difference.
func (v *view) possible(a *ask, host string, recs []rec, out []outcome) []outcome {
	start := len(out)
	add := func(o outcome) {
		o = v.overridden(a, o)
		if !slices.ContainsFunc(out[start:], func(b outcome) bool { return b.same(&o) }) {
			out = append(out, o)
		}
	}
	for i := range v.rules {
		r := &v.rules[i]
		m := r.match(a, host, recs)
		if m == no {
			continue
		}
		add(outcome{action: r.action, rank: i, rule: r, answer: r.answer, ttl: r.ttl})
		if m == yes {
			return out
		}
	}
	add(outcome{action: Keep, rank: len(v.rules)})
	return out
}

// overridden applies the claim's own wishes. They never bring back what a rule drops.
func (v *view) overridden(a *ask, o outcome) outcome {
	switch {
	case o.action == Drop:
	case a.wish.views != nil && !slices.Contains(a.wish.views, v.name):
		return outcome{action: Drop, rank: Override}
	case a.wish.keep:
		return outcome{action: Keep, rank: Override, ttl: o.ttl}
	case a.wish.answer != nil:
		return outcome{action: Rewrite, rank: Override, answer: a.wish.answer, ttl: o.ttl}
	}
	return o
}

// decide takes the decision for a host on all its claims: rewrite beats keep, and drop removes a claim's
// contribution only. Afterwards r.of(i) is what was decided about claim i.
func (r *run) decide(v *view, host string, recs []rec) verdict {
	r.outcomes, r.spans = r.outcomes[:0], append(r.spans[:0], 0)
	for i := range r.asks {
		r.outcomes = v.possible(&r.asks[i], host, recs, r.outcomes)
		r.spans = append(r.spans, len(r.outcomes))
	}
	winner, differ := r.winner()
	if reason := r.open(winner); reason != "" {
		return verdict{action: Hold, reason: reason}
	}
	out := verdict{action: winner.action, by: *winner}
	if differ {
		out.conflict = r.disagreement()
	}
	out.ttl = winner.ttl
	if wished := r.wishedTTL(); wished > 0 {
		out.ttl = wished
	}
	return out
}

// of returns the possible outcomes of claim i.
func (r *run) of(i int) []outcome { return r.outcomes[r.spans[i]:r.spans[i+1]] }

// dropped reports whether claim i is left out of the view for certain.
func (r *run) dropped(i int) bool { return len(r.of(i)) == 1 && r.of(i)[0].action == Drop }

// winner is the outcome that decides for the host, among the claims whose outcome is certain; nil when
// there is none. differ reports whether they disagree.
func (r *run) winner() (best *outcome, differ bool) {
	for i := range r.asks {
		if len(r.of(i)) > 1 {
			continue
		}
		o := &r.of(i)[0]
		if best != nil && (o.action != best.action || o.action == Rewrite && !o.answer.same(best.answer)) {
			differ = true
		}
		if best == nil || o.wins(best) {
			best = o
		}
	}
	return best, differ
}

// wins orders outcomes of different claims: rewrite, keep, drop, and among equals the earlier rule.
func (o *outcome) wins(b *outcome) bool {
	switch {
	case o.action != b.action:
		return strength(o.action) > strength(b.action)
	case o.action == Rewrite:
		return o.beats(b)
	}
	return o.rank < b.rank
}

func strength(a Action) int {
	switch a {
	case Rewrite:
		return 2
	case Keep:
		return 1
	}
	return 0
}

// open says why the decision cannot be taken: a claim's outcome is not certain, and it could be another
// one than the winner that decides. Only a rewrite is safe from all others but a stronger rewrite.
func (r *run) open(winner *outcome) (reason string) {
	for i := range r.asks {
		possible := r.of(i)
		if len(possible) == 1 {
			continue
		}
		matters := winner == nil || winner.action != Rewrite || slices.ContainsFunc(possible, func(o outcome) bool {
			return o.action == Rewrite && o.beats(winner) && !o.same(winner)
		})
		if matters {
			return refText(r.asks[i].claim) + ": " + r.asks[i].why
		}
	}
	return ""
}

// wishedTTL is the lowest TTL asked for by a claim that is published; 0 when none asks.
func (r *run) wishedTTL() (ttl endpoint.TTL) {
	for i := range r.asks {
		if w := r.asks[i].wish.ttl; w > 0 && !r.dropped(i) && (ttl == 0 || w < ttl) {
			ttl = w
		}
	}
	return ttl
}

// disagreement describes what is decided about each claim.
func (r *run) disagreement() string {
	var b strings.Builder
	for i := range r.asks {
		if len(r.of(i)) > 1 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		o := &r.of(i)[0]
		b.WriteString(refText(r.asks[i].claim) + " is for " + string(o.action))
		if o.action == Rewrite {
			b.WriteString(" to " + o.answer.name)
		}
	}
	return b.String()
}
