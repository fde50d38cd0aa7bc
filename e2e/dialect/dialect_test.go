package dialect_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
	"github.com/spokedns/spokedns/e2e/stack"
)

// distributions are one of each kind that is written, and the kind it is.
type distribution struct {
	name      string
	kind      dialect.Kind
	nodeLocal bool
}

func TestOneServerAfterTheOther(t *testing.T) {
	api, err := stack.ForTest(t).APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	// Before the definitions are there: kinds that the server does not know are a fact.
	for _, d := range []distribution{
		{"kubeadm", dialect.Corefile, false},
		{"kubeadm-nodelocal", dialect.Corefile, true},
		{"aks", dialect.CustomConfigMap, false},
		{"k3s", dialect.CustomConfigMap, false},
		{"gke-standard", dialect.StubDomains, false},
		{"microshift", dialect.Corefile, false},
	} {
		t.Run(d.name, func(t *testing.T) { wholeWay(t, api, d) })
	}
	if err := api.ApplyCRDs(t.Context(), definitions(t)...); err != nil {
		t.Fatal(err)
	}
	for _, d := range []distribution{
		{"openshift", dialect.OpenShift, false},
		{"rke2", dialect.HelmChartConfig, false},
		{"rke2-adjusted", dialect.HelmChartConfig, false},
	} {
		t.Run(d.name, func(t *testing.T) { wholeWay(t, api, d) })
	}
	t.Run("conflicts", func(t *testing.T) { conflicts(t, api) })
}

// wholeWay reads, plans, writes, changes its mind and takes back, with the rights of the kind and no others.
func wholeWay(t *testing.T, api *stack.APIServer, is distribution) {
	ctx := t.Context()
	build(t, api, is.name)
	admin := clientOf(t, api, "")
	reader := withRights(t, api, is.name+"-reader", dialect.ReadRights())
	d := detect(t, reader)
	if d.Kind != is.kind || (d.NodeLocal != nil) != is.nodeLocal {
		t.Fatalf("kind %s, node-local %v: want %+v", d.Kind, d.NodeLocal, is)
	}
	writer := withRights(t, api, is.name+"-writer", slices.Concat(dialect.ReadRights(), d.WriteRights()))
	byKind := withRights(t, api, is.name+"-by-kind", slices.Concat(dialect.ReadRights(), dialect.WriteRights(is.kind, is.nodeLocal)))

	var before []string
	for i, want := range [][]corefile.Forward{
		wish("10.200.0.53", "openmcp.cluster"), wish("10.200.0.54", "openmcp.cluster", "other.example"), wish("10.200.0.53", "openmcp.cluster"), nil,
	} {
		change, err := detect(t, writer).Plan(want)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			before = snapshots(t, admin, change)
		}
		if len(change.Edits) == 0 {
			t.Fatalf("%d: nothing to do", i)
		}
		for _, e := range change.Edits {
			if err := e.Write(ctx, reader); !apierrors.IsForbidden(err) {
				t.Errorf("%d: written without the right to: %v", i, err)
			}
			by := writer
			if i%2 == 1 {
				by = byKind
			}
			if err := e.Write(ctx, by); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		again, err := detect(t, writer).Plan(want)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range again.Edits {
			t.Errorf("%d: still to do: %s %s %s\n%s\n->\n%s", i, e.How, e.Ref, e.Key, e.Before, e.After)
		}
		if want == nil {
			if diff := cmp.Diff(before, snapshots(t, admin, change)); diff != "" {
				t.Errorf("a trace is left: -before +after\n%s", diff)
			}
		}
	}
	noMoreThanListed(t, writer)
}

func wish(upstream string, zones ...string) []corefile.Forward {
	return []corefile.Forward{{Zones: zones, Upstreams: []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr(upstream), 53), netip.MustParseAddrPort("10.200.1.53:5353"),
	}}}
}

