package wanip

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// DefaultName is the name of the ConfigMap unless configured otherwise.
	DefaultName = "spokedns-wan-ip"
	// StaleAfter is the age from which an address is no longer believed: four heartbeats.
	StaleAfter = 600 * time.Second
	// Heartbeat is how old the time of detection in the ConfigMap gets before it is written anew.
	Heartbeat = 150 * time.Second
	// Skew is how far the clocks of writer and reader may differ.
	Skew = 60 * time.Second
	// HistoryLength is how many changes are kept.
	HistoryLength = 32
)

// Family is an address family.
type Family uint8

// The two families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Families returns both, for loops.
func Families() []Family { return []Family{IPv4, IPv6} }

// FamilyOf is the family of a valid address; one of IPv4 mapped into IPv6 is of IPv6, and not Public.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// String is "ipv4" or "ipv6", as keys of the ConfigMap begin.
func (f Family) String() string { return fmt.Sprintf("ipv%d", uint8(f)) }

// people is how a family is called in a sentence.
func (f Family) people() string { return fmt.Sprintf("IPv%d", uint8(f)) }

// Status says how an address came to stand in the ConfigMap.
type Status string

// A family that is managed has one of these.
const (
	Verified  Status = "Verified"  // the last round reached a quorum, or a canary has confirmed it since
	Holding   Status = "Holding"   // the last rounds reached none; the address is the last one that did
	Ambiguous Status = "Ambiguous" // two addresses have votes; the address is the one before
	Static    Status = "Static"    // the operator has said it
)

// Mode is how the IPv6 address is found.
type Mode string

// The modes of today; a reader takes those of tomorrow too, because a mode only informs.
const (
	ModeServiceStatus   Mode = "service-status"   // of a Service's load balancer
	ModePrefixHostID    Mode = "prefix+hostid"    // the site's prefix and a configured host id
	ModeInterfaceStable Mode = "interface-stable" // a stable address of an interface
	ModeEcho            Mode = "echo"             // what servers outside see
	ModeStatic          Mode = "static"           // configured
)

// State is what the ConfigMap says. All times are UTC.
type State struct {
	IPv4, IPv6 Finding
	WrittenAt  time.Time
	Sequence   int64    // rises with every write
	History    []Change // oldest first, at most HistoryLength
	// BehindCGNAT: the router's outer address is not the one seen from outside.
	BehindCGNAT bool
	Leader
}

// Leader is who wrote the ConfigMap.
type Leader struct {
	Holder string // identity in the election
	Node   string // where it runs
	Epoch  int64  // of its Lease: the leaseTransitions; a writer of a lower epoch has been deposed
}

// Finding is what is known of one family. The zero value is a family that is not managed.
type Finding struct {
	Status     Status     // empty: not managed
	Addr       netip.Addr // zero: none has been agreed on yet
	DetectedAt time.Time  // last confirmed, by a canary or a quorum; the heartbeat
	VerifiedAt time.Time  // last confirmed by a quorum
	ChangedAt  time.Time  // since when it is this address
	Votes      Votes      // of the last round
	Prefix     netip.Prefix
	Mode       Mode // both of IPv6 only
	// Problem is set by Decode when what stands in the ConfigMap cannot be believed, and says why;
	// everything else is zero then.
	Problem string
}

// Votes are the answers of a round.
type Votes struct {
	Agree   int      `json:"agree"` // operators with the address that won
	Asked   int      `json:"asked"` // operators
	Sources []Source `json:"sources,omitempty"`
}

// Source is one answer.
type Source struct {
	Name     string
	Operator string
	Addr     netip.Addr // zero: no usable answer
	RTT      time.Duration
	Error    string // why there is no usable answer
}

// Change is a change of an address.
type Change struct {
	Sequence int64      `json:"sequence"` // of the write that brought it
	At       time.Time  `json:"at"`
	Family   Family     `json:"family"`
	Addr     netip.Addr `json:"ip"`
}

