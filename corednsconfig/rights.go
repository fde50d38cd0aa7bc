package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

const (
	ownName    = "spokedns-corednsconfig"
	kubeSystem = "kube-system"
)

// rights are what is needed in a cluster whose distribution is not known yet, by namespace. Of the namespaces only
// those: an AccessRequest for one that the cluster lacks is refused.
func rights(namespaces ...string) []fleet.Right {
	all := dialect.ReadRights()
	for _, kind := range []dialect.Kind{dialect.Corefile, dialect.CustomConfigMap, dialect.OpenShift, dialect.StubDomains, dialect.HelmChartConfig} {
		all = append(all, dialect.WriteRights(kind, true)...)
	}
	for _, namespace := range namespaces {
		all = append(all, dialect.Right{Namespace: namespace, Rules: rollout.Rules()})
	}
	var out []fleet.Right
	for _, namespace := range append([]string{""}, namespaces...) {
		right, seen := fleet.Right{Namespace: namespace}, map[string]bool{}
		for _, r := range all {
			for _, rule := range r.Rules {
				if text := rule.String(); r.Namespace == namespace && !seen[text] {
					seen[text] = true
					right.Rules = append(right.Rules, rule)
				}
			}
		}
		if len(right.Rules) > 0 {
			out = append(out, right)
		}
	}
	return out
}

// rightsCommand prints objects for kubectl apply.
type rightsCommand struct {
	Namespace     string   `default:"kube-system" help:"Namespace of the ServiceAccount."`
	DNSNamespaces []string `name:"dns-namespace" default:"kube-system" help:"Namespace of the cluster's DNS; openshift-dns on OpenShift. Repeat it for several."`
	Forwardings   []string `name:"forwarding" placeholder:"FILE" help:"DNSForwarding in YAML, for the rights to install external-dns as it says; its namespaces are made. Repeat it for several."`
	ChartValues   bool     `help:"Print the rights to install external-dns as values of the chart corednsconfig, and nothing else."`
	Cluster       string   `placeholder:"NAME" default:"cluster" help:"What <cluster.name> in its values stands for, and <cluster.namespace>."`
}

func (r rightsCommand) run(ctx context.Context, s streams) error {
	all := rights(r.DNSNamespaces...)
	made, err := r.installs(ctx)
	if err != nil {
		return err
	}
	if r.ChartValues {
		return chartValues(s.stdout, made)
	}
	meta := func(namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: ownName}
	}
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: r.Namespace, Name: ownName}}
	rbac := func(kind string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
	}
	ref := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: ownName}
	}
	objects := []any{corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(r.Namespace)}}
	for _, right := range made {
		if right.Namespace != "" && !slices.Contains(r.DNSNamespaces, right.Namespace) {
			objects = append(objects, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": right.Namespace}})
		}
	}
	for _, right := range withInstalls(all, made) {
		if right.Namespace == "" {
			objects = append(objects,
				rbacv1.ClusterRole{TypeMeta: rbac("ClusterRole"), ObjectMeta: meta(""), Rules: right.Rules},
				rbacv1.ClusterRoleBinding{TypeMeta: rbac("ClusterRoleBinding"), ObjectMeta: meta(""), Subjects: subjects, RoleRef: ref("ClusterRole")})
			continue
		}
		objects = append(objects,
			rbacv1.Role{TypeMeta: rbac("Role"), ObjectMeta: meta(right.Namespace), Rules: right.Rules},
			rbacv1.RoleBinding{TypeMeta: rbac("RoleBinding"), ObjectMeta: meta(right.Namespace), Subjects: subjects, RoleRef: ref("Role")})
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
