package chain

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/spokedns/spokedns/webhook/backend"
)

// filter is what the other webhook says it serves: everything, names by their ends, or names by regular
// expressions. It is what external-dns makes of the answer to GET /.
type filter struct {
	include, exclude           []string // canonical; ".example.org" means names below only
	regexInclude, regexExclude *regexp.Regexp
}

// wireFilter is the answer to GET /. Some providers follow an old API description and send filters.
type wireFilter struct {
	Include      []string `json:"include"`
	Exclude      []string `json:"exclude"`
	Filters      []string `json:"filters"`
	RegexInclude string   `json:"regexInclude"`
	RegexExclude string   `json:"regexExclude"`
}

func (w wireFilter) read() (*filter, error) {
	f := &filter{}
	if w.RegexInclude+w.RegexExclude == "" {
		var err, err2 error
		f.include, err = suffixes(slices.Concat(w.Include, w.Filters))
		f.exclude, err2 = suffixes(w.Exclude)
		return f, errors.Join(err, err2)
	}
	if len(w.Include)+len(w.Exclude)+len(w.Filters) > 0 {
		return nil, errors.New("its domain filter has both names and regular expressions")
	}
	for _, r := range []struct {
		text string
		to   **regexp.Regexp
	}{{w.RegexInclude, &f.regexInclude}, {w.RegexExclude, &f.regexExclude}} {
		if r.text == "" {
			continue
		}
		var err error
		if *r.to, err = regexp.Compile(r.text); err != nil {
			return nil, fmt.Errorf("its domain filter is no regular expression: %w", err)
		}
	}
	return f, nil
}

// suffixes are the canonical names of a filter, sorted.
func suffixes(names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		n = strings.TrimSpace(n)
		if n == "" || n == "." {
			continue
		}
		bare, below := strings.CutPrefix(n, ".")
		name, err := canonicalName(bare)
		if err != nil {
			return nil, fmt.Errorf("its domain filter: %w", err)
		}
		if below {
			name = "." + name
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// matches reports whether the other webhook takes a change to this name.
func (f *filter) matches(name string) bool {
	if f.regexInclude != nil || f.regexExclude != nil {
		if unicode, err := idna.New().ToUnicode(name); err == nil {
			name = unicode // what external-dns matches
		}
		return (f.regexExclude == nil || !f.regexExclude.MatchString(name)) && (f.regexInclude == nil || f.regexInclude.MatchString(name))
	}
	within := func(suffix string) bool { return isWithin(name, suffix) }
	return (len(f.include) == 0 || slices.ContainsFunc(f.include, within)) && !slices.ContainsFunc(f.exclude, within)
}

func isWithin(name, suffix string) bool {
	if strings.HasPrefix(suffix, ".") {
		return strings.HasSuffix(name, suffix)
	}
	return backend.InZone(name, suffix)
}

// refuses says why the zone as a whole is not behind the other webhook, or nil. Of regular expressions it
// cannot tell; names are then asked one by one.
func (f *filter) refuses(zone string) error {
	within := func(suffix string) bool { return backend.InZone(zone, strings.TrimPrefix(suffix, ".")) }
	switch {
	case len(f.include) > 0 && !slices.ContainsFunc(f.include, within):
		return fmt.Errorf("the other webhook does not serve the zone, only %s", strings.Join(f.include, ", "))
	case slices.ContainsFunc(f.exclude, func(suffix string) bool { return isWithin(zone, suffix) }):
		return fmt.Errorf("the other webhook does not serve the zone: it excludes %s", strings.Join(f.exclude, ", "))
	}
	return nil
}

// zones are the zones that the filter names.
func (f *filter) zones() ([]string, error) {
	switch {
	case f.regexInclude != nil || f.regexExclude != nil:
		return nil, errors.New("its domain filter is a regular expression, which names no zones; set zones")
	case len(f.include) == 0:
		return nil, errors.New("it has no domain filter, so it does not say which zones it serves; set zones")
	}
	zones := make([]string, len(f.include))
	for i, name := range f.include {
		zones[i] = strings.TrimPrefix(name, ".")
	}
	slices.Sort(zones)
	return slices.Compact(zones), nil
}

// canonicalName is backend.Name for names that may be in Unicode (RFC 5891).
func canonicalName(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
		ascii, err := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false)).ToASCII(s)
		if err != nil {
			return "", fmt.Errorf("%q is not a domain name: %w", s, err)
		}
		s = ascii
	}
	return backend.Name(s)
}
