package rollout

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
)

// mostTunnels is how many tunnels an Engine has at a time. Each takes most of a MiB, whatever goes through it: SPDY
// compresses headers, and its library with the largest window there is. A landscape has hundreds of replicas, and is asked
// for little and seldom.
const mostTunnels = 64

// room is where the tunnels of all clusters are. Those that nobody uses stay open until another needs their place.
type room struct {
	free chan struct{} // one for each that may still be opened

	mu      sync.Mutex
	waiting int
	idle    []*tunnel // the least recently used first
}

// tunnel is a connection to a pod.
type tunnel struct {
	httpstream.Connection
	of    *tunnels
	pod   types.UID
	users int
	ended bool
}

func newRoom(most int) *room {
	r := &room{free: make(chan struct{}, most)}
	for range most {
		r.free <- struct{}{}
	}
	return r
}

// enter waits until one more may be opened, and ends one that is idle for it.
func (r *room) enter(ctx context.Context) error {
	select {
	case <-r.free:
		return nil
	default:
	}
	r.mu.Lock()
	r.waiting++ // from here on none stays idle
	if len(r.idle) > 0 {
		r.end(r.idle[0])
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.waiting--
		r.mu.Unlock()
	}()
	select {
	case <-r.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// use is the tunnel to a pod if there is one that works.
func (r *room) use(t *tunnels, pod types.UID) *tunnel {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used(t.pods[pod])
}

func (r *room) used(c *tunnel) *tunnel {
	if c == nil {
		return nil
	}
	select {
	case <-c.CloseChan():
		r.end(c)
		return nil
	default:
	}
	r.idle = slices.DeleteFunc(r.idle, func(i *tunnel) bool { return i == c })
	c.users++
	return c
}

// keep takes in a tunnel that was opened, unless another was meanwhile.
func (r *room) keep(c *tunnel) *tunnel {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := r.used(c.of.pods[c.pod]); first != nil {
		r.end(c)
		return first
	}
	c.users = 1
	c.of.pods[c.pod] = c
	return c
}

// leave is for each use.
func (r *room) leave(c *tunnel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.users--
	switch {
	case c.users > 0 || c.ended:
	case r.waiting > 0:
		r.end(c)
	default:
		r.idle = append(r.idle, c)
	}
}

// drop has a tunnel not be used again.
func (r *room) drop(c *tunnel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(c)
}

// end closes a tunnel, once; the lock is held.
func (r *room) end(c *tunnel) {
	if c.ended {
		return
	}
	c.ended = true
	if c.of.pods[c.pod] == c {
		delete(c.of.pods, c.pod)
	}
	r.idle = slices.DeleteFunc(r.idle, func(i *tunnel) bool { return i == c })
	r.free <- struct{}{}
	go func() { _ = c.Close() }() // it says goodbye, and whoever hangs must not hold up the others
}
