package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSServer is a DNS server that can hold zones. Zones find it by its labels.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dnssrv,categories=spokedns
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
type DNSServerSpec struct {
	// Address is where the server answers DNS, over TCP: "10.0.0.53", "10.0.0.53:5353" or a host name with a port.
	Address string `json:"address"`

	// TransferAddress is where other servers reach it for transfers and notifications. Without it: Address.
	// +optional
	TransferAddress string `json:"transferAddress,omitempty"`

	// Role says whether the server takes updates, or gets its zones by transfer.
	Role Role `json:"role"`

	// TSIG is the Secret with the key that signs updates and transfers. Its keys: name, algorithm (default
	// hmac-sha256) and secret in base64; or "key" with a key statement as tsig-keygen prints it.
	// +optional
	TSIG *SecretReference `json:"tsig,omitempty"`

	// Control is how zones are made on the server. Without it they are made elsewhere and only checked.
	// +optional
	Control *Control `json:"control,omitempty"`

	// AllowedNamespaces are those whose DNSZones may use the server beside its own; "*" is all.
	// +optional
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
	Name string `json:"name"`
}

// Control is how zones are made on a server; exactly one is set.
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
	Address string `json:"address"`
	// Key is the Secret with its key, in the same form as TSIG.
	Key SecretReference `json:"key"`
	// View of the server in which zones are made; without it the only one.
	// +optional
	View string `json:"view,omitempty"`
}

// Knot is a control socket.
type Knot struct {
	// Socket is its path.
	Socket string `json:"socket"`
}

// Catalog is a catalog zone.
type Catalog struct {
	// Zone is its name.
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
