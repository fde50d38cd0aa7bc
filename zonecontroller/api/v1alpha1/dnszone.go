package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSZone is a zone on the servers that its selector finds.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dnsz,categories=spokedns
type DNSZone struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DNSZoneSpec `json:"spec"`
	// +optional
	Status DNSZoneStatus `json:"status,omitempty"`
}

// DNSZoneList is a list of DNSZones.
//
// +kubebuilder:object:root=true
type DNSZoneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DNSZone `json:"items"`
}

// DNSZoneSpec is the zone.
type DNSZoneSpec struct {
	// ZoneName is the zone's name, forward ("example.org") or reverse ("2.0.192.in-addr.arpa").
	ZoneName string `json:"zoneName"`

	// SOA is the start of authority (RFC 1035 §3.3.13).
	SOA SOA `json:"soa"`

	// TTL of the SOA, the NS records and the glue, and of DNSRecords without one of their own, in seconds.
	//
	// +optional
	// +kubebuilder:default=300
	TTL int64 `json:"ttl,omitempty"`

	// NameServers are the zone's NS records, with glue for those that lie in it.
	NameServers []NameServer `json:"nameServers"`

	// ServerSelector finds the DNSServers by their labels, in all namespaces that allow this one.
	ServerSelector metav1.LabelSelector `json:"serverSelector"`

	// DNSSECPolicy is a dnssec-policy the primaries know; "default" is BIND's own. Empty: not signed.
	// +optional
	DNSSECPolicy string `json:"dnssecPolicy,omitempty"`

	// AllowTransfer are addresses and networks that may transfer the zone beside its secondaries.
	// +optional
	AllowTransfer []string `json:"allowTransfer,omitempty"`
	// AlsoNotify are addresses that are told of changes beside the zone's secondaries.
	// +optional
	AlsoNotify []string `json:"alsoNotify,omitempty"`

	// RecordNamespaces are those whose DNSRecords may be in the zone beside its own; "*" is all.
	// +optional
	RecordNamespaces []string `json:"recordNamespaces,omitempty"`

	// OrphanAfter is how long a removal waits for a server that cannot be reached before it leaves it as it is.
	//
	// +optional
	// +kubebuilder:default="1h"
	OrphanAfter *metav1.Duration `json:"orphanAfter,omitempty"`
}

// SOA is a start of authority. Times are in seconds.
type SOA struct {
	// PrimaryNS is the name of the primary server.
	PrimaryNS string `json:"primaryNS"`
	// AdminEmail is who looks after the zone: hostmaster@example.org.
	AdminEmail string `json:"adminEmail"`
	// Serial, when given, is the lowest the zone has; without it serials are managed. They only go up.
	// +optional
	Serial *int64 `json:"serial,omitempty"`
	// +optional
	// +kubebuilder:default=3600
	Refresh int64 `json:"refresh,omitempty"`
	// +optional
	// +kubebuilder:default=600
	Retry int64 `json:"retry,omitempty"`
	// +optional
	// +kubebuilder:default=604800
	Expire int64 `json:"expire,omitempty"`
	// NegativeTTL is how long resolvers keep that a name does not exist (RFC 2308).
	//
	// +optional
	// +kubebuilder:default=300
	NegativeTTL int64 `json:"negativeTTL,omitempty"`
	// TTL of the SOA record itself, in seconds; without it the zone's.
	// +optional
	TTL *int64 `json:"ttl,omitempty"`
}

// NameServer is one NS record, with its glue.
type NameServer struct {
	Hostname string `json:"hostname"`
	// IPv4Addresses and IPv6Addresses are its glue; only for a name in the zone.
	// +optional
	IPv4Addresses []string `json:"ipv4Addresses,omitempty"`
	// +optional
	IPv6Addresses []string `json:"ipv6Addresses,omitempty"`
	// TTL of the glue, in seconds; without it the zone's.
	// +optional
	TTL *int64 `json:"ttl,omitempty"`
}

// DNSZoneStatus is what was found and done.
type DNSZoneStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Ready, Accepted, Degraded.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Servers are those selected, and those that have still to let go.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	Servers []ZoneServer `json:"servers,omitempty"`
	// Ready is how many servers serve it, of those selected: "3/4".
	// +optional
	Ready string `json:"ready,omitempty"`
	// Records is how many DNSRecords are in the zone.
	// +optional
	Records int32 `json:"records,omitempty"`
	// Serial is the highest that was seen.
	// +optional
	Serial int64 `json:"serial,omitempty"`
	// DSRecords belong into the parent zone, where the zone is signed.
	// +optional
	DSRecords []string `json:"dsRecords,omitempty"`
}

// ZoneServer is the zone on one server.
type ZoneServer struct {
	// Name is the DNSServer, as namespace/name.
	Name string `json:"name"`
	Role Role   `json:"role"`
	// State is Pending, Provisioned (there, without data yet), Serving, Failed, or Leaving.
	State ZoneState `json:"state"`
	// Serial is what it serves.
	// +optional
	Serial int64 `json:"serial,omitempty"`
	// Message is why, when it is not Serving.
	// +optional
	Message string `json:"message,omitempty"`
	// Made says that the controller put the zone there, and takes it away again. A zone that was there before stays, and
	// only loses its records.
	// +optional
	Made bool `json:"made,omitempty"`
	// Since is when State became what it is.
	// +optional
	Since metav1.Time `json:"since,omitempty"`
}

// ZoneState is how far a server is with a zone.
//
// +kubebuilder:validation:Enum=Pending;Provisioned;Serving;Failed;Leaving
type ZoneState string

// The states.
const (
	Pending     ZoneState = "Pending"
	Provisioned ZoneState = "Provisioned"
	Serving     ZoneState = "Serving"
	Failed      ZoneState = "Failed"
	Leaving     ZoneState = "Leaving"
)
