package azuredns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/spokedns/spokedns/webhook/backend"
)

const opUpdate = "azuredns: update"

// Apply implements backend.Backend.
func (b *Backend) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	w, err := b.writer(ctx, zone)
	if err != nil {
		return failure(ctx, opUpdate, zone, err)
	}
	defer b.records.Writing(zone)()

	// What would refuse every other unit too ends the work, but none that is under way.
	going, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	slots := make(chan struct{}, b.concurrency)
	units := backend.Units(changes)
	errs := make([]error, len(units)+1)
	var made atomic.Int64
	var all sync.WaitGroup
	for i, unit := range units {
		if !enter(going, slots) {
			all.Wait()
			errs[len(units)] = backend.Unfinished(going, opUpdate, zone, slices.Concat(units[i:]...), int(made.Load()))
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			var failed []error
			if panicked := backend.Caught(func() { failed = w.unit(ctx, unit) }); panicked != nil {
				failed = w.notMade(unit, nil, 0, backend.Temporary, panicked)
			}
			errs[i] = errors.Join(failed...)
			made.Add(int64(len(unit) - len(failed)))
			if cause := hopeless(errs[i]); cause != nil {
				stop(cause)
			}
		})
	}
	all.Wait()
	if now, ok := b.records.Last(zone); ok {
		w.teach(now)
	}
	if hasZoneGone(errs) {
		b.zones.forget()
	}
	return errors.Join(errs...)
}

// enter waits for a slot; false when the work ended before.
func enter(ctx context.Context, slots chan<- struct{}) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// writer returns what changes a zone, with the belief to judge changes by: what was listed last, or, in a
// fresh process or when the zone is another one now, what is listed now.
func (b *Backend) writer(ctx context.Context, zone string) (*writer, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	z, err := b.zones.find(ctx, zone)
	if err != nil {
		return nil, err
	}
	known, ok := b.records.Last(zone)
	if !ok || known.zone != z {
		if known, err = b.content(ctx, zone); err != nil {
			return nil, err
		}
	}
	s, err := b.zones.service(known.zone.kind, known.zone.subscription)
	return &writer{service: s, zone: known.zone, name: zone, known: known, limits: b.limits}, err
}

// cause is the error of the SDK in a failed change.
type cause struct {
	error       // in one line
	raw   error // as the SDK gave it
}

func (c *cause) Unwrap() error { return c.raw }

// hopeless returns why there is no sense in starting on other units, nil when there is: the service's
// limits are used up for longer than there is time, the zone is gone, or nobody knows us.
func hopeless(err error) error {
	var throttled *throttledError
	var c *cause
	var identity *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &throttled):
		return throttled
	case errors.As(err, &c) && hasStatus(c.raw, http.StatusTooManyRequests):
		return c
	case errors.As(err, &c) && (zoneGone(c.raw) || hasStatus(c.raw, http.StatusUnauthorized) || errors.As(c.raw, &identity)):
		return c
	}
	return nil
}

func hasZoneGone(errs []error) bool {
	return slices.ContainsFunc(errs, func(err error) bool { return err != nil && zoneGone(err) })
}

// standing says what stands instead of what was expected.
func standing(r *record) error {
	switch {
	case r == nil:
		return fmt.Errorf("%w: there is no such record set", backend.ErrConflict)
	case r.foreign != "":
		return fmt.Errorf("%w: %s", backend.ErrConflict, r.foreign)
	}
	return fmt.Errorf("%w: %q", backend.ErrConflict, r.set.Values)
}
