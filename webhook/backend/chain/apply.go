package chain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

const opApply = "chain: apply"

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, zone string, all []backend.Change) error {
	fail := func(err error) error {
		return &backend.Error{Kind: kindOf(err), Op: opApply, Zone: zone, Err: err}
	}
	if ctx.Err() != nil {
		return backend.Unfinished(ctx, opApply, zone, all, 0)
	}
	filter, err := b.serving(ctx, opApply, zone)
	if err != nil || len(all) == 0 {
		return err
	}
	state := b.zoneState(zone)
	select {
	case state.turn <- struct{}{}:
		defer func() { <-state.turn }()
	case <-ctx.Done():
		return fail(fmt.Errorf("wait for another change of the zone: %w", context.Cause(ctx)))
	}
	standing, err := b.fresh(ctx, time.Now())
	if err != nil {
		return fail(err)
	}
	a := &applying{backend: b, zone: zone, filter: filter, all: all, open: map[string]*unit{}}
	for _, changes := range backend.Units(all) {
		u := &unit{name: changes[0].Group(), changes: changes}
		a.open[u.name] = u
		a.order = append(a.order, u.name)
	}
	a.judge(standing)
	if len(a.open) > 0 {
		b.records.Changed(whole)
		state.suspects = a.make(ctx, state.suspects)
		b.records.Changed(whole)
	}
	return errors.Join(a.errs...)
}

// recent is how old a listing may be that records are overwritten by: as old as one gets that nobody could
// wait for (see package listing).
const recent = 2 * time.Minute

// fresh lists what stands now. Where listing takes longer than there is time, the last one has to do if it
// is recent, or nothing would ever be written.
func (b *Backend) fresh(ctx context.Context, now time.Time) (content, error) {
	c, err := b.content(ctx)
	if err != nil || !c.began.Before(now) {
		return c, err
	}
	age := now.Sub(c.began.Add(c.took))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 2*c.took && age <= recent {
		return c, nil
	}
	b.records.Changed(whole)
	return b.content(ctx)
}

// applying is one Apply.
type applying struct {
	backend *Backend
	zone    string
	filter  *filter
	all     []backend.Change
	order   []string         // of the units
	open    map[string]*unit // those with something left to make
	errs    []error
}

// judge closes the units that need nothing, or that must not be made.
func (a *applying) judge(standing content) {
	g := a.backend.groundOf(a.zone, a.filter, standing, a.all)
	for _, name := range a.order {
		u := a.open[name]
		if u == nil {
			continue
		}
		for _, refused := range g.judge(u) {
			refused.Op, refused.Zone = opApply, a.zone
			a.errs = append(a.errs, refused)
		}
		if len(u.writes) == 0 {
			delete(a.open, name)
		}
	}
}

// judgeAgain reads what stands after a request and judges by it.
func (a *applying) judgeAgain(ctx context.Context) error {
	a.backend.records.Changed(whole)
	standing, err := a.backend.content(ctx)
	if err != nil {
		return fmt.Errorf("what became of the changes could not be read: %w", err)
	}
	a.judge(standing)
	return nil
}

// remaining are the open units of a list.
func (a *applying) remaining(units []string) []string {
	var out []string
	for _, name := range units {
		if a.open[name] != nil {
			out = append(out, name)
		}
	}
	return out
}

// make sends what is open and reports what stays so. It returns the units to be sent alone next time.
func (a *applying) make(ctx context.Context, suspected []string) []string {
	d := &delivery{
		send: func(units []string) error { return a.send(ctx, units) },
		left: func(units []string) ([]string, error) {
			err := a.judgeAgain(ctx)
			return a.remaining(units), err
		},
	}
	d.run(a.remaining(a.order), suspected)
	a.close(ctx, d)
	if len(a.open) == 0 {
		return d.suspects
	}
	// Units that were sent alone after the last reading may be made, or in conflict, whatever was answered.
	if len(d.refused) > 0 && ctx.Err() == nil {
		err := a.judgeAgain(ctx)
		if err == nil {
			err = a.putBack(ctx)
		}
		if err != nil {
			a.backend.log.WarnContext(ctx, "what a refused change left behind could not be looked after", "zone", a.zone, "error", err)
		}
	}
	a.report(ctx, d)
	return d.suspects
}

// close closes the units that were taken.
func (a *applying) close(ctx context.Context, d *delivery) {
	var swapped []string
	for _, name := range a.remaining(a.order) {
		if d.refused[name] != nil || d.untried[name] != nil {
			continue
		}
		if a.open[name].swaps() {
			swapped = append(swapped, name)
			continue
		}
		delete(a.open, name)
	}
	if len(swapped) == 0 {
		return
	}
	// Providers that create before they delete lose a CNAME that takes the place of an address, and say
	// nothing. What is missing then is sent again.
	err := a.judgeAgain(ctx)
	if again := a.remaining(swapped); err == nil && len(again) > 0 {
		err = a.send(ctx, again)
	}
	for _, name := range a.remaining(swapped) {
		if err != nil {
			d.untried[name] = err
		} else {
			delete(a.open, name)
		}
	}
}

// send makes one request of units. A reading since they were listed may have closed some.
func (a *applying) send(ctx context.Context, names []string) error {
	units := make([]*unit, 0, len(names))
	for _, name := range a.remaining(names) {
		units = append(units, a.open[name])
	}
	switch {
	case len(units) == 0:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	for _, u := range units {
		u.remember()
	}
	return a.backend.client.apply(ctx, request(units))
}

// putBack restores what the other webhook deleted for a replacement that it then refused.
func (a *applying) putBack(ctx context.Context) error {
	var back []*unit
	for _, name := range a.remaining(a.order) {
		if lost := a.open[name].lost(); len(lost) > 0 {
			back = append(back, &unit{name: name, writes: lost})
		}
	}
	if len(back) == 0 {
		return nil
	}
	return a.backend.client.apply(ctx, request(back))
}

// report names what is still open.
func (a *applying) report(ctx context.Context, d *delivery) {
	left := a.remaining(a.order)
	if len(left) == 0 {
		return
	}
	if ctx.Err() != nil {
		var changes []backend.Change
		for _, name := range left {
			for _, w := range a.open[name].writes {
				changes = append(changes, w.Change)
			}
		}
		a.errs = append(a.errs, backend.Unfinished(ctx, opApply, a.zone, changes, len(a.all)-len(changes)))
		return
	}
	if !d.delivered && len(d.refused) == 0 {
		err := d.untried[left[0]]
		a.errs = append(a.errs, &backend.Error{Kind: kindOf(err), Op: opApply, Zone: a.zone, Err: err})
		return
	}
	for _, name := range left {
		err := d.refused[name]
		if err == nil {
			err = d.untried[name]
		}
		for _, w := range a.open[name].writes {
			a.errs = append(a.errs, &backend.Error{Kind: kindOf(err), Op: opApply, Zone: a.zone, Key: w.Key(), Err: err})
		}
	}
}
