package main

import (
	"testing"

	"sigs.k8s.io/external-dns/endpoint"
)

func TestTheFewestCallsAreCounted(t *testing.T) {
	t.Parallel()
	before, after := hosts("bench.test", 10, 0), hosts("bench.test", 10, 0)
	copy(after, hosts("bench.test", 3, 1)) // three addresses change, their texts do not
	gone, come := differing(before, after)
	if len(gone) != 3 || len(come) != 3 {
		t.Errorf("%d records go and %d come, want 3 and 3", len(gone), len(come))
	}
	for what, c := range map[string]struct {
		old, wanted []*endpoint.Endpoint
		sets        int
	}{"create": {nil, before, 20}, "change": {before, after, 3}, "delete": {after, nil, 20}, "nothing": {after, after, 0}} {
		if got := changedSets(c.old, c.wanted); got != c.sets {
			t.Errorf("%s touches %d RRsets, want %d", what, got, c.sets)
		}
	}
	for n, want := range map[int]int{0: 0, 1: 1, 100: 1, 101: 2, 200: 2} {
		if got := pages(n, 100); got != want {
			t.Errorf("%d are %d portions of 100, want %d", n, got, want)
		}
	}
}

func TestALifeChangesOneNameInAHundred(t *testing.T) {
	t.Parallel()
	stands := map[string]string{}
	steps := life{200}.steps("bench.test")
	for i, want := range []int{200, 200, 200, 0} {
		expect(stands, steps[i].old, steps[i].wanted)
		if len(stands) != want {
			t.Errorf("after %s %d names stand, want %d", steps[i].name, len(stands), want)
		}
	}
	if change := steps[2]; changedSets(change.old, change.wanted) != 2 || len(change.wanted) != 4 {
		t.Errorf("the change is of %d RRsets in %d, want 2 in 4", changedSets(change.old, change.wanted), len(change.wanted))
	}
}

func TestAMeterCountsByMethod(t *testing.T) {
	t.Parallel()
	c := calls{"GET": 2, "PUT": 3, "DELETE": 1}
	if c.String() != "6 calls (DELETE 1, GET 2, PUT 3)" || c.writes() != 4 {
		t.Errorf("%s, %d writes", c, c.writes())
	}
}
