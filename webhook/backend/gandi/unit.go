package gandi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spokedns/spokedns/webhook/backend"
)

// unit is what stands or falls together, in the order of backend.Sequence.
type unit []backend.Change

// step is the part of a unit at one name.
type step struct {
	name    string
	changes []backend.Change
}

// steps are the names of a unit, in the order in which they first appear: ownership texts that come stand
// before the records they own, and those that go after them.
func (u unit) steps() []step {
	var steps []step
	for _, c := range u {
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == c.Key().Name })
		if i < 0 {
			i = len(steps)
			steps = append(steps, step{name: c.Key().Name})
		}
		steps[i].changes = append(steps[i].changes, c)
	}
	return steps
}

// find is the entry of a type, nil when there is none.
func find(entries []entry, typ string) *entry {
	for i := range entries {
		if entries[i].shown.Type == typ {
			return &entries[i]
		}
	}
	return nil
}

// free reports whether a step only creates what nothing is known to stand in the way of. The service
// itself refuses if that has changed, so nobody has to look before.
func (a *application) free(s step) bool {
	standing := a.believed.names[s.name]
	for _, c := range s.changes {
		if c.Old != nil || find(standing, c.New.Type) != nil {
			return false
		}
	}
	return alone(after(standing, s.changes))
}

// after is what a name has when the changes are made, judged by types only.
func after(standing []entry, changes []backend.Change) (types []string) {
	for _, e := range standing {
		if !slices.ContainsFunc(changes, func(c backend.Change) bool { return c.Key().Type == e.shown.Type }) {
			types = append(types, e.shown.Type)
		}
	}
	for _, c := range changes {
		if c.New != nil {
			types = append(types, c.New.Type)
		}
	}
	return types
}

// alone reports whether a CNAME, if there is one, is all.
func alone(types []string) bool {
	return len(types) < 2 || !slices.Contains(types, "CNAME")
}

// make makes one unit and returns an error for each change of it that was not made. Everything is judged
// before anything is written.
func (a *application) make(ctx context.Context, u unit) []*backend.Error {
	steps := u.steps()
	writes := make([]judged, len(steps))
	var conflicts []*backend.Error
	for i, s := range steps {
		if a.free(s) {
			writes[i] = judged{step: s, blind: true}
			continue
		}
		standing, err := a.standing(ctx, s)
		if err != nil {
			return a.failed(u, nil, fail(opApply, a.zone, s.changes[0].Key(), err))
		}
		var wrong []*backend.Error
		writes[i], wrong = a.judge(s, standing)
		conflicts = append(conflicts, wrong...)
	}
	if len(conflicts) > 0 {
		return a.failed(pending(writes), conflicts, conflicts[0])
	}
	var made []judged
	for i, w := range writes {
		if len(w.changes) == 0 {
			continue
		}
		failed := a.write(ctx, &w)
		if len(failed) == 0 {
			made = append(made, w)
			continue
		}
		rest := pending(writes[i+1:])
		if k := failed[0].Kind; k == backend.Conflict || k == backend.Rejected {
			rest = append(rest, a.takeBack(ctx, append(made, w), failed[0])...)
		}
		return a.failed(rest, failed, failed[0])
	}
	return nil
}

// standing is what a name has right now: as it was read for this Apply, or, when several types of the name
// change together and all of it is written in one request, as it is read now.
func (a *application) standing(ctx context.Context, s step) ([]entry, error) {
	if a.seen != nil && len(s.changes) == 1 {
		return a.seen.names[s.name], nil
	}
	return a.reread(ctx, s.name)
}

