package rollout

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

func ours(text string) bool { return strings.Contains(text, "openmcp.cluster") }

func expectConditions(t *testing.T, r Report, want map[string]string) {
	t.Helper()
	for kind, status := range want {
		c := r.Condition(kind)
		if got := string(c.Status); got != status && got+"/"+c.Reason != status {
			t.Errorf("%s: got %s/%s (%s), want %s", kind, got, c.Reason, c.Message, status)
		}
	}
}

func TestApplyAndRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine(Options{})
		p, err := e.Plan(t.Context(), w.cluster(), w.wish())
		if err != nil {
			t.Fatal(err)
		}
		if w.writes != 0 || !strings.Contains(p.Diff, "+openmcp.cluster:53 {") || !p.Drifted {
			t.Errorf("Plan: %d mutating calls, diff\n%s", w.writes, p.Diff)
		}
		r, err := e.Apply(t.Context(), w.cluster(), w.wish())
		if err != nil {
			t.Fatal(err)
		}
		expectConditions(t, r, map[string]string{
			Detected: "True", Supported: "True", Validated: "True", Applied: "True", Loaded: "True", Resolving: "True", Conflict: "False", Degraded: "False",
		})
		if r.Converged < w.lag || r.Converged > w.lag+3*roundEvery {
			t.Errorf("converged after %s, loaded after %s", r.Converged, w.lag)
		}
		writes := w.writes
		if r, err = e.Check(t.Context(), w.cluster(), w.wish()); err != nil || w.writes != writes {
			t.Errorf("Check: %v, %d mutating calls", err, w.writes-writes)
		}
		expectConditions(t, r, map[string]string{Applied: "True", Loaded: "True", Resolving: "True", Degraded: "False"})
		if r, err = e.Apply(t.Context(), w.cluster(), w.wish()); err != nil || w.writes != writes || r.Changed {
			t.Errorf("the second Apply: %v, %d mutating calls", err, w.writes-writes)
		}
		if _, err = e.Remove(t.Context(), w.cluster()); err != nil {
			t.Fatal(err)
		}
		if w.text() != worldCorefile {
			t.Errorf("want the original, got\n%s", w.text())
		}
		var s corev1.Secret
		if err := w.api.Get(t.Context(), types.NamespacedName{Namespace: "kube-system", Name: SecretName}, &s); !apierrors.IsNotFound(err) {
			t.Errorf("the memory is still there: %v", err)
		}
	})
}

func TestRollback(t *testing.T) {
	edited := strings.Replace(worldCorefile, "    errors\n", "    errors\n    log\n", 1)
	for name, c := range map[string]struct {
		rejects, breaks func(string) bool
		meanwhile       func(string) string
		left            string
		reason          string
	}{
		"what is refused":                              {ours, never, nil, worldCorefile, "does not load it"},
		"what breaks cluster names":                    {never, ours, nil, worldCorefile, "cluster's own names"},
		"what breaks, around what a user wrote":        {never, ours, addLog, edited, "cluster's own names"},
		"what is refused, around what a user wrote":    {ours, never, addLog, edited, "does not load it"},
		"what is never loaded, and had not been tried": {never, never, nil, worldCorefile, "no replica loaded it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.rejects, w.breaks = c.rejects, c.breaks
				if strings.Contains(name, "never") {
					w.lag = time.Hour
				}
				var events []EventReason
				e := w.engine(Options{Notify: func(_ string, e Event) {
					events = append(events, e.Reason)
					if e.Reason == EventWritten && c.meanwhile != nil {
						time.AfterFunc(5*time.Second, func() { w.edit(c.meanwhile(w.text())) })
					}
				}})
				r, err := e.Apply(t.Context(), w.cluster(), w.wish())
				if err != nil {
					t.Fatal(err)
				}
				expectConditions(t, r, map[string]string{Applied: "False/RolledBack", Loaded: "False", Degraded: "False/Recovered"})
				if w.text() != c.left {
					t.Errorf("left behind:\n%s", w.text())
				}
				if !strings.Contains(r.RolledBack, c.reason) || len(events) != 2 || events[1] != EventRolledBack {
					t.Errorf("because %q, events %v", r.RolledBack, events)
				}
				// Another engine, another day: it is remembered.
				time.Sleep(24 * time.Hour)
				writes := w.writes
				r, err = w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish())
				if err != nil || w.writes != writes || r.RolledBack == "" {
					t.Errorf("tried again: %v, %d mutating calls", err, w.writes-writes)
				}
			})
		})
	}
}

func addLog(text string) string {
	return strings.Replace(text, "    errors\n", "    errors\n    log\n", 1)
}

