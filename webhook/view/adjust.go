package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// Adjust decides by policy what is published in which view, and brings the outcome into the form in
// which the views' backends will return it, so that a second run finds nothing to do.
func (p *Provider) Adjust(ctx context.Context, in []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
	out, err := p.adjust(ctx, in)
	p.config.Metrics.ended("adjust", err)
	return out, err
}

func (p *Provider) adjust(ctx context.Context, in []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
	in = slices.DeleteFunc(in, func(e *endpoint.Endpoint) bool { return e == nil })
	for _, e := range in {
		if name, err := asciiName(e.DNSName); err == nil { // else it is refused later, with the reason
			e.DNSName = name
		}
	}
	now, err := p.current(ctx)
	if err != nil {
		return nil, err
	}
	claims, err := p.claims(ctx, in)
	if err != nil {
		return nil, err
	}
	result, err := p.config.Policy.Adjust(in, policy.Facts{Claims: claims, Site: p.config.Site, Published: now.published, Covers: p.covers(now)})
	if err != nil {
		return nil, err
	}
	var told errgroup.Group
	told.Go(caught(func() error {
		p.journal.decided(ctx, p.log, p.config.Metrics, result.Decisions)
		return nil
	}))
	formed, refused, err := p.serviceForm(ctx, result.Endpoints, now)
	if err := errors.Join(err, told.Wait()); err != nil {
		return nil, err
	}
	out, unfit, err := p.fitAll(formed, refused, now)
	if err != nil {
		return nil, err
	}
	p.journal.refused(ctx, p.log, p.config.Metrics, append(refused, unfit...))
	p.remember(result.Decisions)
	return out, nil
}

// covers is what policy.Facts asks for.
func (p *Provider) covers(now *snapshot) func(view, name string) bool {
	return func(view, name string) bool {
		_, inside := now.zoning.zoneOf(p.views[view], name)
		return inside
	}
}

// published is what policy.Facts asks for.
func (s *snapshot) published(view, name string) []*endpoint.Endpoint {
	return s.byName()[published{view, name}]
}

// claims returns the index, after looking up the objects external-dns saw before it did.
func (p *Provider) claims(ctx context.Context, in []*endpoint.Endpoint) (claim.Facts, error) {
	index := p.config.Claims
	if index == nil {
		return nil, nil
	}
	if err := index.Synced(); err != nil {
		return nil, fmt.Errorf("the index of claims is not complete yet: %w", err)
	}
	facts := index.Snapshot()
	missing := make([][]claim.Ref, chunks(len(in)))
	err := inChunks(len(in), func(chunk, from, to int) {
		missing[chunk] = missingClaims(in[from:to], facts)
	})
	if err != nil {
		return nil, err
	}
	refs := slices.Concat(missing...)
	if len(refs) == 0 {
		return facts, nil
	}
	if err := index.Resolve(ctx, refs); err != nil {
		return nil, fmt.Errorf("look up claims: %w", err)
	}
	return index.Snapshot(), nil
}

// missingClaims are the objects behind the endpoints that facts does not know, or only in part.
func missingClaims(in []*endpoint.Endpoint, facts claim.Facts) []claim.Ref {
	var missing []claim.Ref
	for _, e := range in {
		ref, ok := claim.ParseRef(e.Labels[endpoint.ResourceLabelKey])
		if !ok {
			continue
		}
		if c := facts.ByRef(ref); c != nil && c.Unknown == "" {
			continue
		}
		// A kind that is not watched may have become one just now; one that cannot be stays so.
		if watched, why := facts.Watched(ref.Kind); watched || why == "" {
			// The index may keep it, and the label shares the memory of the request.
			missing = append(missing, claim.Ref{Kind: strings.Clone(ref.Kind), Namespace: strings.Clone(ref.Namespace), Name: strings.Clone(ref.Name)})
		}
	}
	return missing
}

// refusal is an endpoint that its view cannot publish.
type refusal struct {
	view   *View
	key    backend.Key
	reason string // "invalid" or "unsupported", for metrics
	err    error
	held   []endpoint.Endpoint // what is published in its place, and stays
}

