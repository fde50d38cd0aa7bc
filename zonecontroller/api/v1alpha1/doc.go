// Package v1alpha1 owns the objects by which people declare DNS servers, zones and records: DNSServer, DNSZone and
// DNSRecord, in the group dns.spokedns.io. What an object may hold is checked by the API server, by rules in its
// definition; the definitions are made of the types here and lie beside them.
//
// +kubebuilder:object:generate=true
// +groupName=dns.spokedns.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// Group is the API group.
	Group = "dns.spokedns.io"
	// Finalizer keeps a DNSZone until its servers have let go of it, and a DNSServer until its zones have.
	Finalizer = Group + "/zonecontroller"

	// MaxValues is how many values a DNSRecord has at most, MaxValueLength how many characters one has.
	MaxValues      = 100
	MaxValueLength = 4096
)

// GroupVersion is that of the objects here.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: Group, Version: "v1alpha1"}
}

// AddToScheme makes a scheme know the objects.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &DNSServer{}, &DNSServerList{}, &DNSZone{}, &DNSZoneList{}, &DNSRecord{}, &DNSRecordList{})
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}
