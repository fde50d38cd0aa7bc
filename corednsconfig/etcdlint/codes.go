package etcdlint

import (
	"fmt"
	"maps"
	"slices"
)

// Severity says how bad a finding is.
type Severity int

// The severities.
const (
	Note    Severity = iota + 1 // it is answered, otherwise than one may think
	Warning                     // it is answered, but something else suffers
	Error                       // it is not answered, or what is answered is wrong
)

// String is the severity in lower case.
func (s Severity) String() string {
	switch s {
	case Note:
		return "note"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("severity %d", int(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	for _, known := range []Severity{Note, Warning, Error} {
		if string(text) == known.String() {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("severity is %q: want note, warning or error", text)
}

// Code names what is wrong, for people and for what filters findings.
type Code string

// The codes.
const (
	Malformed    Code = "malformed"
	UpperCase    Code = "upper-case"
	Wildcard     Code = "wildcard-label"
	NoName       Code = "no-name"
	Outside      Code = "outside"
	Hidden       Code = "hidden"
	Pointer      Code = "ptr-not-exact"
	NameServer   Code = "ns-not-address"
	Host         Code = "host"
	HostAndText  Code = "host-and-text"
	NoApex       Code = "missing-apex"
	Below        Code = "answers-below"
	AliasBeside  Code = "alias-beside-address"
	Leased       Code = "leased"
	NoNameServer Code = "missing-ns"
	SlowApex     Code = "slow-apex"
	Empty        Code = "empty"
	NoTTL        Code = "no-ttl"
)

// meaning is what there is to say about a code.
type meaning struct {
	severity       Severity
	effect, remedy string
}

func meanings() map[Code]meaning {
	return map[Code]meaning{
		Malformed: {
			Error, "it cannot read the value, and answers SERVFAIL for the name and for every name above it, up to the zone's own",
			"write the value as JSON with host, text and group as strings, port, priority, weight, ttl and targetstrip as numbers, mail as true or false; or delete the key",
		},
		UpperCase: {
			Error, "it looks for names in lower case only, so the key is never found",
			"write the key in lower case",
		},
		Wildcard: {
			Error, "it takes * and any in a question for all names below, and never answers a name with a key that has such a label",
			"write a wildcard as the central DNS keeps it, under the label _wildcard; give the name another label",
		},
		NoName: {
			Error, "no question can be for this key: its labels make no domain name",
			"delete the key, or move it to the path of a name",
		},
		Outside: {
			Error, "it does not answer for names outside its zones",
			"name the zone in the Corefile, or delete the key",
		},
		Hidden: {
			Error, "it looks for keys below the path first, and at the path itself only when there are none: this key is not in any answer",
			"move the record to a key below its name's path, for example by appending /1",
		},
		Pointer: {
			Error, "it looks for PTR records at the exact path of the address, and answers NXDOMAIN",
			"move the record to the path of the address itself, without anything after it",
		},
		NameServer: {
			Error, "it answers SERVFAIL to questions for the zone's name servers: their hosts have to be addresses",
			"write an address as host",
		},
		Host: {
			Error, "it takes a host that is no address for a name, and answers with an alias that leads nowhere",
			"write an address without port or scheme, or a host name",
		},
		HostAndText: {
			Warning, "it answers with the host; the text is in no answer",
			"give the text a key of its own; external-dns's CoreDNS provider writes its ownership so, which is harmless",
		},
		NoApex: {
			Error, "it answers a question for an address of the zone's own name with those of all names in it",
			"write the zone's addresses below this path; when it has none, a key that answers nothing, as the central DNS does",
		},
		Below: {
			Warning, "it answers the name with the records of names below it too, unless they are of another group",
			"give every record the name as its group, as the webhook does; records it takes over are put right",
		},
		AliasBeside: {
			Warning, "it answers with the alias and the address together, which resolvers are free to refuse (RFC 2181 §10.1)",
			"delete one of the two",
		},
		Leased: {
			Warning, "it asks etcd for the lease in every answer, without a time limit, lowers the TTL to what is left of it, and the record goes when it ends",
			"write the key without a lease, unless its writer renews it",
		},
		NoNameServer: {
			Warning, "it answers NXDOMAIN to questions for the zone's name servers, and some resolvers then take the whole zone for missing",
			"write the addresses of the name servers below this path",
		},
		SlowApex: {
			Note, "it answers questions for an address of the zone's own name rightly, but reads the whole zone for it",
			"write a key below this path that answers nothing, as the central DNS does",
		},
		Empty: {
			Note, "it answers nothing: there is neither host nor text; the name exists all the same",
			"delete the key unless the name is meant to exist",
		},
		NoTTL: {
			Note, "it answers with a TTL of 300",
			"write the TTL, in seconds",
		},
	}
}

// Codes are all there are, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(meanings())) }

// Severity is that of every finding with the code.
func (c Code) Severity() Severity { return meanings()[c].severity }
