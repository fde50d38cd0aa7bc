package detect

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// WAN is the report in the words of the ConfigMap's contract. It names the address only when that is
// confirmed, and the votes only of a round.
func (r Report) WAN() wanip.Report {
	out := wanip.Report{Family: r.Family, At: r.At, Status: r.Status, Mode: r.plan.Mode}
	if r.Status == Verified || r.Status == Fixed {
		out.Addr, out.Quorum = r.Addr, r.Round
		if r.plan.PrefixBits > 0 {
			out.Prefix = netip.PrefixFrom(r.Addr, r.plan.PrefixBits).Masked()
		}
	}
	if !r.Round {
		return out
	}
	out.Votes = wanip.Votes{Agree: r.Agreed, Asked: r.Asked}
	for _, a := range r.Answers {
		if a.Source.Via == ViaRouter {
			continue
		}
		s := wanip.Source{Name: a.Source.Name, Operator: a.Source.Operator, Addr: a.Addr, RTT: a.RTT}
		if a.Err != nil {
			s.Error = a.Err.Error()
		}
		out.Votes.Sources = append(out.Votes.Sources, s)
	}
	slices.SortFunc(out.Votes.Sources, func(a, b wanip.Source) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Behind says whether a trait was found.
func (r Report) Behind(t Trait) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Trait == t })
}

// Fallback is what a reader of the ConfigMap asks when that is stale or missing: each family is settled by
// its Detector, with the same quorum and the same confirmation.
func Fallback(detectors ...*Detector) wanip.Detect {
	return func(ctx context.Context, family Family) (netip.Addr, error) {
		for _, d := range detectors {
			if d.Family() != family {
				continue
			}
			decision := d.Settle(ctx)
			if decision.Status == Verified || decision.Status == Fixed {
				return decision.Addr, nil
			}
			return netip.Addr{}, fmt.Errorf("%s: %s", family, decision.Reason)
		}
		return netip.Addr{}, fmt.Errorf("%s is not detected here", family)
	}
}
