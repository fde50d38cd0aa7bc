package controller_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

const zone = "openmcp.cluster"

// only selects clusters by name.
func only(f *v1alpha1.DNSForwarding, names ...string) *v1alpha1.DNSForwarding {
	f.Spec.ClusterSelector = &v1alpha1.ClusterSelector{LabelSelector: metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "name", Operator: metav1.LabelSelectorOpIn, Values: names}},
	}}
	return f
}

// TestWaves: a canary, a tenth, the rest; and in the end all resolve.
func TestWaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(21)...)
		w.start(forwarding("landscape", zone))
		count := func() int { return strings.Count(w.holding(), "=") }
		for _, step := range []struct {
			after time.Duration
			stage v1alpha1.Stage
			have  int
			ready string
		}{
			{10 * time.Second, v1alpha1.StageCanary, 0, "0/21"},
			{60 * time.Second, v1alpha1.StagePart, 1, "1/21"},
			{60 * time.Second, v1alpha1.StageRest, 4, "4/21"},
			{65 * time.Second, v1alpha1.StageDone, 21, "21/21"},
		} {
			time.Sleep(step.after)
			s := w.get("landscape").Status
			if s.Stage != step.stage || count() != step.have || s.Ready != step.ready {
				t.Errorf("after %s: stage %s, %d clusters have it, ready %s; want %+v", step.after, s.Stage, count(), s.Ready, step)
			}
		}
		s := w.get("landscape").Status
		if !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.Ready) || !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.Accepted) || s.ObservedGeneration != 1 {
			t.Errorf("%+v", s)
		}
		if got := len(w.did()); got != 21 {
			t.Errorf("%d applies, want 21", got)
		}
		// From then on there is nothing to do, and it is not done.
		version := w.get("landscape").ResourceVersion
		time.Sleep(25 * time.Minute)
		if did := w.did(); len(did) > 0 || w.get("landscape").ResourceVersion != version {
			t.Errorf("without a reason: %v", did)
		}
	})
}

// TestPreference: who is labelled goes first, the platform last.
func TestPreference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "local", "clusterapi/x/a", "openmcp/x/z")
		w.clusters["openmcp/x/z"].Labels["dns.spokedns.io/canary"] = "true"
		w.start(forwarding("landscape", zone))
		time.Sleep(10 * time.Minute)
		want := []string{"apply openmcp/x/z", "annotate openmcp/x/z openmcp.cluster", "apply clusterapi/x/a", "apply local"}
		if diff := cmp.Diff(want, w.did()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// TestRollback halts everything; another wish, or the word to try again, starts over.
func TestRollback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(5)...)
		w.clusters["kubeconfig/dns/c001"].does = "rollback"
		w.start(forwarding("landscape", zone))
		time.Sleep(time.Hour)
		w.want("landscape", "c000=Ready c001=RolledBack c002=Pending c003=Pending c004=Pending")
		s := w.get("landscape").Status
		if c := meta.FindStatusCondition(s.Conditions, v1alpha1.Halted); s.Stage != v1alpha1.StageHalted || c.Status != metav1.ConditionTrue ||
			!strings.Contains(c.Message, "c001 was rolled back: names stopped resolving") {
			t.Errorf("%s, %+v", s.Stage, c)
		}
		events := w.recorder.all()
		if len(events) != 1 || !strings.Contains(events[0], "landscape Warning Halted the roll-out of revision") {
			t.Errorf("Events: %q", events)
		}
		if got := len(w.did()); got != 2 {
			t.Errorf("%d applies, want that of the canary and that of the one", got)
		}
		w.mu.Lock()
		w.clusters["kubeconfig/dns/c001"].does = ""
		w.mu.Unlock()
		w.change("landscape", func(f *v1alpha1.DNSForwarding) {
			f.Annotations = map[string]string{v1alpha1.RetryAnnotation: "now"}
		})
		time.Sleep(10 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready c002=Ready c003=Ready c004=Ready")
	})
}

