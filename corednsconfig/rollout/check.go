package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Check looks, and makes no change: whether what is wished is written, loaded and resolving, and whether an owner was
// given way. Drifted in its Report means that it is time for Apply.
func (e *Engine) Check(ctx context.Context, c Cluster, w Wish) (Report, error) {
	v, err := e.visit(ctx, c, w)
	if err != nil {
		return newReport(), err
	}
	defer v.a.close()
	if ok, err := v.look(ctx); err != nil || !ok {
		return v.report, err
	}
	if ok, err := v.plan(w.Forwards); err != nil || !ok {
		return v.report, err
	}
	v.judgeApplied()
	return v.report, v.observe(ctx)
}

// observe takes one look at the replicas, and reports what is loaded and what resolves.
func (v *visit) observe(ctx context.Context) error {
	all := servers(v.d, v.d, v.change, sinceLoaded(v.memory))
	s, err := v.survey(ctx, all)
	if err != nil {
		return err
	}
	v.report.Hash = all[0].expect.Hash
	v.report.Replicas = len(s.Samples)
	v.names(s)
	if len(v.change.Edits) > 0 {
		v.report.no(Loaded, "NotWritten", "what is wanted is not written")
		v.report.unknown(Resolving, "NotWritten", "what is wanted is not written")
		return nil
	}
	v.loadedNow(s)
	if len(v.wish.Forwards) == 0 {
		v.report.unknown(Resolving, "NothingWanted", "nothing is forwarded")
		return nil
	}
	return v.resolve(ctx, s)
}

// names judges Degraded from one look.
func (v *visit) names(s survey) {
	var problems []string
	answered := false
	for name, p := range s.Probes {
		answered = answered || p.OK
		if p.Why != "" {
			problems = append(problems, fmt.Sprintf("pod %s: %s", name, p.Why))
		}
	}
	slices.Sort(problems)
	switch {
	case len(problems) > 0 && !answered:
		v.report.yes(Degraded, "ClusterDNSBroken", "the cluster's own names do not resolve: %s", strings.Join(problems, "; "))
	case len(problems) > 0:
		v.report.yes(Degraded, "ReplicaBroken", "the cluster's own names do not resolve everywhere: %s", strings.Join(problems, "; "))
	case !answered:
		v.report.unknown(Degraded, unobservable, "no replica could be asked for the cluster's own names")
	default:
		v.report.no(Degraded, "None", "the cluster's own names resolve")
	}
}

// loadedNow judges Loaded from one look.
func (v *visit) loadedNow(s survey) {
	counts := map[state]int{}
	var missing []string
	refused := ""
	for _, r := range s.Replicas {
		m := s.Samples[r.pod.Name]
		got := unseen
		if m.Figures != nil {
			got = shows(m, r.server.expect, false)
		}
		counts[got]++
		if got != loaded {
			missing = append(missing, r.pod.Name)
		}
		if got == waiting && r.server.expect.Hash != "" && m.Figures.Hash == r.server.expect.Hash {
			refused = r.pod.Name
		}
	}
	slices.Sort(missing)
	v.report.LoadedReplicas = counts[loaded]
	switch {
	case len(s.Replicas) > 0 && len(missing) == 0:
		v.report.yes(Loaded, "Loaded", "%d of %d replicas run it", counts[loaded], len(s.Replicas))
	case refused != "":
		v.report.no(Loaded, "Rejected", "pod %s read it and does not run it", refused)
	case counts[waiting] > 0:
		v.report.no(Loaded, "Waiting", "%d of %d replicas run it; not: %s", counts[loaded], len(s.Replicas), strings.Join(missing, ", "))
	default:
		v.report.unknown(Loaded, unobservable, "%d of %d replicas are seen to run it", counts[loaded], len(s.Replicas))
	}
}
