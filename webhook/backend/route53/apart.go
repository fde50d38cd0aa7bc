package route53

import (
	"context"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
)

// apart writes a unit that is larger than a request: one change after the other, in the order in which
// wherever it ends what stands is owned. When one fails the rest is not made.
func (w *writer) apart(ctx context.Context, u *unit) {
	rest := backend.Sequence(u.changes)
	for i, c := range rest {
		if ctx.Err() != nil {
			w.unreached = append(w.unreached, rest[i:]...)
			return
		}
		if err := w.alone(ctx, c); err != nil {
			errs := []*backend.Error{{Kind: kindOf(err), Key: c.Key(), Err: plain(err)}}
			for _, later := range rest[i+1:] {
				errs = append(errs, &backend.Error{Kind: kindOf(err), Key: later.Key(), Err: fmt.Errorf("not changed, because %s is refused", c.Key())})
			}
			w.fail(errs)
			return
		}
		w.made++
	}
}

// alone writes one change of a unit that is too large. When even that is too large, what stands is deleted
// first and put back if the new cannot be created.
func (w *writer) alone(ctx context.Context, c backend.Change) error {
	one := &unit{changes: []backend.Change{c}}
	if refused := one.judge(w.zone, over(w.believed)); refused != nil {
		return refused[0]
	}
	if len(one.deletes)+len(one.creates) == 0 {
		return nil
	}
	if one.size.fits() {
		return w.request(ctx, one.deletes, one.creates)
	}
	if err := w.request(ctx, one.deletes, nil); err != nil {
		return err
	}
	err := w.request(ctx, nil, one.creates)
	if err != nil {
		put := write{key: one.deletes[0].key, raw: one.deletes[0].raw}
		if old := c.Old; old != nil {
			put.set = old
		}
		if back := w.request(context.WithoutCancel(ctx), nil, []write{put}); back != nil {
			return fmt.Errorf("%w; and what stood could not be put back: %w", err, back)
		}
	}
	return err
}
