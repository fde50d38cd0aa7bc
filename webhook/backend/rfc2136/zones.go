package rfc2136

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Zones is one server, primary or secondary, as somebody sees it who looks after whole zones: SOA and the
// zone's own NS records are RRsets like others, and every type is spoken that the server does not make itself.
//
// Values are as backend.Canonical has them, and beyond its types as Presentation has them. It is safe for
// concurrent use; one zone is transferred or changed by one caller at a time.
type Zones struct {
	b *Backend
}

// NewZones returns the server that the configuration names; it has to be exactly one. It reads the files
// that the configuration names, and reports what is wrong with it as *setting.Error values; it does not
// connect.
func NewZones(c Config) (*Zones, error) {
	if len(c.Servers) > 1 {
		return nil, &setting.Error{Field: "servers", Value: fmt.Sprint(len(c.Servers)), Want: "want exactly one server as host:port"}
	}
	b, err := New(c)
	if err != nil {
		return nil, err
	}
	return &Zones{b: b}, nil
}

// SOA is a zone's start of authority (RFC 1035 §3.3.13): canonical names, times in seconds.
type SOA struct {
	MName, RName                            string
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// NotServed is a server's answer that it has no data of a zone with authority.
type NotServed struct {
	Zone  string
	Rcode string // "REFUSED", "SERVFAIL", …; "NOERROR" is an answer without authority
}

func (e *NotServed) Error() string { return fmt.Sprintf("zone %s is not served (%s)", e.Zone, e.Rcode) }

// Identity is what a server says of itself.
type Identity struct {
	Version string        // "" when it does not tell
	Skew    time.Duration // how far its clock is ahead of ours, to a second; 0 without a key
}

var errUnbuilt = errors.New("not built yet")

// SOA asks for the zone's SOA record. The error is a *NotServed when the server answers, but not with
// authority and data; any other one means that nothing is known.
func (z *Zones) SOA(ctx context.Context, zone string) (SOA, error) {
	return SOA{}, errUnbuilt
}

// Transfer returns the whole zone, its SOA and own NS records included, without what servers make
// themselves: signatures, the chain of names, keys and what is derived of them. A copy is kept, and later
// calls transfer what changed; the same slice is returned when nothing did, and nobody modifies it.
func (z *Zones) Transfer(ctx context.Context, zone string) ([]backend.RRset, SOA, error) {
	return nil, SOA{}, errUnbuilt
}

// Apply makes the changes as backend.Backend has it, to SOA and the zone's own NS records, too. A change
// of the SOA is about everything but its serial: what is written wins, and is at least what New asks for.
func (z *Zones) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	return errUnbuilt
}

// Answers asks for every RRset and returns an error for each, nil where the server answers exactly it,
// with authority. An RRset without Values must not be there.
func (z *Zones) Answers(ctx context.Context, zone string, want []backend.RRset) []error {
	return make([]error, len(want))
}

// Probe asks the server for its version and its clock.
func (z *Zones) Probe(ctx context.Context) (Identity, error) {
	return Identity{}, errUnbuilt
}

// DS returns the data of the DS records (SHA-256) that belong into the parent zone: one for each key
// signing key that the server serves, sorted; none for a zone that is not signed.
func (z *Zones) DS(ctx context.Context, zone string) ([]string, error) {
	return nil, errUnbuilt
}

// Close ends the connections. The server can still be used; it is connected to again.
func (z *Zones) Close() error { return z.b.Close() }

// Presentation returns the one form in which the value of a record type is compared, and refuses what is
// no value of it. For the types of backend.Canonical it is the form there, for others the data as
// github.com/miekg/dns prints it, with domain names in lower case.
func Presentation(typ, value string) (string, error) {
	return value, nil
}
