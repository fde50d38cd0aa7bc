package clouddns

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
)

// sendAll writes jobs, a few changes at a time.
func (a *apply) sendAll(ctx context.Context, jobs []*job) {
	size := a.b.config.BatchSize
	var fitting []*job
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, j := range jobs {
		if oversize(j, size) {
			a.begin(&group, []*job{j}, func() { a.sendParts(ctx, j.unit) })
		} else {
			fitting = append(fitting, j)
		}
	}
	for _, batch := range pack(fitting, size) {
		a.begin(&group, batch, func() { a.send(ctx, batch) })
	}
	_ = group.Wait() // what fails is reported record by record
}

// begin sends beside the others, as soon as there is room.
func (a *apply) begin(group *errgroup.Group, jobs []*job, send func()) {
	group.Go(func() error {
		if panicked := backend.Caught(send); panicked != nil {
			a.stop(&backend.Error{Kind: backend.Temporary, Op: a.op, Zone: a.zone, Err: panicked}, units(jobs)...)
		}
		return nil
	})
}

// sendParts writes a unit that is larger than a change, one part after the other. When one cannot be
// written, the following ones are not either.
func (a *apply) sendParts(ctx context.Context, unit []backend.Change) {
	left := parts(unit, a.b.config.BatchSize)
	for i, part := range left {
		j, conflict, _ := a.belief.judge(part)
		if conflict != nil {
			a.refuse(slices.Concat(left[i:]...), backend.Conflict, conflict.key, conflict.err)
			return
		}
		if needed := a.needed(j); !a.send(ctx, needed) && i+1 < len(left) {
			a.refuse(slices.Concat(left[i+1:]...), backend.Temporary, part[0].Key(), errPart)
			return
		}
	}
}

// send writes jobs in one change. What the service does not take is looked at or taken apart, until each
// unit is written or it is known why not. It reports whether all were written.
func (a *apply) send(ctx context.Context, jobs []*job) (all bool) {
	all = true
	for try := 0; len(jobs) > 0; try++ {
		asked := len(jobs)
		if jobs = a.withoutGrowth(jobs); len(jobs) < asked {
			all = false
		}
		if len(jobs) == 0 || a.ended(ctx, jobs) {
			return all && len(jobs) == 0
		}
		change := request(jobs)
		err := a.b.client.change(ctx, a.managed, change)
		switch what := classify(err); {
		case what == none:
			for _, j := range jobs {
				a.belief.wrote(j)
				a.made(j.unit)
			}
			return all
		case what == stale && try < patience:
			next, refuted, changed := a.lookAgain(ctx, jobs, culpritsOf(err, change), try)
			all = all && !refuted
			if changed {
				jobs = next
				continue
			}
		}
		return a.takeApart(ctx, jobs, change, err) && all
	}
	return all
}

// takeApart deals with a change that the service will not make.
func (a *apply) takeApart(ctx context.Context, jobs []*job, change *dns.Change, err error) (all bool) {
	culprits := culpritsOf(err, change)
	switch what := classify(err); what {
	case stale, refused, full:
		if len(jobs) > 1 {
			first, second := split(jobs, culprits)
			all = a.send(ctx, first)
			return a.send(ctx, second) && all
		}
		a.fail(jobs, what, err, culprits)
	case faulty:
		a.fail(jobs, what, err, culprits)
	default:
		if !a.ended(ctx, jobs) {
			a.stop(a.b.failure(a.op, a.zone, a.managed, err), units(jobs)...)
		}
	}
	return false
}

// lookAgain reads what stands where the service says that it is not what we believed, and judges anew. The
// second time it reads everything for several jobs: the service may name one culprit at a time. refuted says that some are
// in conflict; changed is false when looking brought nothing new.
func (a *apply) lookAgain(ctx context.Context, jobs []*job, culprits []backend.Key, try int) (next []*job, refuted, changed bool) {
	var names []string
	switch {
	case len(jobs) == 1:
		names = jobs[0].names()
	case try == 0:
		for _, key := range culprits {
			names = append(names, key.Name)
		}
	}
	if err := a.look(ctx, names); err != nil {
		if !a.ended(ctx, jobs) {
			a.stop(err, units(jobs)...)
		}
		return nil, true, true
	}
	for _, j := range jobs {
		again, conflict, _ := a.belief.judge(j.unit)
		if conflict != nil {
			a.refuse(j.unit, backend.Conflict, conflict.key, conflict.err)
			refuted, changed = true, true
			continue
		}
		changed = changed || !again.same(j)
		next = append(next, a.needed(again)...)
	}
	return next, refuted, changed
}

// fail reports jobs that the service will not take; of one unit, it says which RRset is to blame.
func (a *apply) fail(jobs []*job, what meaning, err error, culprits []backend.Key) {
	for _, j := range jobs {
		guilty := j.unit[0].Key()
		for _, c := range j.unit {
			if slices.Contains(culprits, c.Key()) {
				guilty = c.Key()
				break
			}
		}
		why := explain(err, request(jobs), guilty)
		kind := what.kind()
		if what == stale {
			kind = backend.Temporary // it is not what stands, as we looked
		}
		a.refuse(j.unit, kind, guilty, why)
		if what == full && j.grows() {
			a.mu.Lock()
			a.full = why
			a.mu.Unlock()
		}
	}
}

// withoutGrowth refuses the jobs that a full zone has no room for, so that it is not asked for each.
func (a *apply) withoutGrowth(jobs []*job) []*job {
	a.mu.Lock()
	full := a.full
	a.mu.Unlock()
	if full == nil {
		return jobs
	}
	return slices.DeleteFunc(slices.Clone(jobs), func(j *job) bool {
		if j.grows() {
			a.refuse(j.unit, backend.Rejected, j.unit[0].Key(), full)
		}
		return j.grows()
	})
}

// ended reports whether nothing more is to be tried, and keeps the jobs for the report.
func (a *apply) ended(ctx context.Context, jobs []*job) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped != nil:
		for _, j := range jobs {
			a.skipped += len(j.unit)
		}
	case ctx.Err() != nil:
		for _, j := range jobs {
			a.unreached = append(a.unreached, j.unit...)
		}
	default:
		return false
	}
	return true
}

func units(jobs []*job) [][]backend.Change {
	all := make([][]backend.Change, len(jobs))
	for i, j := range jobs {
		all[i] = j.unit
	}
	return all
}
