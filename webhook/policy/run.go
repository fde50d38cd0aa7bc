package policy

import (
	"cmp"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
)

// run is one Adjust. Its slices are scratch space for the host at hand, used again for the next.
type run struct {
	policy *Policy
	facts  Facts
	out    Result
	spare  []endpoint.Endpoint // endpoints to hand out, allocated in bulk

	recs     []rec
	own      []rec // recs as one view sees them, where that differs
	asks     []ask
	ignored  []string
	outcomes []outcome
	spans    []int // outcomes[spans[i]:spans[i+1]] belong to asks[i]
}

func newRun(p *Policy, f Facts, size int) *run {
	size *= len(p.views)
	return &run{policy: p, facts: f, out: Result{
		Endpoints: make([]*endpoint.Endpoint, 0, size),
		Decisions: make([]Decision, 0, size),
	}}
}

// host decides about one name in every view.
func (r *run) host(name string, group []entry) error {
	start := len(r.out.Endpoints)
	var claims []*claim.Claim
	var missing string
	gathered := false
	for i := range r.policy.views {
		v := &r.policy.views[i]
		if !r.covers(v, name) {
			continue
		}
		if !gathered {
			r.gatherRecs(group)
			claims, missing = r.gatherAsks(name, group)
			gathered = true
		}
		if err := r.hostIn(v, name, claims, missing); err != nil {
			return err
		}
	}
	if !gathered {
		for _, e := range group {
			ep := r.newEndpoint(e.ep)
			ep.ProviderSpecific = withoutOverrides(ep.ProviderSpecific, false)
			r.out.Endpoints = append(r.out.Endpoints, ep)
		}
	}
	sortEndpoints(r.out.Endpoints[start:])
	return nil
}

// covers reports whether the canonical name lies in one of the view's zones.
func (r *run) covers(v *view, name string) bool {
	if r.facts.Covers != nil {
		return r.facts.Covers(v.name, name)
	}
	return v.covers(name)
}

// hostIn decides about one name in one view.
func (r *run) hostIn(v *view, name string, claims []*claim.Claim, missing string) error {
	recs := r.recsOf(v.name)
	if len(recs) == 0 {
		return nil
	}
	var d verdict
	if missing != "" {
		d = verdict{action: Hold, reason: missing + " does not exist, or has not been seen yet"}
	} else {
		d = r.decide(v, name, recs)
	}
	pub := publisher{run: r, view: v, name: name, verdict: d}
	if err := pub.all(recs); err != nil {
		return err
	}
	r.report(v, name, claims, &pub)
	return nil
}

// report records what was decided.
func (r *run) report(v *view, name string, claims []*claim.Claim, pub *publisher) {
	d := &pub.verdict
	out := Decision{View: v.name, Host: name, Action: d.action, Rule: NoRule, Claims: claims}
	switch {
	case pub.held:
		out.Action = Hold
	case d.by.rank == Override:
		out.Rule = Override
	case d.by.rule != nil:
		out.Rule, out.Name = d.by.rule.index, d.by.rule.name
	}
	if out.Action == Rewrite {
		out.Target = d.by.answer.name
	}
	if d.action == Rewrite {
		out.Site = d.by.answer.wan.target
	}
	if d.reason != "" || d.conflict != "" || len(r.ignored) > 0 {
		out.Detail = &Detail{Reason: d.reason, Conflict: d.conflict, Ignored: r.ignored}
	}
	r.out.Decisions = append(r.out.Decisions, out)
}

// newEndpoint returns a copy that is the caller's own. The slices and maps inside are shared.
func (r *run) newEndpoint(ep *endpoint.Endpoint) *endpoint.Endpoint {
	const bulk = 256
	if len(r.spare) == 0 {
		r.spare = make([]endpoint.Endpoint, bulk)
	}
	out := &r.spare[0]
	r.spare = r.spare[1:]
	*out = *ep
	return out
}

func sortEndpoints(eps []*endpoint.Endpoint) {
	if len(eps) < 2 {
		return
	}
	slices.SortStableFunc(eps, func(a, b *endpoint.Endpoint) int {
		return cmp.Or(strings.Compare(a.RecordType, b.RecordType), strings.Compare(a.SetIdentifier, b.SetIdentifier))
	})
}
