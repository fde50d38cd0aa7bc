package controller

// The conditions and the reasons of what is wrong with an object stand in v1alpha1; here are those of what is found on the
// servers.

// Reasons of a DNSZone's conditions.
const (
	ReasonAccepted        = "Accepted"        // Accepted: nothing is wrong with it
	ReasonInvalidSelector = "InvalidSelector" // Accepted: serverSelector cannot be understood

	ReasonServing     = "Serving"     // Ready: every selected server answers with authority, and with what is asked for
	ReasonNotAccepted = "NotAccepted" // Ready: see Accepted
	ReasonNotServing  = "NotServing"  // Ready: some server does not; status.servers says which and why
	ReasonDeleting    = "Deleting"    // Ready: the zone is being taken from its servers

	ReasonAsWished        = "AsWished"        // Degraded: it is not
	ReasonPrimariesDiffer = "PrimariesDiffer" // Degraded: what others wrote is not the same on all primaries
	ReasonServersFailing  = "ServersFailing"  // Degraded: a server cannot be brought to what is asked for
	ReasonZoneRefused     = "ZoneRefused"     // Degraded: a server does not take the SOA, an NS or glue
	ReasonLedger          = "Ledger"          // Degraded: what is ours cannot be written down, so nothing new is published
)

// Reasons of a DNSRecord's condition Ready, beside those of package content for records that mean nothing.
const (
	ReasonAnswered          = "Answered"          // every selected primary answers with it
	ReasonZoneNotFound      = "ZoneNotFound"      // there is no such DNSZone
	ReasonZoneNotReady      = "ZoneNotReady"      // the DNSZone is not accepted, has no primary, or is being deleted
	ReasonRefused           = "Refused"           // a primary does not take it
	ReasonServerUnreachable = "ServerUnreachable" // a primary could not be asked
	ReasonNotAnswered       = "NotAnswered"       // a primary took it and answers something else
)

// Reasons of a DNSServer's conditions.
const (
	ReasonUsable             = "Usable"             // Ready: zones can be on it
	ReasonAnswers            = "Answers"            // Reachable: it does
	ReasonUnreachable        = "Unreachable"        // Reachable: it does not answer
	ReasonClockSkewed        = "ClockSkewed"        // Ready: its clock and ours are so far apart that signatures are refused
	ReasonDenied             = "Denied"             // Ready, Controlled: it does not know the key, or not as it is in the Secret
	ReasonSecretNotFound     = "SecretNotFound"     // Ready: the Secret of a key is missing
	ReasonSecretMalformed    = "SecretMalformed"    // Ready: the Secret of a key cannot be understood
	ReasonInvalidServer      = "InvalidServer"      // Ready: a field cannot be used; the message names it
	ReasonInControl          = "InControl"          // Controlled: zones can be made on it
	ReasonMadeElsewhere      = "MadeElsewhere"      // Controlled: no control channel is given; zones are expected to be there
	ReasonControlUnreachable = "ControlUnreachable" // Controlled: the control channel does not answer
	ReasonInUse              = "InUse"              // Ready: it is being deleted, and zones have still to leave it
)

// Reasons of Events.
const (
	EventProvisioned = "Provisioned" // a server has the zone now
	EventHealed      = "Healed"      // a server had lost the zone or its content, and has it again
	EventLost        = "Lost"        // a server that served the zone does not any more
	EventDiffer      = "PrimariesDiffer"
	EventLeft        = "Left"     // a server does not have the zone any more, as asked for
	EventOrphaned    = "Orphaned" // a server was given up, and has the zone still
	EventNotAccepted = "NotAccepted"
	EventRecord      = "NotPublished" // a record cannot be published
)
