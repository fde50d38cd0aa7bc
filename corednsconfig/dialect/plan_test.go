package dialect_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// supported are the fixtures that a zone can be given to.
func supported(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	refused := []string{"unknown", "unknown-hostpath", "gke-autopilot", "capi-kcp-upgrading", "reconciled", "broken", "no-service"}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".yaml"); !slices.Contains(refused, name) {
			names = append(names, name)
		}
	}
	if len(names) < 14 {
		t.Fatalf("%d distributions: want 14 at least", len(names))
	}
	return names
}

// contents are all that a person would see of the objects that a plan may touch: no versions, no managed fields.
func contents(t *testing.T, c client.Client) map[string]string {
	t.Helper()
	all := map[string]string{}
	add := func(u unstructured.Unstructured) {
		u.SetResourceVersion("")
		u.SetManagedFields(nil)
		u.SetUID("")
		u.SetCreationTimestamp(u.GetCreationTimestamp())
		u.SetGeneration(0)
		text, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		all[u.GetKind()+" "+u.GetNamespace()+"/"+u.GetName()] = string(text)
	}
	for _, kind := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "ConfigMap"},
		{Group: "operator.openshift.io", Version: "v1", Kind: "DNS"},
		{Group: "helm.cattle.io", Version: "v1", Kind: "HelmChartConfig"},
	} {
		var list unstructured.UnstructuredList
		kind.Kind += "List"
		list.SetGroupVersionKind(kind)
		if err := c.List(context.Background(), &list); err != nil {
			continue // a kind that this cluster does not have
		}
		for _, u := range list.Items {
			add(u)
		}
	}
	return all
}

func TestPlanIsCarriedOutOnceAndTakenBackWithoutTrace(t *testing.T) {
	wishes := map[string][]corefile.Forward{
		"one":   openmcp(),
		"three": {forward("openmcp.cluster", "Svc.Example."), {Zones: []string{"a.openmcp.cluster"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("[fd00::53]:53")}}},
		"other": {{Zones: []string{"openmcp.cluster"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("10.7.7.7:0")}}},
	}
	for _, name := range supported(t) {
		t.Run(name, func(t *testing.T) {
			c := cluster(t, name)
			render(t, c)
			before := contents(t, c)
			for _, wish := range []string{"one", "three", "other", "one"} {
				change := mustPlan(t, mustDetect(t, c), wishes[wish])
				if len(change.Edits) == 0 {
					t.Fatalf("%s: nothing to do", wish)
				}
				checkEdits(t, change)
				if !change.Writable() && name == "eks-addon" {
					continue
				}
				write(t, c, change)
				render(t, c)
				d := mustDetect(t, c)
				if again := mustPlan(t, d, wishes[wish]); wroteSomething(again) {
					t.Fatalf("%s: planned again, there is still something to do:\n%s", wish, show(again))
				}
				if pending := d.Pending(wishes[wish]); len(pending) > 0 && name != "gardener-nodelocal-old" {
					t.Errorf("%s: still pending: %v", wish, pending)
				}
			}
			write(t, c, mustPlan(t, mustDetect(t, c), nil))
			render(t, c)
			if diff := cmp.Diff(before, contents(t, c)); diff != "" {
				t.Errorf("the plan for nothing left a trace: -before +after\n%s", diff)
			}
			if again := mustPlan(t, mustDetect(t, c), nil); len(again.Edits) > 0 {
				t.Errorf("planned for nothing again, there is still something to do:\n%s", show(again))
			}
		})
	}
}

func wroteSomething(c dialect.Change) bool {
	return slices.ContainsFunc(c.Edits, func(e dialect.Edit) bool { return e.How != dialect.Report })
}

func show(c dialect.Change) string {
	var text strings.Builder
	for _, e := range c.Edits {
		fmt.Fprintf(&text, "%s %s %s\n%s\n->\n%s\n", e.How, e.Ref, e.Key, e.Before, e.After)
	}
	return text.String()
}

func checkEdits(t *testing.T, c dialect.Change) {
	t.Helper()
	for _, e := range c.Edits {
		switch {
		case e.Ref.Name == "" || e.Ref.Kind == "" || e.Key == "":
			t.Errorf("edit without name or key: %+v", e)
		case string(e.Before) == string(e.After):
			t.Errorf("%s: an edit that changes nothing to be seen", e.Ref)
		case e.How == dialect.Update && (e.ResourceVersion == "" || e.Object.GetResourceVersion() != e.ResourceVersion):
			t.Errorf("%s: an update that is not bound to the version it was planned on", e.Ref)
		case e.How == dialect.Apply && e.Object.GetResourceVersion() != "":
			t.Errorf("%s: an apply of our own keys that is bound to a version", e.Ref)
		case e.How == dialect.Report && e.Object != nil:
			t.Errorf("%s: a report with an object to send", e.Ref)
		}
	}
}

