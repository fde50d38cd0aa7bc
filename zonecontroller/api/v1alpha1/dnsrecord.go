package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSRecord is values of one name and type in a zone. All objects of one name and type make one RRset together.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dnsrec,categories=spokedns
type DNSRecord struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DNSRecordSpec `json:"spec"`
	// +optional
	Status DNSRecordStatus `json:"status,omitempty"`
}

// DNSRecordList is a list of DNSRecords.
//
// +kubebuilder:object:root=true
type DNSRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []DNSRecord `json:"items"`
}

// DNSRecordSpec is the record.
type DNSRecordSpec struct {
	// Zone is the DNSZone.
	Zone ZoneReference `json:"zone"`
	// Name is relative to the zone: "www", "*.apps", "@" for the zone's own name; or whole, with a dot at the end.
	Name string `json:"name"`
	// Type of the record.
	//
	// +kubebuilder:validation:Enum=A;AAAA;CNAME;TXT;MX;NS;SRV;CAA;PTR;SVCB;HTTPS;TLSA;SSHFP
	Type string `json:"type"`
	// Values are the records' data as in a zone file: "192.0.2.1", "10 mail.example.org.", `0 issue "ca.example"`. Names
	// in them are whole, with or without a dot at the end. The values of TXT are texts as they are, without quotes.
	Values []string `json:"values"`
	// TTL in seconds; without it the zone's. The lowest of all objects of an RRset counts.
	// +optional
	TTL *int64 `json:"ttl,omitempty"`
}

// ZoneReference names a DNSZone.
type ZoneReference struct {
	Name string `json:"name"`
	// Namespace of the DNSZone; without it the object's own.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// DNSRecordStatus is what became of it.
type DNSRecordStatus struct {
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Ready.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// FQDN is the name in DNS, without a dot at the end.
	// +optional
	FQDN string `json:"fqdn,omitempty"`
	// Zone is the name of its zone in DNS.
	// +optional
	Zone string `json:"zone,omitempty"`
}
