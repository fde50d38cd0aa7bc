package controller_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/controller"
)

// outcomes reads one letter for each cluster.
func outcomes(t *testing.T, text string) []controller.Outcome {
	t.Helper()
	var out []controller.Outcome
	for _, r := range text {
		i := slices.Index([]rune("wbsugnr"), r)
		if i < 0 {
			t.Fatalf("%c", r)
		}
		out = append(out, controller.Outcome(i))
	}
	return out
}

func TestNext(t *testing.T) {
	const canary, part, rest, done, halted = v1alpha1.StageCanary, v1alpha1.StagePart, v1alpha1.StageRest, v1alpha1.StageDone, v1alpha1.StageHalted
	for name, c := range map[string]struct {
		steps    controller.Steps
		clusters string // w waiting, b blocked, s skipped, u under way, g good, n unproven, r rolled back
		stage    v1alpha1.Stage
		next     []int
	}{
		"none":                           {controller.Steps{Canary: 1, Percent: 10}, "", done, nil},
		"one":                            {controller.Steps{Canary: 1, Percent: 10}, "w", canary, []int{0}},
		"the first is the canary":        {controller.Steps{Canary: 1, Percent: 10}, "wwww", canary, []int{0}},
		"a blocked one is not":           {controller.Steps{Canary: 1, Percent: 10}, "bwww", canary, []int{1}},
		"while it is under way":          {controller.Steps{Canary: 1, Percent: 10}, "uwww", canary, nil},
		"refused: another":               {controller.Steps{Canary: 1, Percent: 10}, "swww", canary, []int{1}},
		"not resolving: nobody":          {controller.Steps{Canary: 1, Percent: 10}, "nwww", canary, nil},
		"good: a tenth, at least one":    {controller.Steps{Canary: 1, Percent: 10}, "gwww", part, []int{1}},
		"a tenth of 20":                  {controller.Steps{Canary: 1, Percent: 10}, "gwwwwwwwwwwwwwwwwwww", part, []int{1, 2}},
		"a tenth of 21, rounded up":      {controller.Steps{Canary: 1, Percent: 10}, "gwwwwwwwwwwwwwwwwwwww", part, []int{1, 2, 3}},
		"the tenth under way":            {controller.Steps{Canary: 1, Percent: 10}, "gugwwwwwwwwwwwwwwwwww"[:20], part, nil},
		"the rest":                       {controller.Steps{Canary: 1, Percent: 10}, "ggwww", rest, []int{2, 3, 4}},
		"one of three does not resolve":  {controller.Steps{Canary: 1, Percent: 40}, "ggnww", rest, []int{3, 4}},
		"half do not resolve":            {controller.Steps{Canary: 1, Percent: 20}, "gnwww", part, nil},
		"most of the rest do not":        {controller.Steps{Canary: 1, Percent: 20}, "ggnnnw", rest, nil},
		"the rest, with a newcomer":      {controller.Steps{Canary: 1, Percent: 10}, "gggggw", rest, []int{5}},
		"done":                           {controller.Steps{Canary: 1, Percent: 10}, "ggggsbg", done, nil},
		"rolled back":                    {controller.Steps{Canary: 1, Percent: 10}, "gggrwww", halted, nil},
		"rolled back at the canary":      {controller.Steps{Canary: 1, Percent: 10}, "rwww", halted, nil},
		"several canaries":               {controller.Steps{Canary: 3, Percent: 10}, "wwwww", canary, []int{0, 1, 2}},
		"more canaries than clusters":    {controller.Steps{Canary: 9, Percent: 10}, "wwb", canary, []int{0, 1}},
		"several canaries, one refused":  {controller.Steps{Canary: 3, Percent: 10}, "gswuww", canary, []int{2}},
		"all at once after the canary":   {controller.Steps{Canary: 1, Percent: 100}, "gwww", part, []int{1, 2, 3}},
		"everything blocked":             {controller.Steps{Canary: 1, Percent: 10}, "bbss", done, nil},
		"two good canaries and one that": {controller.Steps{Canary: 3, Percent: 34}, "ggnwww", part, []int{3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			stage, next := controller.Next(outcomes(t, c.clusters), c.steps)
			if stage != c.stage || !slices.Equal(next, c.next) {
				t.Errorf("%s %v, want %s %v", stage, next, c.stage, c.next)
			}
		})
	}
}