// Edits show what changes, and nothing of what does not.
func TestEditsAreReadable(t *testing.T) {
	for _, name := range []string{"kubeadm", "aks", "openshift", "rke2", "rke2-adjusted", "gke-standard", "gke-standard-nodelocal", "eks-addon", "kubeadm-nodelocal"} {
		change := mustPlan(t, mustDetect(t, cluster(t, name)), openmcp())
		var text strings.Builder
		for _, e := range change.Edits {
			fmt.Fprintf(&text, "== %s %s %s\n%s", e.How, e.Ref, e.Key, e.After)
		}
		for _, w := range change.Warnings {
			fmt.Fprintf(&text, "== warning: %s\n", w)
		}
		golden(t, name+".plan", text.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (write it with UPDATE=1): -want +got\n%s", name, diff)
	}
}

func configMap(t *testing.T, c client.Client, namespace, name string) *corev1.ConfigMap {
	t.Helper()
	var m corev1.ConfigMap
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// The owner of an EKS add-on has taken our value over: nothing is left to report.
func TestAddonThatHasTheValue(t *testing.T) {
	c := cluster(t, "eks-addon")
	change := mustPlan(t, mustDetect(t, c), openmcp())
	if len(change.Edits) != 1 || change.Writable() || !strings.Contains(string(change.Edits[0].Values), "openmcp.cluster:53 {") {
		t.Fatalf("want one report with the value:\n%s", show(change))
	}
	if err := change.Edits[0].Write(context.Background(), c); err == nil {
		t.Error("a report was written")
	}
	m := configMap(t, c, "kube-system", "coredns")
	m.Data["Corefile"] = string(change.Edits[0].After)
	if err := c.Update(context.Background(), m, client.FieldOwner("eks")); err != nil {
		t.Fatal(err)
	}
	d := mustDetect(t, c)
	if again := mustPlan(t, d, openmcp()); len(again.Edits) > 0 || len(d.Pending(openmcp())) > 0 {
		t.Errorf("kind %s, pending %v:\n%s", d.Kind, d.Pending(openmcp()), show(again))
	}
}

// A migration by kubeadm or Cluster API takes comments away, and our mark with them: the block stays ours.
func TestBlockWithoutItsMarkIsAdopted(t *testing.T) {
	for _, name := range []string{"kubeadm", "capi-kcp", "talos", "microshift"} {
		c := cluster(t, name)
		change := mustPlan(t, mustDetect(t, c), openmcp())
		e := change.Edits[0]
		m := configMap(t, c, e.Ref.Namespace, e.Ref.Name)
		var kept []string
		for line := range strings.Lines(string(e.After)) {
			if !strings.HasPrefix(line, "#") {
				kept = append(kept, line)
			}
		}
		m.Data[e.Key] = strings.Join(kept, "")
		if err := c.Update(context.Background(), m, client.FieldOwner("kubeadm")); err != nil {
			t.Fatal(err)
		}
		if again := mustPlan(t, mustDetect(t, c), openmcp()); len(again.Edits) > 0 {
			t.Errorf("%s: want the block adopted as it is:\n%s", name, show(again))
		}
		gone := mustPlan(t, mustDetect(t, c), nil)
		if len(gone.Edits) != 1 || strings.Contains(string(gone.Edits[0].After), "openmcp") {
			t.Errorf("%s: want it taken out:\n%s", name, show(gone))
		}
	}
}

// What is to be loaded for the cache on the nodes has its variables filled in, as the cache itself does.
func TestNodeLocalCandidateIsFilledIn(t *testing.T) {
	change := mustPlan(t, mustDetect(t, cluster(t, "kubeadm-nodelocal")), openmcp())
	text := string(change.NodeLocal.Corefile)
	if strings.Contains(text, "__PILLAR__") || !strings.Contains(text, "forward . 10.96.77.7 {") || !change.NodeLocal.Derived {
		t.Errorf("derived %t:\n%s", change.NodeLocal.Derived, text)
	}
	for _, e := range change.Edits {
		if e.Ref.Name == "node-local-dns" && !strings.Contains(string(e.After), "__PILLAR__CLUSTER__DNS__") {
			t.Error("the variables were replaced in the ConfigMap")
		}
	}
}
