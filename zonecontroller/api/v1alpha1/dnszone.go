package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSZone is a zone on the servers that its selector finds.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dnsz,categories=spokedns
// +kubebuilder:selectablefield:JSONPath=`.spec.zoneName`
// +kubebuilder:printcolumn:name="Zone",type=string,JSONPath=`.spec.zoneName`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.ready`,description="Servers that serve it, of those selected"
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Records",type=integer,JSONPath=`.status.records`,description="DNSRecords in it"
// +kubebuilder:printcolumn:name="Serial",type=integer,JSONPath=`.status.serial`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="DNSSEC",type=string,priority=1,JSONPath=`.spec.dnssecPolicy`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
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
//
// +kubebuilder:validation:XValidation:rule="self.nameServers.filter(n, (('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName) || ('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName + '.')) && !(has(n.ipv4Addresses) && n.ipv4Addresses.size() > 0 || has(n.ipv6Addresses) && n.ipv6Addresses.size() > 0)).size() == 0",messageExpression="'\"' + self.nameServers.map(n, (('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName) || ('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName + '.')) && !(has(n.ipv4Addresses) && n.ipv4Addresses.size() > 0 || has(n.ipv6Addresses) && n.ipv6Addresses.size() > 0), n.hostname)[0] + '\" lies in the zone: want its addresses in ipv4Addresses or ipv6Addresses, without which it cannot be found'",fieldPath=".nameServers"
// +kubebuilder:validation:XValidation:rule="self.nameServers.filter(n, !(('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName) || ('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName + '.')) && (has(n.ipv4Addresses) && n.ipv4Addresses.size() > 0 || has(n.ipv6Addresses) && n.ipv6Addresses.size() > 0)).size() == 0",messageExpression="'\"' + self.nameServers.map(n, !(('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName) || ('.' + n.hostname.lowerAscii()).endsWith('.' + self.zoneName + '.')) && (has(n.ipv4Addresses) && n.ipv4Addresses.size() > 0 || has(n.ipv6Addresses) && n.ipv6Addresses.size() > 0), n.hostname)[0] + '\" lies outside the zone ' + self.zoneName + ': want no addresses, they belong into the zone of the name'",fieldPath=".nameServers"
type DNSZoneSpec struct {
	// ZoneName is the zone's name, forward ("example.org") or reverse ("2.0.192.in-addr.arpa").
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9_]([-a-z0-9_/]{0,61}[a-z0-9_])?([.][a-z0-9_]([-a-z0-9_/]{0,61}[a-z0-9_])?)*$')",messageExpression="'\"' + self + '\": want a domain name in lower case without a dot at the end, for example example.org or 2.0.192.in-addr.arpa'"
	// +kubebuilder:validation:XValidation:rule="self.size() > 63 || !isIP(self)",messageExpression="'\"' + self + '\" is an address: want the name of a zone; the reverse zone of 192.0.2.0/24 is 2.0.192.in-addr.arpa'"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",messageExpression="'\"' + oldSelf + '\" cannot become \"' + self + '\": want another DNSZone for it, a zone cannot be renamed'"
	ZoneName string `json:"zoneName"`

	// SOA is the start of authority (RFC 1035 §3.3.13).
	SOA SOA `json:"soa"`

	// TTL of the SOA, the NS records and the glue, and of DNSRecords without one of their own, in seconds.
	//
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	TTL int64 `json:"ttl,omitempty"`

	// NameServers are the zone's NS records, with glue for those that lie in it.
	//
	// +listType=map
	// +listMapKey=hostname
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	NameServers []NameServer `json:"nameServers"`

	// ServerSelector finds the DNSServers by their labels, in all namespaces that allow this one.
	//
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",messageExpression="'selects nothing: want matchLabels or matchExpressions that find DNSServers; all of them are found by an expression with operator Exists'"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, e.operator in ['In', 'NotIn', 'Exists', 'DoesNotExist'])",message="want every operator to be In, NotIn, Exists or DoesNotExist",fieldPath=".matchExpressions"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || self.matchExpressions.all(e, (e.operator in ['In', 'NotIn']) == (has(e.values) && e.values.size() > 0))",message="want values with the operators In and NotIn, and none with Exists and DoesNotExist",fieldPath=".matchExpressions"
	ServerSelector metav1.LabelSelector `json:"serverSelector"`

	// DNSSECPolicy is a dnssec-policy the primaries know; "default" is BIND's own. Empty: not signed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][-A-Za-z0-9_.]*$')",messageExpression="'\"' + self + '\": want the name of a dnssec-policy in named.conf, or default'"
	DNSSECPolicy string `json:"dnssecPolicy,omitempty"`

	// AllowTransfer are addresses and networks that may transfer the zone beside its secondaries.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.all(a, isIP(a) || isCIDR(a))",messageExpression="'\"' + self.filter(a, !isIP(a) && !isCIDR(a))[0] + '\": want an address or a network, for example 10.0.0.54 or 10.0.0.0/24'"
	AllowTransfer []string `json:"allowTransfer,omitempty"`
	// AlsoNotify are addresses that are told of changes beside the zone's secondaries.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.all(a, isIP(a) || (a.matches('^[0-9.]+:[1-9][0-9]{0,4}$') && isIP(a.split(':')[0]) && int(a.split(':')[1]) <= 65535) || (a.matches('^[[][0-9A-Fa-f:]+[]]:[1-9][0-9]{0,4}$') && isIP(a.split(']')[0].substring(1)) && int(a.split(']:')[1]) <= 65535))",messageExpression="'\"' + self.filter(a, !(isIP(a) || (a.matches('^[0-9.]+:[1-9][0-9]{0,4}$') && isIP(a.split(':')[0]) && int(a.split(':')[1]) <= 65535) || (a.matches('^[[][0-9A-Fa-f:]+[]]:[1-9][0-9]{0,4}$') && isIP(a.split(']')[0].substring(1)) && int(a.split(']:')[1]) <= 65535)))[0] + '\": want an IP address, with or without a port: 10.0.0.54, 10.0.0.54:5353 or [2001:db8::54]:5353'"
	AlsoNotify []string `json:"alsoNotify,omitempty"`

	// RecordNamespaces are those whose DNSRecords may be in the zone beside its own; "*" is all.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.all(n, n == '*' || n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",messageExpression="'\"' + self.filter(n, n != '*' && !n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))[0] + '\": want the name of a namespace, or \"*\" for all'"
	RecordNamespaces []string `json:"recordNamespaces,omitempty"`

	// OrphanAfter is how long a removal waits for a server that cannot be reached before it leaves it as it is.
	//
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('168h')",messageExpression="'\"' + self + '\": want a time from 0s to 168h, for example 1h'"
	OrphanAfter *metav1.Duration `json:"orphanAfter,omitempty"`
}

