package gandi

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// The TTLs of LiveDNS (https://api.gandi.net/docs/livedns/, rrset_ttl).
const (
	minTTL = 300 * time.Second
	maxTTL = 2592000 * time.Second
)

// types are those that are read and written, sorted.
func types() []string {
	return []string{"A", "AAAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV", "TXT"}
}

// ours reports whether a type is one of those.
func ours(typ string) bool { return slices.Contains(types(), typ) }

// limits is what LiveDNS stores, after the enumeration of rrset_type in https://api.gandi.net/docs/livedns/.
// That document names no limit on the number of values or the length of a text, so those of DNS stand.
func limits(defaultTTL time.Duration) backend.Limits {
	const theirs = "external-dns has no use for it; records of this type are left as they are"
	const unknown = "LiveDNS does not know the type"
	return backend.Limits{
		Types: types(),
		Missing: map[string]string{
			"ALIAS": theirs, "CAA": theirs, "DNAME": theirs, "DS": theirs, "SSHFP": theirs, "TLSA": theirs,
			"HTTPS": unknown, "SVCB": unknown,
		},
		Wildcard:   true,
		MinTTL:     minTTL,
		MaxTTL:     maxTTL,
		DefaultTTL: defaultTTL,
		Atomic:     backend.AtomicRRset,
		Refuse: func(_ string, r backend.RRset) error {
			if strings.Contains(r.Name, "/") {
				// A name is a part of the path of a request. Whether an escaped slash in it stays one is not
				// documented, and a request about another name than meant would be worse than none.
				return errors.New("a name with a slash cannot be addressed in LiveDNS")
			}
			return nil
		},
	}
}
