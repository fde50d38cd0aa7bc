package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"github.com/spokedns/spokedns/webhook/backend"
)

const (
	maxOps      = 128       // etcd's default for the operations, and for the conditions, of a transaction
	maxBytes    = 512 << 10 // of one transaction; etcd refuses 1.5 MiB
	inFlight    = 8
	maxAttempts = 6
)

var (
	errContended = errors.New("others kept changing it")
	errStopped   = errors.New("not tried after the failure of another change")
)

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	if len(changes) == 0 {
		return nil
	}
	z := b.zone(zone)
	c, err := b.fresh(ctx, z)
	if err != nil {
		return b.wrap("apply", zone, err)
	}
	a := &apply{Backend: b, zone: z, conn: c}
	a.run(ctx, a.storable(backend.Units(changes)))
	return errors.Join(a.errs...)
}

// apply is one call of Apply on its way.
type apply struct {
	*Backend
	zone *zone
	conn *conn

	mu      sync.Mutex
	errs    []error
	done    int                // changes made
	again   [][]backend.Change // units whose plan no longer held
	rest    []backend.Change   // changes not reached
	rev     int64              // of the last transaction
	stopped bool               // a failure that the others would share
	freed   []string           // names from which RRsets were deleted
}

// storable takes out the units with something that Limits excludes.
func (a *apply) storable(units [][]backend.Change) [][]backend.Change {
	return slices.DeleteFunc(units, func(unit []backend.Change) bool {
		for _, c := range unit {
			if c.New == nil {
				continue
			}
			if err := a.limits.Check(a.zone.zone, *c.New); err != nil {
				a.refuse(unit, &refusal{backend.Rejected, c.Key(), err})
				return true
			}
		}
		return false
	})
}

// run applies the units, planning those again whose plan others overtook.
func (a *apply) run(ctx context.Context, units [][]backend.Change) {
	for attempt := 0; len(units) > 0; attempt++ {
		if attempt == maxAttempts {
			for _, unit := range units {
				a.refuse(unit, &refusal{backend.Conflict, unit[0].Key(), errContended})
			}
			break
		}
		a.again = nil
		a.round(ctx, units, attempt)
		if units = a.again; len(units) > 0 && ctx.Err() == nil {
			if err := a.zone.fresh(ctx, a.conn); err != nil {
				for _, unit := range units {
					a.fail(unit, err)
				}
				break
			}
		}
	}
	a.reportRest(ctx)
	if ctx.Err() == nil && !a.stopped {
		a.tidy(ctx)
	}
}

// reportRest reports what was not reached: because the time ran out, or because it would have failed too.
func (a *apply) reportRest(ctx context.Context) {
	if len(a.rest) == 0 {
		return
	}
	if ctx.Err() != nil {
		a.errs = append(a.errs, backend.Unfinished(ctx, "etcd: apply", a.zone.zone, a.rest, a.done))
		return
	}
	a.errs = append(a.errs, &backend.Error{
		Kind: backend.Temporary, Op: "etcd: apply", Zone: a.zone.zone, Key: a.rest[0].Key(),
		Err: fmt.Errorf("%w: this one and %d more", errStopped, len(a.rest)-1),
	})
}

// round plans the units one after the other and sends them as soon as a transaction is full.
func (a *apply) round(ctx context.Context, units [][]backend.Change, attempt int) {
	var g errgroup.Group
	g.SetLimit(inFlight)
	send := func(b *batch) {
		if len(b.plans) > 0 {
			g.Go(func() error { a.commit(ctx, b); return nil })
		}
	}
	current := newBatch()
	for _, unit := range units {
		if a.ended(ctx) {
			a.leave(unit)
			continue
		}
		p, refused := a.zone.plan(unit, a.limits)
		switch {
		case refused != nil:
			a.refuse(unit, refused)
			continue
		case p == nil:
			a.retry(unit)
			continue
		case p.idle():
			a.succeed(0, p)
			continue
		}
		if p.large() {
			g.Go(func() error { a.commitLarge(ctx, p); return nil })
			continue
		}
		// Units that were overtaken go alone, so that one that always is does not hold up others.
		if !current.fits(p) || attempt > 1 {
			send(current)
			current = newBatch()
		}
		current.add(p)
	}
	send(current)
	_ = g.Wait() // failures are collected in a
}

