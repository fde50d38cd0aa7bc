package rfc2136

import (
	"fmt"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// Presentation returns the one form in which values of a record type are compared, and refuses what is no
// value of it; the error names the value. For the types of backend.Canonical it is the form there. For others
// it is the data as github.com/miekg/dns prints it, with domain names in lower case and with a dot at their
// end; what that library does not print so that it reads the same again, as of types it does not know, is in
// the form of RFC 3597 §5. Names in the value need no dot at their end. It is idempotent.
func Presentation(typ, value string) (string, error) {
	t, ok := wire.TypeOf(strings.ToUpper(typ))
	if !ok {
		return "", fmt.Errorf("type %q is not known: want a name as AAAA, or TYPE with its number", typ)
	}
	if t.HasText() {
		r, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "x", Type: t.String()}, Values: []string{value}})
		if err != nil {
			return "", err
		}
		value = r.Values[0]
	}
	data, err := wire.AppendData(nil, t, value)
	if err != nil {
		return "", err
	}
	text, err := wire.Text(t, data)
	if err != nil {
		return "", fmt.Errorf("%q is not a value of type %s: %w", value, t, err)
	}
	return text, nil
}
