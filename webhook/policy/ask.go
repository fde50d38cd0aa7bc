package policy

import (
	"slices"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
)

// ask is what one claim asks for on one host.
type ask struct {
	claim *claim.Claim
	own   []string // targets it publishes itself; nil when they are not known
	seed  bool     // own was given by annotation, in the place of old, the targets of its status
	old   []string
	stray []string // targets of the host's records that none of its claims publishes itself
	bare  bool     // all that is known of the claim is its label
	blind blindness
	why   string // why blind
	texts texts
	wish  wish
}

// blindness is how much of an object cannot be seen.
type blindness int8

const (
	seeing        blindness = iota
	blindToClass            // the object is known, its class is not
	blindToObject           // nothing is known besides its name
)

// byProperty reports whether the claim's overrides travel with its endpoints: a DNSEndpoint has them in
// its spec, and of an object that nobody watches nothing else is known. Of all others the annotations
// are known, while a merged endpoint carries those of one claim, chosen by chance.
func (a *ask) byProperty() bool {
	return a.bare || a.claim.Kind == "crd"
}

// gatherAsks fills r.asks with every claim of the host, sorted, and returns the claims. missing names an
// object that should be known and is not, when there is no other.
func (r *run) gatherAsks(host string, group []entry) (claims []*claim.Claim, missing string) {
	r.asks, r.ignored = r.asks[:0], nil
	if r.facts.Claims != nil {
		claims = exact(r.facts.Claims.ByHost(host), host)
		for _, c := range claims {
			r.asks = append(r.asks, seen(c, host))
		}
	}
	found := len(r.asks)
	missing = r.followLabels(host, group)
	if len(r.asks) == 0 {
		if missing != "" {
			return nil, missing
		}
		r.asks = append(r.asks, anonymous(group))
	}
	if len(r.asks) > found {
		slices.SortFunc(r.asks, func(a, b ask) int { return a.claim.Compare(b.claim.Ref) })
		claims = make([]*claim.Claim, len(r.asks))
		for i := range r.asks {
			claims[i] = r.asks[i].claim
		}
	}
	stray := r.stray()
	for i := range r.asks {
		r.asks[i].stray = stray
		r.settle(&r.asks[i])
	}
	return claims, ""
}

// stray returns the targets of what the host points to that are in the status of none of its claims:
// external-dns resolves the host names of load balancers when it is told to, and may have seen a change
// before we did. They are published where the host is kept, so rules have to look at them too.
func (r *run) stray() (targets []string) {
	for i := range r.recs {
		if !r.recs[i].address() {
			continue
		}
		for _, t := range r.recs[i].targets {
			if !slices.ContainsFunc(r.asks, func(a ask) bool { return slices.Contains(a.own, t) }) {
				targets = append(targets, t)
			}
		}
	}
	return targets
}

// followLabels adds the claims that only the labels of the endpoints lead to, and the overrides that
// travel with endpoints. missing names an object that should be known and is not.
func (r *run) followLabels(host string, group []entry) (missing string) {
	for _, e := range group {
		label := e.ep.Labels[endpoint.ResourceLabelKey]
		if label == "" {
			continue
		}
		i := slices.IndexFunc(r.asks, func(a ask) bool { return refIs(&a.claim.Ref, label) })
		if i < 0 {
			ref, ok := claim.ParseRef(label)
			if !ok {
				continue
			}
			a, ok := r.lookUp(ref, host)
			if !ok {
				missing = max(missing, label)
				continue
			}
			i = len(r.asks)
			r.asks = append(r.asks, a)
		}
		if a := &r.asks[i]; len(e.ep.ProviderSpecific) > 0 && a.byProperty() {
			a.texts.fromProperties(e.ep.ProviderSpecific)
		}
	}
	return missing
}

// anonymous is the claim of endpoints that do not say whose they are.
func anonymous(group []entry) ask {
	a := ask{claim: &claim.Claim{}, bare: true}
	for _, e := range group {
		a.texts.fromProperties(e.ep.ProviderSpecific)
	}
	return a
}

// exact leaves out claims that cover the host by a wildcard only: the wildcard is a record of its own and
// contributes nothing to this one.
func exact(claims []*claim.Claim, host string) []*claim.Claim {
	covers := func(c *claim.Claim) bool {
		if c.HostTargets != nil {
			_, named := c.HostTargets[host]
			return !named
		}
		return !slices.Contains(c.Hosts, host)
	}
	if !slices.ContainsFunc(claims, covers) {
		return claims
	}
	return slices.DeleteFunc(slices.Clone(claims), covers)
}

// seen is the ask of a claim that is known.
func seen(c *claim.Claim, host string) ask {
	a := ask{claim: c}
	if own := c.TargetsOf(host); len(own) > 0 {
		a.own = own
	}
	if c.Unknown != "" {
		a.blind, a.why = blindToClass, c.Unknown
	}
	return a
}

// lookUp finds the claim a label names. ok is false when objects of its kind are watched and this one
// does not exist, or not yet.
func (r *run) lookUp(ref claim.Ref, host string) (a ask, ok bool) {
	if r.facts.Claims == nil {
		return ask{claim: &claim.Claim{Ref: ref}, bare: true}, true
	}
	if c := r.facts.Claims.ByRef(ref); c != nil {
		return seen(c, host), true
	}
	watched, why := r.facts.Claims.Watched(ref.Kind)
	switch {
	case watched:
		return ask{}, false
	case why != "":
		return ask{claim: &claim.Claim{Ref: ref}, bare: true, blind: blindToObject, why: why}, true
	}
	return ask{claim: &claim.Claim{Ref: ref}, bare: true}, true
}