// TestNextLaws plays whole roll-outs in which everything that can happen to a cluster does.
func TestNextLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "clusters")
		s := controller.Steps{Canary: rapid.IntRange(1, 5).Draw(t, "canary"), Percent: rapid.IntRange(1, 100).Draw(t, "percent")}
		clusters := make([]controller.Outcome, n)
		for range 20 * n {
			stage, next := controller.Next(clusters, s)
			check(t, clusters, s, stage, next)
			for _, i := range next {
				clusters[i] = controller.UnderWay
			}
			i := rapid.IntRange(0, n-1).Draw(t, "cluster")
			switch clusters[i] {
			case controller.UnderWay:
				clusters[i] = rapid.SampledFrom([]controller.Outcome{
					controller.Good, controller.Good, controller.Good, controller.Skipped, controller.Unproven, controller.RolledBack,
				}).Draw(t, "becomes")
			case controller.Waiting, controller.Blocked:
				clusters[i] = rapid.SampledFrom([]controller.Outcome{controller.Waiting, controller.Blocked}).Draw(t, "is")
			case controller.Unproven:
				clusters[i] = rapid.SampledFrom([]controller.Outcome{controller.Good, controller.Unproven}).Draw(t, "later")
			}
		}
	})
}

func check(t *rapid.T, clusters []controller.Outcome, s controller.Steps, stage v1alpha1.Stage, next []int) {
	count := map[controller.Outcome]int{}
	for _, o := range clusters {
		count[o]++
	}
	again, same := controller.Next(clusters, s)
	if diff := cmp.Diff(next, same); diff != "" || again != stage {
		t.Fatalf("asked twice it says %s %v and %s %v", stage, next, again, same)
	}
	if !slices.IsSorted(next) || len(slices.Compact(slices.Clone(next))) != len(next) {
		t.Fatalf("not each once and in order: %v", next)
	}
	for _, i := range next {
		if clusters[i] != controller.Waiting {
			t.Fatalf("%d is let in and is %v", i, clusters[i])
		}
	}
	if count[controller.RolledBack] > 0 && (len(next) > 0 || stage != v1alpha1.StageHalted) {
		t.Fatalf("after a rollback %v are let in, at %s", next, stage)
	}
	if len(next) == 0 {
		return
	}
	started := count[controller.Good] + count[controller.UnderWay] + count[controller.Unproven]
	if total := started + len(next); total > s.Canary && count[controller.Good] <= count[controller.Unproven] {
		t.Fatalf("%d are let in beside %v, of which not more are good than not", len(next), clusters)
	}
	if started < s.Canary && started+len(next) > s.Canary {
		t.Fatalf("%d started and %d let in with %d canaries", started, len(next), s.Canary)
	}
}

// TestNextEnds: where nothing goes wrong, every cluster is let in once.
func TestNextEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := make([]controller.Outcome, rapid.IntRange(1, 300).Draw(t, "clusters"))
		s := controller.Steps{Canary: rapid.IntRange(1, 5).Draw(t, "canary"), Percent: rapid.IntRange(1, 100).Draw(t, "percent")}
		rounds := 0
		for ; slices.Contains(clusters, controller.Waiting); rounds++ {
			stage, next := controller.Next(clusters, s)
			if len(next) == 0 {
				t.Fatalf("nobody is next at %s", stage)
			}
			for _, i := range next {
				clusters[i] = controller.Good
			}
		}
		if rounds > 3 {
			t.Fatalf("it took %d steps", rounds)
		}
		if stage, next := controller.Next(clusters, s); stage != v1alpha1.StageDone || next != nil {
			t.Fatalf("in the end %s %v", stage, next)
		}
	})
}
