package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DNSRecord is values of one name and type in a zone. All objects of one name and type make one RRset together.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=dnsrec,categories=spokedns
// +kubebuilder:selectablefield:JSONPath=`.spec.zone.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.status.fqdn`
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Values",type=string,JSONPath=`.spec.values`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="TTL",type=integer,priority=1,JSONPath=`.spec.ttl`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
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
//
// +kubebuilder:validation:XValidation:rule="!(self.type == 'A') || self.values.all(v, isIP(v) && ip(v).family() == 4)",messageExpression="'\"' + self.values.filter(v, !(isIP(v) && ip(v).family() == 4))[0] + '\": want an IPv4 address, for example 192.0.2.1'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'AAAA') || self.values.all(v, isIP(v) && ip(v).family() == 6)",messageExpression="'\"' + self.values.filter(v, !(isIP(v) && ip(v).family() == 6))[0] + '\": want an IPv6 address, for example 2001:db8::1'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['CNAME', 'NS', 'PTR', 'MX', 'SRV']) || !self.values.exists(v, v.matches('(^| )[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+[.]?$') || v.contains(':'))",messageExpression="'\"' + self.values.filter(v, v.matches('(^| )[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+[.]?$') || v.contains(':'))[0] + '\": a record of type ' + self.type + ' points to a name, never to an address: want the name of an A or AAAA record'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="self.type != 'CNAME' || self.values.size() == 1",message="several values: want one, a CNAME has no more (RFC 1034 §3.6.2)",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="self.type != 'CNAME' || self.name != '@'",messageExpression="'\"@\": want A or AAAA, a CNAME cannot stand beside the SOA and NS records of the zone (RFC 1034 §3.6.2)'",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="self.type != 'NS' || self.name != '@'",messageExpression="'\"@\": want the name servers of the zone itself in spec.nameServers of the DNSZone'",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="self.type != 'NS' || !self.name.startsWith('*')",messageExpression="'\"' + self.name + '\": want no wildcard, it cannot be delegated (RFC 4592 §4.2)'",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['CNAME', 'NS', 'PTR']) || self.values.all(v, v.size() <= 254 && v.matches('^([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?$'))",messageExpression="'\"' + self.values.filter(v, !(v.size() <= 254 && v.matches('^([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?$')))[0] + '\": want a whole name, for example host.example.org.'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'MX') || self.values.all(v, v.matches('^[0-9]{1,5} (([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?|[.])$') && !v.matches('^(6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4}) '))",messageExpression="'\"' + self.values.filter(v, !(v.matches('^[0-9]{1,5} (([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?|[.])$') && !v.matches('^(6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4}) ')))[0] + '\": want a preference from 0 to 65535 and a whole name, for example 10 mail.example.org.'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'SRV') || self.values.all(v, v.matches('^[0-9]{1,5} [0-9]{1,5} [0-9]{1,5} (([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?|[.])$') && !v.matches('(^| )(6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4}) '))",messageExpression="'\"' + self.values.filter(v, !(v.matches('^[0-9]{1,5} [0-9]{1,5} [0-9]{1,5} (([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?|[.])$') && !v.matches('(^| )(6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4}) ')))[0] + '\": want priority, weight and port from 0 to 65535 and a whole name, for example 0 5 5060 sip.example.org.'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type in ['SVCB', 'HTTPS']) || self.values.all(v, v.matches('^[0-9]{1,5} (([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?|[.])( [^ ].*)?$') && !v.matches('^(6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4}) '))",messageExpression="'\"' + self.values.filter(v, !(v.matches('^[0-9]{1,5} (([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?[.])+([A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)?|[.])( [^ ].*)?$') && !v.matches('^(6553[6-9]|655[4-9][0-9]|65[6-9][0-9][0-9]|6[6-9][0-9]{3}|[7-9][0-9]{4}) ')))[0] + '\": want a priority from 0 to 65535, a whole name or a dot, and parameters, for example 1 . alpn=h2'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'CAA') || self.values.all(v, v.matches('^[0-9]{1,3} [A-Za-z0-9]{1,15} \"[^\"]*\"$') && !v.matches('^(25[6-9]|2[6-9][0-9]|[3-9][0-9][0-9]) '))",messageExpression="'\"' + self.values.filter(v, !(v.matches('^[0-9]{1,3} [A-Za-z0-9]{1,15} \"[^\"]*\"$') && !v.matches('^(25[6-9]|2[6-9][0-9]|[3-9][0-9][0-9]) ')))[0] + '\": want a flag from 0 to 255, a tag, and a value in quotes, for example 0 issue \"ca.example\"'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'TLSA') || self.values.all(v, v.matches('^[0-9]{1,3} [0-9]{1,3} [0-9]{1,3} ([0-9A-Fa-f]{2})+$') && !v.matches('(^| )(25[6-9]|2[6-9][0-9]|[3-9][0-9][0-9]) '))",messageExpression="'\"' + self.values.filter(v, !(v.matches('^[0-9]{1,3} [0-9]{1,3} [0-9]{1,3} ([0-9A-Fa-f]{2})+$') && !v.matches('(^| )(25[6-9]|2[6-9][0-9]|[3-9][0-9][0-9]) ')))[0] + '\": want usage, selector and matching type as numbers and the data in hex, for example 3 1 1 0123…cdef'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'SSHFP') || self.values.all(v, v.matches('^[0-9]{1,3} [0-9]{1,3} ([0-9A-Fa-f]{2})+$') && !v.matches('(^| )(25[6-9]|2[6-9][0-9]|[3-9][0-9][0-9]) '))",messageExpression="'\"' + self.values.filter(v, !(v.matches('^[0-9]{1,3} [0-9]{1,3} ([0-9A-Fa-f]{2})+$') && !v.matches('(^| )(25[6-9]|2[6-9][0-9]|[3-9][0-9][0-9]) ')))[0] + '\": want algorithm and fingerprint type as numbers and the fingerprint in hex, for example 4 2 0123…cdef'",fieldPath=".values"
// +kubebuilder:validation:XValidation:rule="!(self.type == 'TXT') || self.values.all(v, !v.startsWith('heritage=external-dns,') && !v.startsWith('\"heritage=external-dns,'))",messageExpression="'\"' + self.values.filter(v, !(!v.startsWith('heritage=external-dns,') && !v.startsWith('\"heritage=external-dns,')))[0] + '\": want this left to external-dns, it is how that marks its own records'",fieldPath=".values"
type DNSRecordSpec struct {
	// Zone is the DNSZone.
	Zone ZoneReference `json:"zone"`
	// Name is relative to the zone: "www", "*.apps", "@" for the zone's own name; or whole, with a dot at the end.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule="self.matches('^(@|([*]|[A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)([.][A-Za-z0-9_]([-A-Za-z0-9_/]{0,61}[A-Za-z0-9_])?)*[.]?)$')",messageExpression="'\"' + self + '\": want a name relative to the zone, \"@\" for the zone, or a whole one with a dot at the end; a star only as the first label'"
	Name string `json:"name"`
	// Type of the record.
	//
	// +kubebuilder:validation:Enum=A;AAAA;CNAME;TXT;MX;NS;SRV;CAA;PTR;SVCB;HTTPS;TLSA;SSHFP
	Type string `json:"type"`
	// Values are the records' data as in a zone file: "192.0.2.1", "10 mail.example.org.", `0 issue "ca.example"`. Names
	// in them are whole, with or without a dot at the end. The values of TXT are texts as they are, without quotes.
	//
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=4096
	Values []string `json:"values"`
	// TTL in seconds; without it the zone's. The lowest of all objects of an RRset counts.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2147483647
	TTL *int64 `json:"ttl,omitempty"`
}

// ZoneReference names a DNSZone.
type ZoneReference struct {
	// Name of the DNSZone.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",messageExpression="'\"' + self + '\": want the name of an object: lower case letters, digits, dots and dashes'"
	Name string `json:"name"`
	// Namespace of the DNSZone; without it the object's own.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",messageExpression="'\"' + self + '\": want the name of a namespace'"
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
