package chain

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// mediaType is what both sides of the protocol say they speak.
const mediaType = "application/external.dns.webhook+json;version=1"

// endpoint is an RRset as external-dns writes it in JSON.
type endpoint struct {
	DNSName          string     `json:"dnsName,omitempty"`
	Targets          []string   `json:"targets,omitempty"`
	RecordType       string     `json:"recordType,omitempty"`
	SetIdentifier    string     `json:"setIdentifier,omitempty"`
	RecordTTL        int64      `json:"recordTTL,omitempty"` // seconds; 0: the provider decides
	Labels           labels     `json:"labels,omitzero"`
	ProviderSpecific []property `json:"providerSpecific,omitempty"`
}

// labels are those an RRset can have. The others are external-dns's own, which writes them into
// ownership texts.
type labels struct {
	OwnedRecord string `json:"ownedRecord,omitempty"` // of an ownership text: the name it is for
}

type property struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// changes is the body of POST /records. updateOld and updateNew belong together by position.
type changes struct {
	Create    []endpoint `json:"create,omitempty"`
	UpdateOld []endpoint `json:"updateOld,omitempty"`
	UpdateNew []endpoint `json:"updateNew,omitempty"`
	Delete    []endpoint `json:"delete,omitempty"`
}

// endpointOf writes an RRset the way external-dns does: texts in quotes, the host of SRV and NAPTR with a
// trailing dot and other hosts without.
func endpointOf(r *backend.RRset) endpoint {
	e := endpoint{DNSName: r.Name, Targets: r.Values, RecordType: r.Type, SetIdentifier: r.SetID, RecordTTL: int64(r.TTL / time.Second)}
	switch r.Type {
	case "TXT":
		e.Targets = mapped(r.Values, backend.QuoteText)
	case "SRV", "NAPTR":
		e.Targets = mapped(r.Values, func(v string) string { return strings.TrimSuffix(v, ".") + "." })
	}
	for name, value := range r.Attrs {
		e.ProviderSpecific = append(e.ProviderSpecific, property{name, value})
	}
	slices.SortFunc(e.ProviderSpecific, func(a, b property) int { return strings.Compare(a.Name, b.Name) })
	return e
}

func mapped(values []string, f func(string) string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}

var errNothing = errors.New("it has no targets")

// rrset reads an endpoint. When that fails, the key is what can be told of it.
func (e *endpoint) rrset() (backend.RRset, error) {
	r := backend.RRset{
		Key: backend.Key{Name: e.DNSName, Type: strings.ToUpper(e.RecordType), SetID: e.SetIdentifier},
		TTL: time.Duration(min(max(e.RecordTTL, 0), int64(backend.MaxTTL/time.Second))) * time.Second,
	}
	name, err := canonicalName(e.DNSName)
	if err != nil {
		return r, err
	}
	r.Name = name
	if len(e.Targets) == 0 {
		return r, errNothing
	}
	for _, p := range e.ProviderSpecific {
		if r.Attrs == nil {
			r.Attrs = make(map[string]string, len(e.ProviderSpecific))
		}
		r.Attrs[p.Name] = p.Value
	}
	r.Values = e.Targets
	switch r.Type {
	case "TXT":
		r.Values = mapped(e.Targets, backend.Text)
	case "A", "AAAA":
	default:
		r.Values = mapped(e.Targets, asciiHost)
	}
	canonical, err := backend.Canonical(r)
	if err != nil {
		return r, err
	}
	return canonical, nil
}

// asciiHost brings the host at the end of a value into A-labels; what cannot be is left for Canonical to
// refuse.
func asciiHost(v string) string {
	cut := strings.LastIndexByte(strings.TrimSpace(v), ' ') + 1
	head, host := strings.TrimSpace(v)[:cut], strings.TrimSpace(v)[cut:]
	if !strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		return v
	}
	if name, err := canonicalName(host); err == nil {
		return head + name
	}
	return v
}
