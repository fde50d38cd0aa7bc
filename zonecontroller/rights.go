package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

const programName = "spokedns-zonecontroller"

// rightsCommand prints objects for kubectl apply.
type rightsCommand struct {
	Namespace  string   `default:"spokedns" help:"Namespace of the program: of its ServiceAccount, its ledger and its Lease."`
	Namespaces []string `name:"server-namespace" placeholder:"NAME" help:"Namespace of DNSServers, where the Secrets with their keys are. Repeat it for several. Default: --namespace."`
}

// clusterRules are for the objects, in whichever namespace they are.
func clusterRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.Group}, Resources: []string{"dnszones", "dnsservers"}, Verbs: []string{"get", "list", "watch", "patch"}},
		{APIGroups: []string{v1alpha1.Group}, Resources: []string{"dnsrecords"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{v1alpha1.Group}, Resources: []string{"dnszones/status", "dnsservers/status", "dnsrecords/status"}, Verbs: []string{"patch"}},
		{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}
}

// ownRules are for the ledger and the Lease.
func ownRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "create", "update", "delete"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}}, // of who leads
	}
}

// keyRules are for the keys of servers. They are read by name, and never listed.
func keyRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}}
}

func (r rightsCommand) run(_ context.Context, s streams) error {
	servers := r.Namespaces
	if len(servers) == 0 {
		servers = []string{r.Namespace}
	}
	slices.Sort(servers)
	typed := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
	}
	named := func(namespace, suffix string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: programName + suffix}
	}
	ref := func(kind, suffix string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: programName + suffix}
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: r.Namespace, Name: programName}}
	objects := []any{
		corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: rbacv1.ServiceAccountKind}, ObjectMeta: named(r.Namespace, "")},
		rbacv1.ClusterRole{TypeMeta: typed("ClusterRole"), ObjectMeta: named("", ""), Rules: clusterRules()},
		rbacv1.ClusterRoleBinding{TypeMeta: typed("ClusterRoleBinding"), ObjectMeta: named("", ""), Subjects: subjects, RoleRef: ref("ClusterRole", "")},
		rbacv1.Role{TypeMeta: typed("Role"), ObjectMeta: named(r.Namespace, ""), Rules: ownRules()},
		rbacv1.RoleBinding{TypeMeta: typed("RoleBinding"), ObjectMeta: named(r.Namespace, ""), Subjects: subjects, RoleRef: ref("Role", "")},
	}
	for _, namespace := range slices.Compact(servers) {
		objects = append(objects,
			rbacv1.Role{TypeMeta: typed("Role"), ObjectMeta: named(namespace, "-keys"), Rules: keyRules()},
			rbacv1.RoleBinding{TypeMeta: typed("RoleBinding"), ObjectMeta: named(namespace, "-keys"), Subjects: subjects, RoleRef: ref("Role", "-keys")})
	}
	for _, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.stdout, "---\n%s", text)
	}
	return nil
}