// What breaks cluster DNS while nothing of ours is new, or before we came, leads to no edit.
func TestOthersFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.breaks = func(string) bool { return true }
		r, err := w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish())
		if err != nil {
			t.Fatal(err)
		}
		expectConditions(t, r, map[string]string{Applied: "False/ClusterDNSBroken", Degraded: "True/ClusterDNSBroken"})
		if w.writes != 0 {
			t.Errorf("%d mutating calls", w.writes)
		}
		w.breaks = never
		if _, err = w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish()); err != nil {
			t.Fatal(err)
		}
		writes := w.writes
		w.upstreamAway = true
		if r, err = w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish()); err != nil || w.writes != writes {
			t.Errorf("a central outage: %v, %d mutating calls", err, w.writes-writes)
		}
		expectConditions(t, r, map[string]string{Resolving: "False/UpstreamsFailing", Applied: "True", Degraded: "False"})
		w.breaks = func(string) bool { return true }
		if r, err = w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish()); err != nil || w.writes != writes {
			t.Errorf("a broken cluster DNS: %v, %d mutating calls", err, w.writes-writes)
		}
		expectConditions(t, r, map[string]string{Degraded: "True/ClusterDNSBroken"})
	})
}

// Ended at any mutating call, before it reaches the API server or after it did, the next Apply converges, and Remove
// leaves the original.
func TestKilledAnywhere(t *testing.T) {
	for _, harmful := range []bool{false, true} {
		for n := 1; n <= 6; n++ {
			for _, lost := range []bool{false, true} { // the call, or only its answer
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					if harmful {
						w.breaks = ours
					}
					ctx, kill := context.WithCancel(t.Context())
					w.cut = func(i int) error {
						if i < n {
							return nil
						}
						kill()
						if lost || i > n {
							return errCut()
						}
						return nil
					}
					dead := w.engine(Options{})
					_, _ = dead.Apply(ctx, w.cluster(), w.wish())
					kill()
					w.cut = nil
					time.Sleep(time.Minute)
					e := w.engine(Options{})
					r, err := e.Apply(t.Context(), w.cluster(), w.wish())
					if err != nil {
						t.Fatal(err)
					}
					if ours(w.text()) == harmful {
						t.Errorf("harmful %t, killed at call %d (lost %t): %+v\n%s", harmful, n, lost, r.Conditions, w.text())
					}
					if !harmful {
						expectConditions(t, r, map[string]string{Applied: "True", Loaded: "True", Resolving: "True", Degraded: "False"})
					}
					if _, err := e.Remove(t.Context(), w.cluster()); err != nil {
						t.Fatal(err)
					}
					if w.text() != worldCorefile {
						t.Errorf("harmful %t, killed at call %d (lost %t): want the original, got\n%s", harmful, n, lost, w.text())
					}
				})
			}
		}
	}
}

// An owner who is faster than the replicas is counted too.
func TestRevertedBeforeItIsLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := w.engine(Options{Notify: func(_ string, e Event) {
			if e.Reason == EventWritten {
				time.AfterFunc(5*time.Second, func() { w.edit(worldCorefile) })
			}
		}})
		for i := range maxReverts {
			r, err := e.Apply(t.Context(), w.cluster(), w.wish())
			if err != nil {
				t.Fatal(err)
			}
			if r.Is(Conflict) != (i == maxReverts-1) {
				t.Errorf("revert %d: %+v", i+1, r.Conditions)
			}
		}
		writes := w.writes
		r, err := w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish())
		if err != nil || w.writes != writes || !r.Is(Conflict) {
			t.Errorf("written again: %v, %+v", err, r.Conditions)
		}
	})
}

// A CoreDNS without metrics tells by its answers.
func TestWithoutMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bare := strings.Replace(worldCorefile, "    prometheus :9153\n", "", 1)
		w.edit(bare)
		w.loaded, w.read, w.seen = bare, bare, bare
		e := w.engine(Options{})
		r, err := e.Apply(t.Context(), w.cluster(), w.wish())
		if err != nil {
			t.Fatal(err)
		}
		expectConditions(t, r, map[string]string{Applied: "True", Loaded: "True/Answering", Resolving: "True", Degraded: "False"})
		if r.Converged < w.lag || r.Converged > w.lag+3*roundEvery {
			t.Errorf("converged after %s, loaded after %s", r.Converged, w.lag)
		}
		start := time.Now()
		if r, err = e.Apply(t.Context(), w.cluster(), w.wish()); err != nil || r.Changed || time.Since(start) > time.Second {
			t.Errorf("the second Apply: %v, after %s", err, time.Since(start))
		}
		expectConditions(t, r, map[string]string{Loaded: "True/Answering"})
		if _, err = e.Remove(t.Context(), w.cluster()); err != nil || w.text() != bare {
			t.Errorf("Remove: %v\n%s", err, w.text())
		}
	})
}

// An Apply long after one that was cut off neither takes back what has been loaded since nor leaves it unverified.
func TestTakenUpLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := w.engine(Options{Notify: func(string, Event) { cancel() }}).Apply(ctx, w.cluster(), w.wish()); err == nil {
			t.Fatal("it was not cut off")
		}
		time.Sleep(time.Hour)
		r, err := w.engine(Options{}).Apply(t.Context(), w.cluster(), w.wish())
		if err != nil || r.Changed {
			t.Fatalf("changed %t, %v", r.Changed, err)
		}
		expectConditions(t, r, map[string]string{Applied: "True", Loaded: "True", Resolving: "True", Degraded: "False"})
	})
}
