package policy

import (
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
)

// publisher carries out a verdict: it turns the records of one host in one view into endpoints.
type publisher struct {
	run     *run
	view    *view
	name    string
	verdict verdict

	held      bool // a part of the records, or all of them
	fetched   bool
	published []*endpoint.Endpoint
}

// all publishes the records, which are sorted by set identifier with those that are decided together
// first.
func (p *publisher) all(recs []rec) error {
	for len(recs) > 0 {
		n := 1
		for n < len(recs) && recs[n].id == recs[0].id {
			n++
		}
		group := recs[:n]
		recs = recs[n:]
		n = 0
		for n < len(group) && group[n].address() {
			n++
		}
		if n > 0 {
			if err := p.addresses(group[:n]); err != nil {
				return err
			}
		}
		for i := n; i < len(group); i++ {
			if err := p.other(&group[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// other publishes a record that is never rewritten.
func (p *publisher) other(rc *rec) error {
	switch {
	case p.verdict.action == Hold:
		return p.hold(rc, func(typ string) bool { return typ == rc.typ })
	case p.verdict.action == Drop || p.droppedKind(rc):
		return nil
	}
	p.emit(rc, rc.typ, rc.targets, p.ttl(rc.ttl))
	return nil
}

// droppedKind reports whether all claims the record can come from are dropped: those of the kind that
// its label names, because endpoints are merged within one kind.
func (p *publisher) droppedKind(rc *rec) bool {
	dropped := false
	kind := kindOf(rc.labels[endpoint.ResourceLabelKey])
	for i := range p.run.asks {
		if p.run.asks[i].claim.Kind != kind {
			continue
		}
		if !p.run.dropped(i) {
			return false
		}
		dropped = true
	}
	return dropped
}

// addresses publishes what the name points to: the A, AAAA and CNAME records of one set identifier.
func (p *publisher) addresses(recs []rec) error {
	switch p.verdict.action {
	case Drop:
		return nil
	case Hold:
		return p.holdAddresses(recs, p.verdict.reason)
	case Rewrite:
		if p.verdict.by.answer.wan != (wan{}) {
			return p.rewriteToSite(recs, p.verdict.by.answer)
		}
		values, why := p.resolve(p.verdict.by.answer)
		if why != "" {
			return p.holdAddresses(recs, why)
		}
		p.emitAnswer(recs, values)
		return nil
	}
	for i := range recs {
		if recs[i].bad != nil {
			return p.holdAddresses(recs, recs[i].bad.Error())
		}
	}
	if own, ok := p.run.ownTargets(recs); ok {
		switch {
		case len(own) == 0 && recs[0].id != "":
			return nil // the record of a dropped claim alone
		case len(own) == 0:
			return p.holdAddresses(recs, "the targets of the kept claims are not known")
		}
		p.emitAnswer(recs, p.dnsAllows(answerOf(own)))
		return nil
	}
	p.keep(recs)
	return nil
}

// resolve returns the values of a target for this name. why says that there are none to be used now, and
// the name is held.
func (p *publisher) resolve(a *answer) (values *answer, why string) {
	if slices.Contains(a.host, p.name) {
		return nil, "a CNAME that points to itself answers nothing; give the name of the target a rule of its own"
	}
	return a, ""
}

// keep publishes the records as they are, as far as DNS allows.
func (p *publisher) keep(recs []rec) {
	for i := range recs {
		rc := &recs[i]
		targets := rc.targets
		if rc.typ == endpoint.RecordTypeCNAME {
			if i > 0 {
				p.conflict("a CNAME cannot stand beside addresses (RFC 1034 §3.6.2), so " + strings.Join(targets, ", ") + " is left out")
				return
			}
			targets = p.one(targets)
		}
		p.emit(rc, rc.typ, targets, p.ttl(rc.ttl))
	}
}

// dnsAllows reduces what claims ask for to what DNS can hold.
func (p *publisher) dnsAllows(a *answer) *answer {
	switch {
	case len(a.host) == 0:
	case len(a.v4)+len(a.v6) > 0:
		p.conflict("a CNAME cannot stand beside addresses (RFC 1034 §3.6.2), so " + strings.Join(a.host, ", ") + " is left out")
		a.host = nil
	default:
		a.host = p.one(a.host)
	}
	return a
}

// one reduces the targets of a CNAME to the one it can have.
func (p *publisher) one(hosts []string) []string {
	if len(hosts) < 2 {
		return hosts
	}
	p.conflict("a CNAME has one target (RFC 2181 §10.1), so " + strings.Join(hosts[1:], ", ") + " is left out")
	return hosts[:1]
}

func (p *publisher) conflict(text string) {
	if p.verdict.conflict != "" {
		p.verdict.conflict += "; "
	}
	p.verdict.conflict += text
}

// emitAnswer publishes an answer in the place of the records, whatever their types are.
func (p *publisher) emitAnswer(recs []rec, a *answer) {
	var ttl endpoint.TTL
	for i := range recs {
		if t := recs[i].ttl; t > 0 && (ttl == 0 || t < ttl) {
			ttl = t
		}
	}
	ttl = p.ttl(ttl)
	for _, typ := range [...]string{endpoint.RecordTypeA, endpoint.RecordTypeAAAA, endpoint.RecordTypeCNAME} {
		targets := a.of(typ)
		if len(targets) == 0 {
			continue
		}
		like := &recs[0]
		for i := range recs {
			if recs[i].typ == typ {
				like = &recs[i]
			}
		}
		p.emit(like, typ, targets, ttl)
	}
}

// ttl is the TTL of a record that asks for own itself.
func (p *publisher) ttl(own endpoint.TTL) endpoint.TTL {
	switch {
	case p.verdict.ttl > 0:
		return p.verdict.ttl
	case own > 0:
		return own
	}
	return p.view.ttl
}

// emit publishes one record, with the labels and properties of rc.
func (p *publisher) emit(rc *rec, typ string, targets []string, ttl endpoint.TTL) {
	ep := p.run.newEndpoint(rc.ep)
	ep.DNSName, ep.RecordType, ep.Targets, ep.RecordTTL = p.name, typ, targets, ttl
	ep.SetIdentifier = p.setID(rc.id)
	ep.Labels = p.labels(rc)
	ep.ProviderSpecific = p.properties(rc)
	p.run.out.Endpoints = append(p.run.out.Endpoints, ep)
}

func (p *publisher) setID(own string) string {
	if len(p.run.policy.views) == 1 {
		return own
	}
	if own == "" {
		return p.view.name // as SetID; no allocation
	}
	return SetID(p.view.name, own)
}

// labels returns the record's labels with the one claim that stands for all of them: the lowest of the
// kind the record has come from, because the label itself is chosen by chance.
func (p *publisher) labels(rc *rec) map[string]string {
	label := rc.labels[endpoint.ResourceLabelKey]
	ref := p.resource(kindOf(label))
	if ref == nil || refIs(ref, label) {
		return rc.labels
	}
	labels := make(map[string]string, len(rc.labels)+1)
	for k, v := range rc.labels {
		labels[k] = v
	}
	labels[endpoint.ResourceLabelKey] = ref.String()
	return labels
}

// resource is the lowest claim of the kind that is published, or the lowest of any kind.
func (p *publisher) resource(kind string) *claim.Ref {
	var lowest *claim.Ref
	for i := range p.run.asks {
		ref := &p.run.asks[i].claim.Ref
		if ref.Name == "" || p.verdict.action != Hold && p.run.dropped(i) {
			continue
		}
		if ref.Kind == kind {
			return ref
		}
		if lowest == nil {
			lowest = ref
		}
	}
	return lowest
}

// kindOf is the kind of object that a "resource" label names.
func kindOf(label string) string {
	kind, _, _ := strings.Cut(label, "/")
	return strings.ToLower(kind)
}
