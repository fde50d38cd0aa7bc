package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
)

func capi() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "cluster.x-k8s.io", Version: "v1beta2", Kind: "Cluster"}
}
func mcp() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "clusters.openmcp.cloud", Version: "v1alpha1", Kind: "Cluster"}
}
func access() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "clusters.openmcp.cloud", Version: "v1alpha1", Kind: "AccessRequest"}
}

// platform is a client of an API server that knows those kinds.
func platform(kinds []schema.GroupVersionKind, funcs interceptor.Funcs, objects ...client.Object) client.WithWatch {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{capi().GroupVersion(), mcp().GroupVersion()})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	s := runtime.NewScheme()
	_ = scheme.AddToScheme(s)
	for _, kind := range kinds {
		mapper.Add(kind, meta.RESTScopeNamespace)
		s.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		s.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &unstructured.UnstructuredList{})
	}
	return fake.NewClientBuilder().WithScheme(s).WithRESTMapper(mapper).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
}

func secret(namespace, name, key, text string, labels map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Data: map[string][]byte{key: []byte(text)}}
}

func object(kind schema.GroupVersionKind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	u.SetUID("uid-of-" + "x")
	return u
}

func options(c client.Client) fleet.Options {
	return fleet.Options{
		Local: &rest.Config{Host: "https://local"}, Client: c, Namespace: "dns", Now: now,
		Rights: []fleet.Right{{Namespace: "kube-system", Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"coredns"}, Verbs: []string{"get", "update"}}}}},
	}
}

func all(fleet.Cluster) bool  { return true }
func none(fleet.Cluster) bool { return false }

// short is a listing as "id host" or "id Reason".
func short(l fleet.Listing) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(l.Clusters)) {
		c := l.Clusters[id]
		if c.Err != nil {
			out = append(out, id+" "+string(c.Err.Reason))
		} else {
			out = append(out, id+" "+c.Config.Host)
		}
	}
	return out
}

func labelled() map[string]string {
	return map[string]string{v1alpha1.KubeconfigLabel: "true", "stage": "live"}
}

// TestList: each source finds its clusters, and a bad one among them is a fact about that one.
func TestList(t *testing.T) {
	good := func(host string) string { return kubeconfig("https://"+host, "", "token: abc") }
	c := platform([]schema.GroupVersionKind{capi(), mcp(), access()}, interceptor.Funcs{},
		secret("dns", "a", "kubeconfig", good("a"), labelled()),
		secret("dns", "b", "value", good("b"), labelled()),
		secret("dns", "broken", "kubeconfig", "{{", labelled()),
		secret("dns", "keyless", "else", good("x"), labelled()),
		secret("dns", "old", "kubeconfig", kubeconfig("https://old", "", "token: "+token(now().Add(-time.Hour))), labelled()),
		secret("dns", "twin", "kubeconfig", good("a"), labelled()),
		secret("dns", "unlabelled", "kubeconfig", good("u"), nil),
		secret("elsewhere", "e", "kubeconfig", good("e"), labelled()),
		object(capi(), "tenant", "one", nil), secret("tenant", "one-kubeconfig", "value", good("capi-one"), nil),
		object(capi(), "tenant", "young", nil),
		object(mcp(), "landscape", "m", map[string]any{"purposes": []any{"mcp", "not a label"}}),
	)
	l := fleet.New(options(c)).List(t.Context(), none)
	want := []string{
		"clusterapi/tenant/one https://capi-one", "clusterapi/tenant/young NoKubeconfig",
		"kubeconfig/dns/a https://a", "kubeconfig/dns/b https://b", "kubeconfig/dns/broken BadKubeconfig",
		"kubeconfig/dns/keyless NoKubeconfig", "kubeconfig/dns/old Expired", "kubeconfig/dns/twin SameCluster",
		"local https://local", "openmcp/landscape/m NotRequested",
	}
	if diff := cmp.Diff(want, short(l)); diff != "" || len(l.Failed) > 0 {
		t.Errorf("failed %v, -want +got\n%s", l.Failed, diff)
	}
	labels := map[string]map[string]string{
		"local":               {v1alpha1.SourceLabel: "local", v1alpha1.ClusterLabel: "local"},
		"kubeconfig/dns/a":    {v1alpha1.SourceLabel: "kubeconfig", v1alpha1.ClusterLabel: "a", v1alpha1.KubeconfigLabel: "true", "stage": "live"},
		"openmcp/landscape/m": {v1alpha1.SourceLabel: "openmcp", v1alpha1.ClusterLabel: "m", v1alpha1.PurposeLabelPrefix + "mcp": "true"},
	}
	for id, want := range labels {
		if diff := cmp.Diff(want, l.Clusters[id].Labels); diff != "" {
			t.Errorf("labels of %s (-want +got)\n%s", id, diff)
		}
		if got := fleet.SourceOf(id); got != l.Clusters[id].Source {
			t.Errorf("%s is of source %s, not %s", id, l.Clusters[id].Source, got)
		}
	}
}

