package azuredns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// writer changes one zone.
type writer struct {
	service service
	zone    zoneID
	name    string // of the zone, as the caller calls it
	known   *content
	limits  backend.Limits

	mu      sync.Mutex
	learned []fact
}

// fact is what stood at a key when we wrote or read it; nil: nothing.
type fact struct {
	key    backend.Key
	record *record
}

// learn remembers a fact.
func (w *writer) learn(key backend.Key, r *record) {
	w.known.learn(key, r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.learned = append(w.learned, fact{key, r})
}

// teach tells a content that was listed in the meantime what we know: it may be from before.
func (w *writer) teach(c *content) {
	if c == w.known {
		return
	}
	for _, f := range w.learned {
		c.learn(f.key, f.record)
	}
}

const (
	// tries bounds how often a change is judged anew because somebody else writes the same record set.
	tries = 4
	// undoTime is what the undoing of a failed unit gets beyond the caller's time.
	undoTime = 2 * time.Second
)

// step is one change of a unit that was made.
type step struct {
	key           backend.Key
	before, after *record // nil: none
	needless      bool    // it was as wanted before
	undone        bool
}

// unit makes the changes of one unit, one after the other, and returns an error for each that was not
// made. What a refusal leaves half done is undone.
func (w *writer) unit(ctx context.Context, unit []backend.Change) []error {
	unit = backend.Sequence(unit)
	for i, c := range unit {
		if refused := w.check(&c); refused != nil {
			return w.notMade(unit, nil, i, backend.Rejected, refused)
		}
		unit[i] = c
	}
	for i, c := range unit {
		if kind, err := w.judge(ctx, c, unit); err != nil {
			return w.notMade(unit, nil, i, kind, err)
		}
	}
	done := make([]*step, len(unit))
	for i, c := range unit {
		s, err := w.change(ctx, c)
		if err != nil {
			kind, why := w.classify(ctx, err)
			if left := w.undo(ctx, done[:i], kind, c); left != nil {
				why = fmt.Errorf("%w; %w", why, left)
			}
			return w.notMade(unit, done, i, kind, why)
		}
		done[i] = s
	}
	return nil
}

// check clamps the TTL of a change and says why the service would not take it.
func (w *writer) check(c *backend.Change) error {
	if c.New == nil {
		return nil
	}
	wanted := *c.New
	wanted.TTL = w.limits.Clamp(wanted.TTL)
	c.New = &wanted
	return w.limits.Check(w.name, wanted)
}

// judge says whether a change is a conflict, before anything of its unit is written. What we believe may
// be old, so only what stands now can convict.
func (w *writer) judge(ctx context.Context, c backend.Change, unit []backend.Change) (backend.Kind, error) {
	if _, err := decide(w.known.get(c.Key()), c); err != nil {
		r, err := w.read(ctx, c.Key())
		if err != nil {
			return w.classify(ctx, err)
		}
		if _, err := decide(r, c); err != nil {
			return backend.Conflict, standing(r)
		}
	}
	for _, key := range w.neighbours(c, unit) {
		switch r, err := w.read(ctx, key); {
		case err != nil:
			return w.classify(ctx, err)
		case r != nil:
			return backend.Conflict, fmt.Errorf("%w: a CNAME stands alone at its name, and %s stands there", backend.ErrConflict, key)
		}
	}
	return 0, nil
}

// neighbours are the record sets that we believe to be in the way of a created one: a CNAME, or what keeps
// one from being made. What the unit deletes is not.
func (w *writer) neighbours(c backend.Change, unit []backend.Change) []backend.Key {
	if c.New == nil || w.known.get(c.Key()) != nil {
		return nil
	}
	types := []string{"CNAME"}
	if c.New.Type == "CNAME" {
		types = append(slices.DeleteFunc(slices.Clone(w.limits.Types), func(t string) bool { return t == "CNAME" }), "CAA")
	}
	var found []backend.Key
	for _, typ := range types {
		key := backend.Key{Name: c.New.Name, Type: typ}
		leaves := slices.ContainsFunc(unit, func(o backend.Change) bool { return o.Key() == key && o.New == nil })
		if key != c.Key() && !leaves && w.known.get(key) != nil {
			found = append(found, key)
		}
	}
	return found
}

// decide is backend.Decide for what stands in Azure: a record set that is not ours is a conflict, and one
// without values counts as none.
func decide(r *record, c backend.Change) (write bool, err error) {
	if r != nil && r.foreign != "" {
		return false, backend.ErrConflict
	}
	if r == nil || len(r.set.Values) == 0 {
		return backend.Decide(nil, c)
	}
	return backend.Decide(&r.set, c)
}

// change makes one change and returns what was done. A write is confirmed
// by its etag: the service refuses it when something else stands there than we believe, and then we look
// again. Where nothing is to be written, looking is the only confirmation.
func (w *writer) change(ctx context.Context, c backend.Change) (*step, error) {
	r, seen := w.known.get(c.Key()), false
	for range tries {
		write, err := decide(r, c)
		switch {
		case write:
			s, err := w.write(ctx, c.Key(), r, c.New)
			if !hasStatus(err, http.StatusPreconditionFailed) {
				return s, err
			}
		case err == nil && c.Old.Same(c.New):
			// Nothing was asked for: external-dns updates the ownership text with its record.
			return &step{key: c.Key(), needless: true}, nil
		case !seen:
		case err != nil:
			return nil, &conflict{standing(r)}
		default:
			return &step{key: c.Key(), needless: true}, nil
		}
		if r, err = w.read(ctx, c.Key()); err != nil {
			return nil, err
		}
		seen = true
	}
	return nil, &conflict{fmt.Errorf("%w: others keep changing it", backend.ErrConflict)}
}

// conflict is a change that does not meet what it expects.
type conflict struct{ error }

func (c *conflict) Unwrap() error { return c.error }

// write replaces what stands at a key, if it still does.
func (w *writer) write(ctx context.Context, key backend.Key, before *record, wanted *backend.RRset) (*step, error) {
	g := guard{absent: before == nil}
	if before != nil {
		g.etag = before.etag
	}
	if wanted == nil {
		if err := w.service.remove(ctx, w.zone, key, g); err != nil {
			return nil, err
		}
		w.learn(key, nil)
		return &step{before: before, key: key}, nil
	}
	after := record{set: *wanted}
	if before != nil {
		after.metadata = before.metadata
	}
	after, err := w.put(ctx, after, g)
	if err != nil {
		return nil, err
	}
	return &step{before: before, after: &after, key: key}, nil
}

// put writes a record set and returns it with its new etag.
func (w *writer) put(ctx context.Context, r record, g guard) (record, error) {
	etag, err := w.service.put(ctx, w.zone, r, g)
	if err != nil {
		return r, err
	}
	r.etag = etag
	w.learn(r.set.Key, &r)
	return r, nil
}

// read asks what stands at a key now.
func (w *writer) read(ctx context.Context, key backend.Key) (*record, error) {
	r, err := w.service.get(ctx, w.zone, key)
	if err != nil {
		return nil, err
	}
	w.learn(key, r)
	return r, nil
}

// undo takes back what was done of a unit whose next change failed, and marks it. When the failure may heal, what was done is half of what the next loop asks for anyway; only a
// name that lost its records to make room for those that could not be written gets them back. The error
// says what could not be taken back.
func (w *writer) undo(ctx context.Context, done []*step, kind backend.Kind, failed backend.Change) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	var errs []error
	for i := len(done) - 1; i >= 0; i-- {
		s := done[i]
		if s.needless || kind == backend.Temporary && !s.madeRoomFor(failed) {
			continue
		}
		if err := w.revert(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("%s could not be put back: %w", s.key, explained(ctx, err)))
			continue
		}
		s.undone = true
	}
	return errors.Join(errs...)
}

