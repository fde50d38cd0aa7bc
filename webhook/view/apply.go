package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
)

// batch is how many changes a backend gets at a time. Between batches the time is looked at, so that a
// long Apply ends in order and tells how far it came.
const batch = 20_000

// job is what an Apply changes in one zone.
type job struct {
	view    *View
	zone    string
	entries []*entry
}

// Apply makes the changes, every zone of every view for itself. What fails is named in the error, and
// everything else is made.
func (p *Provider) Apply(ctx context.Context, changes *plan.Changes) error {
	err := p.apply(ctx, changes)
	p.config.Metrics.ended("apply", err)
	return err
}

func (p *Provider) apply(ctx context.Context, changes *plan.Changes) error {
	entries := p.entriesOf(changes)
	if len(entries) == 0 {
		return nil
	}
	if names := p.sited.Load(); p.config.Moves != nil && names != nil {
		p.journal.owners(ctx, p.log, p.config.Registry, entries, *names)
	}
	now, err := p.current(ctx)
	if now == nil {
		return err
	}
	return p.carryOut(ctx, entries, now) // what was listed last is good enough to compare with
}

// carryOut makes changes, and says what was not made.
func (p *Provider) carryOut(ctx context.Context, entries []*entry, now *snapshot) error {
	var out outcome
	jobs := p.jobsOf(entries, &out)
	for _, j := range jobs {
		p.spareUnsettled(j, time.Now(), &out)
		j.adopt(now)
		p.stopMassDeletion(ctx, j, now, &out)
	}
	if p.config.DryRun {
		p.pretend(ctx, jobs)
	} else {
		p.applies.Add(1)
		p.run(ctx, jobs, &out)
		p.applies.Add(1)
	}
	return p.report(ctx, entries, &out)
}

// jobsOf groups what was not refused by view and zone.
func (p *Provider) jobsOf(entries []*entry, out *outcome) []*job {
	byPlace := map[place]*job{}
	var jobs []*job
	departed := p.departed()
	for _, x := range entries {
		if x.refused != nil {
			out.fail(x, backend.Rejected, x.refused)
			continue
		}
		at := place{x.view, x.zone}
		if err := departed(at); err != nil {
			out.fail(x, backend.Temporary, err)
			continue
		}
		j := byPlace[at]
		if j == nil {
			j = &job{view: x.view, zone: x.zone}
			byPlace[at] = j
			jobs = append(jobs, j)
		}
		j.entries = append(j.entries, x)
	}
	return jobs
}

// run makes the jobs, several at a time.
func (p *Provider) run(ctx context.Context, jobs []*job, out *outcome) {
	var g errgroup.Group
	g.SetLimit(concurrency)
	for _, j := range jobs {
		g.Go(func() error {
			p.runJob(ctx, j, out)
			return nil
		})
	}
	_ = g.Wait() // failures are in out
}

// runJob makes the changes of one zone in batches of whole units.
func (p *Provider) runJob(ctx context.Context, j *job, out *outcome) {
	for part := range batches(j.entries) {
		if err := context.Cause(ctx); err != nil {
			out.unreached(part, err)
			continue
		}
		changes := make([]backend.Change, len(part))
		for i, x := range part {
			changes[i] = backend.Change{Old: x.old, New: x.new, Unit: x.unit}
		}
		start := time.Now()
		err := caught(func() error { return j.view.Backend.Apply(ctx, j.zone, changes) })()
		p.config.Metrics.backend(j.view, j.zone, "apply", time.Since(start), err)
		out.add(ctx, part, err)
	}
}

// batches cuts entries into parts of whole units.
func batches(entries []*entry) func(yield func([]*entry) bool) {
	return func(yield func([]*entry) bool) {
		if len(entries) <= batch {
			if len(entries) > 0 {
				yield(entries)
			}
			return
		}
		at := make(map[string]int, len(entries))
		for _, x := range entries {
			if _, ok := at[x.unit]; !ok {
				at[x.unit] = len(at)
			}
		}
		sorted := slices.Clone(entries)
		slices.SortStableFunc(sorted, func(a, b *entry) int { return at[a.unit] - at[b.unit] })
		for len(sorted) > 0 {
			n := min(batch, len(sorted))
			for n < len(sorted) && sorted[n].unit == sorted[n-1].unit {
				n++
			}
			if !yield(sorted[:n]) {
				return
			}
			sorted = sorted[n:]
		}
	}
}

// pretend is a dry run.
func (p *Provider) pretend(ctx context.Context, jobs []*job) {
	for _, j := range jobs {
		for _, x := range j.entries {
			p.log.InfoContext(ctx, "dry run: would change", "view", j.view.Name, "zone", j.zone, "op", x.op(), "record", x.key.String(), "values", x.values())
			p.config.Metrics.changes.WithLabelValues(j.view.Name, j.zone, x.op(), "dry_run").Inc()
		}
	}
}

func (x *entry) values() []string {
	if x.new == nil {
		return nil
	}
	return x.new.Values
}

// report logs and counts what became of each change, and says what failed.
func (p *Provider) report(ctx context.Context, entries []*entry, out *outcome) error {
	if !p.config.DryRun {
		p.logMade(ctx, entries, out)
		p.repeats.note(ctx, p.log, p.config.Metrics, entries, out)
	}
	p.journal.failed(ctx, p.log, out.failures)
	for x, result := range out.entries {
		view := ""
		if x.view != nil {
			view = x.view.Name
		}
		p.config.Metrics.changes.WithLabelValues(view, x.zone, x.op(), result).Inc()
	}
	return out.err(len(entries))
}

func (p *Provider) logMade(ctx context.Context, entries []*entry, out *outcome) {
	level := slog.LevelInfo
	if len(entries) > linesPerCall {
		level = slog.LevelDebug
		p.log.InfoContext(ctx, "changes applied", "made", len(entries)-out.missing(), "of", len(entries))
	}
	logged := p.log.Enabled(ctx, level)
	type series struct {
		view     *View
		zone, op string
	}
	made := map[series]int{}
	for _, x := range entries {
		if out.failed(x) {
			continue
		}
		if logged {
			p.log.Log(ctx, level, "changed", "view", x.view.Name, "zone", x.zone, "op", x.op(), "record", x.key.String(), "values", x.values())
		}
		made[series{x.view, x.zone, x.op()}]++
	}
	for s, n := range made {
		p.config.Metrics.changes.WithLabelValues(s.view.Name, s.zone, s.op, "success").Add(float64(n))
	}
}

var errUnreached = errors.New("not reached in time")

// progress is the text for an Apply that the time ended.
func progress(made, total int) string {
	return fmt.Sprintf("%d of %d changes made; the next call carries on", made, total)
}