// TestBadClusters: each is a fact about one cluster, and the others are as if it were not there.
func TestBadClusters(t *testing.T) {
	for does, want := range map[string]v1alpha1.State{
		"refuse": v1alpha1.StateRefused, "late refuse": v1alpha1.StateRefused, "unsupported": v1alpha1.StateUnsupported,
		"hang": v1alpha1.StateUnreachable, "error": v1alpha1.StateUnreachable, "conflict": v1alpha1.StateConflict, "panic": v1alpha1.StateUnreachable,
	} {
		t.Run(does, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, numbered(3)...)
				w.clusters["kubeconfig/dns/c000"].does = does // it would be the canary
				w.start(forwarding("landscape", zone))
				time.Sleep(10 * time.Minute)
				w.want("landscape", "c000="+string(want)+" c001=Ready c002=Ready")
				s := w.get("landscape").Status
				if c := meta.FindStatusCondition(s.Conditions, v1alpha1.Ready); c.Status != metav1.ConditionFalse || c.Reason != "Failures" ||
					!strings.Contains(c.Message, "2 of 3 clusters resolve the zones; kubeconfig/dns/c000 is "+string(want)) {
					t.Errorf("Ready is %+v", c)
				}
				w.mu.Lock()
				w.clusters["kubeconfig/dns/c000"].does = ""
				w.mu.Unlock()
				time.Sleep(30 * time.Minute)
				w.want("landscape", "c000=Ready c001=Ready c002=Ready")
			})
		})
	}
}

// TestUnresolved: while the canary does not resolve, because the central DNS is not there yet, nobody follows.
func TestUnresolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(3)...)
		w.clusters["kubeconfig/dns/c000"].does = "unresolved"
		w.clusters["kubeconfig/dns/c000"].Labels["dns.spokedns.io/canary"] = "true"
		w.start(forwarding("landscape", zone))
		time.Sleep(time.Hour)
		w.want("landscape", "c000=Unresolved c001=Pending c002=Pending")
		if did := w.did(); len(did) != 1 {
			t.Errorf("%v, want one write however long it lasts", did)
		}
		w.mu.Lock()
		w.clusters["kubeconfig/dns/c000"].does = ""
		w.mu.Unlock()
		time.Sleep(20 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready c002=Ready")
	})
}

// TestUnusable: what keeps a cluster from being reached stands in its condition, and passes.
func TestUnusable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(2)...)
		s := w.clusters["kubeconfig/dns/c000"]
		good := s.Config
		s.Config, s.Err = nil, &fleet.Unusable{Reason: fleet.Expired, Text: "valid until yesterday"}
		w.start(forwarding("landscape", zone))
		time.Sleep(5 * time.Minute)
		w.want("landscape", "c000=Unreachable c001=Ready")
		c := meta.FindStatusCondition(w.get("landscape").Status.Clusters[0].Conditions, v1alpha1.Reachable)
		if c == nil || c.Status != metav1.ConditionFalse || c.Reason != "Expired" || c.Message != "valid until yesterday" {
			t.Errorf("%+v", c)
		}
		w.mu.Lock()
		s.Config, s.Err = good, nil
		w.mu.Unlock()
		time.Sleep(5 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready")
	})
}

// TestPlan touches nothing, and shows what it would do.
func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(2)...)
		f := forwarding("landscape", zone)
		f.Spec.Mode = v1alpha1.Plan
		w.start(f)
		time.Sleep(time.Hour)
		w.want("landscape", "c000=Planned c001=Planned")
		s := w.get("landscape").Status
		if s.Clusters[0].Diff != "-\n+openmcp.cluster>10.0.0.53\n" || s.Stage != v1alpha1.StagePlan || len(w.did()) > 0 || w.holding() != "" {
			t.Errorf("%s %q, %s", s.Stage, s.Clusters[0].Diff, w.holding())
		}
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.Mode = v1alpha1.Apply })
		time.Sleep(10 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready")
		// What is there stays when the mode is Plan again, and the next rules are shown against it.
		w.did()
		w.change("landscape", func(f *v1alpha1.DNSForwarding) {
			f.Spec.Mode = v1alpha1.Plan
			f.Spec.Rules[0].Upstreams[0] = "10.9.9.9"
		})
		time.Sleep(time.Hour)
		w.want("landscape", "c000=Planned c001=Planned")
		if got := w.get("landscape").Status.Clusters[0].Diff; got != "-openmcp.cluster>10.0.0.53\n+openmcp.cluster>10.9.9.9\n" || len(w.did()) > 0 {
			t.Errorf("%q", got)
		}
		w.change("landscape", func(f *v1alpha1.DNSForwarding) {
			f.Spec.Rules[0].Upstreams[0] = "10.0.0.53"
			f.Spec.Mode = v1alpha1.Apply
		})
		time.Sleep(10 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready")
	})
}

