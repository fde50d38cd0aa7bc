package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSForwarding makes the cluster DNS of the selected clusters forward zones to the central DNS of a landscape.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=dnsfwd,categories=spokedns
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Zones",type=string,JSONPath=`.status.zones`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.ready`,description="Clusters that resolve the zones, of those selected"
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.summary.failed`,description="Clusters in which something is to be looked at"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.stage`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name: want at most 63 characters, it becomes the value of a label"
type DNSForwarding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DNSForwardingSpec `json:"spec"`
	// +optional
	Status DNSForwardingStatus `json:"status,omitempty"`
}

// DNSForwardingList is a list of DNSForwardings.
//
// +kubebuilder:object:root=true
type DNSForwardingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DNSForwarding `json:"items"`
}

// DNSForwardingSpec is what is wished.
//
// +kubebuilder:validation:XValidation:rule="!has(self.probes) || self.probes.all(p, self.rules.exists(r, r.zones.exists(z, p == z || p.endsWith('.' + z))))",messageExpression="'\"' + self.probes.filter(p, !self.rules.exists(r, r.zones.exists(z, p == z || p.endsWith('.' + z))))[0] + '\": want a name in one of the zones under rules'",fieldPath=".probes"
type DNSForwardingSpec struct {
	// Rules say which zones go where. A zone stands in one of them only; of nested zones the longer one wins.
	//
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.zones.all(z, self.filter(o, z in o.zones).size() == 1))",messageExpression="'zone \"' + self.map(r, r.zones.filter(z, self.filter(o, z in o.zones).size() != 1)).filter(l, l.size() > 0)[0][0] + '\" stands in more than one rule: want it in one, with all of its upstreams'"
	Rules []Rule `json:"rules"`

	// ClusterSelector selects by labels and by source. Without it all clusters are selected.
	// +optional
	ClusterSelector *ClusterSelector `json:"clusterSelector,omitempty"`

	// Mode Plan shows what would be written and touches nothing; Apply writes.
	//
	// +optional
	// +kubebuilder:default=Plan
	Mode Mode `json:"mode,omitempty"`

	// Rollout says in which steps clusters follow a change.
	//
	// +optional
	// +kubebuilder:default={}
	Rollout Rollout `json:"rollout,omitempty"`

	// Probes are names in the zones that exist. Asked in a cluster they must be answered, with records or with none,
	// before the cluster counts as resolving. Without any the zones' own names are asked.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Probes []Domain `json:"probes,omitempty"`

	// BaseDomain is the value of the annotation that Cluster objects get once their cluster resolves the zones. The
	// placeholders <cluster.name> and <cluster.namespace> stand for the Cluster's. Without it: the first zone.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([-a-z0-9.]|<cluster[.]name>|<cluster[.]namespace>)+$')",messageExpression="'\"' + self + '\": want a domain name in lower case, in which <cluster.name> and <cluster.namespace> may stand'"
	BaseDomain string `json:"baseDomain,omitempty"`

	// OrphanAfter is how long a removal waits for a cluster that cannot be reached before it leaves it as it is.
	//
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('168h')",messageExpression="'\"' + self + '\": want a time from 0s to 168h, for example 1h'"
	OrphanAfter *metav1.Duration `json:"orphanAfter,omitempty"`

	// ExternalDNS installs external-dns in clusters. Without it nothing is installed, for those who do it by GitOps.
	// +optional
	ExternalDNS *ExternalDNS `json:"externalDNS,omitempty"`
}

// Rule is a set of zones with the servers that answer for them.
type Rule struct {
	// Zones are domain names, the base domain of a landscape for example.
	//
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Zones []Zone `json:"zones"`

	// Upstreams are the addresses of the central DNS, asked in this order: "10.0.0.53", "10.0.0.53:5353" or
	// "[2001:db8::53]:5353". They have to be reached from the pods of every selected cluster, and stay the same.
	//
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=15
	// +kubebuilder:validation:XValidation:rule="self.all(u, !((u + ':53') in self) && !(('[' + u + ']:53') in self))",message="want every upstream once: without a port it is port 53"
	Upstreams []Upstream `json:"upstreams"`
}

