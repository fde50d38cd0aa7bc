package rollout

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCourse(t *testing.T) {
	written := time.Unix(10_000, 0)
	expect := expectation{Hash: "new", Zones: []string{"z."}, Telling: true, Written: written, Safe: written.Add(staleMount)}
	look := func(after time.Duration, hash string, failed float64, ok bool) survey {
		m := sample{Pod: "1", Name: "a", Started: written.Add(-time.Hour), Figures: &figures{Hash: hash, Failed: failed, Zones: map[string]bool{"z.": hash == "new" && failed == 0}}}
		p := probe{OK: ok}
		if !ok {
			p.Why = "REFUSED"
		}
		return survey{At: written.Add(after), Samples: map[string]sample{"a": m}, Probes: map[string]probe{"a": p}}
	}
	s := time.Second
	watched := limits{Converge: 150 * s, Watched: true}
	tested := watched
	tested.Tested = true
	pending := watched
	pending.Pending = []string{"z."}
	for name, c := range map[string]struct {
		limits limits
		rounds []survey
		want   outcome
	}{
		"loads":                        {watched, []survey{look(0, "old", 0, true), look(2*s, "new", 0, true), look(4*s, "new", 0, true), look(6*s, "new", 0, true), look(8*s, "new", 0, true)}, finished},
		"is watched a little longer":   {watched, []survey{look(0, "old", 0, true), look(2*s, "new", 0, true), look(4*s, "new", 0, true)}, goOn},
		"is refused":                   {watched, []survey{look(0, "old", 0, true), look(2*s, "new", 1, true)}, takeBack},
		"is refused though tested":     {tested, []survey{look(0, "old", 0, true), look(2*s, "new", 1, true)}, takeBack},
		"breaks cluster names":         {tested, []survey{look(0, "old", 0, true), look(2*s, "new", 0, false), look(4*s, "new", 0, false), look(6*s, "new", 0, false)}, takeBack},
		"stumbles":                     {watched, []survey{look(0, "old", 0, true), look(2*s, "new", 0, false), look(4*s, "new", 0, false), look(6*s, "new", 0, true)}, goOn},
		"never loads, nobody tried it": {watched, []survey{look(0, "old", 0, true), look(150*s, "old", 0, true)}, takeBack},
		"never loads, though it can":   {tested, []survey{look(0, "old", 0, true), look(150*s, "old", 0, true)}, giveUp},
		"is taken up late":             {watched, []survey{look(200*s, "new", 0, true)}, goOn},
		"is taken up late, and loaded": {watched, []survey{look(200*s, "new", 0, true), look(202*s, "new", 0, true), look(204*s, "new", 0, true), look(206*s, "new", 0, true)}, finished},
		"is rendered by another":       {pending, []survey{look(0, "old", 0, true), look(20*s, "new", 0, true), look(22*s, "new", 0, true)}, goOn},
		"is not rendered":              {pending, []survey{look(0, "old", 0, true), look(150*s, "old", 0, true)}, giveUp},
		"needs a restart":              {limits{Converge: 150 * s, Tested: true}, []survey{look(0, "old", 0, true), look(16*s, "old", 0, true)}, giveUp},
		"nobody is there":              {watched, []survey{{At: written.Add(150 * s)}}, giveUp},
	} {
		t.Run(name, func(t *testing.T) {
			course := course{Written: written, Stands: map[string]standing{}}
			var got outcome
			var why string
			for _, r := range c.rounds {
				course, got, why = course.step(r, map[string]expectation{"a": expect}, c.limits)
			}
			if got != c.want || (got == takeBack || got == giveUp) && why == "" {
				t.Errorf("got %s (%s), want %s", got, why, c.want)
			}
		})
	}
}

// Nothing is taken back while the cluster's names resolve and no replica refuses it, if it was seen to load before.
func TestCourseTakesNothingBackWithoutHarm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := time.Unix(10_000, 0)
		expect := expectation{Hash: "new", Zones: []string{"z."}, Telling: true, Written: written, Safe: written.Add(staleMount)}
		c := course{Written: written, Stands: map[string]standing{}}
		now := written
		for range rapid.IntRange(1, 60).Draw(t, "rounds") {
			now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "pause")) * time.Second)
			r := survey{At: now, Samples: map[string]sample{}, Probes: map[string]probe{}}
			for _, name := range []string{"a", "b"} {
				m := sample{Pod: "1", Name: name, Started: written.Add(-time.Hour)}
				if rapid.Bool().Draw(t, "seen") {
					m.Figures = &figures{Hash: rapid.SampledFrom([]string{"", "old", "other", "new"}).Draw(t, "hash"), Zones: map[string]bool{"z.": rapid.Bool().Draw(t, "zone")}}
				}
				r.Samples[name] = m
				r.Probes[name] = probe{OK: rapid.Bool().Draw(t, "answered")} // or there was no way to it
			}
			var what outcome
			c, what, _ = c.step(r, map[string]expectation{"a": expect, "b": expect}, limits{Converge: 150 * time.Second, Tested: true, Watched: true})
			if what == takeBack {
				t.Fatal("taken back without harm")
			}
		}
	})
}
