package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// resolve asks the replicas for what is forwarded, and judges Resolving. It never leads to an edit: upstreams that are away
// come back.
func (v *visit) resolve(ctx context.Context, s survey) error {
	r := v.resolving(ctx, s)
	switch {
	case r.asked == 0:
		v.report.unknown(Resolving, unobservable, "no replica could be asked")
	case len(r.failed) > 0:
		v.report.no(Resolving, "UpstreamsFailing", "%s", strings.Join(r.failed, "; "))
	default:
		v.report.RTT = r.rtt
		v.report.yes(Resolving, "Resolving", "%d answers, the last after %s", r.asked, r.rtt.Round(10*time.Microsecond))
		if c := v.report.Condition(Loaded); c.Reason == unobservable && r.everyone {
			v.report.LoadedReplicas = v.report.Replicas
			v.report.yes(Loaded, "Answering", "the replicas show no figures, and answer what is forwarded")
		}
		v.judgeClients()
	}
	return ctx.Err()
}

// unobservable is the reason where replicas show nothing that would tell.
const unobservable = "Unobservable"

// answersAll: every replica answers everything that is forwarded.
func (v *visit) answersAll(ctx context.Context, s survey) bool {
	r := v.resolving(ctx, s)
	return r.everyone && len(r.failed) == 0
}

type resolution struct {
	asked  int
	failed []string // one text per name
	rtt    time.Duration
	// everyone was asked everything.
	everyone bool
}

// resolving asks each replica for each name, until one fails.
func (v *visit) resolving(ctx context.Context, s survey) resolution {
	out := resolution{everyone: len(s.Replicas) > 0}
	for _, q := range questions(v.wish) {
		for _, r := range s.Replicas {
			if r.server.domain == "" || s.Samples[r.pod.Name].Started.IsZero() {
				out.everyone = false
				continue
			}
			got, err := v.a.ask(ctx, &r.pod, portOf(r.server.Server), q)
			if err != nil && !silent(err) {
				out.everyone = false
				continue
			}
			out.asked++
			if err == nil && got.exists() {
				out.rtt = got.RTT
				continue
			}
			if err == nil {
				err = fmt.Errorf("%s: %s", q.Name, got)
			}
			out.failed = append(out.failed, fmt.Sprintf("pod %s: %v", r.pod.Name, err))
			break
		}
	}
	return out
}
