package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSServer is a DNS server that can hold zones. Zones find it by its labels.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dnssrv,categories=spokedns
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.address`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Zones",type=integer,JSONPath=`.status.zones`,description="DNSZones that use it"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Skew",type=string,priority=1,JSONPath=`.status.clockSkew`,description="How far its clock is ahead"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type DNSServer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DNSServerSpec `json:"spec"`
	// +optional
	Status DNSServerStatus `json:"status,omitempty"`
}

// DNSServerList is a list of DNSServers.
//
// +kubebuilder:object:root=true
type DNSServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DNSServer `json:"items"`
}

// DNSServerSpec says where a server is and how it is spoken to.
//
// +kubebuilder:validation:XValidation:rule="self.role == 'Secondary' || !has(self.control) || !has(self.control.catalog)",messageExpression="'catalog on a primary: want it on secondaries, which make the zones of a catalog for themselves (RFC 9432); want rndc, knot or nothing here'",fieldPath=".control"
type DNSServerSpec struct {
	// Address is where the server answers DNS, over TCP: "10.0.0.53", "10.0.0.53:5353" or a host name with a port.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262
	// +kubebuilder:validation:XValidation:rule="isIP(self) || (self.matches('^[0-9.]+:[1-9][0-9]{0,4}$') && isIP(self.split(':')[0]) && int(self.split(':')[1]) <= 65535) || (self.matches('^[[][0-9A-Fa-f:]+[]]:[1-9][0-9]{0,4}$') && isIP(self.split(']')[0].substring(1)) && int(self.split(']:')[1]) <= 65535) || (self.matches('^[A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?([.][A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)*[.]?:[1-9][0-9]{0,4}$') && !self.matches('^[0-9.]+:') && int(self.split(':')[1]) <= 65535)",messageExpression="'\"' + self + '\": want an IP address, with or without a port, or a host name with one: 10.0.0.53, 10.0.0.53:5353, [2001:db8::53]:5353 or ns1.example.org:53'"
	Address string `json:"address"`

	// TransferAddress is where other servers reach it for transfers and notifications. Without it: Address.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262
	// +kubebuilder:validation:XValidation:rule="isIP(self) || (self.matches('^[0-9.]+:[1-9][0-9]{0,4}$') && isIP(self.split(':')[0]) && int(self.split(':')[1]) <= 65535) || (self.matches('^[[][0-9A-Fa-f:]+[]]:[1-9][0-9]{0,4}$') && isIP(self.split(']')[0].substring(1)) && int(self.split(']:')[1]) <= 65535) || (self.matches('^[A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?([.][A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)*[.]?:[1-9][0-9]{0,4}$') && !self.matches('^[0-9.]+:') && int(self.split(':')[1]) <= 65535)",messageExpression="'\"' + self + '\": want an IP address, with or without a port, or a host name with one: 10.0.0.53, 10.0.0.53:5353, [2001:db8::53]:5353 or ns1.example.org:53'"
	TransferAddress string `json:"transferAddress,omitempty"`

	// Role says whether the server takes updates, or gets its zones by transfer.
	//
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",messageExpression="'\"' + oldSelf + '\" cannot become \"' + self + '\": want another DNSServer for it'"
	Role Role `json:"role"`

	// TSIG is the Secret with the key that signs updates and transfers. Its keys: name, algorithm (default
	// hmac-sha256) and secret in base64; or "key" with a key statement as tsig-keygen prints it.
	// +optional
	TSIG *SecretReference `json:"tsig,omitempty"`

	// Control is how zones are made on the server. Without it they are made elsewhere and only checked.
	// +optional
	Control *Control `json:"control,omitempty"`

	// AllowedNamespaces are those whose DNSZones may use the server beside its own; "*" is all.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.all(n, n == '*' || n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))",messageExpression="'\"' + self.filter(n, n != '*' && !n.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))[0] + '\": want the name of a namespace, or \"*\" for all'"
	AllowedNamespaces []string `json:"allowedNamespaces,omitempty"`
}

// Role is what a server is to its zones.
//
// +kubebuilder:validation:Enum=Primary;Secondary
type Role string

// The roles.
const (
	Primary   Role = "Primary"
	Secondary Role = "Secondary"
)

// SecretReference names a Secret in the same namespace.
type SecretReference struct {
	// Name of the Secret.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",messageExpression="'\"' + self + '\": want the name of an object: lower case letters, digits, dots and dashes'"
	Name string `json:"name"`
}

// Control is how zones are made on a server; exactly one is set.
//
// +kubebuilder:validation:XValidation:rule="(has(self.rndc) ? 1 : 0) + (has(self.knot) ? 1 : 0) + (has(self.catalog) ? 1 : 0) == 1",messageExpression="((has(self.rndc) ? 1 : 0) + (has(self.knot) ? 1 : 0) + (has(self.catalog) ? 1 : 0) == 0 ? 'none' : 'more than one') + ' of rndc, knot and catalog: want exactly one, or no control where zones are made elsewhere'"
type Control struct {
	// RNDC is BIND's control channel.
	// +optional
	RNDC *RNDC `json:"rndc,omitempty"`
	// Knot is Knot DNS's control socket, reached from where the controller runs.
	// +optional
	Knot *Knot `json:"knot,omitempty"`
	// Catalog is a catalog zone (RFC 9432) that the server is configured to follow. Primaries of the zone carry it.
	// +optional
	Catalog *Catalog `json:"catalog,omitempty"`
}

// RNDC is a control channel.
type RNDC struct {
	// Address of the channel, with or without a port; 953 is the default.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262
	// +kubebuilder:validation:XValidation:rule="isIP(self) || (self.matches('^[0-9.]+:[1-9][0-9]{0,4}$') && isIP(self.split(':')[0]) && int(self.split(':')[1]) <= 65535) || (self.matches('^[[][0-9A-Fa-f:]+[]]:[1-9][0-9]{0,4}$') && isIP(self.split(']')[0].substring(1)) && int(self.split(']:')[1]) <= 65535) || (self.matches('^[A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?([.][A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)*[.]?:[1-9][0-9]{0,4}$') && !self.matches('^[0-9.]+:') && int(self.split(':')[1]) <= 65535)",messageExpression="'\"' + self + '\": want an IP address, with or without a port, or a host name with one: 10.0.0.53, 10.0.0.53:953, [2001:db8::53]:953 or ns1.example.org:953'"
	Address string `json:"address"`
	// Key is the Secret with its key, in the same form as TSIG.
	Key SecretReference `json:"key"`
	// View of the server in which zones are made; without it the only one.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][-A-Za-z0-9_.]*$')",messageExpression="'\"' + self + '\": want the name of a view in named.conf'"
	View string `json:"view,omitempty"`
}

// Knot is a control socket.
type Knot struct {
	// Socket is its path.
	//
	// +kubebuilder:validation:MaxLength=107
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[-A-Za-z0-9_./+@]+$')",messageExpression="'\"' + self + '\": want the absolute path of a socket, for example /run/knot/knot.sock'"
	Socket string `json:"socket"`
}

// Catalog is a catalog zone.
type Catalog struct {
	// Zone is its name.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9_]([-a-z0-9_/]{0,61}[a-z0-9_])?([.][a-z0-9_]([-a-z0-9_/]{0,61}[a-z0-9_])?)*$')",messageExpression="'\"' + self + '\": want a domain name in lower case without a dot at the end, for example example.org or 2.0.192.in-addr.arpa'"
	// +kubebuilder:validation:XValidation:rule="self.size() > 63 || !isIP(self)",messageExpression="'\"' + self + '\" is an address: want the name of a zone; the reverse zone of 192.0.2.0/24 is 2.0.192.in-addr.arpa'"
	Zone string `json:"zone"`
}

// DNSServerStatus is what was found.
type DNSServerStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Ready, Reachable, Controlled.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Version is what the server says of itself.
	// +optional
	Version string `json:"version,omitempty"`
	// Zones is how many DNSZones use it.
	// +optional
	Zones int32 `json:"zones,omitempty"`
	// ClockSkew is how far its clock is ahead of ours, in whole seconds; only told from 2 s on.
	// +optional
	ClockSkew *metav1.Duration `json:"clockSkew,omitempty"`
}
