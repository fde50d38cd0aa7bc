// Package v1alpha1 owns the objects by which people tell corednsconfig what they wish: DNSForwarding, in the group
// dns.spokedns.io. What an object may hold is checked by the API server, by rules in its definition; the definition is
// made of the types here and lies beside them.
//
// +kubebuilder:object:generate=true
// +groupName=dns.spokedns.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Names in metadata.
const (
	// Group is the API group.
	Group = "dns.spokedns.io"
	// Finalizer keeps a DNSForwarding until what was written for it is taken out.
	Finalizer = Group + "/corednsconfig"
	// RetryAnnotation on a DNSForwarding, with any new text, has tried again what was rolled back or given up.
	RetryAnnotation = Group + "/retry"
	// KubeconfigLabel with the value "true" marks a Secret that holds the kubeconfig of a cluster.
	KubeconfigLabel = Group + "/kubeconfig"
	// SourceLabel and ClusterLabel are labels every cluster has for selectors: its source in lower case, its name.
	SourceLabel  = Group + "/source"
	ClusterLabel = Group + "/cluster"
	// PurposeLabelPrefix and a purpose of an openMCP Cluster make a label with the value "true".
	PurposeLabelPrefix = "purpose." + Group + "/"
)

// GroupVersion is that of the objects here.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: "v1alpha1"}
}

// AddToScheme makes a scheme know the objects.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &DNSForwarding{}, &DNSForwardingList{})
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}
