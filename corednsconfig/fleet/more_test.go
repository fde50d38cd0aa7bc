package fleet_test

import (
	"fmt"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/spokedns/spokedns/corednsconfig/fleet"
)

// TestMoreRights: rights of one cluster are asked for besides those of all, follow what is said, and stay as they are
// while nothing is known.
func TestMoreRights(t *testing.T) {
	c := platform([]schema.GroupVersionKind{mcp(), access()}, interceptor.Funcs{}, object(mcp(), "landscape", "m", nil))
	more, known := []fleet.Right(nil), true
	o := options(c)
	o.More = func(fleet.Cluster) ([]fleet.Right, bool) { return more, known }
	f := fleet.New(o)
	namespaces := func() string {
		t.Helper()
		f.List(t.Context(), all)
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(access())
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "landscape", Name: "m.spokedns-corednsconfig"}, u); err != nil {
			t.Fatal(err)
		}
		permissions, _, _ := unstructured.NestedSlice(u.Object, "spec", "token", "permissions")
		var out []string
		for _, p := range permissions {
			out = append(out, fmt.Sprint(p.(map[string]any)["namespace"]))
		}
		return fmt.Sprint(out)
	}
	if got := namespaces(); got != "[kube-system]" {
		t.Errorf("without more: %s", got)
	}
	more = []fleet.Right{{Namespace: "external-dns", Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}}}
	if got := namespaces(); got != "[kube-system external-dns]" {
		t.Errorf("with more: %s", got)
	}
	more, known = nil, false
	if got := namespaces(); got != "[kube-system external-dns]" {
		t.Errorf("not known: %s", got)
	}
	known = true
	if got := namespaces(); got != "[kube-system]" {
		t.Errorf("without more again: %s", got)
	}
}
