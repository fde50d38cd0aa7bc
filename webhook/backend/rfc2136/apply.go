package rfc2136

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// maxTries is how often a unit is decided anew while its prerequisites keep failing.
const maxTries = 3

// run is one Apply on one server. Messages are filled with as many units as fit; a message that is
// refused is halved until the guilty unit stands alone, and doubled again with each that is accepted.
type run struct {
	*session
	pending []*unit
	made    int // changes made, or found made
	limit   int // units in the next message at most
	message *wire.Update
	errs    []error
	probed  bool // the server was found to accept updates of the zone
}

func (s *session) apply(ctx context.Context, units []*unit) error {
	message, err := wire.NewUpdate(s.zone)
	if err != nil {
		return err
	}
	r := &run{session: s, pending: units, limit: cmp.Or(s.most, len(units)), message: message}
	for len(r.pending) > 0 {
		if ctx.Err() != nil {
			r.errs = append(r.errs, backend.Unfinished(ctx, opUpdate, s.zone, r.rest(), r.made))
			break
		}
		if err := r.step(ctx); err != nil {
			r.abandon(err)
			break
		}
	}
	return errors.Join(r.errs...)
}

// step sends one message and draws the conclusion. An error ends the run.
func (r *run) step(ctx context.Context) error {
	n := r.fill()
	if n == 0 {
		return nil
	}
	code, err := r.send(ctx, r.message)
	switch {
	case err != nil:
		if isSlow(err) { // the next call gives it less at once
			r.most = max(1, n/4)
		}
		return err
	case code == wire.NoError:
		for range n {
			r.made += len(r.pending[0].changes)
			r.pending = r.pending[1:]
		}
		r.limit = max(1, min(2*r.limit, len(r.pending)))
		if r.most *= 2; r.most > wire.MaxMessage {
			r.most = 0
		}
		return nil
	case code.Prerequisite():
		return r.settle(ctx, n)
	case wholeZone(code):
		return r.refusal("update", code)
	}
	if err := r.probe(ctx, code); err != nil {
		return err
	}
	if n > 1 {
		r.limit = n / 2
		return nil
	}
	refused := r.refusal("update", code)
	r.refuse(&verdict{r.pending[0].changes[0].Key(), kindOf(refused), refused})
	return nil
}

// fill packs the first pending units into the message and returns how many. Units that no message can
// hold are reported and taken out.
func (r *run) fill() int {
	room := wire.MaxMessage - r.server.key.Overhead()
	r.message.Reset()
	n := 0
	for n < min(len(r.pending), r.limit) {
		mark := r.message.Mark()
		err := r.pending[n].encode(r.message, r.copy, r.scope)
		if err == nil && r.message.Len() <= room {
			n++
			continue
		}
		size := r.message.Len() - room
		r.message.Rollback(mark)
		if n > 0 {
			break
		}
		if err == nil {
			err = fmt.Errorf("the change needs %d bytes more than the 64 KiB of one UPDATE message", size)
		}
		r.refuse(&verdict{r.pending[0].changes[0].Key(), backend.Rejected, err})
	}
	return n
}

// send sends an UPDATE message and returns the response code.
func (s *session) send(ctx context.Context, m *wire.Update) (wire.Rcode, error) {
	a, err := s.ask(ctx, func(b []byte, id uint16) ([]byte, error) { return m.Message(b, id), nil })
	if err != nil {
		return 0, err
	}
	return a.Header.Rcode, nil
}

// probe finds out, once, whether the code is the answer to any update: then nobody is to blame.
func (r *run) probe(ctx context.Context, code wire.Rcode) error {
	if r.probed {
		return nil
	}
	r.probed = true
	r.message.Reset()
	answer, err := r.send(ctx, r.message)
	if err == nil && answer == code {
		err = r.refusal("update", code)
	}
	return err
}

// settle deals with a message of n units whose prerequisites do not all hold: what stands is read, and
// all that is pending is decided on it. What fails again although it was decided is halved.
func (r *run) settle(ctx context.Context, n int) error {
	tries := r.pending[0].tries
	if tries > 0 {
		r.limit = max(1, n/2)
	}
	switch {
	case n == 1 && tries >= maxTries:
		r.refuse(&verdict{r.pending[0].changes[0].Key(), backend.Conflict, errHidden})
		return nil
	case n == 1 && tries > 0: // the copy may be wrong in spite of its serial
		if err := r.transfer(ctx, nil); err != nil {
			return err
		}
	default:
		if err := r.refresh(ctx); err != nil {
			return err
		}
	}
	units := r.pending
	r.pending = nil
	for _, u := range units {
		todo, v := judge(u, r.copy)
		if v != nil {
			r.blame(u, v)
			continue
		}
		r.made += len(u.changes) - len(todo)
		if len(todo) > 0 {
			r.pending = append(r.pending, &unit{changes: todo, tries: u.tries + 1})
		}
	}
	return nil
}

// refuse takes the first pending unit out and reports it.
func (r *run) refuse(v *verdict) {
	r.blame(r.pending[0], v)
	r.pending = r.pending[1:]
}

func (r *run) blame(u *unit, v *verdict) {
	r.errs = append(r.errs, v.errors(r.zone, u.changes)...)
}

// errors names every RRset of the unit.
func (v *verdict) errors(zone string, changes []backend.Change) []error {
	errs := []error{&backend.Error{Kind: v.kind, Op: opUpdate, Zone: zone, Key: v.key, Err: v.err}}
	for _, c := range changes {
		if k := c.Key(); k != v.key {
			errs = append(errs, &backend.Error{Kind: v.kind, Op: opUpdate, Zone: zone, Key: k,
				Err: fmt.Errorf("not changed, because %s cannot be", v.key)})
		}
	}
	return errs
}

// abandon reports all that is pending.
func (r *run) abandon(err error) {
	e := &backend.Error{Kind: kindOf(err), Op: opUpdate, Zone: r.zone, Err: r.explain(err)}
	rest := r.rest()
	var refused *refusal
	if !errors.As(err, &refused) && e.Kind == backend.Temporary {
		e.Key = rest[0].Key()
		e.Err = fmt.Errorf("%d of %d changes made, this one is the next: %w", r.made, r.made+len(rest), e.Err)
	}
	r.errs = append(r.errs, e)
}

func (r *run) rest() []backend.Change {
	var all []backend.Change
	for _, u := range r.pending {
		all = append(all, u.changes...)
	}
	return all
}
