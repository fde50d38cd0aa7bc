package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/webhook/backend"
)

// zone is the watched copy of one zone. It is loaded by the first call that needs it and fed by a watch
// from then on. When the watch ends, by compaction or because a right was taken away, the next call
// loads it again.
type zone struct {
	layout
	log  *slog.Logger
	life context.Context // of the backend: how long a watch may live

	loading chan struct{} // holds one token while a caller loads

	mu      sync.Mutex
	replica *replica // nil before the first load and after the watch ended
	rev     int64    // the revision the replica is at
	cluster uint64   // id of the cluster it was read from
	stop    context.CancelFunc
	moved   chan struct{} // closed, and replaced, when rev or replica changed
}

const (
	pageSize      = 25_000                  // keys a request; pages of 1,000 are several times slower
	progressAgain = 20 * time.Millisecond   // etcd drops a request for progress while a watch catches up
	watchPatience = 2500 * time.Millisecond // after which a watch that lags behind is given up for a new copy
)

// errLagging is why a copy was given up though nothing failed.
var errLagging = errors.New("the watch does not catch up")

func newZone(life context.Context, l layout, log *slog.Logger) *zone {
	return &zone{layout: l, log: log, life: life, loading: make(chan struct{}, 1), moved: make(chan struct{})}
}

// fresh brings the copy to a revision at which everything is visible that had been written, by anyone,
// when it was called. It costs one linearizable read of one key.
func (z *zone) fresh(ctx context.Context, c *conn) error {
	for range 3 {
		known, err := z.load(ctx, c)
		if err != nil {
			return err
		}
		resp, err := c.Get(ctx, z.guardKey(z.zone), clientv3.WithKeysOnly())
		if err != nil {
			return err
		}
		if resp.Header.Revision < known || resp.Header.ClusterId != z.clusterID() {
			z.log.Warn("etcd went back in time or is another one; reading the zone again", "zone", z.zone, "revision", resp.Header.Revision, "known", known)
			z.discard()
			continue
		}
		err = z.reach(ctx, c, resp.Header.Revision)
		if !errors.Is(err, errLagging) {
			return err
		}
		z.log.Info("the watch does not catch up; reading the zone again", "zone", z.zone)
		z.discard()
	}
	return errLagging
}

func (z *zone) clusterID() uint64 {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.cluster
}

// reach waits until the copy is at the revision or beyond, but not for a watch that is stuck.
func (z *zone) reach(ctx context.Context, c *conn, rev int64) error {
	patient, cancel := context.WithTimeoutCause(ctx, watchPatience, errLagging)
	defer cancel()
	for {
		z.mu.Lock()
		there, gone, moved := z.rev >= rev, z.replica == nil, z.moved
		z.mu.Unlock()
		switch {
		case gone:
			return errLagging
		case there:
			return nil
		}
		// What was written elsewhere in etcd makes no event here, so the revision has to be asked for.
		if err := c.RequestProgress(patient); err != nil && patient.Err() == nil {
			return err
		}
		again := time.NewTimer(progressAgain)
		select {
		case <-moved:
		case <-again.C:
		case <-patient.Done():
			again.Stop()
			return context.Cause(patient)
		}
		again.Stop()
	}
}

