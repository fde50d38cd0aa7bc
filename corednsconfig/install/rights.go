package install

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Right is a set of rules in one namespace; Namespace empty: for the cluster, in a ClusterRole.
type Right struct {
	Namespace string
	Rules     []rbacv1.PolicyRule
}

// Rights are what [Engine] needs in a cluster to install a wish that renders to these objects, and no more: each object
// by its name, and what the roles among them grant, because nobody may grant what he has not. The right to create names
// the object too, which an API server honours for server-side apply. Objects in other namespaces need those to be there.
func Rights(w Wish, made []*unstructured.Unstructured) ([]Right, error) {
	r := rights{}
	r.add("", rule("", "namespaces", []string{w.Namespace}, "get", "create", "patch", "delete"))
	for _, own := range []rbacv1.PolicyRule{
		rule("", "secrets", nil, "get", "list", "create", "update", "delete"), // Helm's memory, whose names count on; copies
		rule("", "pods", nil, "list"),
		rule("", "pods/proxy", nil, "get"),                                            // whether external-dns has withdrawn its records
		{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"list"}}, // whether the namespace is empty
	} {
		r.add(w.Namespace, own)
	}
	type kind struct{ namespace, group, resource string }
	named := map[kind][]string{}
	for _, u := range made {
		gvk := u.GroupVersionKind()
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		k := kind{u.GetNamespace(), gvk.Group, plural.Resource}
		named[k] = append(named[k], u.GetName())
		if gvk.Group != rbacv1.GroupName || gvk.Kind != "Role" && gvk.Kind != "ClusterRole" {
			continue
		}
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &role); err != nil {
			return nil, fmt.Errorf("%s %s: %w", gvk.Kind, u.GetName(), err)
		}
		for _, granted := range role.Rules {
			r.add(u.GetNamespace(), granted)
		}
	}
	for k, names := range named {
		slices.Sort(names)
		r.add(k.namespace, rule(k.group, k.resource, slices.Compact(names), "get", "create", "patch", "delete"))
	}
	return r.sorted(), nil
}

// Whole are those rights that are for the whole cluster, or for namespaces that are there whatever is installed: what can
// be asked for before the install's own namespace is.
func Whole(w Wish, all []Right) []Right {
	return slices.DeleteFunc(slices.Clone(all), func(r Right) bool { return r.Namespace == w.Namespace })
}

// Join is the rights in either.
func Join(a, b []Right) []Right {
	all := rights{}
	for _, r := range slices.Concat(a, b) {
		for _, rule := range r.Rules {
			all.add(r.Namespace, rule)
		}
	}
	return all.sorted()
}

func rule(group, resource string, names []string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names, Verbs: verbs}
}

type rights map[string][]rbacv1.PolicyRule

func (r rights) add(namespace string, rule rbacv1.PolicyRule) {
	if !slices.ContainsFunc(r[namespace], func(have rbacv1.PolicyRule) bool { return have.String() == rule.String() }) {
		r[namespace] = append(r[namespace], rule)
	}
}

func (r rights) sorted() []Right {
	var out []Right
	for _, namespace := range slices.Sorted(maps.Keys(r)) {
		rules := r[namespace]
		slices.SortFunc(rules, func(a, b rbacv1.PolicyRule) int {
			return cmp.Or(slices.Compare(a.APIGroups, b.APIGroups), slices.Compare(a.Resources, b.Resources), strings.Compare(a.String(), b.String()))
		})
		out = append(out, Right{Namespace: namespace, Rules: rules})
	}
	return out
}
