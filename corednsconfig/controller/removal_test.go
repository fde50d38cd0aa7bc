package controller_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
)

// TestRemoval takes the annotation first, then the zones; then the object goes.
func TestRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "openmcp/x/a", "openmcp/x/b")
		f := forwarding("landscape", zone)
		f.Spec.BaseDomain = "<cluster.name>.<cluster.namespace>.openmcp.cluster"
		w.start(f)
		time.Sleep(10 * time.Minute)
		want := []string{"apply openmcp/x/a", "annotate openmcp/x/a a.x.openmcp.cluster", "apply openmcp/x/b", "annotate openmcp/x/b b.x.openmcp.cluster"}
		if diff := cmp.Diff(want, w.did()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if err := w.api.Delete(t.Context(), w.get("landscape")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		var gone v1alpha1.DNSForwarding
		if err := w.api.Get(t.Context(), client.ObjectKey{Name: "landscape"}, &gone); !apierrors.IsNotFound(err) {
			t.Errorf("%v, want it gone", err)
		}
		did := w.did()
		for _, id := range []string{"openmcp/x/a", "openmcp/x/b"} {
			if a, r := slices.Index(did, "annotate "+id), slices.Index(did, "remove "+id); a < 0 || r < a {
				t.Errorf("%v, want the annotation of %s go before its zones", did, id)
			}
		}
		if len(did) != 4 || w.holding() != "" {
			t.Errorf("%v, %s", did, w.holding())
		}
	})
}

// TestDeselected: a cluster that is no longer selected is cleaned, and one whose source cannot be listed is not.
func TestDeselected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, append(numbered(2), "openmcp/x/a")...)
		w.start(forwarding("landscape", zone))
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		w.failed[v1alpha1.OpenMCP] = errors.New("no leader")
		w.mu.Unlock()
		time.Sleep(2 * time.Hour)
		w.want("landscape", "c000=Ready c001=Ready a=Ready")
		w.mu.Lock()
		w.failed = map[v1alpha1.Source]error{}
		w.mu.Unlock()
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { only(f, "c001", "a") })
		time.Sleep(5 * time.Minute)
		w.want("landscape", "c001=Ready a=Ready")
		if got := w.holding(); strings.Contains(got, "c000") {
			t.Error(got)
		}
		w.change("landscape", func(f *v1alpha1.DNSForwarding) { f.Spec.ClusterSelector = nil })
		time.Sleep(5 * time.Minute)
		w.want("landscape", "c000=Ready c001=Ready a=Ready")
	})
}

// TestOrphaned: a removal waits for a cluster that cannot be reached, and not for ever.
func TestOrphaned(t *testing.T) {
	for name, lose := range map[string]func(w *world){
		"hangs": func(w *world) { w.clusters["kubeconfig/dns/c001"].does = "hang" },
		"gone":  func(w *world) { delete(w.clusters, "kubeconfig/dns/c001") },
		"expired": func(w *world) {
			s := w.clusters["kubeconfig/dns/c001"]
			s.Config, s.Err = nil, &fleet.Unusable{Reason: fleet.Expired, Text: "old"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, numbered(2)...)
				w.start(forwarding("landscape", zone))
				time.Sleep(10 * time.Minute)
				w.mu.Lock()
				lose(w)
				w.mu.Unlock()
				if err := w.api.Delete(t.Context(), w.get("landscape")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Minute)
				w.want("landscape", "c001=Leaving")
				time.Sleep(20 * time.Minute)
				var gone v1alpha1.DNSForwarding
				if err := w.api.Get(t.Context(), client.ObjectKey{Name: "landscape"}, &gone); !apierrors.IsNotFound(err) {
					t.Errorf("%v, want it gone", err)
				}
				events := w.recorder.all()
				if len(events) != 1 || !strings.Contains(events[0], "Warning Orphaned cluster kubeconfig/dns/c001: ") {
					t.Errorf("Events: %q", events)
				}
			})
		})
	}
}
