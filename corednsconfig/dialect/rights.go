package dialect

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Right is a set of rules in one namespace; Namespace empty: for the cluster, in a ClusterRole.
type Right struct {
	Namespace string
	Rules     []rbacv1.PolicyRule
}

// ReadRights are what [Read] needs, whatever the cluster is: Services and Pods in the namespaces of cluster DNS, and by
// name the objects that distributions configure it with. What is in a namespace that a cluster does not have is not needed
// there.
func ReadRights() []Right {
	return []Right{
		{Rules: []rbacv1.PolicyRule{
			rule([]string{"get"}, "", "namespaces", openshiftNamespace),
			rule([]string{"get"}, "operator.openshift.io", "dnses", "default"),
		}},
		{Namespace: systemNamespace, Rules: []rbacv1.PolicyRule{
			rule([]string{"list"}, "", "pods"),
			rule([]string{"list"}, "", "services"),
			rule([]string{"get"}, "", "configmaps", knownConfigMaps()...),
			rule([]string{"get"}, "helm.cattle.io", "helmcharts", rke2Chart),
			rule([]string{"get"}, "helm.cattle.io", "helmchartconfigs", rke2Chart),
		}},
		{Namespace: openshiftNamespace, Rules: []rbacv1.PolicyRule{
			rule([]string{"list"}, "", "pods"),
			rule([]string{"list"}, "", "services"),
			rule([]string{"get"}, "", "configmaps", openshiftService),
		}},
	}
}

const rke2Chart = "rke2-coredns"

// knownConfigMaps are the names under which distributions keep a Corefile, or what it imports.
func knownConfigMaps() []string {
	return []string{
		"coredns", "coredns-custom",
		"coredns-base", // Linode
		"rke2-coredns-rke2-coredns",
		stubConfigMap,
		nodeLocalApp, "nodelocaldns", // the latter at Kubespray
	}
}

// WriteRights are what [Edit.Write] needs besides [ReadRights] for a cluster of the given kind; with nodeLocal also for the
// cache on its nodes. Objects are named as their distributions name them; [Dialect.WriteRights] names those of one cluster.
func WriteRights(k Kind, nodeLocal bool) []Right {
	var rights []Right
	switch k {
	case Corefile:
		rights = append(rights,
			updateConfigMaps(systemNamespace, "coredns", "coredns-base"),
			updateConfigMaps(openshiftNamespace, openshiftService))
	case CustomConfigMap:
		rights = append(rights, ownConfigMap(systemNamespace, "coredns-custom"))
	case StubDomains:
		rights = append(rights, ownConfigMap(systemNamespace, stubConfigMap))
	case OpenShift:
		rights = append(rights, updateDNS("default"))
	case HelmChartConfig:
		rights = append(rights, ownChartConfig(systemNamespace, rke2Chart))
	case EKSAddon:
	}
	if nodeLocal && k != StubDomains {
		rights = append(rights, updateConfigMaps(systemNamespace, nodeLocalApp, "nodelocaldns"))
	}
	return merge(rights)
}

// WriteRights are what [Edit.Write] needs in this cluster.
func (d *Dialect) WriteRights() []Right {
	var rights []Right
	for _, t := range d.targets {
		rights = append(rights, t.rights()...)
	}
	return merge(rights)
}

// Keys are replaced under resourceVersion.
func updateConfigMaps(namespace string, names ...string) Right {
	return Right{Namespace: namespace, Rules: []rbacv1.PolicyRule{rule([]string{"update"}, "", "configmaps", names...)}}
}

// Keys of our own are applied, which creates the object too (the API server asks for create with the name, so that it can be
// granted by name); an object that is ours alone is deleted.
func ownConfigMap(namespace, name string) Right {
	return Right{Namespace: namespace, Rules: []rbacv1.PolicyRule{rule(ownVerbs(), "", "configmaps", name)}}
}

func ownChartConfig(namespace, name string) Right {
	return Right{Namespace: namespace, Rules: []rbacv1.PolicyRule{rule(ownVerbs(), "helm.cattle.io", "helmchartconfigs", name)}}
}

func updateDNS(name string) Right {
	return Right{Rules: []rbacv1.PolicyRule{rule([]string{"update"}, "operator.openshift.io", "dnses", name)}}
}

func ownVerbs() []string { return []string{"create", "delete", "patch", "update"} }

func rule(verbs []string, group, resource string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: verbs, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names}
}

// merge has one Right per namespace, the cluster's first.
func merge(rights []Right) []Right {
	var merged []Right
	for _, r := range rights {
		i := slices.IndexFunc(merged, func(m Right) bool { return m.Namespace == r.Namespace })
		if i < 0 {
			merged = append(merged, r)
			continue
		}
		merged[i].Rules = append(merged[i].Rules, r.Rules...)
	}
	slices.SortFunc(merged, func(a, b Right) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return merged
}