// Managed reports whether the family is looked after.
func (f Finding) Managed() bool { return f.Status != "" || f.Problem != "" }

// Of returns the finding of a family.
func (s State) Of(f Family) Finding {
	if f == IPv4 {
		return s.IPv4
	}
	return s.IPv6
}

func (s *State) set(f Family, to Finding) {
	if f == IPv4 {
		s.IPv4 = to
	} else {
		s.IPv6 = to
	}
}

// Former returns the addresses the site has had before its present one, the latest first: those that
// records may still carry.
func (s State) Former(f Family) []netip.Addr {
	var out []netip.Addr
	for _, c := range slices.Backward(s.History) {
		if c.Family == f && c.Addr != s.Of(f).Addr && Public(c.Addr) == nil && !slices.Contains(out, c.Addr) {
			out = append(out, c.Addr)
		}
	}
	return out
}

// Kind is what a reader knows of a family.
type Kind uint8

// The zero Kind is the safe one.
const (
	Unknown Kind = iota // hold: published names keep what they have, others wait
	Absent              // known to have no address: the family is not managed
	Known
)

// String is "unknown", "absent" or "known".
func (k Kind) String() string {
	switch k {
	case Absent:
		return "absent"
	case Known:
		return "known"
	}
	return "unknown"
}

// Origin says where a reading comes from.
type Origin string

// An Unknown reading has none.
const (
	FromConfigMap Origin = "configmap" // as it stands now
	FromMemory    Origin = "memory"    // as it stood last, while it is missing or unreadable
	FromFallback  Origin = "fallback"  // detected by the reader itself
)

// Reading is what may be believed of a family at a moment. Use Addr only when the Kind is Known.
type Reading struct {
	Kind   Kind
	Addr   netip.Addr
	At     time.Time // when the address was last confirmed
	Origin Origin
	// Why says, for people, why it is Unknown; or, when the Origin is not the ConfigMap, what is wrong with it.
	Why string
}

// String reads "192.0.2.1", "absent", "unknown: …".
func (r Reading) String() string {
	switch {
	case r.Kind == Known && r.Why == "":
		return r.Addr.String()
	case r.Kind == Known:
		return fmt.Sprintf("%s (%s: %s)", r.Addr, r.Origin, r.Why)
	case r.Why == "":
		return r.Kind.String()
	}
	return r.Kind.String() + ": " + r.Why
}

// At returns what may be believed of each family at a moment, by what stands in the state alone. A Reader
// knows more: for how long nothing new has come.
func (s State) At(now time.Time) (v4, v6 Reading) { return s.IPv4.at(IPv4, now), s.IPv6.at(IPv6, now) }

func (f Finding) at(family Family, now time.Time) Reading {
	unknown := func(format string, args ...any) Reading {
		return Reading{Why: fmt.Sprintf(format, args...)}
	}
	switch age := now.Sub(f.DetectedAt); {
	case f.Problem != "":
		return unknown("%s", f.Problem)
	case f.Status == "":
		return Reading{Kind: Absent, Origin: FromConfigMap}
	case !f.Addr.IsValid():
		return unknown("no %s address has been agreed on yet (%s)", family.people(), f.Status)
	case FamilyOf(f.Addr) != family:
		return unknown("%s is no %s address", f.Addr, family.people())
	case Public(f.Addr) != nil:
		return unknown("%s", Public(f.Addr))
	case age < -Skew:
		return unknown("%s was detected %s in the future: a clock is wrong", f.Addr, rounded(-age))
	case age > StaleAfter:
		return unknown("%s is stale: last confirmed %s ago (%s)", f.Addr, rounded(age), f.Status)
	}
	return Reading{Kind: Known, Addr: f.Addr, At: f.DetectedAt, Origin: FromConfigMap}
}

// rounded is a duration for people.
func rounded(d time.Duration) time.Duration { return d.Round(time.Second) }