// load makes sure that there is a copy and returns the revision it is at.
func (z *zone) load(ctx context.Context, c *conn) (int64, error) {
	select {
	case z.loading <- struct{}{}:
		defer func() { <-z.loading }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	z.mu.Lock()
	rev, there := z.rev, z.replica != nil
	z.mu.Unlock()
	if there {
		return rev, nil
	}
	start := time.Now()
	var r *replica
	rev, cluster, err := pages(ctx, c, z.all(), func(total int64, kvs []*mvccpb.KeyValue) {
		if r == nil {
			r = newReplica(z.layout, z.log, int(total))
		}
		for _, kv := range kvs {
			r.add(string(kv.Key), kv.Value, kv.ModRevision)
		}
	})
	if err != nil {
		return 0, err
	}
	z.log.Debug("read the zone from etcd", "zone", z.zone, "names", len(r.names), "revision", rev, "took", time.Since(start))
	watching, stop := context.WithCancel(z.life)
	z.mu.Lock()
	z.replica, z.rev, z.cluster, z.stop = r, rev, cluster, stop
	z.move()
	z.mu.Unlock()
	go z.follow(watching, c, r, rev)
	return rev, nil
}

// pages reads all keys of the span as of one revision. While take works on one page, the next one is
// on its way.
func pages(ctx context.Context, c *conn, s span, take func(total int64, kvs []*mvccpb.KeyValue)) (rev int64, cluster uint64, err error) {
	type page struct {
		*clientv3.GetResponse
		err error
	}
	fetch := func(from string, rev int64) <-chan page {
		out := make(chan page, 1)
		go func() {
			resp, err := c.Get(ctx, from, clientv3.WithRange(s.end), clientv3.WithRev(rev), clientv3.WithLimit(pageSize))
			out <- page{resp, err}
		}()
		return out
	}
	for next := fetch(s.first, 0); next != nil; {
		p := <-next
		if p.err != nil {
			return 0, 0, p.err
		}
		if rev == 0 {
			rev, cluster = p.Header.Revision, p.Header.ClusterId
		}
		next = nil
		if p.More && len(p.Kvs) > 0 {
			next = fetch(string(p.Kvs[len(p.Kvs)-1].Key)+"\x00", rev)
		}
		take(p.Count, p.Kvs)
	}
	return rev, cluster, nil
}

// follow feeds a replica, which is at the revision, until its watch ends.
func (z *zone) follow(ctx context.Context, c *conn, r *replica, rev int64) {
	keys := z.all()
	for resp := range c.Watch(ctx, keys.first, clientv3.WithRange(keys.end), clientv3.WithRev(rev+1)) {
		if err := resp.Err(); err != nil {
			z.log.Info("the watch of the zone ended; it is read again when needed", "zone", z.zone, "error", err)
			break
		}
		z.mu.Lock()
		if z.replica != r {
			z.mu.Unlock()
			return
		}
		for _, ev := range resp.Events {
			if ev.Type == clientv3.EventTypeDelete {
				r.remove(string(ev.Kv.Key))
			} else {
				r.put(string(ev.Kv.Key), ev.Kv.Value, ev.Kv.ModRevision)
			}
			z.rev = max(z.rev, ev.Kv.ModRevision)
		}
		if resp.IsProgressNotify() {
			z.rev = max(z.rev, resp.Header.Revision)
		}
		z.move()
		z.mu.Unlock()
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.replica == r {
		z.drop()
	}
}

// discard gives the copy up; the next call reads a new one.
func (z *zone) discard() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.drop()
}

func (z *zone) drop() {
	z.replica = nil
	if z.stop != nil {
		z.stop()
		z.stop = nil
	}
	z.move()
}

// move wakes those who wait for the copy.
func (z *zone) move() {
	close(z.moved)
	z.moved = make(chan struct{})
}

// rrsets is the content of the copy.
func (z *zone) rrsets() ([]backend.RRset, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.replica == nil {
		return nil, fmt.Errorf("the copy of the zone was given up: %w", errLagging)
	}
	return z.replica.rrsets(), nil
}

// plan decides on a unit by what stands in the copy; both results are nil when the copy was given up.
func (z *zone) plan(unit []backend.Change, limits backend.Limits) (*plan, *refusal) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.replica == nil {
		return nil, nil
	}
	return z.replica.plan(unit, z.rev, limits)
}

// malformed lists the keys that cannot be read.
func (z *zone) malformed() []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.replica == nil {
		return nil
	}
	var out []string
	for key, err := range z.replica.broken {
		out = append(out, key+": "+err.Error())
	}
	slices.Sort(out)
	return out
}
