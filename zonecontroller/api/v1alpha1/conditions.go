package v1alpha1

// Conditions. A reason is a word for machines, the message is for people.
const (
	// Ready is True of a DNSServer when zones can be put on it; of a DNSZone when every selected server serves it; of a
	// DNSRecord when every selected primary answers it as wished.
	Ready = "Ready"
	// Accepted is True of a DNSZone when its spec can be used and no older DNSZone stands in its way.
	Accepted = "Accepted"
	// Degraded is True of a DNSZone when some server does not serve it, while others do.
	Degraded = "Degraded"
	// Reachable is True of a DNSServer when it answers.
	Reachable = "Reachable"
	// Controlled is True of a DNSServer when zones can be made on it, by its control channel.
	Controlled = "Controlled"
)

// Reasons of what is wrong with an object, or stands in its way.
const (
	ReasonInvalid             = "Invalid"             // a field holds what cannot be used
	ReasonOutsideZone         = "OutsideZone"         // the name does not lie in the zone
	ReasonNamespaceNotAllowed = "NamespaceNotAllowed" // the zone, or the server, does not list the namespace
	ReasonZonesOwn            = "ZonesOwn"            // SOA, NS and glue of the zone stand in the DNSZone
	ReasonNameTaken           = "NameTaken"           // a CNAME and something else at one name (RFC 1034 §3.6.2)
	ReasonTargetIsAlias       = "TargetIsAlias"       // MX, NS or SRV to the name of a CNAME (RFC 2181 §10.3)
	ReasonDelegated           = "Delegated"           // the name is delegated away (RFC 1034 §4.2.1)
	ReasonTooLarge            = "TooLarge"            // the RRset would not fit into a message
	ReasonConflict            = "Conflict"            // something stands in DNS that is not ours
	ReasonExternalDNS         = "OwnedByExternalDNS"  // the record is external-dns's
	ReasonDuplicateZone       = "DuplicateZone"       // an older DNSZone of the name is on the same server
	ReasonNoServers           = "NoServers"           // no DNSServer is selected, or none allows the namespace
)
