package dialect

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Facts are what is known of a cluster's DNS: the objects as they were read. They can be kept as JSON and judged elsewhere.
// What was looked for and is not there is nil, or not in its list.
type Facts struct {
	// Services that may be the one that pods ask for names; see [Facts.Service].
	Services []corev1.Service `json:"services,omitempty"`
	// Pods behind the Service.
	Pods []corev1.Pod `json:"pods,omitempty"`
	// NodeLocalPods are those of a DNS cache on the nodes.
	NodeLocalPods []corev1.Pod `json:"nodeLocalPods,omitempty"`
	// ConfigMaps that those pods mount.
	ConfigMaps []corev1.ConfigMap `json:"configMaps,omitempty"`
	// Hidden are ConfigMaps of a cache on the nodes, as namespace/name, that nobody could grant by name beforehand and that
	// may not be read.
	Hidden []string `json:"hidden,omitempty"`
	// DNSOperator is the DNS "default" of dns.operator.openshift.io.
	DNSOperator *unstructured.Unstructured `json:"dnsOperator,omitempty"`
	// HelmChart is the HelmChart of helm.cattle.io that brings CoreDNS, HelmChartConfig its adjustment.
	HelmChart       *unstructured.Unstructured `json:"helmChart,omitempty"`
	HelmChartConfig *unstructured.Unstructured `json:"helmChartConfig,omitempty"`
}

// Where cluster DNS is known to be. Everything else is followed from there.
const (
	systemNamespace    = "kube-system"
	openshiftNamespace = "openshift-dns"
	serviceName        = "kube-dns"
	openshiftService   = "dns-default"
	// upstreamService is where the node-local cache asks; it carries the labels of the real one.
	upstreamService = "kube-dns-upstream"

	appLabel       = "k8s-app"
	clusterDNSApp  = "kube-dns"
	nodeLocalApp   = "node-local-dns"
	stubConfigMap  = "kube-dns"
	stubDomainsKey = "stubDomains"
)

// Service is the Service that pods ask for names; nil: there is none. Its name is given by convention (kube-dns), or its
// label is; several with that label are settled by name, so that the answer does not change from one look to the next.
func (f Facts) Service() *corev1.Service {
	candidates := slices.DeleteFunc(slices.Clone(f.Services), func(s corev1.Service) bool {
		return s.Name == upstreamService || s.Spec.ClusterIP == "" || s.Spec.ClusterIP == corev1.ClusterIPNone ||
			!slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == 53 })
	})
	if len(candidates) == 0 {
		return nil
	}
	slices.SortFunc(candidates, func(a, b corev1.Service) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Name, b.Name))
	})
	return &candidates[0]
}

func rank(s corev1.Service) int {
	switch {
	case s.Namespace == systemNamespace && s.Name == serviceName:
		return 0
	case s.Namespace == openshiftNamespace:
		return 1
	}
	return 2
}

// upstreamService is where the node-local cache asks for cluster names; nil: there is none of its own.
func (f Facts) upstreamService() *corev1.Service {
	for i, s := range f.Services {
		if s.Name == upstreamService {
			return &f.Services[i]
		}
	}
	return nil
}

func (f Facts) configMap(namespace, name string) *corev1.ConfigMap {
	for i, m := range f.ConfigMaps {
		if m.Namespace == namespace && m.Name == name {
			return &f.ConfigMaps[i]
		}
	}
	return nil
}
