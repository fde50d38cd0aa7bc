package controller

import (
	"context"
	"errors"
	"maps"
	"math"
	"net"
	"slices"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

const (
	firstRetry = 10 * time.Second
	lastRetry  = 5 * time.Minute
	unresolved = 30 * time.Second // the first look at a cluster that does not resolve yet
)

// done takes in what became of a job.
func (d *desk) done(r result, now time.Time) {
	if r.kind == installs || r.kind == installPlan {
		d.installed(r, now)
		return
	}
	s := d.sites[r.cluster.ID]
	if s == nil {
		return
	}
	s.busy = false
	s.glance = now.Add(d.drift)
	if r.err != nil {
		s.failures++
		s.due = now.Add(backoff(firstRetry, s.failures))
		d.failed(s, r)
		return
	}
	if r.kind == glance && r.report == nil && len(r.plans) == 0 {
		return // all is as it was
	}
	if r.report != nil {
		s.digest = r.digest
	}
	again := d.resync
	for _, name := range slices.Sorted(maps.Keys(r.handed)) {
		if b, rec := d.record(name, s.ID); rec != nil && rec.Revision == r.handed[name] && rec.LeavingSince == nil && r.report != nil {
			b.report(rec, *r.report)
			if rec.State = stateOf(*r.report); rec.State == v1alpha1.StateUnresolved {
				again = min(again, backoff(unresolved, s.failures+1))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.plans)) {
		if b, rec := d.record(name, s.ID); rec != nil && rec.LeavingSince == nil {
			b.planned(rec, r.plans[name])
			s.plans[name] = r.digests[name]
		}
	}
	for _, name := range r.leaving {
		if b, rec := d.record(name, s.ID); rec != nil && rec.LeavingSince != nil {
			b.report(rec, *r.report)
			if gone(*r.report) {
				if rec.Revision = ""; rec.ExternalDNS == nil {
					delete(b.clusters, s.ID)
				}
			} else {
				again = min(again, backoff(firstRetry, s.failures+1))
			}
		}
	}
	if again < d.resync {
		s.failures++
	} else {
		s.failures = 0
	}
	s.due = now.Add(again)
}

func (d *desk) record(name, id string) (*book, *v1alpha1.ClusterStatus) {
	if b := d.books[name]; b != nil {
		return b, b.clusters[id]
	}
	return nil, nil
}

// backoff doubles with every failure.
func backoff(first time.Duration, failures int) time.Duration {
	return min(lastRetry, first<<min(failures-1, 10))
}

// failed notes an error in the records of a cluster. What is there may be as it was.
func (d *desk) failed(s *site, r result) {
	for _, b := range d.books {
		rec := b.clusters[s.ID]
		_, looked := r.looks[b.name()]
		if rec == nil || r.handed[b.name()] == "" && !looked && !slices.Contains(r.leaving, b.name()) {
			continue
		}
		b.set(rec, v1alpha1.Reachable, metav1.ConditionFalse, reasonOf(r.err), r.err.Error())
		if rec.LeavingSince == nil && !b.yielded(rec) {
			rec.State = v1alpha1.StateUnreachable
		}
	}
}

// reasonOf is the reason of a condition for an error.
func reasonOf(err error) string {
	var dns *net.DNSError
	var late interface{ Timeout() bool } // several clocks run; whichever is first, that of the handshake for example
	switch {
	case apierrors.IsForbidden(err):
		return "Forbidden"
	case apierrors.IsUnauthorized(err):
		return "Unauthorized"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout() || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err):
		return "Timeout"
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) || errors.As(err, &dns):
		return "NoConnection"
	}
	return "Error"
}

// stateOf puts a report in a word.
func stateOf(r rollout.Report) v1alpha1.State {
	no := func(condition string) bool { return r.Condition(condition).Status == metav1.ConditionFalse }
	switch {
	case r.RolledBack != "":
		return v1alpha1.StateRolledBack
	case no(rollout.Detected) || no(rollout.Supported):
		return v1alpha1.StateUnsupported
	case r.Is(rollout.Conflict):
		return v1alpha1.StateConflict
	case no(rollout.Validated):
		return v1alpha1.StateRefused
	case r.Is(rollout.Applied) && r.Is(rollout.Loaded) && r.Is(rollout.Resolving) && !r.Is(rollout.Degraded):
		return v1alpha1.StateReady
	case no(rollout.Applied) && !r.Changed:
		return v1alpha1.StateRefused
	}
	return v1alpha1.StateUnresolved
}

// gone says whether, by a report, nothing of what was to be taken out is left; altered text is no longer ours.
func gone(r rollout.Report) bool {
	applied := r.Condition(rollout.Applied)
	for _, condition := range []string{rollout.Detected, rollout.Supported} {
		if r.Condition(condition).Status == metav1.ConditionFalse {
			return false // it was not looked at
		}
	}
	return r.RolledBack == "" && r.Condition(rollout.Validated).Status != metav1.ConditionFalse && !r.Is(rollout.Conflict) &&
		(applied.Status != metav1.ConditionFalse || applied.Reason == rollout.Removed)
}

// report copies a report into a record.
func (b *book) report(rec *v1alpha1.ClusterStatus, r rollout.Report) {
	b.reachable(rec)
	kept := b.yielded(rec)
	for _, c := range r.Conditions {
		if kept && c.Type == rollout.Conflict {
			continue // that of two DNSForwardings, which no engine knows of
		}
		b.set(rec, c.Type, c.Status, c.Reason, c.Message)
	}
	rec.Dialect, rec.Hash, rec.RolledBack = r.Dialect, r.Hash, clip(r.RolledBack, maxMessage)
	rec.Replicas, rec.LoadedReplicas = int32(min(r.Replicas, math.MaxInt32)), int32(min(r.LoadedReplicas, math.MaxInt32)) //nolint:gosec // bounded
	rec.ProbeMilliseconds = int32(min((r.RTT+time.Millisecond-1)/time.Millisecond, math.MaxInt32))                        //nolint:gosec // bounded
}

// planned copies a plan into a record. Of a cluster that has older rules, the report speaks of what is to come, so that
// only refusals are of interest.
func (b *book) planned(rec *v1alpha1.ClusterStatus, p rollout.Plan) {
	b.report(rec, p.Report)
	meta.RemoveStatusCondition(&rec.Conditions, v1alpha1.Orphaned)
	no := func(condition string) bool { return p.Condition(condition).Status == metav1.ConditionFalse }
	switch {
	case no(rollout.Detected) || no(rollout.Supported):
		rec.State = v1alpha1.StateUnsupported
	case no(rollout.Validated):
		rec.State = v1alpha1.StateRefused
	case b.planning():
		text := p.Diff
		for _, warning := range slices.Backward(p.Warnings) {
			text = "# " + warning + "\n" + text
		}
		rec.State, rec.Diff = v1alpha1.StatePlanned, clip(text, maxDiff)
	default:
		rec.State = v1alpha1.StatePending
	}
}
