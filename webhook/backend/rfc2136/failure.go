package rfc2136

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

const (
	opList   = "rfc2136: list"
	opUpdate = "rfc2136: update"
)

// refusal is an answer of a server that is not NOERROR.
type refusal struct {
	code wire.Rcode
	text string
}

func (r *refusal) Error() string { return r.text }

// refusal explains a response code to somebody who can change the server. The action is "read",
// "transfer" or "update".
func (s *session) refusal(action string, code wire.Rcode) error {
	who := "anybody without a key"
	if s.server.key != nil {
		who = "key " + s.server.keyName
	}
	var text string
	switch code {
	case wire.Refused:
		text = fmt.Sprintf("refused by %s (REFUSED): it does not let %s %s this", s.server.addr, who, action)
		if action == "transfer" {
			text = fmt.Sprintf("refused by %s (REFUSED): it does not hold zone %s or does not let %s transfer it", s.server.addr, s.zone, who)
		}
	case wire.NotAuth, wire.NotZone:
		text = fmt.Sprintf("refused by %s (%s): it is not a primary of zone %s", s.server.addr, code, s.zone)
	case wire.FormErr:
		text = fmt.Sprintf("refused by %s (FORMERR): it cannot read this", s.server.addr)
	case wire.NotImp:
		text = fmt.Sprintf("refused by %s (NOTIMP): it does not know how to %s zone %s", s.server.addr, action, s.zone)
	case wire.ServFail:
		text = fmt.Sprintf("refused by %s (SERVFAIL): its log knows why", s.server.addr)
	default:
		text = fmt.Sprintf("refused by %s (%s)", s.server.addr, code)
	}
	return &refusal{code, text}
}

// wholeZone reports whether the code is about the zone rather than about a record of it.
func wholeZone(code wire.Rcode) bool {
	return code == wire.NotAuth || code == wire.NotZone || code == wire.NotImp
}

// kindOf classifies what went wrong with a server.
func kindOf(err error) backend.Kind {
	var (
		refused   *refusal
		signature *wire.SignatureError
		unknown   x509.UnknownAuthorityError
		other     x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &signature):
		return backend.Denied
	case errors.As(err, &unknown), errors.As(err, &other), errors.As(err, &invalid), errors.As(err, &alert):
		return backend.Denied
	case errors.As(err, &refused):
		switch refused.code {
		case wire.Refused:
			return backend.Denied
		case wire.ServFail:
			return backend.Temporary
		}
		return backend.Rejected
	}
	return backend.Temporary
}

// explain names the key and the server beside what a server says about a signature.
func (s *session) explain(err error) error { return s.server.explain(err) }

func (s *server) explain(err error) error {
	var signature *wire.SignatureError
	if errors.As(err, &signature) {
		return fmt.Errorf("%s refuses TSIG key %s: %w", s.addr, s.keyName, err)
	}
	return err
}
