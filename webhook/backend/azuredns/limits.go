package azuredns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spokedns/spokedns/webhook/backend"
)

// limits are what the services store, from "Overview of DNS zones and records", "Overview of private DNS
// records" and "Azure subscription and service limits, quotas, and constraints". isPrivate says whether a
// zone is known to be private, for the case that the configuration leaves that open.
func (c Config) limits(isPrivate func(zone string) bool) backend.Limits {
	l := backend.Limits{
		Types: []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"},
		Missing: map[string]string{
			"CAA":   "it is left as others wrote it",
			"NAPTR": "Azure has no NAPTR records",
		},
		Wildcard:   true,
		MinTTL:     seconds(1),
		MaxTTL:     backend.MaxTTL,
		DefaultTTL: c.DefaultTTL,
		MaxValues:  c.MaxRecords,
		MaxText:    c.maxText(),
		Atomic:     backend.AtomicRRset,
	}
	if c.Type == string(private) {
		l.Types = slices.DeleteFunc(l.Types, func(t string) bool { return t == "NS" })
		l.Missing["NS"] = "Azure Private DNS has no NS records"
		l.Missing["CAA"] = "Azure Private DNS has no CAA records"
	}
	l.Refuse = func(zone string, r backend.RRset) error {
		if r.Type == "NS" && isPrivate(zone) {
			return errors.New("a private zone has no NS records")
		}
		return refuse(zone, r, l.MaxText)
	}
	return l
}

// maxText: "Azure DNS supports a total string length of up to 4096 characters in each TXT record set […]
// National clouds are limited to 1024 characters".
func (c Config) maxText() int {
	if h, err := c.home(); err == nil && h.name != publicCloud {
		return 1024
	}
	return 4096
}

// refuse says why a record set that is within the numbers cannot be stored all the same.
func refuse(zone string, r backend.RRset, maxText int) error {
	name := r.Name
	if wild, ok := strings.CutPrefix(name, "*."); ok {
		if r.Type == "NS" {
			return errors.New("a wildcard cannot be of type NS")
		}
		name = wild
	}
	if i := strings.IndexFunc(strings.TrimSuffix(name, zone), unusual); i >= 0 {
		why := fmt.Errorf("the name has %q; only letters, digits, hyphens and underscores can be stored, and * as the first label", name[i])
		if name[i] == '*' && r.Type == "TXT" {
			return fmt.Errorf("%w; start external-dns with --txt-wildcard-replacement", why)
		}
		return why
	}
	if r.Type != "TXT" {
		return nil
	}
	total := 0
	for _, v := range r.Values {
		switch {
		case v == "":
			return errors.New("an empty text cannot be stored")
		case !utf8.ValidString(v):
			return errors.New("a text that is not UTF-8 cannot be stored")
		}
		total += len(v)
	}
	if total > maxText {
		return fmt.Errorf("texts of %d bytes together, at most %d can be stored", total, maxText)
	}
	return nil
}

// unusual reports whether Azure refuses a character of a name: "Each label must only contain letters,
// numbers, underscores, and/or dashes."
func unusual(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}
