package detect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Kind says what is wrong with an answer, or with getting one. It is a label of metrics.
type Kind string

// The kinds.
const (
	NoAnswer    Kind = "no-answer"    // timeout, no route, no name, nobody listens
	Throttled   Kind = "throttled"    // asked too often: 429, 403, or an unavailability with a Retry-After
	Refused     Kind = "refused"      // answered, but not with an answer: another status, a DNS error code, a SOAP fault
	Untrusted   Kind = "untrusted"    // its certificate is not valid for it, or the answer is not to our question
	NotAddress  Kind = "not-address"  // the answer is not exactly one address
	WrongFamily Kind = "wrong-family" // an address, of the other family
	NotPublic   Kind = "not-public"   // an address no site has on the Internet, by IANA's registries
	Proxied     Kind = "proxied"      // the source says itself that somebody asks on our behalf
	Suspended   Kind = "suspended"    // not asked: it throttled us, and its time is not over
)

// Error is why a source gave no address.
type Error struct {
	Kind       Kind
	RetryAfter time.Duration // of Throttled, when the source said it; of Suspended, what is left
	Err        error
}

// Error reads "throttled: status 429 Too Many Requests, again in 30s".
func (e *Error) Error() string {
	s := string(e.Kind)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.RetryAfter > 0 {
		s += ", again in " + e.RetryAfter.Round(time.Second).String()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an answer's error: "" for nil, NoAnswer for an error of another type.
func KindOf(err error) Kind {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Kind
	}
	return NoAnswer
}

// fail makes an *Error of a message.
func fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Err: fmt.Errorf(format, args...)}
}

// broken makes an *Error of what the network said: a certificate that is not valid is another thing than
// silence.
func broken(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var cert *tls.CertificateVerificationError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	if errors.As(err, &cert) || errors.As(err, &host) || errors.As(err, &authority) {
		return &Error{Kind: Untrusted, Err: err}
	}
	return &Error{Kind: NoAnswer, Err: err}
}

// lateOr prefers the reason a context ended to the network error that follows from it.
func lateOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fail(NoAnswer, "%w", context.Cause(ctx))
	}
	return broken(err)
}
