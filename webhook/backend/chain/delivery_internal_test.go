package chain

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// picky takes a request as a whole, unless one of its units is bad; then it makes none of it, or what
// comes before the bad one.
type picky struct {
	bad       map[string]bool
	stops     bool // makes what comes before
	after     int  // requests after which it is down; 0: never
	made      map[string]bool
	requests  int
	refusedAs error
}

func (p *picky) send(units []string) error {
	p.requests++
	if p.after > 0 && p.requests > p.after {
		return errors.New("connection refused")
	}
	for i, u := range units {
		if p.bad[u] {
			if p.stops {
				p.make(units[:i])
			}
			return p.refusedAs
		}
	}
	p.make(units)
	return nil
}

func (p *picky) make(units []string) {
	for _, u := range units {
		p.made[u] = true
	}
}

func (p *picky) left(units []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(units), func(u string) bool { return p.made[u] }), nil
}

// Whatever is refused and wherever the service stops: each unit is made, refused or not tried, and only
// bad ones are refused; the requests are bounded.
func TestEveryUnitHasItsFate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var units []string
		for i := range rapid.IntRange(1, 400).Draw(t, "units") {
			units = append(units, fmt.Sprint("u", i))
		}
		p := &picky{bad: map[string]bool{}, made: map[string]bool{}, stops: rapid.Bool().Draw(t, "stops"), after: rapid.IntRange(0, 30).Draw(t, "after"),
			refusedAs: &answerError{status: rapid.SampledFrom([]int{http.StatusBadRequest, http.StatusInternalServerError}).Draw(t, "status")}}
		for _, u := range rapid.SliceOfDistinct(rapid.SampledFrom(units), rapid.ID).Draw(t, "bad") {
			p.bad[u] = true
		}
		suspected := rapid.SliceOfDistinct(rapid.SampledFrom(append(units, "gone")), rapid.ID).Draw(t, "suspected")
		d := &delivery{send: p.send}
		if rapid.Bool().Draw(t, "reads again") {
			d.left = p.left
		}
		d.run(units, suspected)
		for _, u := range units {
			refused, untried := d.refused[u] != nil, d.untried[u] != nil
			if refused && untried || refused && !p.bad[u] || !refused && !untried && !p.made[u] || p.made[u] && p.bad[u] {
				t.Fatalf("%s: bad %v, made %v, refused %v, untried %v", u, p.bad[u], p.made[u], refused, untried)
			}
		}
		if p.requests > maxRequests+suspectsAtATime+1 {
			t.Fatalf("%d requests", p.requests)
		}
		if p.after == 0 && len(p.bad) == 0 && len(d.refused)+len(d.untried) > max(0, len(suspected)-suspectsAtATime) {
			t.Fatalf("nothing is bad, but %v are refused and %v not tried", d.refused, d.untried)
		}
	})
}

// Called again and again, everything good is made and everything bad is known.
func TestRepeatedDeliveriesConverge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var units []string
		for i := range rapid.IntRange(1, 300).Draw(t, "units") {
			units = append(units, fmt.Sprint("u", i))
		}
		p := &picky{bad: map[string]bool{}, made: map[string]bool{}, stops: rapid.Bool().Draw(t, "stops"), refusedAs: &answerError{status: http.StatusInternalServerError}}
		for _, u := range rapid.SliceOfNDistinct(rapid.SampledFrom(units), 0, 60, rapid.ID).Draw(t, "bad") {
			p.bad[u] = true
		}
		var suspects []string
		for range 40 {
			left, _ := p.left(units)
			d := &delivery{send: p.send, left: p.left}
			d.run(left, suspects)
			suspects = d.suspects
		}
		if left, _ := p.left(units); len(left) != len(p.bad) || len(suspects) != len(p.bad) {
			t.Fatalf("%d of %d units are left, %d are bad, %d suspected", len(left), len(units), len(p.bad), len(suspects))
		}
	})
}
