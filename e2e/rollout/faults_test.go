package rollout

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
	"github.com/spokedns/spokedns/e2e/stack"
)

// faulty plans like the dialect and then spoils what is to be written, as a fault of ours would that no check knows.
func faulty(spoil func(text string) string) func(*dialect.Dialect, []corefile.Forward) (dialect.Change, error) {
	return func(d *dialect.Dialect, want []corefile.Forward) (dialect.Change, error) {
		change, err := d.Plan(want)
		if err != nil || len(want) == 0 {
			return change, err
		}
		var edits []dialect.Edit
		for _, e := range change.Edits {
			text := spoil(string(e.After))
			change.Cluster.Corefile = []byte(text)
			if text == string(e.Before) {
				continue // it is there already
			}
			e.After = []byte(text)
			if err := unstructured.SetNestedField(e.Object.Object, text, "data", e.Key); err != nil {
				return change, err
			}
			edits = append(edits, e)
		}
		change.Edits = edits
		return change, nil
	}
}

// The faults: one that CoreDNS refuses, and one that it loads and that leaves nobody to answer cluster names.
func refused(text string) string {
	return strings.Replace(text, "policy sequential", "policy no-such-policy", 1)
}

func misplaced(text string) string { return strings.Replace(text, ".:53 {", ".:5353 {", 1) }

// hurry makes the kubelet look at what the pods mount, which it does by itself once a minute or so.
func (h *house) hurry() {
	list, err := h.api.CoreV1().Pods("kube-system").List(context.Background(), metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return
	}
	for _, p := range list.Items {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"e2e/hurry":"%d"}}}`, time.Now().UnixNano())
		_, _ = h.api.CoreV1().Pods("kube-system").Patch(context.Background(), p.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	}
}

// onWritten calls f as soon as something was written.
func onWritten(f func()) func(string, rollout.Event) {
	return func(_ string, e rollout.Event) {
		if e.Reason == rollout.EventWritten {
			f()
		}
	}
}

func (h *house) loadGateRefuses(t *testing.T) {
	original := h.corefile(t)
	for name, c := range map[string]struct {
		spoil func(string) string
		says  string
	}{
		"what does not load":                {refused, "no-such-policy"},
		"what loads and answers no cluster": {misplaced, "no longer answers the cluster's own names"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, rollout.Options{Planner: faulty(c.spoil)})
			start := time.Now()
			wish := h.wish()
			wish.Gate = rollout.GateRequire
			r, err := e.Apply(t.Context(), h.cluster(), wish)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("refused after %s: %s", time.Since(start).Round(time.Millisecond), r.Condition(rollout.Validated).Message)
			want(t, r, map[string]string{rollout.Validated: "False/LoadGate", rollout.Applied: "False/Refused"})
			if !strings.Contains(r.Condition(rollout.Validated).Message, c.says) {
				t.Errorf("want a message with %q, got %q", c.says, r.Condition(rollout.Validated).Message)
			}
			if r.Changed || h.corefile(t) != original {
				t.Error("something was written")
			}
		})
	}
}

// rollsBack lets faults through the gates and past them.
func (h *house) rollsBack(t *testing.T) {
	original := h.corefile(t)
	wish := h.wish()
	wish.Gate = rollout.GateOff
	t.Run("what CoreDNS refuses, unnoticed by clients", func(t *testing.T) {
		asking := h.ask(t)
		e := newEngine(t, rollout.Options{Planner: faulty(refused), Notify: onWritten(h.hurry)})
		r, err := e.Apply(t.Context(), h.cluster(), wish)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(show(r))
		want(t, r, map[string]string{rollout.Applied: "False/RolledBack", rollout.Loaded: "False/Rejected", rollout.Degraded: "False"})
		asked, failed, _ := asking.stop()
		t.Logf("%d lookups, %d failed", asked, len(failed))
		if len(failed) > 0 {
			t.Errorf("lookups failed: %v", failed)
		}
		if h.corefile(t) != original {
			t.Errorf("the original is not back:\n%s", h.corefile(t))
		}
	})
	t.Run("what leaves cluster names unanswered", func(t *testing.T) {
		asking := h.ask(t)
		e := newEngine(t, rollout.Options{Planner: faulty(misplaced), Notify: onWritten(h.hurry)})
		wish.Attempt = "second"
		r, err := e.Apply(t.Context(), h.cluster(), wish)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(show(r))
		asked, failed, _ := asking.stop()
		t.Logf("cluster names resolved again %s after the detection; %d lookups, %d failed meanwhile", r.Restored, asked, len(failed))
		want(t, r, map[string]string{rollout.Applied: "False/RolledBack", rollout.Degraded: "False/Recovered"})
		if r.RolledBack == "" || !r.Changed || r.Restored == 0 || r.Restored > 20*time.Second {
			t.Errorf("want a rollback that restores cluster names within 20 s")
		}
		if h.corefile(t) != original {
			t.Errorf("the original is not back:\n%s", h.corefile(t))
		}
		if err := h.settles(t); err != nil {
			t.Error(err)
		}
	})
	t.Run("and does not try it again until somebody says so", func(t *testing.T) {
		e := newEngine(t, rollout.Options{})
		r, err := e.Apply(t.Context(), h.cluster(), wish)
		if err != nil {
			t.Fatal(err)
		}
		want(t, r, map[string]string{rollout.Applied: "False/RolledBack"})
		if r.Changed || h.corefile(t) != original {
			t.Error("something was written")
		}
	})
	if err := h.forget(t); err != nil {
		t.Fatal(err)
	}
}

// settles waits until cluster DNS is whole again, and those who left it are gone: a pod that ends refuses what kube-proxy
// still sends it.
func (h *house) settles(t *testing.T) error {
	_, err := h.Kubectl(t.Context(), "", "--namespace", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")
	if err != nil {
		return err
	}
	return stack.Eventually(t.Context(), time.Minute, func(ctx context.Context) error {
		list, err := h.api.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
		if err == nil && len(list.Items) != 2 {
			err = fmt.Errorf("%d pods, want 2", len(list.Items))
		}
		return err
	})
}

// forget takes away what the engine remembers, so that the next case starts afresh.
func (h *house) forget(t *testing.T) error {
	_, err := newEngine(t, rollout.Options{}).Remove(t.Context(), h.cluster())
	return err
}