// SOA is a start of authority. Times are in seconds.
//
// +kubebuilder:validation:XValidation:rule="self.expire > self.refresh",message="want more than refresh, so that a secondary asks again before it gives the zone up (RFC 1912 §2.2), for example 604800",fieldPath=".expire"
type SOA struct {
	// PrimaryNS is the name of the primary server.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?$')",messageExpression="'\"' + self + '\": want the whole name of a server, for example ns1.example.org'"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(^| )[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+[.]?$')",messageExpression="'\"' + self + '\" is an address: want the name of a server, for example ns1.example.org'"
	PrimaryNS string `json:"primaryNS"`
	// AdminEmail is who looks after the zone: hostmaster@example.org.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches(r'^[A-Za-z0-9_+=-][A-Za-z0-9._+=\\\\-]*(@[A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?([.][A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)*|([.][A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)+)[.]?$')",messageExpression="'\"' + self + '\": want an address of e-mail like hostmaster@example.org'"
	AdminEmail string `json:"adminEmail"`
	// Serial, when given, is the lowest the zone has; without it serials are managed. They only go up.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	Serial *int64 `json:"serial,omitempty"`
	// Refresh is how often secondaries ask for changes, when they are not told.
	//
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Refresh int64 `json:"refresh,omitempty"`
	// Retry is how soon they ask again after a failure.
	//
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Retry int64 `json:"retry,omitempty"`
	// Expire is how long they serve the zone without having reached a primary.
	//
	// +optional
	// +kubebuilder:default=604800
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	Expire int64 `json:"expire,omitempty"`
	// NegativeTTL is how long resolvers keep that a name does not exist (RFC 2308).
	//
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	NegativeTTL int64 `json:"negativeTTL"`
	// TTL of the SOA record itself, in seconds; without it the zone's.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	TTL *int64 `json:"ttl,omitempty"`
}

// NameServer is one NS record, with its glue.
type NameServer struct {
	// Hostname is its whole name.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?$')",messageExpression="'\"' + self + '\": want the whole name of a server, for example ns1.example.org'"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(^| )[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+[.]?$')",messageExpression="'\"' + self + '\" is an address: want the name of a server, for example ns1.example.org'"
	Hostname string `json:"hostname"`
	// IPv4Addresses and IPv6Addresses are its glue; only for a name in the zone.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="self.all(a, isIP(a) && ip(a).family() == 4)",messageExpression="'\"' + self.filter(a, !isIP(a) || ip(a).family() != 4)[0] + '\": want an IPv4 address, for example 192.0.2.53'"
	IPv4Addresses []string `json:"ipv4Addresses,omitempty"`
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="self.all(a, isIP(a) && ip(a).family() == 6)",messageExpression="'\"' + self.filter(a, !isIP(a) || ip(a).family() != 6)[0] + '\": want an IPv6 address, for example 2001:db8::53'"
	IPv6Addresses []string `json:"ipv6Addresses,omitempty"`
	// TTL of the glue, in seconds; without it the zone's.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
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
