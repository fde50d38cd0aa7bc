package controller

import "github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"

// Outcome is how far a cluster is with the newest rules.
type Outcome int

// The outcomes.
const (
	Waiting    Outcome = iota // can be started
	Blocked                   // cannot: not reached, not supported, refused, not looked at yet
	Skipped                   // was started, and nothing was written
	UnderWay                  // was started, and is not finished
	Good                      // resolves the zones
	Unproven                  // was written, and does not resolve them
	RolledBack                // cluster names stopped resolving, and the last good state was brought back
)

// Steps of a roll-out.
type Steps struct {
	Canary  int // clusters in the first step, at least 1
	Percent int // of all clusters in the second, at least one cluster
}

// Next says at which step a roll-out is and which clusters go next, as indices into the outcomes. Those stand in the
// order of preference. It is pure, and the only place where clusters are let in.
//
// A step is let in at once. The one after it follows when nothing is under way and more clusters are good than not. A
// cluster in which nothing was written tells nothing and is replaced by another. A rollback anywhere ends it.
func Next(outcomes []Outcome, s Steps) (v1alpha1.Stage, []int) {
	var count [RolledBack + 1]int
	for _, o := range outcomes {
		count[o]++
	}
	if count[RolledBack] > 0 {
		return v1alpha1.StageHalted, nil
	}
	if count[Waiting]+count[UnderWay]+count[Unproven] == 0 {
		return v1alpha1.StageDone, nil
	}
	stages := []v1alpha1.Stage{v1alpha1.StageCanary, v1alpha1.StagePart, v1alpha1.StageRest}
	limits := s.limits(len(outcomes))
	started := count[UnderWay] + count[Good] + count[Unproven]
	healthy := count[Good] > count[Unproven]
	at := 0
	for started > limits[at] {
		at++
	}
	if started == limits[at] && count[UnderWay] == 0 && healthy {
		for at < len(limits)-1 && started >= limits[at] {
			at++
		}
	}
	if at > 0 && !healthy {
		return stages[at], nil
	}
	var next []int
	for i, o := range outcomes {
		if o == Waiting && started+len(next) < limits[at] {
			next = append(next, i)
		}
	}
	return stages[at], next
}

// limits are how many clusters may have been started when a step is complete.
func (s Steps) limits(total int) [3]int {
	canary := min(max(s.Canary, 1), total)
	part := max((total*s.Percent+99)/100, 1)
	return [3]int{canary, min(canary+part, total), total}
}