// TestSteady: rules change, and clusters whose turn it is not keep the old ones, also when they drift.
func TestSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(3)...)
		w.start(forwarding("landscape", zone))
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		w.clusters["kubeconfig/dns/c000"].does = "unresolved"
		w.clusters["kubeconfig/dns/c000"].Labels["dns.spokedns.io/canary"] = "true"
		w.mu.Unlock()
		time.Sleep(time.Minute) // the label is noticed
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.Rules[0].Upstreams[0] = "10.9.9.9" })
		time.Sleep(5 * time.Minute)
		w.mu.Lock()
		w.clusters["kubeconfig/dns/c002"].has = nil // somebody else
		w.mu.Unlock()
		time.Sleep(20 * time.Minute)
		w.want("landscape", "c000=Unresolved c001=Pending c002=Pending")
		if got, want := w.holding(), "c000=openmcp.cluster>10.9.9.9 c001=openmcp.cluster>10.0.0.53 c002=openmcp.cluster>10.0.0.53"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if n := len(w.get("landscape").Status.Revisions); n != 2 {
			t.Errorf("%d revisions, want the old one and the new one", n)
		}
	})
}

// TestTwo: of two for one zone the older wins wherever both select, and the other says so. It takes over when it is alone.
func TestTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, numbered(3)...)
		young := forwarding("a-young", zone, "young.example")
		young.CreationTimestamp = metav1.NewTime(time.Now().Add(time.Minute))
		young.Spec.Rules[0].Upstreams[0] = "10.9.9.9"
		other := forwarding("third", "third.example")
		w.start(young, only(forwarding("old", zone), "c000", "c001"), other)
		time.Sleep(20 * time.Minute)
		w.want("old", "c000=Ready c001=Ready")
		w.want("a-young", "c000=Refused c001=Refused c002=Ready")
		w.want("third", "c000=Ready c001=Ready c002=Ready")
		s := w.get("a-young").Status
		const says = "zone openmcp.cluster is forwarded by DNSForwarding old, which is older"
		if c := meta.FindStatusCondition(s.Clusters[0].Conditions, rollout.Conflict); c == nil || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, says) {
			t.Errorf("Conflict is %+v", c)
		}
		if c := meta.FindStatusCondition(s.Conditions, v1alpha1.Accepted); c.Status != metav1.ConditionFalse || c.Reason != "ZoneTaken" || !strings.Contains(c.Message, says) {
			t.Errorf("Accepted is %+v", c)
		}
		const both = "c000=openmcp.cluster>10.0.0.53,third.example>10.0.0.53 c001=openmcp.cluster>10.0.0.53,third.example>10.0.0.53 " +
			"c002=third.example>10.0.0.53,openmcp.cluster>10.9.9.9,young.example>10.9.9.9"
		if got := w.holding(); got != both {
			t.Errorf("got  %s\nwant %s", got, both)
		}
		if err := w.api.Delete(t.Context(), w.get("old")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		w.want("a-young", "c000=Ready c001=Ready c002=Ready")
		var gone v1alpha1.DNSForwarding
		if err := w.api.Get(t.Context(), client.ObjectKey{Name: "old"}, &gone); !apierrors.IsNotFound(err) {
			t.Errorf("%v, want it gone", err)
		}
	})
}
