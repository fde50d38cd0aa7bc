package route53

import (
	"context"
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
)

const opUpdate = "route53: update"

// errForeign says that what stands is nothing we could put back.
var errForeign = errors.New("the zone holds something that is not ours to change, of a traffic policy or of IP-based routing; left untouched")

// errIncoherent says that what is wanted cannot stand beside what is there.
var errIncoherent = errors.New("a CNAME stands alone at its name (RFC 1034 §3.6.2), and a record set without a set identifier alone at its name and type; left untouched")

// Apply implements backend.Backend. Batches of one zone are made one after the other, as the service
// wants them (API reference, PriorRequestNotComplete).
func (b *Backend) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	z, err := b.zone(ctx, opUpdate, zone)
	if err != nil {
		return err
	}
	w := &writer{backend: b, zone: z, believed: b.belief(z.id)}
	units := w.formed(changes)
	if len(units) > 0 {
		select {
		case w.believed.turn <- struct{}{}:
			defer func() { <-w.believed.turn }()
		case <-ctx.Done():
			return backend.Unfinished(ctx, opUpdate, zone, changes, 0)
		}
		base, ok := b.records.Last(z.id)
		if !ok {
			if base, err = b.content(ctx, z); err != nil {
				return b.failed(opUpdate, z, err)
			}
		}
		w.believed.rest(base)
		defer b.records.Writing(z.id)()
		w.make(ctx, units)
	}
	return w.result(ctx)
}

// writer makes the changes of one Apply.
type writer struct {
	backend  *Backend
	zone     hostedZone
	believed *belief

	errs      []error
	whole     error // about the zone as such: nothing more can be done
	made      int   // changes made, or found made
	denials   int   // refusals for lack of rights since the last success
	outages   int   // calls that failed for good since the last success
	surprises int   // units that were judged otherwise once the service was asked
	unreached []backend.Change
}

// formed brings the changes into their form and sorts them into units. Units with a change that cannot be
// stored are reported and left out.
func (w *writer) formed(changes []backend.Change) []*unit {
	var units []*unit
	for _, group := range backend.Units(changes) {
		u := &unit{changes: make([]backend.Change, len(group))}
		var refused []*backend.Error
		for i, c := range group {
			if c.New != nil {
				if err := w.wanted(&c); err != nil {
					refused = append(refused, &backend.Error{Kind: backend.Rejected, Key: c.Key(), Err: err})
				}
			}
			if c.Old != nil {
				if old, err := w.backend.former.attrs(w.zone.name, *c.Old); err == nil {
					c.Old = &old
				}
			}
			u.changes[i] = c
		}
		if len(refused) > 0 {
			w.fail(u.withCompanions(refused))
			continue
		}
		units = append(units, u)
	}
	return units
}

// wanted brings what a change asks for into its form.
func (w *writer) wanted(c *backend.Change) error {
	wanted := *c.New
	wanted.TTL = w.backend.limits.Clamp(wanted.TTL)
	if err := w.backend.limits.Check(w.zone.name, wanted); err != nil {
		return err
	}
	wanted, err := w.backend.former.form(w.zone.name, wanted)
	c.New = &wanted
	return err
}

func (w *writer) fail(errs []*backend.Error) {
	for _, e := range errs {
		e.Op, e.Zone = opUpdate, w.zone.name
		w.errs = append(w.errs, e)
	}
}

// result is what Apply returns.
func (w *writer) result(ctx context.Context) error {
	if w.whole != nil {
		return w.whole
	}
	return errors.Join(append(w.errs, backend.Unfinished(ctx, opUpdate, w.zone.name, w.unreached, w.made))...)
}

// make makes the changes of the units.
func (w *writer) make(ctx context.Context, units []*unit) {
	units = w.askedAgain(ctx, units)
	var doubtful []*unit
	ready := w.judged(units, func(u *unit, _ []*backend.Error) { doubtful = append(doubtful, u) })
	w.sendAll(ctx, pack(ready))
	if len(doubtful) > 0 {
		w.check(ctx, doubtful, nil)
	}
}

// judged judges units one after the other, each as if those before it had been made, and returns those
// that take a write.
func (w *writer) judged(units []*unit, conflict func(*unit, []*backend.Error)) []*unit {
	v := over(w.believed)
	var ready []*unit
	for _, u := range units {
		switch refused := u.judge(w.zone, v); {
		case refused != nil:
			conflict(u, refused)
		case len(u.deletes)+len(u.creates) > 0:
			ready = append(ready, u)
		default:
			w.made += len(u.changes)
		}
	}
	return ready
}

// askedAgain reads the names of an earlier write that was never answered, and drops the units for which
// that fails.
func (w *writer) askedAgain(ctx context.Context, units []*unit) []*unit {
	if len(w.believed.unknown) == 0 {
		return units
	}
	var names []string
	for _, u := range units {
		for _, name := range u.names() {
			if w.believed.unknown[name] {
				names = append(names, name)
			}
		}
	}
	if err := w.refresh(ctx, names); err != nil {
		w.stop(ctx, units, err)
		return nil
	}
	return units
}

// stop reports units that are not reached.
func (w *writer) stop(ctx context.Context, units []*unit, err error) {
	switch {
	case isGone(err):
		w.whole = w.backend.failed(opUpdate, w.zone, err)
	case ctx.Err() != nil:
		for _, u := range units {
			w.unreached = append(w.unreached, u.changes...)
		}
	default:
		for _, u := range units {
			w.fail(u.all(kindOf(err), fmt.Errorf("not tried: %w", plain(err))))
		}
	}
}