// commit makes one transaction. If only its size is refused, its units are tried one by one.
func (a *apply) commit(ctx context.Context, b *batch) {
	if a.ended(ctx) {
		for _, p := range b.plans {
			a.leave(p.unit)
		}
		return
	}
	compares, ops := b.transaction()
	resp, err := a.conn.commit(ctx, compares, ops)
	switch {
	case err != nil && tooLarge(err) && len(b.plans) > 1:
		for _, p := range b.plans {
			single := newBatch()
			single.add(p)
			a.commit(ctx, single)
		}
	case err != nil:
		a.stop(err)
		for _, p := range b.plans {
			a.fail(p.unit, err)
		}
	case !resp.Succeeded:
		for _, p := range b.plans {
			a.retry(p.unit)
		}
	default:
		a.succeed(resp.Header.Revision, b.plans...)
	}
}

// commitLarge makes a unit that is larger than a transaction in several: first everything that is
// added, then what goes, so that no name is without an answer between them. Each is guarded by the
// revision of the one before.
func (a *apply) commitLarge(ctx context.Context, p *plan) {
	var guards []clientv3.Op
	for _, above := range p.above {
		if !above.guarded {
			guards = append(guards, guardOp(p.layout, above.name))
		}
	}
	size := maxOps
	if _, _, bytes := p.room(); bytes > maxBytes {
		size = 4 // texts as long as an answer
	}
	rev := p.rev
	for ops := range slices.Chunk(p.operations(guards), size) {
		var compares []clientv3.Cmp
		for _, s := range p.spans {
			compares = append(compares, s.unchangedSince(rev))
		}
		resp, err := a.conn.commit(ctx, compares, ops)
		if err != nil {
			a.stop(err)
			a.fail(p.unit, err)
			return
		}
		if !resp.Succeeded {
			a.retry(p.unit)
			return
		}
		rev = resp.Header.Revision
	}
	a.succeed(rev, p)
}

func (a *apply) ended(ctx context.Context) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stopped || ctx.Err() != nil
}

// stop keeps transactions from being tried that would fail, or wait, for the same reason.
func (a *apply) stop(err error) {
	if kind, _ := a.classify(err); kind == backend.Rejected {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
}

func (a *apply) leave(unit []backend.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rest = append(a.rest, unit...)
}

func (a *apply) retry(unit []backend.Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.again = append(a.again, unit)
}

func (a *apply) succeed(rev int64, plans ...*plan) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rev = max(a.rev, rev)
	for _, p := range plans {
		a.done += len(p.unit)
		for _, c := range p.unit {
			if c.New == nil && !p.idle() {
				a.freed = append(a.freed, c.Old.Name)
			}
		}
	}
}

// fail reports a failure of etcd for every RRset of the unit.
func (a *apply) fail(unit []backend.Change, err error) {
	kind, err := a.classify(err)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range unit {
		a.errs = append(a.errs, &backend.Error{Kind: kind, Op: "etcd: apply", Zone: a.zone.zone, Key: c.Key(), Err: err})
	}
}

// refuse reports that a unit cannot be applied: the change at fault first, then those that fall with it.
func (a *apply) refuse(unit []backend.Change, why *refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	report := func(key backend.Key, err error) {
		a.errs = append(a.errs, &backend.Error{Kind: why.kind, Op: "etcd: apply", Zone: a.zone.zone, Key: key, Err: err})
	}
	report(why.key, why.err)
	for _, c := range unit {
		if c.Key() != why.key {
			report(c.Key(), fmt.Errorf("stands or falls with %s", why.key))
		}
	}
}
