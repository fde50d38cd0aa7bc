package content

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// presentation is the form in which a value of a type that backend.Canonical leaves as it is comes from a server.
func presentation(typ, value string) (string, error) {
	if strings.ContainsAny(value, "\n\r;()$") {
		return "", fmt.Errorf("%q is not a %s value: want one line without comments", value, typ)
	}
	rr, err := dns.NewRR(". 1 IN " + typ + " " + value)
	if err != nil || rr == nil {
		return "", fmt.Errorf("%q is not a %s value: %w", value, typ, err)
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String()), nil
}
