package view

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// rrsetOf reads an endpoint as the RRset it asks for in v, in canonical form and under the set
// identifier id. Properties that the view cannot store are left out. The error says what is wrong with
// the endpoint; the RRset then has only its key, as far as it can be told.
func (v *View) rrsetOf(e *endpoint.Endpoint, id string) (backend.RRset, error) {
	name, err := asciiName(e.DNSName)
	r := backend.RRset{
		Key:   backend.Key{Name: name, Type: e.RecordType, SetID: id},
		TTL:   time.Duration(min(max(e.RecordTTL, 0), endpoint.TTL(backend.MaxTTL/time.Second))) * time.Second,
		Attrs: v.attrsOf(e.ProviderSpecific),
	}
	if err != nil {
		return r, err
	}
	r.Values, err = valuesOf(e.RecordType, e.Targets)
	if err != nil {
		return r, err
	}
	c, err := backend.Canonical(r)
	if err != nil {
		r.Values = nil
		return r, err
	}
	return c, nil
}

// forceUpdate is what external-dns's TXT registry tells itself; it belongs to no service.
const forceUpdate = "txt/force-update"

// attrsOf keeps the properties that the view's backend stores.
func (v *View) attrsOf(ps endpoint.ProviderSpecific) map[string]string {
	if len(ps) == 0 {
		return nil
	}
	var attrs map[string]string
	limits := v.Backend.Limits()
	for _, p := range ps {
		if limits.HasAttr(p.Name) && p.Name != forceUpdate {
			if attrs == nil {
				attrs = make(map[string]string, len(ps))
			}
			attrs[p.Name] = p.Value
		}
	}
	return attrs
}

// valuesOf brings targets nearer to values: text without its quotes, host names in A-labels.
func valuesOf(typ string, targets []string) ([]string, error) {
	switch typ {
	case endpoint.RecordTypeTXT:
		values := make([]string, len(targets))
		for i, t := range targets {
			values[i] = backend.Text(t)
		}
		return values, nil
	case endpoint.RecordTypeCNAME, endpoint.RecordTypeNS, endpoint.RecordTypePTR, endpoint.RecordTypeMX, endpoint.RecordTypeSRV:
		if !slices.ContainsFunc(targets, notASCII) {
			return targets, nil
		}
		values := make([]string, len(targets))
		for i, t := range targets {
			head, host := "", strings.TrimSpace(t)
			if at := strings.LastIndexByte(host, ' '); at >= 0 {
				head, host = host[:at+1], host[at+1:]
			}
			ascii, err := asciiName(host)
			if err != nil {
				return nil, err
			}
			values[i] = head + ascii
		}
		return values, nil
	}
	return targets, nil
}

// fill makes e the endpoint of r under the set identifier id.
func fill(e *endpoint.Endpoint, r *backend.RRset, id string) {
	e.DNSName, e.RecordType, e.SetIdentifier = r.Name, r.Type, id
	e.RecordTTL = endpoint.TTL(r.TTL / time.Second)
	e.Targets = targetsOf(r)
	if len(r.Attrs) == 0 {
		return
	}
	e.ProviderSpecific = make(endpoint.ProviderSpecific, 0, len(r.Attrs))
	for name, value := range r.Attrs {
		e.ProviderSpecific = append(e.ProviderSpecific, endpoint.ProviderSpecificProperty{Name: name, Value: value})
	}
	slices.SortFunc(e.ProviderSpecific, func(a, b endpoint.ProviderSpecificProperty) int { return strings.Compare(a.Name, b.Name) })
}

// targetsOf shares the RRset's values where they are targets as they stand.
func targetsOf(r *backend.RRset) endpoint.Targets {
	if r.Type != endpoint.RecordTypeTXT {
		return endpoint.Targets(r.Values)
	}
	for i, v := range r.Values {
		if targetOf(v) == v {
			continue
		}
		targets := slices.Clone(r.Values)
		for j := i; j < len(targets); j++ {
			targets[j] = targetOf(targets[j])
		}
		return targets
	}
	return endpoint.Targets(r.Values)
}

func notASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}

// asciiName returns the name with its labels in ASCII (RFC 5891); only names that need it change.
func asciiName(s string) (string, error) {
	if !notASCII(s) {
		return s, nil
	}
	if strings.ContainsRune(s, utf8.RuneError) { // bytes that were no UTF-8 are some other name by now
		return s, fmt.Errorf("%q is not a domain name: not UTF-8", s)
	}
	name, err := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false)).ToASCII(s)
	if err != nil {
		return s, fmt.Errorf("%q is not a domain name: %w", s, err)
	}
	return name, nil
}
