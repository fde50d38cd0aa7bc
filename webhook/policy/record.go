package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"sigs.k8s.io/external-dns/endpoint"
)

// allViews is the view of a record that names none.
const allViews = ""

// rec is one record of a host: everything the input says about one type, set identifier and view.
type rec struct {
	typ     string
	id      string // its own set identifier
	view    string // the only view it is for, or allViews
	targets []string
	ttl     endpoint.TTL
	labels  map[string]string
	props   endpoint.ProviderSpecific
	bad     error              // why its targets cannot be published
	ep      *endpoint.Endpoint // where it comes from: one of them, when several are merged
}

// address reports whether the record is one of those that are decided together: what a name points to.
func (r *rec) address() bool { return rank(r.typ) < rankOther }

const rankOther = 3

func rank(typ string) int {
	switch typ {
	case endpoint.RecordTypeA:
		return 0
	case endpoint.RecordTypeAAAA:
		return 1
	case endpoint.RecordTypeCNAME:
		return 2
	}
	return rankOther
}

// compare orders records by set identifier, so that what a name points to stands together, then by type.
func (r *rec) compare(o *rec) int {
	return cmp.Or(strings.Compare(r.id, o.id), rank(r.typ)-rank(o.typ), strings.Compare(r.typ, o.typ), strings.Compare(r.view, o.view))
}

// newRec reads an endpoint of the host. Targets are shared with it where they are canonical.
func (r *run) newRec(name string, ep *endpoint.Endpoint) rec {
	out := rec{typ: ep.RecordType, id: ep.SetIdentifier, ttl: ep.RecordTTL, labels: ep.Labels, props: ep.ProviderSpecific, ep: ep}
	if len(r.policy.views) > 1 && ep.SetIdentifier != "" {
		if view, orig, ok := SplitSetID(r.policy.names, ep.SetIdentifier); ok && r.policy.view(view).covers(name) {
			out.view, out.id = view, orig
		}
	}
	out.targets, out.bad = canonicalTargets(ep.RecordType, ep.Targets)
	return out
}

// merge adds what another endpoint says about the same record. The order of merging does not matter.
func (r *rec) merge(o *rec) {
	r.targets = sorted(slices.Concat(r.targets, o.targets))
	if r.ttl <= 0 || o.ttl > 0 && o.ttl < r.ttl {
		r.ttl = o.ttl
	}
	if len(o.labels) > 0 {
		labels := maps.Clone(r.labels)
		if labels == nil {
			labels = map[string]string{}
		}
		for k, v := range o.labels {
			if have, ok := labels[k]; !ok || v < have {
				labels[k] = v
			}
		}
		r.labels = labels
	}
	r.props = mergeProperties(r.props, o.props)
	if r.bad == nil || o.bad != nil && o.bad.Error() < r.bad.Error() {
		r.bad = o.bad
	}
}

// mergeProperties returns the properties of both, by name; where they differ the smaller value wins.
func mergeProperties(a, b endpoint.ProviderSpecific) endpoint.ProviderSpecific {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y endpoint.ProviderSpecificProperty) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Value, y.Value))
	})
	return slices.CompactFunc(all, func(x, y endpoint.ProviderSpecificProperty) bool { return x.Name == y.Name })
}

// gatherRecs fills r.recs with the records of one host.
func (r *run) gatherRecs(group []entry) {
	r.recs = r.recs[:0]
	for _, e := range group {
		r.recs = append(r.recs, r.newRec(e.name, e.ep))
	}
	r.recs = mergeRecs(r.recs)
}

// mergeRecs sorts records and merges those of one type, set identifier and view, in place.
func mergeRecs(recs []rec) []rec {
	if len(recs) < 2 {
		return recs
	}
	slices.SortFunc(recs, func(a, b rec) int { return a.compare(&b) })
	last := 0
	for i := 1; i < len(recs); i++ {
		if recs[last].compare(&recs[i]) == 0 {
			recs[last].merge(&recs[i])
			continue
		}
		last++
		recs[last] = recs[i]
	}
	return recs[:last+1]
}

// recsOf returns the records that the view may publish.
func (r *run) recsOf(view string) []rec {
	if !slices.ContainsFunc(r.recs, func(rc rec) bool { return rc.view != allViews }) {
		return r.recs
	}
	r.own = r.own[:0]
	for _, rc := range r.recs {
		if rc.view == allViews || rc.view == view {
			rc.view = view
			r.own = append(r.own, rc)
		}
	}
	r.own = mergeRecs(r.own)
	return r.own
}

var errNoTargets = errors.New("it has no targets")

// canonicalTargets returns the targets of a record in canonical form, sorted and without duplicates;
// the same slice when they are so already. Those of types that are never rewritten are sorted only. On error
// the targets are those that are right.
func canonicalTargets(typ string, targets []string) ([]string, error) {
	if rank(typ) == rankOther {
		if !slices.IsSorted(targets) {
			targets = slices.Sorted(slices.Values(targets))
		}
		return targets, nil
	}
	if len(targets) == 0 {
		return nil, errNoTargets
	}
	asIs := true
	for i, t := range targets {
		if asIs = isCanonical(typ, t) && (i == 0 || targets[i-1] < t); !asIs {
			break
		}
	}
	if asIs {
		return targets, nil
	}
	out := make([]string, 0, len(targets))
	bad := ""
	for _, t := range targets {
		kind, text, err := canonicalTarget(typ, t)
		if err != nil || kind != typ {
			bad = lesser(bad, fmt.Sprintf("%q", t))
			continue
		}
		out = append(out, text)
	}
	if bad != "" {
		return sorted(out), errors.New(bad + " is no target for a record of type " + typ)
	}
	return sorted(out), nil
}

// canonicalTarget reads what somebody else configured: other than parseValue it takes any host name.
func canonicalTarget(typ, t string) (kind, text string, err error) {
	if typ == endpoint.RecordTypeCNAME {
		text, err = backend.Name(t)
		return typ, text, err
	}
	return parseValue(t)
}

// isCanonical reports, without allocating, whether a target is in canonical form for sure.
func isCanonical(typ, t string) bool {
	if typ == endpoint.RecordTypeCNAME {
		return isPlainName(t)
	}
	a, err := netip.ParseAddr(t)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.Is4() != (typ == endpoint.RecordTypeA) {
		return false
	}
	var buf [64]byte
	return string(a.AppendTo(buf[:0])) == t
}

// isPlainName reports, without allocating, whether a name is canonical for sure: nothing but
// lower-case letters, digits, "-" and "_" in labels of the right length. Others need backend.Name.
func isPlainName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			label++
		case c == '.' && 0 < label && label <= 63:
			label = 0
		default:
			return false
		}
	}
	return 0 < label && label <= 63
}

func canonicalName(s string) (string, error) {
	if isPlainName(s) {
		return s, nil
	}
	return backend.Name(s)
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}
