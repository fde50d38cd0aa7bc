package listing_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// service counts how often it is asked, and takes its time.
type service struct {
	mu    sync.Mutex
	asked int
	took  time.Duration
	err   error
}

func (s *service) list(ctx context.Context, last int) (int, error) {
	s.mu.Lock()
	s.asked++
	n, took, err := s.asked, s.took, s.err
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return n, err
}

func opened(t *testing.T, lifetime time.Duration) *listing.Cache[int] {
	t.Helper()
	c := listing.New[int](lifetime)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func get(t *testing.T, c *listing.Cache[int], s *service, want int) {
	t.Helper()
	if got, err := c.Get(t.Context(), "z", s.list); err != nil || got != want {
		t.Fatalf("got listing %d, %v; want %d", got, err, want)
	}
}

func TestWithoutALifetimeEachGetLists(t *testing.T) {
	c, s := opened(t, 0), &service{}
	get(t, c, s, 1)
	get(t, c, s, 2)
	if last, ok := c.Last("z"); !ok || last != 2 {
		t.Errorf("Last is %d, %t; want 2", last, ok)
	}
	if _, ok := c.Last("other"); ok {
		t.Error("Last knows a zone that was never listed")
	}
}

func TestAListingIsGoodForItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := opened(t, time.Minute), &service{took: time.Second}
		get(t, c, s, 1)
		time.Sleep(58 * time.Second)
		get(t, c, s, 1)
		time.Sleep(time.Second) // counted from when it began
		get(t, c, s, 2)
		c.Changed("z")
		get(t, c, s, 3)
	})
}

// A listing that begins while something is written may miss it, and a belief that misses it leaves out a deletion.
func TestAListingDuringAWriteIsNeverTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := opened(t, time.Minute), &service{took: time.Second}
		get(t, c, s, 1)
		done := c.Writing("z")
		get(t, c, s, 2) // for who asks now
		if last, ok := c.Last("z"); !ok || last != 1 {
			t.Errorf("during the write the last is %d, %v; want that from before", last, ok)
		}
		s.took = 20 * time.Second
		leave(t, c, s) // it ends after the write
		done()
		time.Sleep(time.Minute)
		if last, ok := c.Last("z"); !ok || last != 1 {
			t.Errorf("after the write the last is %d, %v; want that from before", last, ok)
		}
		get(t, c, s, 4)
		if last, ok := c.Last("z"); !ok || last != 4 {
			t.Errorf("the last is %d, %v; want the one that began after the write", last, ok)
		}
	})
}

func TestOneListingForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := opened(t, 0), &service{took: time.Second}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { get(t, c, s, 1) })
		}
		all.Wait()
	})
}

func TestAListingOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := opened(t, 0), &service{took: 20 * time.Second}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 13*time.Second, errors.New("out of time"))
		defer cancel()
		if _, err := c.Get(ctx, "z", s.list); err == nil || !strings.Contains(err.Error(), "goes on") || !strings.Contains(err.Error(), "out of time") {
			t.Fatalf("got %v, want that it goes on and why the caller left", err)
		}
		time.Sleep(47 * time.Second)
		get(t, c, s, 1) // the next loop takes what became of it
		get(t, c, s, 2) // and only that one

		leave(t, c, s)
		time.Sleep(5 * time.Minute) // but not when it is old
		get(t, c, s, 4)
		leave(t, c, s)
		c.Changed("z") // nor when we have written since
		get(t, c, s, 6)
	})
}

// leave begins a listing and does not wait for it.
func leave(t *testing.T, c *listing.Cache[int], s *service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Get(ctx, "z", s.list); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestAChangeDetachesTheListingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := opened(t, time.Minute), &service{took: 10 * time.Second}
		var before sync.WaitGroup
		before.Go(func() { get(t, c, s, 1) }) // asked before the change, may see it or not
		time.Sleep(time.Second)
		c.Changed("z")
		get(t, c, s, 2)
		before.Wait()
		get(t, c, s, 2)
	})
}

func TestErrorsAndPanicsAreNotKept(t *testing.T) {
	c, s := opened(t, time.Minute), &service{err: errors.New("throttled")}
	for range 2 {
		if _, err := c.Get(t.Context(), "z", s.list); err == nil || err.Error() != "throttled" {
			t.Errorf("got %v, want throttled", err)
		}
	}
	_, err := c.Get(t.Context(), "z", func(context.Context, int) (int, error) { panic("oh") })
	if err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("got %v, want the panic as an error", err)
	}
	s.err = nil
	get(t, c, s, 3)
}

func TestCloseEndsListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := opened(t, 0), &service{took: time.Hour}
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := c.Get(t.Context(), "z", s.list); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want it canceled", err)
			}
		})
		time.Sleep(time.Second)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		if _, err := c.Get(t.Context(), "z", s.list); err == nil {
			t.Error("a closed cache lists")
		}
	})
}

func TestListGetsWhatWasListedLast(t *testing.T) {
	c, s := opened(t, 0), &service{}
	get(t, c, s, 1)
	got, err := c.Get(t.Context(), "z", func(_ context.Context, last int) (int, error) { return last + 100, nil })
	if err != nil || got != 101 {
		t.Errorf("got %d, %v; want 101", got, err)
	}
}
