package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/install"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// Engine works on one cluster. It is rollout.Engine, whose contract it is.
type Engine interface {
	Plan(ctx context.Context, c rollout.Cluster, w rollout.Wish) (rollout.Plan, error)
	Apply(ctx context.Context, c rollout.Cluster, w rollout.Wish) (rollout.Report, error)
	Check(ctx context.Context, c rollout.Cluster, w rollout.Wish) (rollout.Report, error)
	Remove(ctx context.Context, c rollout.Cluster) (rollout.Report, error)
}

// Fleet knows the clusters. It is fleet.Fleet.
type Fleet interface {
	List(ctx context.Context, wanted func(fleet.Cluster) bool) fleet.Listing
	Annotate(ctx context.Context, c fleet.Cluster, domain string) error
}

type kind int

const (
	nothing     kind = iota // but looks
	apply                   // write what is wished
	glance                  // see whether it still stands as it was written, and write only if not
	repair                  // look at all of it, the replicas too, and write only if it is not so
	remove                  // take out everything
	installs                // do the next thing about external-dns, and nothing else
	installPlan             // see what would be done about it
)

// job is what is to be done in one cluster. Names are those of DNSForwardings.
type job struct {
	cluster fleet.Cluster
	kind    kind
	wish    rollout.Wish
	digest  string                  // of wish
	handed  map[string]string       // the revision of each that is part of wish
	leaving []string                // whose part was taken out of wish
	domain  string                  // annotation once the zones resolve
	looks   map[string]rollout.Wish // what is to be planned
	digests map[string]string       // of looks, also of those not due

	installFor    string // the DNSForwarding whose wish install is
	install       install.Wish
	installDigest string
}

// result is what became of a job.
type result struct {
	*job
	report *rollout.Report // nil: nothing new was found, or an error
	plans  map[string]rollout.Plan
	err    error

	installReport install.Report
	installPlan   string
}

// longest is a bound on everything that one job may take; the engine's own bounds are far below it.
const longest = 15 * time.Minute

// do carries out a job.
func (j *job) do(ctx context.Context, e Engine, f Fleet, i Installer) (r result) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	r = result{job: j, plans: map[string]rollout.Plan{}}
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("panic: %v", p)
		}
	}()
	switch at := (install.Cluster{Name: j.cluster.ID, Config: j.cluster.Config}); j.kind {
	case installs:
		r.installReport, r.err = i.Step(ctx, at, j.install)
		return r
	case installPlan:
		r.installPlan, r.err = i.Plan(ctx, at, j.install)
		return r
	}
	if r.report, r.err = j.change(ctx, e, f); r.err != nil {
		return r
	}
	for name, w := range j.looks {
		plan, err := e.Plan(ctx, j.target(), w)
		if err != nil {
			r.err = err
			return r
		}
		r.plans[name] = plan
	}
	return r
}

func (j *job) target() rollout.Cluster {
	return rollout.Cluster{Name: j.cluster.ID, Config: j.cluster.Config}
}

// change is all but the looks. The annotation comes last and goes first: who reads it can rely on it.
func (j *job) change(ctx context.Context, e Engine, f Fleet) (*rollout.Report, error) {
	if j.kind == nothing {
		return nil, nil
	}
	domain := j.domain
	if j.kind == remove {
		domain = ""
	}
	now := j.cluster
	if now.BaseDomain != "" && now.BaseDomain != domain {
		if err := f.Annotate(ctx, now, ""); err != nil {
			return nil, err
		}
		now.BaseDomain = ""
	}
	report, err := j.engine(ctx, e)
	if report == nil || err != nil {
		return nil, err
	}
	if domain != "" && now.BaseDomain != domain && report.Is(rollout.Resolving) && !report.Is(rollout.Degraded) {
		err = f.Annotate(ctx, now, domain)
	}
	return report, err
}

// engine calls it. Without a report nothing was found that is worth one.
func (j *job) engine(ctx context.Context, e Engine) (*rollout.Report, error) {
	var report rollout.Report
	var err error
	switch j.kind {
	case remove:
		report, err = e.Remove(ctx, j.target())
		return &report, err
	case glance:
		plan, err := e.Plan(ctx, j.target(), j.wish)
		if err != nil || !plan.Drifted || plan.RolledBack != "" {
			return nil, err
		}
	case repair:
		report, err = e.Check(ctx, j.target(), j.wish)
		if err != nil || !report.Drifted || report.RolledBack != "" {
			return &report, err
		}
	}
	report, err = e.Apply(ctx, j.target(), j.wish)
	return &report, err
}
