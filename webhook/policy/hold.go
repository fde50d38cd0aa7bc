package policy

import (
	"slices"

	"sigs.k8s.io/external-dns/endpoint"
)

// holdAddresses publishes what the name points to now.
func (p *publisher) holdAddresses(recs []rec, reason string) error {
	p.verdict.reason = reason
	return p.hold(&recs[0], func(typ string) bool { return rank(typ) < rankOther })
}

// hold publishes what is published now: the records of the types, with the set identifier of rc. What is
// not published waits.
func (p *publisher) hold(rc *rec, ofType func(string) bool) error {
	p.held = true
	if err := p.fetch(); err != nil {
		return err
	}
	for _, ep := range p.published {
		if ep == nil || !ofType(ep.RecordType) || !p.owns(ep.SetIdentifier, rc.id) {
			continue
		}
		out := p.run.newEndpoint(ep)
		out.DNSName, out.SetIdentifier, out.Labels = p.name, p.setID(rc.id), p.labels(rc)
		p.run.out.Endpoints = append(p.run.out.Endpoints, out)
	}
	return nil
}

// fetch looks up what is published for the name, once.
func (p *publisher) fetch() error {
	if p.fetched {
		return nil
	}
	if p.run.facts.Published == nil {
		return &UnpublishedError{View: p.view.name, Host: p.name, Reason: p.verdict.reason}
	}
	p.published, p.fetched = p.run.facts.Published(p.view.name, p.name), true
	return nil
}

// publishes reports whether a record of the type is published now, with the set identifier of rc.
func (p *publisher) publishes(rc *rec, typ string) (bool, error) {
	if err := p.fetch(); err != nil {
		return false, err
	}
	return slices.ContainsFunc(p.published, func(ep *endpoint.Endpoint) bool {
		return ep != nil && ep.RecordType == typ && p.owns(ep.SetIdentifier, rc.id)
	}), nil
}

// owns reports whether a published set identifier is the view's form of own.
func (p *publisher) owns(published, own string) bool {
	if view, orig, ok := SplitSetID(p.run.policy.names, published); ok {
		return view == p.view.name && orig == own
	}
	return published == own
}
