package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const (
	longestLease    = time.Minute
	mostTransitions = 1 << 30
)

// election puts this replica up again and again, for as long as the program runs. It keeps the Lease as
// client-go's leaderelection does, and can share one with it; it is its own because that one goes on leading
// while it tries to release a Lease it has lost, may release one that has become somebody else's, and has no
// say over the epoch. Every term has a higher leaseTransitions than the one before, which is its epoch.
type election struct {
	leases             coordinationclient.LeaseInterface
	name, identity     string
	duration, deadline time.Duration // of the Lease; for renewing it
	period             time.Duration // from try to try
	log                *slog.Logger
	lead               func(ctx context.Context, epoch int64) error
	floor              int64                 // of the next epoch
	lease              *coordinationv1.Lease // as it was last seen
	seen               time.Time             // when it was first seen so
	mu                 sync.Mutex
	ever               bool  // the API server has answered
	trouble            error // why the Lease cannot be had or read; nil: it can
	leader             string
}

// run stands for election until ctx ends. When it returns nobody leads here, and the Lease is released.
func (e *election) run(ctx context.Context) {
	for ctx.Err() == nil {
		epoch, began, err := e.acquire(ctx)
		e.heard(err)
		if epoch > 0 {
			e.term(ctx, epoch, began)
		}
		pause(ctx, e.wait(time.Now(), e.period-rand.N(e.period/5+1)))
	}
}

// wait is the time to the next try: a period, or less when the Lease runs out before.
func (e *election) wait(now time.Time, period time.Duration) time.Duration {
	if e.lease == nil {
		return period
	}
	left := e.seen.Add(e.lasts()).Sub(now)
	if left <= 0 {
		return period
	}
	return min(period, left+time.Millisecond)
}

// acquire takes the Lease if nobody has it. An epoch of 0: somebody has.
func (e *election) acquire(ctx context.Context) (epoch int64, began time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.deadline/2)
	defer cancel()
	lease, err := e.leases.Get(ctx, e.name, metav1.GetOptions{})
	began = time.Now()
	if apierrors.IsNotFound(err) {
		epoch = max(1, e.floor)
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: e.name}}
		e.mine(lease, epoch, began)
		lease, err = e.leases.Create(ctx, lease, metav1.CreateOptions{})
	} else if err == nil {
		e.see(lease)
		if !e.free(began) {
			return 0, began, nil
		}
		epoch = max(counted(lease)+1, e.floor)
		lease = lease.DeepCopy()
		e.mine(lease, epoch, began)
		lease, err = e.leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil {
		return 0, began, err
	}
	e.see(lease)
	return epoch, began, nil
}

// counted is the leaseTransitions of a Lease. A number that no election has ever come to is not gone on from:
// soon there would be none above it.
func counted(lease *coordinationv1.Lease) int64 {
	if n := value(lease.Spec.LeaseTransitions); 0 <= n && n < mostTransitions {
		return int64(n)
	}
	return 0
}

// mine makes the Lease that of this replica.
func (e *election) mine(lease *coordinationv1.Lease, epoch int64, now time.Time) {
	transitions, seconds, at := int32(epoch), int32(e.duration/time.Second), metav1.NewMicroTime(now)
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &e.identity, &seconds
	lease.Spec.AcquireTime, lease.Spec.RenewTime, lease.Spec.LeaseTransitions = &at, &at, &transitions
}

// see notes how the Lease stands. Its times are those of another clock: what counts is when it was first seen.
func (e *election) see(lease *coordinationv1.Lease) {
	if e.lease == nil || e.lease.ResourceVersion != lease.ResourceVersion {
		e.lease, e.seen = lease, time.Now()
	}
	holder := value(lease.Spec.HolderIdentity)
	e.mu.Lock()
	defer e.mu.Unlock()
	if holder != e.leader && holder != "" && holder != e.identity {
		e.log.Info("following", "leader", holder)
	}
	e.leader = holder
}

// free reports whether the Lease as it was last seen can be taken: nobody has it, its holder has not been heard
// of for as long as it lasts, or it is from a former life of this replica.
func (e *election) free(now time.Time) bool {
	holder := value(e.lease.Spec.HolderIdentity)
	return holder == "" || holder == e.identity || now.Sub(e.seen) > e.lasts()
}

