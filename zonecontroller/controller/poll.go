package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// asking is how many questions for serials are under way at one server.
const asking = 8

// fastest is how many zones of one server are asked for in a second; with more of them a round takes longer.
const fastest = 500

// poll asks every server for the serial of each of its zones, round after round, until ctx ends.
func (c *Controller) poll(ctx context.Context) {
	var wait sync.WaitGroup
	defer wait.Wait()
	rounds := map[types.NamespacedName]*round{}
	tick := time.NewTicker(c.opts.Poll)
	defer tick.Stop()
	for {
		for name, l := range c.pool.names() {
			r := rounds[name]
			if r == nil {
				r = &round{}
				rounds[name] = r
			}
			if r.begin() {
				wait.Go(func() {
					defer r.end()
					c.round(ctx, name, l)
				})
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round is one at a time for each server.
type round struct {
	mu   sync.Mutex
	busy bool
}

func (r *round) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.busy
	r.busy = true
	return !was
}

func (r *round) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
}

// round asks one server for all its zones. The first that is not answered at all ends it: nobody waits for each of a
// hundred zones that a server is gone.
func (c *Controller) round(ctx context.Context, server types.NamespacedName, l *link) {
	posts := c.memory.on(server)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	slots := make(chan struct{}, asking)
	for i, p := range posts {
		if i > 0 && i%fastest == 0 {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			if !c.check(ctx, server, l, p) {
				cancel()
			}
		})
	}
	wait.Wait()
}

// check asks for one zone, and has it looked at if the answer is not the expected one. It returns false when the server
// could not be reached.
func (c *Controller) check(ctx context.Context, server types.NamespacedName, l *link, p post) bool {
	soa, err := c.serial(ctx, l, p.name)
	is := classify(err)
	if is == unreachable && ctx.Err() == nil {
		soa, err = c.serial(ctx, l, p.name) // the connection may have been an old one
		is = classify(err)
	}
	if ctx.Err() != nil {
		return true // cut short, which says nothing
	}
	c.opts.Metrics.polled(is)
	if is == unreachable {
		if l.fell(err) {
			c.opts.Log.Warn("server cannot be reached", "server", server, "error", err)
			c.lookAll(ctx, server)
		}
		return false
	}
	if l.rose() {
		c.opts.Log.Info("server can be reached again", "server", server)
		c.lookAll(ctx, server)
		return true
	}
	now, there := c.memory.post(server, p.zone)
	if !there || now.busy || now.glimpse != p.glimpse {
		return true // it has been looked at meanwhile
	}
	switch {
	case is == p.answer && (is != served || soa.Serial == p.serial):
	case is == served && p.answer == served && p.role == v1alpha1.Secondary && p.state == v1alpha1.Serving && rfc2136.Newer(soa.Serial, p.serial) && !rfc2136.Newer(soa.Serial, now.seen):
		c.memory.caughtUp(server, p.zone, soa.Serial)
	case p.state == v1alpha1.Leaving, now.idle:
	default:
		c.opts.Log.Debug("a zone is not as it was", "zone", p.name, "server", server, "answer", is, "was", p.answer, "serial", soa.Serial, "had", p.serial)
		c.look(ctx, p.zone)
	}
	return true
}

func (c *Controller) serial(ctx context.Context, l *link, zone string) (rfc2136.SOA, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Call)
	defer cancel()
	return l.server.DNS.SOA(ctx, zone)
}

// lookAll has all zones of a server looked at.
func (c *Controller) lookAll(ctx context.Context, server types.NamespacedName) {
	for _, p := range c.memory.on(server) {
		c.look(ctx, p.zone)
	}
}
