package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
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
		if view, orig, ok := SplitSetID(r.policy.names, ep.SetIdentifier); ok && r.covers(r.policy.view(view), name) {
			out.view, out.id = view, orig
		}
	}
	out.targets, out.bad = canonicalTargets(ep.RecordType, ep.Targets)
	return out
}

// merged is what several endpoints say about one record. Their order does not matter.
func merged(recs []rec) rec {
	out := recs[0]
	out.targets, out.props, out.labels = nil, nil, map[string]string{}
	for i := range recs {
		rc := &recs[i]
		out.targets = append(out.targets, rc.targets...)
		out.props = append(out.props, rc.props...)
		if out.ttl <= 0 || rc.ttl > 0 && rc.ttl < out.ttl {
			out.ttl = rc.ttl
		}
		for k, v := range rc.labels {
			if have, ok := out.labels[k]; !ok || v < have {
				out.labels[k] = v
			}
		}
		if out.bad == nil || rc.bad != nil && rc.bad.Error() < out.bad.Error() {
			out.bad = rc.bad
		}
	}
	out.targets = sorted(out.targets)
	slices.SortFunc(out.props, func(a, b endpoint.ProviderSpecificProperty) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
	out.props = slices.CompactFunc(out.props, func(a, b endpoint.ProviderSpecificProperty) bool { return a.Name == b.Name })
	return out
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
	kept := 0
	for i := 0; i < len(recs); {
		n := i + 1
		for n < len(recs) && recs[n].compare(&recs[i]) == 0 {
			n++
		}
		if recs[kept] = recs[i]; n > i+1 {
			recs[kept] = merged(recs[i:n])
		}
		kept, i = kept+1, n
	}
	return recs[:kept]
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