// madeRoomFor says that the step deleted something so that the change could be made.
func (s *step) madeRoomFor(c backend.Change) bool {
	return s.after == nil && c.New != nil && s.key.Name == c.New.Name
}

// revert takes one step back, with what others had noted on the record set.
func (w *writer) revert(ctx context.Context, s *step) error {
	var err error
	switch {
	case s.before == nil:
		_, err = w.write(ctx, s.key, s.after, nil)
	case s.after == nil:
		_, err = w.put(ctx, *s.before, guard{absent: true})
	default:
		_, err = w.put(ctx, *s.before, guard{etag: s.after.etag})
	}
	return err
}

// classify says what an error in the middle of a unit means, in one line that keeps its cause.
func (w *writer) classify(ctx context.Context, err error) (backend.Kind, error) {
	var c *conflict
	if errors.As(err, &c) {
		return backend.Conflict, c.error
	}
	if ctx.Err() != nil && !hasAnswer(err) {
		return backend.Temporary, fmt.Errorf("whether it was made could not be confirmed: %w", context.Cause(ctx))
	}
	return kindOf(err), &cause{explained(ctx, err), err}
}

// notMade is an error for each change of a unit that does not stand: the guilty one with its reason, the
// others because of it.
func (w *writer) notMade(unit []backend.Change, done []*step, guilty int, kind backend.Kind, why error) []error {
	var errs []error
	for i, c := range unit {
		err := why
		switch {
		case i < guilty && done != nil && !done[i].undone:
			continue
		case i != guilty:
			err = fmt.Errorf("not changed, because %s is not", unit[guilty].Key())
		}
		errs = append(errs, &backend.Error{Kind: kind, Op: opUpdate, Zone: w.name, Key: c.Key(), Err: err})
	}
	return errs
}