func (a *application) reread(ctx context.Context, name string) ([]entry, error) {
	shown, err := a.b.client.name(ctx, a.domain, relative(name, a.domain))
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(shown))
	for _, r := range shown {
		if r.Name == "" {
			r.Name = relative(name, a.domain)
		}
		if n, e, ok := read(r, a.domain); ok && n == name {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// judged is a step of which is known what there is to write.
type judged struct {
	step
	standing []entry
	blind    bool // nobody looked: only creates
	created  []backend.Change
}

// judge leaves in a step what has to be written, or says what stands against it.
func (a *application) judge(s step, standing []entry) (judged, []*backend.Error) {
	var wrong []*backend.Error
	conflict := func(c backend.Change, err error) {
		wrong = append(wrong, &backend.Error{Kind: backend.Conflict, Op: opApply, Zone: a.zone, Key: c.Key(), Err: err})
	}
	w := judged{step: step{name: s.name}, standing: standing}
	for _, c := range s.changes {
		var current *backend.RRset
		if e := find(standing, c.Key().Type); e != nil {
			if current = e.set; current == nil {
				conflict(c, fmt.Errorf("%w: its values %.200q cannot be read", backend.ErrConflict, e.shown.Values))
				continue
			}
		}
		switch write, err := backend.Decide(current, c); {
		case err != nil:
			conflict(c, err)
		case write:
			w.changes = append(w.changes, c)
		}
	}
	if !alone(after(standing, w.changes)) {
		for _, c := range w.changes {
			if c.New != nil {
				conflict(c, backend.ErrAlone)
			}
		}
	}
	return w, wrong
}

// write makes what was judged. What fails of it is returned; what was created is noted.
func (a *application) write(ctx context.Context, w *judged) []*backend.Error {
	if a.together(w) {
		items, theirs := a.items(w)
		err := a.traffic.write(ctx, func() error {
			name := relative(w.name, a.domain)
			if len(items) == 0 {
				return a.b.client.removeName(ctx, a.domain, name)
			}
			return a.b.client.replaceName(ctx, a.domain, name, items)
		})
		if err == nil {
			return nil
		}
		a.b.forget(a.zone, err)
		// What others have at the name may be refused where it comes along, an old TTL below 300 for example:
		// then ours is written by itself.
		if !refused(err) || theirs == 0 {
			first := fail(opApply, a.zone, w.changes[0].Key(), err)
			return a.failed(w.changes, []*backend.Error{first}, first)
		}
	}
	for i, c := range w.changes {
		created, err := a.writeOne(ctx, *w, c)
		if err != nil {
			return a.failed(w.changes[i+1:], []*backend.Error{err}, err)
		}
		if created {
			w.created = append(w.created, c)
		}
	}
	return nil
}

// together reports whether a name is written as a whole: several of its types change, and not all of them
// are new, for which POST is the better guard. At the domain's own name this is never done: there may be
// records that LiveDNS does not show.
func (a *application) together(w *judged) bool {
	if w.blind || len(w.changes) < 2 || w.name == a.domain {
		return false
	}
	return slices.ContainsFunc(w.changes, func(c backend.Change) bool { return find(w.standing, c.Key().Type) != nil })
}

// items are all that a name shall have: what others have there, so many and as it is, and ours.
func (a *application) items(w *judged) (items []record, theirs int) {
	for _, e := range w.standing {
		if !slices.ContainsFunc(w.changes, func(c backend.Change) bool { return c.Key().Type == e.shown.Type }) {
			items = append(items, e.shown)
		}
	}
	theirs = len(items)
	for _, c := range w.changes {
		if c.New != nil {
			items = append(items, written(*c.New, a.domain))
		}
	}
	return items, theirs
}

// writeOne writes one RRset. created says that it made one that was not there before.
func (a *application) writeOne(ctx context.Context, w judged, c backend.Change) (created bool, failed *backend.Error) {
	known := find(w.standing, c.Key().Type) != nil
	err := a.traffic.write(ctx, func() error {
		switch {
		case c.New == nil:
			return a.b.client.remove(ctx, a.domain, relative(w.name, a.domain), c.Old.Type)
		case known:
			return a.b.client.replace(ctx, a.domain, written(*c.New, a.domain))
		}
		return a.b.client.create(ctx, a.domain, written(*c.New, a.domain))
	})
	if err == nil {
		return c.New != nil && !known, nil
	}
	a.b.forget(a.zone, err)
	if refused(err) {
		return false, a.whyRefused(ctx, w.name, c, err)
	}
	return false, fail(opApply, a.zone, c.Key(), err)
}

// whyRefused looks what stands at a name of which a write was refused: what was asked for after all (a
// reply was lost, or another writer was first), something else, or nothing that explains it.
func (a *application) whyRefused(ctx context.Context, name string, c backend.Change, refusal error) *backend.Error {
	standing, err := a.reread(ctx, name)
	if err != nil {
		return fail(opApply, a.zone, c.Key(), errors.Join(refusal, err))
	}
	left, wrong := a.judge(step{name: name, changes: []backend.Change{c}}, standing)
	switch {
	case len(wrong) > 0:
		return wrong[0]
	case len(left.changes) == 0:
		return nil
	}
	failed := fail(opApply, a.zone, c.Key(), refusal)
	if status(refusal) == http.StatusConflict {
		failed.Kind = backend.Temporary // it was there and went again, or is about to be shown
	}
	return failed
}

// takeBack deletes what a unit created before it failed for good, and returns it: an ownership text
// without its record would claim a record of somebody else.
func (a *application) takeBack(ctx context.Context, made []judged, why *backend.Error) (taken []backend.Change) {
	for _, w := range slices.Backward(made) {
		for _, c := range w.created {
			err := a.traffic.write(ctx, func() error {
				return a.b.client.remove(ctx, a.domain, relative(w.name, a.domain), c.New.Type)
			})
			if err != nil {
				a.b.log.Warn("a record is left behind that was made for one that could not be made",
					"zone", a.zone, "record", c.Key().String(), "because", why, "error", err)
				continue
			}
			taken = append(taken, c)
		}
	}
	return taken
}

// pending are the changes that have yet to be written.
func pending(writes []judged) []backend.Change {
	var changes []backend.Change
	for _, w := range writes {
		changes = append(changes, w.changes...)
	}
	return changes
}

// failed adds to the errors one for each change that is not among them.
func (a *application) failed(changes []backend.Change, errs []*backend.Error, guilty *backend.Error) []*backend.Error {
	for _, c := range changes {
		switch {
		case slices.ContainsFunc(errs, func(e *backend.Error) bool { return e.Key == c.Key() }):
		case c.Key() == guilty.Key:
			errs = append(errs, guilty)
		default:
			errs = append(errs, &backend.Error{Kind: guilty.Kind, Op: opApply, Zone: a.zone, Key: c.Key(), Err: fmt.Errorf(
				"not made, because %s failed: %w", guilty.Key, guilty.Err)})
		}
	}
	return errs
}
