// Package listing owns how often a service is asked for everything in a zone: one listing at a time for
// each zone, shared by all who wait, going on when they cannot wait any longer, and kept for as long as
// the configuration allows.
//
// The records of a large zone take a cloud longer to list than external-dns waits: 20,000 records are 67
// pages of Route 53 at 5 requests a second. A listing that ended with its caller would never be finished.
package listing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

const (
	// budget ends a listing that a service never finishes.
	budget = 10 * time.Minute
	// late is for how long the result of a listing whose callers have all left waits for the next one.
	late = 2 * time.Minute
)

// Cache holds the last listing of each zone. T is what a backend makes of one; it is shared by all who
// get it, so nobody modifies it.
type Cache[T any] struct {
	lifetime time.Duration
	ctx      context.Context // of the listings: they outlive the calls that began them
	cancel   context.CancelFunc
	flights  sync.WaitGroup

	mu    sync.Mutex
	zones map[string]*zone[T]
}

// zone is what is known of one zone.
type zone[T any] struct {
	last   T    // what was listed last, however old
	listed bool // last holds something
	until  time.Time
	once   bool       // nobody has had last yet
	writes int        // under way
	flight *flight[T] // the listing under way, nil when there is none
}

// flight is one listing under way.
type flight[T any] struct {
	done    chan struct{} // closed when content and err are set
	content T
	err     error
	waiting int
}

// New returns an empty cache whose listings are good for lifetime; with 0 each Get lists anew.
func New[T any](lifetime time.Duration) *Cache[T] {
	ctx, cancel := context.WithCancel(context.Background())
	return &Cache[T]{lifetime: lifetime, ctx: ctx, cancel: cancel, zones: map[string]*zone[T]{}}
}

// Get returns the content of a zone: what was listed within the lifetime, what a listing under way
// brings, or what list brings. list gets what was listed last, the zero T at first, so that it can return
// the same again when nothing changed; its context does not end with ctx. When ctx ends first, the error
// says so, and the result waits for the next Get.
func (c *Cache[T]) Get(ctx context.Context, name string, list func(ctx context.Context, last T) (T, error)) (T, error) {
	c.mu.Lock()
	z := c.zone(name)
	if z.listed && time.Now().Before(z.until) {
		if z.once {
			z.once = false
			z.until = time.Time{} // it was for one Get; its lifetime, if any, was over before
		}
		defer c.mu.Unlock()
		return z.last, nil
	}
	f := z.flight
	if f == nil {
		if err := c.ctx.Err(); err != nil {
			c.mu.Unlock()
			var none T
			return none, errors.New("the backend is closed")
		}
		f = &flight[T]{done: make(chan struct{})}
		z.flight = f
		last := z.last
		c.flights.Go(func() { c.fly(z, f, last, list) })
	}
	f.waiting++
	c.mu.Unlock()

	select {
	case <-f.done:
		return f.content, f.err
	case <-ctx.Done():
		c.mu.Lock()
		f.waiting--
		c.mu.Unlock()
		var none T
		return none, fmt.Errorf("the listing goes on, its result is for the next call: %w", context.Cause(ctx))
	}
}

// fly lists and hands the result to all who wait.
func (c *Cache[T]) fly(z *zone[T], f *flight[T], last T, list func(context.Context, T) (T, error)) {
	ctx, cancel := context.WithTimeoutCause(c.ctx, budget, fmt.Errorf("no complete listing within %s", budget))
	defer cancel()
	began := time.Now()
	var content T
	var err error
	if panicked := backend.Caught(func() { content, err = list(ctx, last) }); panicked != nil {
		err = panicked
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	f.content, f.err = content, err
	if z.flight != f {
		return // the zone changed since it began: what it saw is for those who asked before
	}
	z.flight = nil
	if err != nil || z.writes > 0 { // nobody knows how much of what is being written it saw
		return
	}
	z.last, z.listed = content, true
	z.until, z.once = began.Add(c.lifetime), false
	if f.waiting == 0 && time.Until(z.until) <= 0 {
		z.until, z.once = time.Now().Add(late), true
	}
}

// Last returns what was listed last, however old: a belief that the service has to confirm before
// anything is written on it.
func (c *Cache[T]) Last(name string) (content T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	z := c.zone(name)
	return z.last, z.listed
}

// Changed says that the zone was written to: what was listed so far is not fresh any more, nor is what a
// listing under way will bring.
func (c *Cache[T]) Changed(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zone(name).changed()
}

// Writing says that the zone is being written to, until the function it returns is called. Besides what
// Changed does at both ends, no listing that ran in between, whole or in part, is ever handed out as the last.
func (c *Cache[T]) Writing(name string) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	z := c.zone(name)
	z.changed()
	z.writes++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		z.changed()
		z.writes--
	}
}

func (z *zone[T]) changed() { z.until, z.once, z.flight = time.Time{}, false, nil }

// Close ends the listings under way and waits for them.
func (c *Cache[T]) Close() error {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.flights.Wait()
	return nil
}

// zone returns the entry of a zone; mu is held.
func (c *Cache[T]) zone(name string) *zone[T] {
	z := c.zones[name]
	if z == nil {
		z = &zone[T]{}
		c.zones[name] = z
	}
	return z
}