// fitAll fits the endpoints into their views, and lets stay what is published in place of those that were
// refused already.
func (p *Provider) fitAll(in []*endpoint.Endpoint, before []refusal, now *snapshot) ([]*endpoint.Endpoint, []refusal, error) {
	fitted := make([]endpoint.Endpoint, len(in))
	refusals := make([][]refusal, chunks(len(in)))
	err := inChunks(len(in), func(chunk, from, to int) {
		for i := from; i < to; i++ {
			if r := p.fit(in[i], &fitted[i], now); r != nil {
				refusals[chunk] = append(refusals[chunk], *r)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	refused := slices.Concat(refusals...)
	for _, r := range slices.Concat(before, refused) {
		fitted = append(fitted, r.held...)
	}
	if len(fitted) > len(in) {
		slices.SortStableFunc(fitted, func(a, b endpoint.Endpoint) int { return byKey(&a, &b) })
	}
	return merged(fitted), refused, nil
}

// fit makes to what e asks for, as its view stores it. to stays empty when nothing of it can be
// published there.
func (p *Provider) fit(e, to *endpoint.Endpoint, now *snapshot) *refusal {
	v, own, ok := p.viewOf(e.SetIdentifier)
	if !ok {
		return nil // of a view that this configuration does not have
	}
	limits := v.Backend.Limits()
	if !limits.SetIDs {
		own = ""
	}
	r, err := v.rrsetOf(e, own)
	reason := "invalid"
	if err == nil {
		zone, inside := now.zoning.zoneOf(v, r.Name)
		if !inside {
			return nil // external-dns sends every name it finds, whatever the zones are
		}
		err, reason = limits.Check(zone, r), "unsupported"
	}
	if err == nil {
		r.TTL = v.clamp(r.TTL)
		fill(to, &r, p.setID(v, own))
		to.Labels = e.Labels
		return nil
	}
	if name, bad := backend.Name(r.Name); bad == nil {
		r.Name = name
		if _, inside := now.zoning.zoneOf(v, name); !inside {
			return nil
		}
	}
	refused := p.refuse(v, e, r.Key, reason, err, now)
	return &refused
}

// refuse says that v cannot publish e, and what stays in its place.
func (p *Provider) refuse(v *View, e *endpoint.Endpoint, key backend.Key, reason string, err error, now *snapshot) refusal {
	r := refusal{view: v, key: key, reason: reason, err: err}
	for _, standing := range now.published(v.Name, key.Name) {
		if inPlaceOf(standing.RecordType, key.Type) && standing.SetIdentifier == p.setID(v, key.SetID) {
			stays := *standing
			stays.Labels = e.Labels
			r.held = append(r.held, stays)
		}
	}
	return r
}

// byKey orders endpoints so that those of one key are neighbours.
func byKey(a, b *endpoint.Endpoint) int {
	return cmp.Or(strings.Compare(a.DNSName, b.DNSName), strings.Compare(a.RecordType, b.RecordType), strings.Compare(a.SetIdentifier, b.SetIdentifier))
}

// inPlaceOf reports whether a record of one type goes when one of the other is published. Addresses do for
// a CNAME, which may be refused where they stand: at the zone's own name.
func inPlaceOf(standing, wanted string) bool {
	return standing == wanted || wanted == endpoint.RecordTypeCNAME &&
		(standing == endpoint.RecordTypeA || standing == endpoint.RecordTypeAAAA)
}

// merged drops the empty endpoints and joins neighbours of one key, which come from set identifiers
// that the view cannot store. Of two CNAMEs the first stays, for there can be only one.
func merged(eps []endpoint.Endpoint) []*endpoint.Endpoint {
	out := make([]*endpoint.Endpoint, 0, len(eps))
	var last *endpoint.Endpoint
	for i := range eps {
		e := &eps[i]
		switch {
		case e.RecordType == "":
		case last != nil && e.DNSName == last.DNSName && e.RecordType == last.RecordType && e.SetIdentifier == last.SetIdentifier:
			if e.RecordType != endpoint.RecordTypeCNAME {
				last.Targets = union(last.Targets, e.Targets)
			}
		default:
			out = append(out, e)
			last = e
		}
	}
	return out
}

// union returns a new sorted list of what is in either.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
