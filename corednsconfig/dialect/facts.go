package dialect

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Facts are what is known of a cluster's DNS: the objects as they were read. They can be kept as JSON and judged elsewhere.
// What was looked for and is not there is nil.
type Facts struct {
	// Service that pods ask for names.
	Service *corev1.Service `json:"service,omitempty"`
	// Pods behind the Service.
	Pods []corev1.Pod `json:"pods,omitempty"`
	// Workload is the Deployment or DaemonSet that makes the pods; read when there are none at the moment.
	Workload *unstructured.Unstructured `json:"workload,omitempty"`
	// NodeLocalPods are those of a DNS cache on the nodes.
	NodeLocalPods []corev1.Pod `json:"nodeLocalPods,omitempty"`
	// UpstreamService is where the node-local cache asks for cluster names.
	UpstreamService *corev1.Service `json:"upstreamService,omitempty"`
	// ConfigMaps that those pods mount, as far as they exist.
	ConfigMaps []corev1.ConfigMap `json:"configMaps,omitempty"`
	// DNSOperator is the DNS "default" of dns.operator.openshift.io.
	DNSOperator *unstructured.Unstructured `json:"dnsOperator,omitempty"`
	// HelmChart is the HelmChart of helm.cattle.io that brings CoreDNS, HelmChartConfig its adjustment.
	HelmChart       *unstructured.Unstructured `json:"helmChart,omitempty"`
	HelmChartConfig *unstructured.Unstructured `json:"helmChartConfig,omitempty"`
}