func detect(t *testing.T, c client.Reader) *dialect.Dialect {
	t.Helper()
	facts, err := dialect.Read(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dialect.Detect(facts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// snapshots are the objects that a change writes, as people see them.
func snapshots(t *testing.T, c client.Client, change dialect.Change) []string {
	t.Helper()
	var all []string
	for _, e := range change.Edits {
		var u unstructured.Unstructured
		u.SetGroupVersionKind(e.Ref.GroupVersionKind)
		err := c.Get(t.Context(), client.ObjectKey{Namespace: e.Ref.Namespace, Name: e.Ref.Name}, &u)
		if apierrors.IsNotFound(err) {
			all = append(all, e.Ref.String()+" is not there")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		u.SetManagedFields(nil)
		u.SetResourceVersion("")
		u.SetGeneration(0)
		text, err := u.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// noMoreThanListed tries what must not be possible.
func noMoreThanListed(t *testing.T, c client.Client) {
	t.Helper()
	ctx := t.Context()
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"}}
	for what, err := range map[string]error{
		"list ConfigMaps":         c.List(ctx, &corev1.ConfigMapList{}, client.InNamespace("kube-system")),
		"list pods everywhere":    c.List(ctx, &corev1.PodList{}),
		"list Secrets":            c.List(ctx, &corev1.SecretList{}, client.InNamespace("kube-system")),
		"read another ConfigMap":  c.Get(ctx, client.ObjectKeyFromObject(other), other.DeepCopy()),
		"write another ConfigMap": c.Update(ctx, other.DeepCopy()),
		"create a ConfigMap":      c.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "another"}}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: want it forbidden, got %v", what, err)
		}
	}
}

// conflicts: whoever writes between plan and write keeps what he wrote.
func conflicts(t *testing.T, api *stack.APIServer) {
	admin := clientOf(t, api, "")
	for name, between := range map[string]func(t *testing.T){
		"kubeadm": func(t *testing.T) {
			edit(t, admin, "coredns", func(m *corev1.ConfigMap) { m.Data["Corefile"] = "# mine\n" + m.Data["Corefile"] })
		},
		"gke-standard": func(t *testing.T) {
			edit(t, admin, "kube-dns", func(m *corev1.ConfigMap) { m.Data["stubDomains"] = `{"mine.example": ["10.1.1.1"]}` })
		},
		"aks": func(t *testing.T) {
			edit(t, admin, "coredns-custom", func(m *corev1.ConfigMap) { m.Data["spokedns.server"] = "# mine\n" })
		},
		"k3s": func(t *testing.T) {
			m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns-custom"}, Data: map[string]string{"spokedns.server": "# mine\n"}}
			if err := admin.Create(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := admin.Delete(context.Background(), m); err != nil {
					t.Error(err)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			build(t, api, name)
			change, err := detect(t, admin).Plan(wish("10.200.0.53", "openmcp.cluster"))
			if err != nil {
				t.Fatal(err)
			}
			between(t)
			for _, e := range change.Edits {
				if err := e.Write(t.Context(), admin); !apierrors.IsConflict(err) {
					t.Errorf("%s: want a conflict, got %v", e.Ref, err)
				}
			}
			// Planned anew, both are there.
			change, err = detect(t, admin).Plan(wish("10.200.0.53", "openmcp.cluster"))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range change.Edits {
				if err := e.Write(t.Context(), admin); err != nil {
					t.Error(err)
				}
				if text := string(e.After); !strings.Contains(text, "mine") || !strings.Contains(text, "openmcp.cluster") {
					t.Errorf("%s: want what both wrote, got\n%s", e.Ref, text)
				}
			}
		})
	}
}

func edit(t *testing.T, c client.Client, name string, change func(*corev1.ConfigMap)) {
	t.Helper()
	var m corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "kube-system", Name: name}, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	if err := c.Update(t.Context(), &m, client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatal(err)
	}
}
