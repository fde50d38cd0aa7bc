package policy

import (
	"cmp"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
)

// Properties of endpoints that have no service in their name.
const (
	propAlias      = "alias"
	propRecordType = endpoint.ProviderSpecificRecordType
)

// properties returns the properties of a published record. Where several claims share a host, an endpoint
// carries those of one of them, chosen by chance; then they are put together from all that are published.
func (p *publisher) properties(rc *rec) endpoint.ProviderSpecific {
	rewritten := p.verdict.action == Rewrite && rc.address()
	if len(p.run.asks) < 2 {
		return withoutOverrides(rc.props, rewritten)
	}
	var all endpoint.ProviderSpecific
	if a := p.carrier(rc); a == nil || a.byProperty() {
		all = slices.Clone(rc.props)
	}
	for i := range p.run.asks {
		if a := &p.run.asks[i]; !a.byProperty() && !p.run.dropped(i) {
			all = append(all, fromAnnotations(a.claim.Annotations)...)
		}
	}
	// Stable: among those of one name the lowest claim's comes first and stays.
	slices.SortStableFunc(all, func(a, b endpoint.ProviderSpecificProperty) int { return cmp.Compare(a.Name, b.Name) })
	all = slices.CompactFunc(all, func(a, b endpoint.ProviderSpecificProperty) bool { return a.Name == b.Name })
	return withoutOverrides(all, rewritten)
}

// carrier is the claim that the record's label names, or nil.
func (p *publisher) carrier(rc *rec) *ask {
	label := rc.labels[endpoint.ResourceLabelKey]
	for i := range p.run.asks {
		if refIs(&p.run.asks[i].claim.Ref, label) {
			return &p.run.asks[i]
		}
	}
	return nil
}

// fromAnnotations returns the properties that external-dns makes of an object's annotations, as far as
// it hands them to webhooks, sorted by name.
func fromAnnotations(annotations map[string]string) endpoint.ProviderSpecific {
	var out endpoint.ProviderSpecific
	for _, prefix := range [...]string{newerPrefix, olderPrefix} {
		var found endpoint.ProviderSpecific
		for key, value := range annotations {
			name, ok := strings.CutPrefix(key, prefix)
			if !ok {
				continue
			}
			switch attr, hook := strings.CutPrefix(name, "webhook-"); {
			case hook:
				found = append(found, endpoint.ProviderSpecificProperty{Name: "webhook/" + attr, Value: value})
			case name == propAlias && value == "true", name == propRecordType:
				found = append(found, endpoint.ProviderSpecificProperty{Name: name, Value: value})
			}
		}
		out = append(out, found...) // the newer prefix first
	}
	slices.SortStableFunc(out, func(a, b endpoint.ProviderSpecificProperty) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// withoutOverrides removes the properties that speak to the policy, and alias from what is rewritten:
// it asks for a special record that points to what is no longer there.
func withoutOverrides(props endpoint.ProviderSpecific, rewritten bool) endpoint.ProviderSpecific {
	keep := 0
	for _, p := range props {
		if !ours(p.Name, rewritten) {
			keep++
		}
	}
	switch keep {
	case len(props):
		return props
	case 0:
		return nil
	}
	out := make(endpoint.ProviderSpecific, 0, keep)
	for _, p := range props {
		if !ours(p.Name, rewritten) {
			out = append(out, p)
		}
	}
	return out
}

func ours(name string, rewritten bool) bool {
	switch name {
	case propTarget, propView, propTTL:
		return true
	case propAlias:
		return rewritten
	}
	return false
}
