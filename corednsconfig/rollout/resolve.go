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
		v.report.unknown(Resolving, "Unobservable", "no replica could be asked")
	case len(r.failed) > 0:
		v.report.no(Resolving, "UpstreamsFailing", "%s", strings.Join(r.failed, "; "))
	default:
		v.report.RTT = r.rtt
		v.report.yes(Resolving, "Resolving", "%d answers, the last after %s", r.asked, r.rtt.Round(10*time.Microsecond))
	}
	return ctx.Err()
}

type resolution struct {
	asked  int
	failed []string // one text per name
	rtt    time.Duration
}

// resolving asks for each name, the replicas in turn until one answers it.
func (v *visit) resolving(ctx context.Context, s survey) resolution {
	var out resolution
	for _, q := range questions(v.wish) {
		problem, done := "", false
		for _, r := range s.Replicas {
			if r.server.domain == "" || s.Samples[r.pod.Name].Started.IsZero() {
				continue
			}
			got, err := v.a.ask(ctx, &r.pod, portOf(r.server.Server), q)
			if err != nil && !silent(err) {
				continue
			}
			out.asked++
			if err == nil && got.exists() {
				out.rtt, done = got.RTT, true
				continue
			}
			if err != nil {
				problem = fmt.Sprintf("pod %s: %v", r.pod.Name, err)
			} else {
				problem = fmt.Sprintf("pod %s: %s: %s", r.pod.Name, q.Name, got)
			}
			done = false
			break
		}
		if !done && problem != "" {
			out.failed = append(out.failed, problem)
		}
	}
	return out
}
