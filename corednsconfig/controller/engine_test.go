package controller_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// enter is the begin of a call to a cluster.
func (w *world) enter(ctx context.Context, what string, c rollout.Cluster) (*spoke, func(), error) {
	w.mu.Lock()
	s := w.clusters[c.Name]
	if s == nil {
		w.mu.Unlock()
		return nil, nil, errors.New("no such host")
	}
	if s.busy {
		w.t.Errorf("two at once at %s", c.Name)
	}
	if c.Config == nil || c.Config.Host != "https://"+c.Name {
		w.t.Errorf("%s is reached by %v", c.Name, c.Config)
	}
	s.busy = true
	if what == "apply" || what == "remove" {
		w.log = append(w.log, what+" "+c.Name)
	}
	does, takes := s.does, s.takes
	w.mu.Unlock()
	leave := func() { w.mu.Lock(); s.busy = false; w.mu.Unlock() }
	switch {
	case does == "hang":
		defer leave()
		nap(ctx, 10*time.Second)
		return nil, nil, context.DeadlineExceeded
	case does == "error":
		defer leave()
		return nil, nil, errors.New("connection refused")
	case does == "panic":
		defer leave()
		panic("a fault of ours")
	case what == "apply":
		nap(ctx, takes)
	default:
		nap(ctx, time.Second)
	}
	if err := ctx.Err(); err != nil {
		leave()
		return nil, nil, err
	}
	return s, leave, nil
}

func zones(w rollout.Wish) []string {
	var out []string
	for _, f := range w.Forwards {
		for _, zone := range f.Zones {
			out = append(out, zone+">"+f.Upstreams[0].Addr().String())
		}
	}
	return out
}

func report(statuses string, reason string) rollout.Report {
	r := rollout.Report{Dialect: "corefile", Replicas: 2, LoadedReplicas: 2, RTT: 1500 * time.Microsecond}
	for i, c := range []string{"Detected", "Supported", "Validated", "Applied", "Loaded", "Resolving", "Conflict", "Degraded"} {
		status := map[byte]metav1.ConditionStatus{'+': metav1.ConditionTrue, '-': metav1.ConditionFalse, '?': metav1.ConditionUnknown}[statuses[i]]
		r.Conditions = append(r.Conditions, metav1.Condition{Type: c, Status: status, Reason: "Test", Message: reason})
	}
	return r
}

// is what a cluster does and has now.
func (w *world) is(s *spoke) (does string, has []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.does, slices.Clone(s.has)
}

// Plan implements controller.Engine.
func (w *world) Plan(ctx context.Context, c rollout.Cluster, wish rollout.Wish) (rollout.Plan, error) {
	s, leave, err := w.enter(ctx, "plan", c)
	if err != nil {
		return rollout.Plan{}, err
	}
	defer leave()
	does, has := w.is(s)
	switch does {
	case "unsupported":
		return rollout.Plan{Report: report("+-??????", "no cluster DNS")}, nil
	case "refuse":
		return rollout.Plan{Report: report("++-?????", "Corefile:3: syntax")}, nil
	}
	p := rollout.Plan{Report: report("+++-??--", "")}
	if !slices.Equal(has, zones(wish)) {
		p.Drifted, p.Diff = true, "-"+strings.Join(has, " ")+"\n+"+strings.Join(zones(wish), " ")+"\n"
	}
	return p, nil
}

// Check implements controller.Engine.
func (w *world) Check(ctx context.Context, c rollout.Cluster, wish rollout.Wish) (rollout.Report, error) {
	s, leave, err := w.enter(ctx, "check", c)
	if err != nil {
		return rollout.Report{}, err
	}
	defer leave()
	does, has := w.is(s)
	if !slices.Equal(has, zones(wish)) {
		r := report("+++-??--", "not written")
		r.Drifted = true
		if does == "rollback" {
			r.RolledBack = "names stopped resolving"
		}
		return r, nil
	}
	if does == "unresolved" {
		return report("+++++---", "upstreams do not answer"), nil
	}
	return report("++++++--", ""), nil
}

// Apply implements controller.Engine.
func (w *world) Apply(ctx context.Context, c rollout.Cluster, wish rollout.Wish) (rollout.Report, error) {
	s, leave, err := w.enter(ctx, "apply", c)
	if err != nil {
		return rollout.Report{}, err
	}
	defer leave()
	does, _ := w.is(s)
	switch does {
	case "late refuse":
		return report("++-?????", "the trial pod exits"), nil
	case "rollback":
		r := report("+++-??--", "")
		r.RolledBack, r.Changed = "names stopped resolving", true
		return r, nil
	case "conflict":
		return report("+++-??+-", "eks"), nil
	}
	w.mu.Lock()
	changed := !slices.Equal(s.has, zones(wish))
	if s.has = zones(wish); changed {
		s.touched++
	}
	w.mu.Unlock()
	if does == "unresolved" {
		return report("+++++---", "upstreams do not answer"), nil
	}
	r := report("++++++--", "")
	r.Changed = changed
	return r, nil
}

// Remove implements controller.Engine.
func (w *world) Remove(ctx context.Context, c rollout.Cluster) (rollout.Report, error) {
	s, leave, err := w.enter(ctx, "remove", c)
	if err != nil {
		return rollout.Report{}, err
	}
	defer leave()
	w.mu.Lock()
	s.has = nil
	w.mu.Unlock()
	gone := report("++?-+---", "")
	for i := range gone.Conditions {
		if gone.Conditions[i].Type == rollout.Applied {
			gone.Conditions[i].Reason = rollout.Removed
		}
	}
	return gone, nil
}
