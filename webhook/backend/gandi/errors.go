package gandi

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
)

// apiError is an answer that is no success.
type apiError struct {
	status int
	text   string // what the service says to it, "" when it says nothing that can be read
}

// Error reads "refused (400 Bad Request): rrset_ttl: 60 is less than minimum value 300".
func (e *apiError) Error() string {
	what := "refused"
	switch {
	case e.status == http.StatusTooManyRequests:
		what = "throttled"
	case e.status == http.StatusUnauthorized:
		what = "the API key or token is not accepted"
	case e.status == http.StatusForbidden:
		what = "the token has expired or lacks a permission"
	case e.status >= 500:
		what = "the service failed"
	}
	message := fmt.Sprintf("%s (%d %s)", what, e.status, http.StatusText(e.status))
	if e.text != "" {
		message += ": " + e.text
	}
	return message
}

// secretError is about credentials that cannot be had.
type secretError struct{ err error }

func (e *secretError) Error() string { return e.err.Error() }
func (e *secretError) Unwrap() error { return e.err }

// newAPIError reads the two shapes in which the API says what is wrong: a message, or a list of the fields
// that are wrong.
func newAPIError(status int, body []byte) *apiError {
	var said struct {
		Message string `json:"message"`
		Errors  []struct {
			Name        string `json:"name"`
			Description string `json:"description"`
		} `json:"errors"`
	}
	e := &apiError{status: status}
	if json.Unmarshal(body, &said) != nil {
		return e
	}
	var parts []string
	if said.Message != "" {
		parts = append(parts, said.Message)
	}
	for _, f := range said.Errors {
		parts = append(parts, strings.TrimPrefix(f.Name+": "+f.Description, ": "))
	}
	e.text = strings.Join(parts, "; ")
	if len(e.text) > 500 {
		e.text = strings.ToValidUTF8(e.text[:500], "") + " …"
	}
	return e
}

// kindOf says what a failed request means.
func kindOf(err error) backend.Kind {
	var nowhere noDomainError
	if errors.As(err, &nowhere) {
		return backend.Rejected
	}
	if errors.Is(err, backend.ErrConflict) || errors.Is(err, backend.ErrAlone) {
		return backend.Conflict
	}
	var api *apiError
	if errors.As(err, &api) {
		switch s := api.status; {
		case s == http.StatusUnauthorized || s == http.StatusForbidden:
			return backend.Denied
		case s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s >= 500 && s != http.StatusNotImplemented:
			return backend.Temporary
		}
		return backend.Rejected
	}
	var (
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		secret    *secretError
	)
	if errors.As(err, &untrusted) || errors.As(err, &authority) || errors.As(err, &secret) {
		return backend.Denied
	}
	return backend.Temporary
}

// status is that of the answer an error is about, 0 when there was none.
func status(err error) int {
	var api *apiError
	if errors.As(err, &api) {
		return api.status
	}
	return 0
}

// refused reports whether the service understood a write and did not make it because of what it says or
// of what stands at the name.
func refused(err error) bool {
	switch status(err) {
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// fail classifies err and says what it is about.
func fail(op, zone string, key backend.Key, err error) *backend.Error {
	return &backend.Error{Kind: kindOf(err), Op: op, Zone: zone, Key: key, Err: err}
}