// Domain is a domain name.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?([.][a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*$')",messageExpression="'\"' + self + '\": want a domain name in lower case without a dot at the end, for example openmcp.cluster'"
type Domain string

// Zone is a domain name below which everything is forwarded.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?([.][a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*$')",messageExpression="'\"' + self + '\": want a domain name in lower case without a dot at the end, for example openmcp.cluster'"
// +kubebuilder:validation:XValidation:rule="self != 'local' && self != 'cluster.local' && !self.endsWith('.cluster.local')",messageExpression="'\"' + self + '\" overlaps cluster.local, the domain of a cluster\\'s own names: want a domain of the landscape\\'s, for example openmcp.cluster'"
// +kubebuilder:validation:XValidation:rule="!(self in ['arpa', 'in-addr.arpa', 'ip6.arpa'])",messageExpression="'\"' + self + '\" holds the reverse names of a cluster\\'s own Services: want the zone of a network, for example 18.172.in-addr.arpa'"
type Zone string

// Upstream is the address of a DNS server, with or without a port.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="isIP(self) || (self.matches('^[0-9.]+:[1-9][0-9]{0,4}$') && isIP(self.split(':')[0]) && int(self.split(':')[1]) <= 65535) || (self.matches('^[[][0-9a-f:]+[]]:[1-9][0-9]{0,4}$') && isIP(self.split(']')[0].substring(1)) && int(self.split(']:')[1]) <= 65535)",messageExpression="'\"' + self + '\": want the IP address of a DNS server, with or without a port: 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:5353'"
// +kubebuilder:validation:XValidation:rule="!self.matches('^(127[.]|0[.]|169[.]254[.]|22[4-9][.]|23[0-9][.]|24[0-9][.]|25[0-5][.]|[[]?::1?$|[[]::1?[]]|[[]?fe80:|[[]?ff)')",messageExpression="'\"' + self + '\" means a server on the same host, or no single one: want an address that every selected cluster reaches'"
type Upstream string

// ClusterSelector selects clusters. What is given has to hold, all of it.
type ClusterSelector struct {
	// Sources are where the cluster comes from; none: from anywhere.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Sources []Source `json:"sources,omitempty"`

	// The labels are those of the object that stands for the cluster: the kubeconfig Secret, or the Cluster. Besides
	// every cluster has dns.spokedns.io/source and dns.spokedns.io/cluster, its source in lower case and its name.
	metav1.LabelSelector `json:",inline"`
}

// Source is where a cluster is known from.
//
// +kubebuilder:validation:Enum=Local;Kubeconfig;ClusterAPI;OpenMCP
type Source string

// The sources.
const (
	// Local is the cluster whose API server serves the DNSForwarding.
	Local Source = "Local"
	// Kubeconfig is a Secret with a kubeconfig, found by its label.
	Kubeconfig Source = "Kubeconfig"
	// ClusterAPI is a Cluster of Cluster API, with its Secret <name>-kubeconfig.
	ClusterAPI Source = "ClusterAPI"
	// OpenMCP is a Cluster of openMCP, reached by an AccessRequest.
	OpenMCP Source = "OpenMCP"
)

// Mode says whether anything is written.
//
// +kubebuilder:validation:Enum=Plan;Apply
type Mode string

// The modes.
const (
	Plan  Mode = "Plan"
	Apply Mode = "Apply"
)

// Rollout says in which steps clusters follow a change: first some canaries, then a part, then the rest. A step begins
// when of the steps before it nothing is under way and more clusters are well than not. A rollback halts all.
type Rollout struct {
	// Canary is the number of clusters in the first step.
	//
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Canary int32 `json:"canary,omitempty"`

	// Percent of the selected clusters is the second step, at least one.
	//
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Percent int32 `json:"percent,omitempty"`

	// LoadGate says what to do in a cluster where the new configuration cannot be tried in a pod before it is written:
	// Auto goes on without the trial, Require refuses, Off does not try anywhere.
	//
	// +optional
	// +kubebuilder:default=Auto
	// +kubebuilder:validation:Enum=Auto;Require;Off
	LoadGate string `json:"loadGate,omitempty"`
}
