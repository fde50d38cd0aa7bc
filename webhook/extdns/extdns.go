// Package extdns owns external-dns's webhook protocol: it serves a Provider over HTTP so that whatever
// goes wrong, external-dns survives it and nothing published is lost.
//
// What is answered when, and why, is in docs/design/protocol.md.
package extdns

import (
	"context"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
)

// MediaType is the one media type of the protocol. external-dns compares it byte for byte.
const MediaType = "application/external.dns.webhook+json;version=1"

// Provider is what the protocol serves. It is safe for concurrent use. Every error is answered 503:
// external-dns logs it, changes nothing, and asks again at its next interval.
type Provider interface {
	// Filter names the zones the provider answers for. An error means they are not known yet.
	Filter() (*endpoint.DomainFilter, error)
	// Records returns everything that is published, or an error; never a part. Returning the slice of an
	// earlier call says that nothing changed since. Nobody modifies what was returned.
	Records(ctx context.Context) ([]*endpoint.Endpoint, error)
	// Adjust turns what external-dns found into what shall be published. The endpoints are the
	// provider's to modify and to return, but not to keep: their strings share the memory of the request.
	Adjust(ctx context.Context, endpoints []*endpoint.Endpoint) ([]*endpoint.Endpoint, error)
	// Apply makes the changes. When it fails, external-dns works out anew what is missing. The strings
	// of the changes share the memory of the request.
	Apply(ctx context.Context, changes *plan.Changes) error
}

// Options are the settings of Handler. The zero value is usable.
type Options struct {
	// Budget is the time a call may take, reading the request included; the provider's context ends with
	// it. One second later the answer leaves, whether the provider came back or not: external-dns hangs
	// up after 15 s and ends itself. 0: 13 s.
	Budget time.Duration
	// MaxBody is the largest request body in bytes. 0: 64 MiB, a first sync of about 180,000 names.
	MaxBody int64
	// User and Password ask for HTTP Basic authentication when Password is not empty.
	User, Password string
	// Observe, when set, is told about every answered call: one of the Call names, the status and the
	// duration.
	Observe func(call string, status int, took time.Duration)
}

// The calls of the protocol, as they are named in logs and to Observe.
const (
	CallNegotiate = "negotiate" // GET /
	CallRecords   = "records"   // GET /records
	CallAdjust    = "adjust"    // POST /adjustendpoints
	CallApply     = "apply"     // POST /records
	CallOther     = "other"     // anything else
)

const (
	defaultBudget  = 13 * time.Second
	defaultMaxBody = 64 << 20
	// grace is what a provider gets after its context ended to say how far it came.
	grace = time.Second
	// clientCap is what external-dns v0.23 and newer read of an answer, in bytes; more is fatal to them.
	clientCap = 32 << 20
)
