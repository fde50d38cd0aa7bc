package chain

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// answerError is an answer that is not the one of success.
type answerError struct {
	status, want int
	location     string // where a redirect leads
	text         string // the beginning of the body
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("the other webhook answers %d %s", e.status, http.StatusText(e.status))
	switch {
	case e.status >= 300 && e.status < 400:
		text += fmt.Sprintf(", which leads to %q; set url to where the webhook is", e.location)
	case e.status == http.StatusNotFound || e.status == http.StatusMethodNotAllowed:
		text += ": the url may lack its base path, or lead to something else"
	case e.status < 300:
		text += fmt.Sprintf(", and a webhook answers %d", e.want)
	}
	if e.text != "" {
		text += ": " + e.text
	}
	return text
}

// silence says that nothing was answered for this long.
type silence time.Duration

func (s silence) Error() string { return fmt.Sprintf("no answer within %s", time.Duration(s)) }

// Is makes it the end of time that it is.
func (s silence) Is(target error) bool { return target == context.DeadlineExceeded }

// strangerError says that what answers does not speak our version of the protocol.
type strangerError struct{ error }

func (e *strangerError) Unwrap() error { return e.error }

// kindOf says what a failed request means.
func kindOf(err error) backend.Kind {
	var stranger *strangerError
	if errors.As(err, &stranger) {
		return backend.Rejected
	}
	var answered *answerError
	if !errors.As(err, &answered) {
		if refusesOurCertificate(err) || refusedByUs(err) {
			return backend.Denied
		}
		return backend.Temporary // nothing answered, or what did was not to be understood
	}
	switch s := answered.status; {
	case s == http.StatusUnauthorized || s == http.StatusForbidden || s == http.StatusProxyAuthRequired:
		return backend.Denied
	case s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s == http.StatusTooEarly || s >= 500 || s < 300:
		return backend.Temporary
	}
	return backend.Rejected
}

// refusesOurCertificate reports a TLS alert about the client certificate (RFC 8446 §6.2), which has no
// type of its own when it comes from the other side.
func refusesOurCertificate(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return strings.Contains(op.Err.Error(), "certificate")
	}
	var alert tls.AlertError
	return errors.As(err, &alert)
}

// refusedByUs reports that the other side's certificate is not to be trusted.
func refusedByUs(err error) bool {
	var untrusted *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &untrusted) || errors.As(err, &authority)
}

// ofOneRecord reports whether a request may have been refused for one record in it, so that others would
// be taken without it. Providers answer 500 to whatever they do not like; what is about the request, the
// credentials or the service as such is answered with a status of its own, or not at all.
func ofOneRecord(err error) bool {
	var answered *answerError
	if !errors.As(err, &answered) {
		return false
	}
	switch answered.status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
		http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		return true
	}
	return false
}
