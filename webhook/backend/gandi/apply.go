package gandi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

const (
	// parallel is how many units are written at once.
	parallel = 8
	// margin is what is left of the time when no further unit is begun: the requests of those under way
	// still come to their end.
	margin = 500 * time.Millisecond
)

var errLittleTime = errors.New("too little time is left to begin another")

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return backend.Unfinished(ctx, opApply, zone, changes, 0)
	}
	domain, err := b.domainOf(ctx, zone)
	if err != nil {
		return fail(opApply, zone, backend.Key{}, err)
	}
	t := b.traffic.in(domain)
	if err := t.turn.Acquire(ctx, 1); err != nil {
		return backend.Unfinished(ctx, opApply, zone, changes, 0)
	}
	defer t.turn.Release(1)

	a := &application{b: b, zone: zone, domain: domain, traffic: t}
	if err := a.believe(ctx); err != nil {
		b.forget(zone, err)
		return fail(opApply, zone, backend.Key{}, err)
	}
	units, errs := a.plan(changes)
	if err := a.look(ctx, units); err != nil {
		b.forget(zone, err)
		return errors.Join(append(errs, fail(opApply, zone, backend.Key{}, err))...)
	}
	defer b.zones.Writing(zone)()
	errs = append(errs, a.run(ctx, units)...)
	b.log.Debug("applied", "zone", zone, "domain", domain, "changes", len(changes), "errors", len(errs))
	return errors.Join(errs...)
}

// application is one Apply.
type application struct {
	b            *Backend
	zone, domain string
	traffic      *traffic
	believed     *content // what was listed last
	seen         *content // what was read for this very Apply; nil: names are read one by one
}

// believe takes what was listed last, or reads the zone if nothing was.
func (a *application) believe(ctx context.Context) error {
	var ok bool
	if a.believed, ok = a.b.zones.Last(a.zone); ok {
		return nil
	}
	var err error
	a.believed, err = a.b.list(ctx, a.zone)
	a.seen = a.believed
	return err
}

// plan checks the changes, leaves out what changes nothing, and groups the rest. A unit with a change that
// cannot be made is not made at all.
func (a *application) plan(changes []backend.Change) (units []unit, errs []error) {
	for _, group := range backend.Units(changes) {
		var u unit
		var guilty *backend.Error
		for _, c := range backend.Sequence(group) {
			subject := c.Old
			if c.New != nil {
				wanted := *c.New
				wanted.TTL = a.b.limits.Clamp(wanted.TTL)
				c.New, subject = &wanted, &wanted
			}
			// What cannot be stored was never listed either: there is nothing of the kind to delete.
			if err := a.b.limits.Check(a.zone, *subject); err != nil {
				guilty = &backend.Error{Kind: backend.Rejected, Op: opApply, Zone: a.zone, Key: c.Key(), Err: err}
				errs = append(errs, guilty)
				continue
			}
			if !a.idle(c) {
				u = append(u, c)
			}
		}
		if guilty != nil {
			errs = append(errs, a.alsoFailed(u, guilty)...)
			continue
		}
		if len(u) > 0 {
			units = append(units, u)
		}
	}
	return units, errs
}

// idle reports whether a change asks for nothing: it is from and to what is listed.
func (a *application) idle(c backend.Change) bool {
	if c.Old == nil || c.New == nil || !c.Old.Same(c.New) {
		return false
	}
	e := find(a.believed.names[c.New.Name], c.New.Type)
	return e != nil && e.set.Same(c.New) && e.set.TTL == c.New.TTL
}

// look reads the whole zone if that takes fewer requests than reading the names that have to be read
// before they are written, as far as the time allows to write them.
func (a *application) look(ctx context.Context, units []unit) error {
	if a.seen != nil {
		return nil
	}
	names := 0
	for _, u := range units {
		for _, s := range u.steps() {
			if !a.free(s) && len(s.changes) == 1 {
				names++
			}
		}
	}
	if min(names, a.capacity(ctx)/2) <= a.believed.pages {
		return nil
	}
	var err error
	a.seen, err = a.b.readZone(ctx, a.domain, a.zone, a.believed)
	return err
}

// capacity is how many requests can be sent before ctx ends.
func (a *application) capacity(ctx context.Context) int {
	const many = 1 << 30
	deadline, ok := ctx.Deadline()
	if !ok {
		return many
	}
	l := a.b.client.limiter
	return int(min(many, l.Tokens()+time.Until(deadline).Seconds()*float64(l.Limit())))
}

// run makes the units, some of them at once, until all are made, the time is over, or the service denies.
func (a *application) run(ctx context.Context, units []unit) []error {
	begin, cancel := ctx, func() {}
	if deadline, ok := ctx.Deadline(); ok {
		begin, cancel = context.WithDeadlineCause(ctx, deadline.Add(-margin), fmt.Errorf("%w: %w", errLittleTime, context.DeadlineExceeded))
	}
	defer cancel()
	var (
		mu     sync.Mutex
		next   int
		done   int
		errs   []error
		denied *backend.Error
		all    sync.WaitGroup
	)
	take := func() (unit, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(units) || denied != nil || begin.Err() != nil {
			return nil, false
		}
		next++
		return units[next-1], true
	}
	for range min(parallel, len(units)) {
		all.Go(func() {
			for u, ok := take(); ok; u, ok = take() {
				var failed []*backend.Error
				if panicked := backend.Caught(func() { failed = a.make(ctx, u) }); panicked != nil {
					failed = a.failed(u, nil, fail(opApply, a.zone, u[0].Key(), panicked))
				}
				mu.Lock()
				done += len(u)
				for _, e := range failed {
					if errs = append(errs, e); e.Kind == backend.Denied && denied == nil {
						denied = e
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	switch rest := units[next:]; {
	case len(rest) == 0:
	case denied != nil:
		errs = append(errs, a.alsoFailed(slices.Concat(rest...), denied)...)
	default:
		errs = append(errs, backend.Unfinished(begin, opApply, a.zone, slices.Concat(rest...), done))
	}
	return errs
}

// alsoFailed are the errors of changes that are not made because another one failed.
func (a *application) alsoFailed(changes []backend.Change, guilty *backend.Error) []error {
	errs := make([]error, len(changes))
	for i, c := range changes {
		errs[i] = &backend.Error{Kind: guilty.Kind, Op: opApply, Zone: a.zone, Key: c.Key(), Err: fmt.Errorf(
			"not made, because %s failed: %w", guilty.Key, guilty.Err)}
	}
	return errs
}
