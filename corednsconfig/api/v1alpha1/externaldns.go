package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ExternalDNS says in which clusters external-dns is installed with the webhook beside it, and how. What is installed is
// the chart "webhook" that corednsconfig carries: the one of its own version.
type ExternalDNS struct {
	// Installs are looked through in this order: the first that selects a cluster is installed there. A cluster that
	// none selects has what was installed taken out again, once its records are withdrawn. No label says "or" over
	// several keys: that is two installs with the same values.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Installs []Install `json:"installs"`

	// Environment stands for the placeholder <environment> in values.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$')",messageExpression="'\"' + self + '\": want lower-case letters, digits and hyphens, for example live: it may become part of a name'"
	Environment string `json:"environment,omitempty"`

	// DrainTimeout is how long a removal waits for external-dns to withdraw its records. After that it is taken out
	// with what records there are.
	//
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('24h')",messageExpression="'\"' + self + '\": want a time from 0s to 24h, for example 10m'"
	DrainTimeout *metav1.Duration `json:"drainTimeout,omitempty"`
}

// Install is one way to install external-dns.
type Install struct {
	// ClusterSelector selects by labels and by source, among the clusters of the DNSForwarding. Without it all of those.
	// +optional
	ClusterSelector *ClusterSelector `json:"clusterSelector,omitempty"`

	// Namespace it is installed in. One that is not there is made, and goes again when nothing else is left in it.
	//
	// +optional
	// +kubebuilder:default=external-dns
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'\"' + self + '\": want the name of a namespace, for example external-dns'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['default', 'kube-system', 'kube-public', 'kube-node-lease'])",messageExpression="'\"' + self + '\": want a namespace of its own, for example external-dns: corednsconfig reads the Secrets in it'"
	Namespace string `json:"namespace,omitempty"`

	// ReleaseName is what Helm calls it.
	//
	// +optional
	// +kubebuilder:default=external-dns
	// +kubebuilder:validation:MaxLength=42
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'\"' + self + '\": want lower-case letters, digits and hyphens, for example external-dns'"
	ReleaseName string `json:"releaseName,omitempty"`

	// Values are those of the chart webhook. In texts the placeholders <cluster.name>, <cluster.namespace>,
	// <environment>, <provider.name> (the DNSForwarding's name) and <provider.namespace> (corednsconfig's) may stand.
	//
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	Values *runtime.RawExtension `json:"values,omitempty"`

	// Secrets are copied from corednsconfig's namespace into the one it is installed in, and kept up to date: those that
	// values name, pull secrets too.
	//
	// +optional
	// +listType=map
	// +listMapKey=target
	// +kubebuilder:validation:MaxItems=16
	Secrets []SecretCopy `json:"secrets,omitempty"`
}

// SecretCopy is a Secret that is copied into a cluster.
type SecretCopy struct {
	// Source is its name in corednsconfig's namespace.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Source string `json:"source"`

	// Target is its name in the cluster.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$') && !self.startsWith('sh.helm.')",messageExpression="'\"' + self + '\": want the name of a Secret, which does not start with sh.helm, for example etcd-credentials'"
	Target string `json:"target"`
}

// InstallStatus is what of external-dns is in a cluster, or is being put there.
type InstallStatus struct {
	// Namespace and Release are where it is and what Helm calls it.
	Namespace string `json:"namespace"`
	Release   string `json:"release"`
	// Digest names the chart, the values and the rest that were handed to the cluster last. Empty: it is to go.
	// +optional
	Digest string `json:"digest,omitempty"`
	// NamespaceReady is true once the namespace was seen: rights in it can be asked for from then on.
	// +optional
	NamespaceReady bool `json:"namespaceReady,omitempty"`
}

// InstallName is the namespace and the name of a release where nothing else is said.
const InstallName = "external-dns"

// ExternalDNSInstalled is a condition of a cluster: True when external-dns runs there as is wished. Clusters for which no
// install is wished do not have it.
const ExternalDNSInstalled = "ExternalDNS"
