package clouddns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/api/dns/v1"

	"github.com/spokedns/spokedns/webhook/backend"
)

const (
	// parallel is how many changes of one zone are under way at a time.
	parallel = 4
	// patience is how often a change is tried whose guard fails although we looked.
	patience = 3
	// page is how many RRsets the service lists at once: what tells whether reading names or all is less.
	page = 1000
)

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	const op = "clouddns: update"
	if len(changes) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return backend.Unfinished(ctx, op, zone, changes, 0)
	}
	m, err := b.find(ctx, op, zone)
	if err != nil {
		return err
	}
	a := &apply{b: b, op: op, zone: zone, managed: m}
	last, ok := b.content.Last(zone)
	defer b.content.Writing(zone)()
	a.belief = newBelief(last, false)
	if !ok {
		if err := a.relist(ctx); err != nil {
			return err
		}
	}
	return a.run(ctx, changes)
}

// apply is one Apply.
type apply struct {
	b        *Backend
	op, zone string
	managed  managedZone
	belief   *belief

	mu        sync.Mutex
	errs      []error
	done      int              // changes that were made, or were already
	unreached []backend.Change // because the time ran out
	stopped   *backend.Error   // why nothing more is tried
	skipped   int              // changes that were not tried because of it
	full      error            // why the zone cannot grow
}

// run makes the changes.
func (a *apply) run(ctx context.Context, changes []backend.Change) error {
	var units [][]backend.Change
	for _, unit := range backend.Units(changes) {
		if wanted := a.admit(unit); wanted != nil {
			units = append(units, wanted)
		}
	}
	jobs, late := a.judge(ctx, units)
	a.sendAll(ctx, jobs)
	if len(late) > 0 {
		// What was in the way may have been another unit's to take away.
		jobs, conflicts := a.verdicts(late)
		for _, c := range conflicts {
			a.refuse(c.unit, backend.Conflict, c.reason.key, c.reason.err)
		}
		a.sendAll(ctx, jobs)
	}
	return a.outcome(ctx)
}

// outcome is the error of it all.
func (a *apply) outcome(ctx context.Context) error {
	if a.stopped != nil && a.skipped > 0 {
		a.stopped.Err = fmt.Errorf("%w; %d changes were made before, %d were not", a.stopped.Err, a.done, a.skipped)
	}
	if a.stopped != nil {
		a.errs = append(a.errs, a.stopped)
	}
	return errors.Join(append(a.errs, backend.Unfinished(ctx, a.op, a.zone, a.unreached, a.done))...)
}

// admit clamps a unit's TTLs; it refuses the unit and returns nil when something in it cannot be stored.
func (a *apply) admit(unit []backend.Change) []backend.Change {
	admitted := slices.Clone(unit)
	for i, c := range unit {
		if c.New == nil {
			continue
		}
		wanted := *c.New
		wanted.TTL = a.b.limits.Clamp(wanted.TTL)
		admitted[i].New = &wanted
		if err := a.b.limits.Check(a.zone, wanted); err != nil {
			a.refuse(unit, backend.Rejected, wanted.Key, err)
			return nil
		}
	}
	return admitted
}

// conflicting is a unit that something is in the way of.
type conflicting struct {
	unit   []backend.Change
	reason *unwanted
}

// judge sorts units into those to write and those in conflict with what stands now. What is done already
// is in neither.
func (a *apply) judge(ctx context.Context, units [][]backend.Change) (jobs []*job, late [][]backend.Change) {
	var doubted [][]backend.Change
	var names []string
	for _, unit := range units {
		j, _, sure := a.belief.judge(unit)
		switch {
		case !sure || j == nil:
			doubted = append(doubted, unit)
			names = append(names, (&job{unit: unit}).names()...)
		default:
			jobs = append(jobs, a.needed(j)...)
		}
	}
	if len(doubted) == 0 {
		return jobs, nil
	}
	if err := a.look(ctx, names); err != nil {
		a.stop(err, doubted...)
		return jobs, nil
	}
	more, conflicts := a.verdicts(doubted)
	for _, c := range conflicts {
		late = append(late, c.unit)
	}
	return append(jobs, more...), late
}

// verdicts judges units on what is believed.
func (a *apply) verdicts(units [][]backend.Change) (jobs []*job, conflicts []conflicting) {
	for _, unit := range units {
		j, conflict, _ := a.belief.judge(unit)
		if conflict != nil {
			conflicts = append(conflicts, conflicting{unit, conflict})
			continue
		}
		jobs = append(jobs, a.needed(j)...)
	}
	return jobs, conflicts
}

// needed is the job, or nothing when nothing has to be written for it.
func (a *apply) needed(j *job) []*job {
	if len(j.additions)+len(j.deletions) == 0 {
		a.made(j.unit)
		return nil
	}
	return []*job{j}
}

// look reads what stands at names now, or everything when that is less to ask for.
func (a *apply) look(ctx context.Context, names []string) error {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 || len(names) > 1+a.belief.size()/page {
		return a.relist(ctx)
	}
	for _, name := range names {
		var sets []standing
		err := a.b.client.records(ctx, a.managed, name, func(page []*dns.ResourceRecordSet) {
			for _, raw := range page {
				sets = append(sets, read(a.zone, raw))
			}
		})
		if err != nil {
			return a.b.failure(a.op, a.zone, a.managed, err)
		}
		a.belief.learn(name, sets)
	}
	return nil
}

// relist reads everything.
func (a *apply) relist(ctx context.Context) error {
	a.b.content.Changed(a.zone)
	c, err := a.b.listed(ctx, a.op, a.zone, a.managed)
	if err != nil {
		return err
	}
	a.belief.relist(c)
	return nil
}

func (a *apply) made(unit []backend.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done += len(unit)
}

// refuse reports a unit whose guilty RRset cannot be changed: the others are not changed either.
func (a *apply) refuse(unit []backend.Change, kind backend.Kind, guilty backend.Key, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range unit {
		err := why
		if c.Key() != guilty {
			err = notChanged(guilty, why)
		}
		a.errs = append(a.errs, &backend.Error{Kind: kind, Op: a.op, Zone: a.zone, Key: c.Key(), Err: err})
	}
}

// stop ends the Apply for a reason that is not in these units.
func (a *apply) stop(err error, units ...[]backend.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped == nil {
		a.stopped = backend.Errors(err)[0]
	}
	for _, unit := range units {
		a.skipped += len(unit)
	}
}
