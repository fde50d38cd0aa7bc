package rollout

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWatch(t *testing.T) {
	const ok, bad, away = "ok", "SERVFAIL", ""
	for name, c := range map[string]struct {
		rounds [][2]string // what two replicas answer
		every  time.Duration
		broken string
	}{
		"all is well":                           {[][2]string{{ok, ok}, {ok, ok}, {ok, ok}}, 2 * time.Second, ""},
		"three failures of one":                 {[][2]string{{ok, ok}, {ok, bad}, {ok, bad}, {ok, bad}}, 2 * time.Second, "b"},
		"two failures":                          {[][2]string{{ok, ok}, {ok, bad}, {ok, bad}, {ok, ok}}, 2 * time.Second, ""},
		"three, with answers in between":        {[][2]string{{ok, ok}, {ok, bad}, {ok, ok}, {ok, bad}, {ok, bad}}, 2 * time.Second, "b"},
		"three, too far apart":                  {[][2]string{{ok, ok}, {ok, bad}, {ok, bad}, {ok, bad}}, 8 * time.Second, ""},
		"one that never answered":               {[][2]string{{ok, bad}, {ok, bad}, {ok, bad}, {ok, bad}}, 2 * time.Second, ""},
		"neither ever answered":                 {[][2]string{{bad, bad}, {bad, bad}, {bad, bad}}, 2 * time.Second, ""},
		"no way to the pods":                    {[][2]string{{ok, ok}, {away, away}, {away, away}, {away, away}}, 2 * time.Second, ""},
		"nobody, though each only now and then": {[][2]string{{ok, away}, {away, bad}, {away, bad}, {away, bad}}, 2 * time.Second, everyone},
	} {
		t.Run(name, func(t *testing.T) {
			var w watch
			now := time.Unix(1000, 0)
			for _, r := range c.rounds {
				round := map[string]probe{}
				for i, said := range r {
					round[string(rune('a'+i))] = probe{OK: said == ok, Why: map[bool]string{true: "", false: said}[said == ok]}
				}
				w = w.see(now, round)
				now = now.Add(c.every)
			}
			if who, _, _ := w.broken(); who != c.broken {
				t.Errorf("got %q, want %q", who, c.broken)
			}
		})
	}
}

// Fewer than three failures in all never break a cluster, and three in a row of one that answered always do.
func TestWatchProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w watch
		now := time.Unix(1000, 0)
		failed := 0
		w = w.see(now, map[string]probe{"a": {OK: true}, "b": {OK: true}})
		for range rapid.IntRange(0, 30).Draw(t, "rounds") {
			now = now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "pause")) * time.Second)
			round := map[string]probe{}
			for _, name := range []string{"a", "b"} {
				switch rapid.IntRange(0, 9).Draw(t, name) {
				case 0:
					round[name] = probe{Why: "SERVFAIL"}
					failed++
				case 1:
					round[name] = probe{}
				default:
					round[name] = probe{OK: true}
				}
			}
			w = w.see(now, round)
			if who, why, yes := w.broken(); yes && (failed < failures || who == "" || why == "") {
				t.Fatalf("broken by %q (%s) after %d failures", who, why, failed)
			}
		}
		for range failures {
			now = now.Add(2 * time.Second)
			w = w.see(now, map[string]probe{"a": {Why: "SERVFAIL"}, "b": {OK: true}})
		}
		if who, _, _ := w.broken(); who != "a" && who != "b" {
			t.Fatal("three failures in a row went unnoticed")
		}
	})
}

func TestWatchForgets(t *testing.T) {
	var w watch
	now := time.Unix(1000, 0)
	w = w.see(now, map[string]probe{"a": {OK: true}})
	for i := range 100 {
		w = w.see(now.Add(time.Duration(i)*6*time.Second), map[string]probe{"a": {OK: i%3 != 0, Why: fmt.Sprint(map[bool]string{true: "", false: "x"}[i%3 != 0])}})
	}
	if n := len(w.failed["a"]); n > failures {
		t.Errorf("%d failures are kept, want those of the window", n)
	}
}