// lasts is how long the Lease as it was last seen is good without being renewed. What a hand wrote there does
// not keep everybody out for ever: a holder that is alive renews it more often than that.
func (e *election) lasts() time.Duration {
	said := time.Duration(value(e.lease.Spec.LeaseDurationSeconds)) * time.Second
	return min(max(said, time.Second), max(e.duration, longestLease))
}

// term leads until ctx ends, the Lease is lost, or there is no going on; then it ends the work, and releases the
// Lease after that.
func (e *election) term(ctx context.Context, epoch int64, began time.Time) {
	e.floor = max(e.floor, epoch+1) // also when somebody deletes the Lease, and with it what it counts
	work, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { done <- e.lead(work, epoch) }()
	lost, err := e.keep(work, epoch, began, done)
	stop(lost)
	if lost != nil {
		err = <-done
	}
	var fenced *wanip.FencedError
	if errors.As(err, &fenced) {
		e.floor = max(e.floor, fenced.Stored.Epoch+1)
	}
	if err == nil {
		err = lost
	}
	e.log.Info("leading no longer", "epoch", epoch, "why", err)
	e.release(context.WithoutCancel(ctx), epoch)
}

// keep renews the Lease. It returns why that is over while the work goes on, or the end of the work.
func (e *election) keep(ctx context.Context, epoch int64, renewed time.Time, done <-chan error) (lost, ended error) {
	again := time.NewTicker(e.period)
	defer again.Stop()
	for {
		select {
		case ended = <-done:
			return nil, ended
		case <-ctx.Done():
			return context.Cause(ctx), nil
		case <-again.C:
		}
		now := time.Now()
		last := renewed.Add(e.deadline)
		request, cancel := context.WithDeadlineCause(ctx, last, errors.New("no answer in time"))
		ours, err := e.renew(request, epoch, now)
		cancel()
		switch {
		case !ours:
			return fmt.Errorf("the lease is no longer ours, but %q's", value(e.lease.Spec.HolderIdentity)), nil
		case err == nil:
			renewed = now
		case ctx.Err() == nil && !time.Now().Before(last):
			return fmt.Errorf("the lease could not be renewed for %s: %w", e.deadline, err), nil
		}
		e.heard(err)
	}
}

// renew renews the Lease, and reports false once it is not that of this term any more.
func (e *election) renew(ctx context.Context, epoch int64, now time.Time) (ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.deadline/2)
	defer cancel()
	lease := e.lease.DeepCopy()
	at := metav1.NewMicroTime(now)
	lease.Spec.RenewTime = &at
	lease, err = e.leases.Update(ctx, lease, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) { // a reply that was lost, a hand on it, or another leader
		if lease, err = e.leases.Get(ctx, e.name, metav1.GetOptions{}); err == nil {
			e.see(lease)
			return e.holds(epoch), errors.New("somebody else has written it")
		}
	}
	if apierrors.IsNotFound(err) {
		e.lease = &coordinationv1.Lease{}
		return false, err
	}
	if err == nil {
		e.see(lease)
	}
	return true, err
}

// holds reports whether the Lease, as last seen, is that of a term.
func (e *election) holds(epoch int64) bool {
	return value(e.lease.Spec.HolderIdentity) == e.identity && int64(value(e.lease.Spec.LeaseTransitions)) == epoch
}

// release lets others in at once. A Lease that has been written since it was seen is looked at once more.
func (e *election) release(ctx context.Context, epoch int64) {
	ctx, cancel := context.WithTimeout(ctx, e.period)
	defer cancel()
	for range 2 {
		if !e.holds(epoch) {
			return
		}
		lease, second, none := e.lease.DeepCopy(), int32(1), ""
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = &none, &second
		lease, err := e.leases.Update(ctx, lease, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			lease, err = e.leases.Get(ctx, e.name, metav1.GetOptions{})
		}
		if err != nil {
			e.log.Warn("the lease could not be released, it runs out by itself", "error", err)
			return
		}
		e.see(lease)
	}
}

// heard takes note of what came of a request about the Lease.
func (e *election) heard(err error) {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) { // somebody was faster
		err = nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble == nil && err != nil {
		e.log.Warn("the election does not get on", "lease", e.name, "error", err)
	}
	e.ever, e.trouble = e.ever || err == nil, err
}

// ready says why the election has never run; nil: it has.
func (e *election) ready() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.ever:
		return nil
	case e.trouble != nil:
		return fmt.Errorf("lease %s: %w", e.name, e.trouble)
	}
	return errors.New("the API server has not answered yet")
}

// value is what is pointed at, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// pause waits for a while, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
