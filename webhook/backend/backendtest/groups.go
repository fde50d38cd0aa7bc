package backendtest

import (
	"slices"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// group is a zone's life: every step is all it shall hold at that time.
type group struct {
	name  string
	steps []step
}

type step struct {
	zone    []record
	answers []record // what else the service answers then, by wildcards; no values: no such answer
}

// holds is a step without further answers.
func holds(records ...record) step { return step{zone: records} }

// answering adds answers the service has to give that are not records of the zone.
func (s step) answering(records ...record) step { s.answers = records; return s }

func life(name string, steps ...step) group { return group{name: name, steps: steps} }

func groups() []group {
	return slices.Concat(addressGroups(), textGroups(), hostGroups(), nameGroups(), ttlGroups(), swapGroups())
}

// play takes a subject through a group and empties the zone again.
func play(t *testing.T, s Subject, g group) {
	t.Helper()
	z := open(t, Harness{Fresh: func(*testing.T) Subject { return s }})
	for _, step := range g.steps {
		z.hold(t, step.zone...)
		z.requireAnswers(t, step.answers)
	}
	z.hold(t)
}

// requireAnswers verifies answers that follow from the zone's wildcards.
func (z *zone) requireAnswers(t *testing.T, answers []record) {
	t.Helper()
	if z.Verify == nil || !z.limits.Wildcard {
		return
	}
	for _, r := range answers {
		set, _, err := r.rrset(z.Zone, z.limits)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.values) == 0 {
			set.Values = nil
		}
		set.TTL = 0
		z.Verify(t, z.Zone, []backend.RRset{set})
	}
}