// TestListFails: a source that cannot be listed is named, and takes none of the others along.
func TestListFails(t *testing.T) {
	c := platform([]schema.GroupVersionKind{capi()}, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if _, ok := list.(*corev1.SecretList); ok {
				return errors.New("etcdserver: no leader")
			}
			return c.List(ctx, list, opts...)
		},
	}, object(capi(), "tenant", "one", nil), secret("tenant", "one-kubeconfig", "value", kubeconfig("https://one", "", "token: abc"), nil))
	l := fleet.New(options(c)).List(t.Context(), all)
	if diff := cmp.Diff([]string{"clusterapi/tenant/one https://one", "local https://local"}, short(l)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := l.Failed[v1alpha1.Kubeconfig]; len(l.Failed) != 1 || err == nil || !strings.Contains(err.Error(), "no leader") {
		t.Errorf("failed: %v", l.Failed)
	}
}

// TestAccess follows an AccessRequest from its creation to its end.
func TestAccess(t *testing.T) {
	ctx := t.Context()
	c := platform([]schema.GroupVersionKind{mcp(), access()}, interceptor.Funcs{}, object(mcp(), "landscape", "m", nil))
	f := fleet.New(options(c))
	see := func(wanted func(fleet.Cluster) bool, want string, says ...string) {
		t.Helper()
		got := f.List(ctx, wanted)
		m := got.Clusters["openmcp/landscape/m"]
		if got := short(got)[1]; got != "openmcp/landscape/m "+want {
			t.Fatalf("%s (%v), want %s", got, m.Err, want)
		}
		for _, s := range says {
			if !strings.Contains(m.Err.Text, s) {
				t.Errorf("%q lacks %q", m.Err.Text, s)
			}
		}
	}
	request := func() *unstructured.Unstructured {
		t.Helper()
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(access())
		if err := c.Get(ctx, client.ObjectKey{Namespace: "landscape", Name: "m.spokedns-corednsconfig"}, u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	status := func(status map[string]any) {
		t.Helper()
		u := request()
		u.Object["status"] = status
		if err := c.Update(ctx, u); err != nil {
			t.Fatal(err)
		}
	}

	see(all, "AccessPending", "landscape/m.spokedns-corednsconfig", "waiting for Granted")
	want := map[string]any{
		"clusterRef": map[string]any{"name": "m", "namespace": "landscape"},
		"token": map[string]any{"permissions": []any{map[string]any{"namespace": "kube-system", "rules": []any{map[string]any{
			"apiGroups": []any{""}, "resources": []any{"configmaps"}, "resourceNames": []any{"coredns"}, "verbs": []any{"get", "update"},
		}}}}},
	}
	if diff := cmp.Diff(want, request().Object["spec"]); diff != "" {
		t.Errorf("spec (-want +got)\n%s", diff)
	}
	if owners := request().GetOwnerReferences(); len(owners) != 1 || owners[0].Name != "m" || owners[0].UID == "" {
		t.Errorf("owners %v, want the Cluster", owners)
	}
	version := request().GetResourceVersion()
	see(all, "AccessPending")
	if got := request().GetResourceVersion(); got != version {
		t.Errorf("it was written again, %s after %s", got, version)
	}
	status(map[string]any{"phase": "Granted", "secretRef": map[string]any{"name": "m.access"}})
	see(all, "NoKubeconfig", "landscape/m.access")
	if err := c.Create(ctx, secret("landscape", "m.access", "kubeconfig", kubeconfig("https://m", "", "token: abc"), nil)); err != nil {
		t.Fatal(err)
	}
	see(all, "https://m")
	status(map[string]any{"phase": "Denied", "conditions": []any{map[string]any{"status": "False", "message": "no such profile"}}})
	see(all, "AccessDenied", "no such profile")

	// More rights are asked for when more are needed.
	more := options(c)
	more.Rights = append(more.Rights, fleet.Right{Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/version"}}}})
	f = fleet.New(more)
	see(all, "AccessDenied")
	if permissions, _, _ := unstructured.NestedSlice(request().Object, "spec", "token", "permissions"); len(permissions) != 2 {
		t.Errorf("permissions %v, want both", permissions)
	}

	see(none, "NotRequested")
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(access())
	if err := c.Get(ctx, client.ObjectKey{Namespace: "landscape", Name: "m.spokedns-corednsconfig"}, u); !apierrors.IsNotFound(err) {
		t.Errorf("the request is still there: %v", err)
	}
	foreign := object(access(), "landscape", "m.spokedns-corednsconfig", map[string]any{"clusterRef": map[string]any{"name": "other"}})
	if err := c.Create(ctx, foreign); err != nil {
		t.Fatal(err)
	}
	see(all, "AccessDenied", "somebody else's")
	see(none, "NotRequested")
	if ref, _, _ := unstructured.NestedString(request().Object, "spec", "clusterRef", "name"); ref != "other" {
		t.Error("a request of somebody else's was written")
	}
}

func TestIgnored(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		ignored     bool
	}{
		"both":     {map[string]string{"openmcp.cloud/operation": "ignore"}, true},
		"dns":      {map[string]string{"dns.openmcp.cloud/operation": "ignore"}, true},
		"dns wins": {map[string]string{"openmcp.cloud/operation": "ignore", "dns.openmcp.cloud/operation": "reconcile"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := object(mcp(), "landscape", "m", nil)
			m.SetAnnotations(c.annotations)
			l := fleet.New(options(platform([]schema.GroupVersionKind{mcp(), access()}, interceptor.Funcs{}, m))).List(t.Context(), all)
			if err := l.Clusters["openmcp/landscape/m"].Err; (err.Reason == fleet.Ignored) != c.ignored {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestAnnotate: the base domain is written on the object that was listed, and on no other of its name.
func TestAnnotate(t *testing.T) {
	ctx := t.Context()
	m := object(mcp(), "landscape", "m", nil)
	m.SetAnnotations(map[string]string{"mine": "stays"})
	c := platform([]schema.GroupVersionKind{mcp(), access()}, interceptor.Funcs{}, m)
	f := fleet.New(options(c))
	cluster := func() fleet.Cluster { return f.List(ctx, none).Clusters["openmcp/landscape/m"] }
	annotations := func() string {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(mcp())
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), u); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(u.GetAnnotations())
	}
	for _, step := range []struct{ domain, want string }{
		{"openmcp.cluster", "map[dns.openmcp.cloud/base-domain:openmcp.cluster mine:stays]"},
		{"openmcp.cluster", "map[dns.openmcp.cloud/base-domain:openmcp.cluster mine:stays]"},
		{"", "map[mine:stays]"},
		{"", "map[mine:stays]"},
	} {
		if err := f.Annotate(ctx, cluster(), step.domain); err != nil {
			t.Fatal(err)
		}
		if got := annotations(); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
		if got := cluster().BaseDomain; got != step.domain {
			t.Errorf("listed with %q, want %q", got, step.domain)
		}
	}
	before := cluster()
	if err := c.Delete(ctx, m); err != nil {
		t.Fatal(err)
	}
	if err := f.Annotate(ctx, before, "openmcp.cluster"); err != nil {
		t.Errorf("of a Cluster that is gone: %v", err)
	}
	next := object(mcp(), "landscape", "m", nil)
	next.SetUID("another")
	if err := c.Create(ctx, next); err != nil {
		t.Fatal(err)
	}
	if err := f.Annotate(ctx, before, "openmcp.cluster"); err != nil || annotations() != "map[]" {
		t.Errorf("%v, %s: another Cluster of that name was annotated", err, annotations())
	}
	if err := f.Annotate(ctx, f.List(ctx, none).Clusters["local"], "openmcp.cluster"); err != nil {
		t.Errorf("of the local cluster: %v", err)
	}
}
