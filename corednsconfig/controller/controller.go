// Package controller owns which cluster of a landscape is changed when: it brings the DNSForwardings and the clusters
// there are together, lets clusters in step by step, and writes down what became of it.
//
// One goroutine decides, at a desk that does no I/O; workers carry out one job per cluster at a time. What was decided is
// written to the status before a worker begins, so that nothing is ever in a cluster that the status does not know of.
package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// Options are what a Controller needs.
type Options struct {
	Engine Engine
	Fleet  Fleet
	// Installer looks after external-dns; nil: nobody does. Namespace is this program's.
	Installer Installer
	Namespace string
	Log       *slog.Logger
	Metrics   *Metrics
	Events    *Events
	// Parallel is how many clusters are worked on at a time. Most of that time is waiting for replicas. 0: 50.
	Parallel int
	// Resync is the time from one look at a cluster to the next. 0: 10 min.
	Resync time.Duration
	// Drift is the time from one glance at what was written in a cluster to the next. It takes a few reads. 0: 1 min.
	Drift time.Duration
	// Discover is the time from one look for clusters to the next. 0: 30 s.
	Discover time.Duration
	// Settle is how long news are collected before they are acted on. 0: 500 ms.
	Settle time.Duration
}

// Controller is a reconciler of all DNSForwardings at once. It is made by New.
type Controller struct {
	opts   Options
	client client.Client
	queue  workqueue.TypedInterface[*job]
	news   chan event.GenericEvent

	mu      sync.Mutex // what workers and others hand in
	results []result
	notes   []note
	rights  map[string]asked // for external-dns, by cluster

	desk    *desk // of the one goroutine that reconciles
	listed  time.Time
	written map[types.UID]v1alpha1.DNSForwardingStatus
	asked   string // digest of what decides which clusters are wanted
}

// New returns a Controller. c reads DNSForwardings, from a cache perhaps, and writes them.
func New(c client.Client, opts Options) *Controller {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&opts.Resync, 10*time.Minute)
	or(&opts.Drift, time.Minute)
	or(&opts.Discover, 30*time.Second)
	or(&opts.Settle, 500*time.Millisecond)
	if opts.Parallel == 0 {
		opts.Parallel = 50
	}
	d := newDesk(opts.Resync, opts.Drift, opts.Events.tell)
	d.installs = installing{opts.Installer, opts.Namespace}
	return &Controller{
		opts: opts, client: c, desk: d, written: map[types.UID]v1alpha1.DNSForwardingStatus{}, rights: map[string]asked{},
		queue: workqueue.NewTyped[*job](), news: make(chan event.GenericEvent, 1),
	}
}

// SetupWithManager has the manager run the controller while it leads.
func (c *Controller) SetupWithManager(m manager.Manager) error {
	// What comes together is acted on together.
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	soon := func(q queue) { q.AddAfter(reconcile.Request{}, c.opts.Settle) }
	settled := handler.Funcs{
		CreateFunc:  func(_ context.Context, _ event.CreateEvent, q queue) { soon(q) },
		UpdateFunc:  func(_ context.Context, _ event.UpdateEvent, q queue) { soon(q) },
		DeleteFunc:  func(_ context.Context, _ event.DeleteEvent, q queue) { soon(q) },
		GenericFunc: func(_ context.Context, _ event.GenericEvent, q queue) { soon(q) },
	}
	changed := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	err := builder.ControllerManagedBy(m).Named("dnsforwarding").
		Watches(&v1alpha1.DNSForwarding{}, settled, builder.WithPredicates(changed)).
		WatchesRawSource(source.Channel(c.news, settled)).
		Complete(c)
	if err != nil {
		return err
	}
	return m.Add(manager.RunnableFunc(c.Work))
}

// wake says that there is something new.
func (c *Controller) wake() {
	select {
	case c.news <- event.GenericEvent{Object: &v1alpha1.DNSForwarding{}}:
	default: // it is known already
	}
}

// Work runs the workers until ctx ends, and waits for them. The manager calls it.
func (c *Controller) Work(ctx context.Context) error {
	var wait sync.WaitGroup
	for range c.opts.Parallel {
		wait.Go(func() {
			for {
				j, closed := c.queue.Get()
				if closed {
					return
				}
				start := time.Now()
				r := j.do(ctx, c.opts.Engine, c.opts.Fleet, c.opts.Installer)
				c.queue.Done(j)
				if ctx.Err() != nil {
					return // cut short by our end, which says nothing about the cluster
				}
				c.opts.Metrics.did(r, time.Since(start), time.Now())
				c.log(r, time.Since(start))
				c.mu.Lock()
				c.results = append(c.results, r)
				c.mu.Unlock()
				c.wake()
			}
		})
	}
	c.wake()
	<-ctx.Done()
	c.queue.ShutDown()
	wait.Wait()
	return nil
}

// note is something that the engine tells of.
type note struct {
	cluster string
	event   rollout.Event
}

// Notify is for rollout.Options: what happens to clusters becomes Events and figures.
func (c *Controller) Notify(cluster string, e rollout.Event) {
	c.opts.Metrics.notice(e)
	c.mu.Lock()
	c.notes = append(c.notes, note{cluster, e})
	c.mu.Unlock()
	c.wake()
}

func (c *Controller) log(r result, took time.Duration) {
	args := []any{"cluster", r.cluster.ID, "took", took.Round(time.Millisecond)}
	switch {
	case r.err != nil:
		c.opts.Log.Warn("cluster could not be worked on", append(args, "error", r.err)...)
	case r.kind == installs:
		c.opts.Log.Info("external-dns in cluster", append(args, "state", r.installReport.State, "did", r.installReport.Did, "message", r.installReport.Message)...)
	case r.report != nil:
		c.opts.Log.Info("worked on cluster", append(args, "state", stateOf(*r.report), "changed", r.report.Changed)...)
	default:
		c.opts.Log.Debug("looked at cluster", args...)
	}
}

// Reconcile goes through everything once.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var list v1alpha1.DNSForwardingList
	if err := c.client.List(ctx, &list); err != nil {
		return reconcile.Result{}, fmt.Errorf("list DNSForwardings: %w", err)
	}
	if err := c.hold(ctx, list.Items); err != nil {
		return reconcile.Result{}, err
	}
	c.desk.read(list.Items)
	c.discover(ctx)
	c.mu.Lock()
	results, notes := c.results, c.notes
	c.results, c.notes = nil, nil
	c.mu.Unlock()
	now := time.Now()
	for _, n := range notes {
		c.desk.noticed(n)
	}
	for _, r := range results {
		c.desk.done(r, now)
	}
	jobs := c.desk.decide(now)
	err := c.write(ctx)
	for _, j := range jobs {
		if err != nil && j.kind != nothing { // what is not written down is not done
			c.desk.sites[j.cluster.ID].put(j)
			continue
		}
		c.queue.Add(j)
	}
	c.opts.Metrics.states(c.desk)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(c.opts.Settle, min(c.opts.Discover, c.desk.next(now)))}, nil
}

// hold puts our finalizer on what is new: from then on nothing of it stays behind unnoticed.
func (c *Controller) hold(ctx context.Context, items []v1alpha1.DNSForwarding) error {
	var errs []error
	for i := range items {
		f := &items[i]
		if f.DeletionTimestamp != nil || controllerutil.ContainsFinalizer(f, v1alpha1.Finalizer) {
			continue
		}
		before := f.DeepCopy()
		controllerutil.AddFinalizer(f, v1alpha1.Finalizer)
		if err := c.client.Patch(ctx, f, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			errs = append(errs, fmt.Errorf("put a finalizer on DNSForwarding %s: %w", f.Name, err))
		}
	}
	return errors.Join(errs...)
}

// discover lists clusters, when it is time or others may be wanted than before.
func (c *Controller) discover(ctx context.Context) {
	var asked []any
	for _, b := range c.desk.aged() {
		asked = append(asked, b.object.Spec.ClusterSelector, b.object.Spec.ExternalDNS, b.deleting())
	}
	if digest := digest(asked); digest != c.asked || time.Since(c.listed) >= c.opts.Discover {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		l := c.opts.Fleet.List(ctx, c.desk.wanted)
		for source, err := range l.Failed {
			c.opts.Log.Warn("clusters cannot be listed; those known stay as they are", "source", source, "error", err)
		}
		c.desk.meet(l)
		c.opts.Metrics.met(l)
		c.asked, c.listed = digest, time.Now()
	}
}

// write brings the objects in line with the books.
func (c *Controller) write(ctx context.Context) error {
	var errs []error
	there := map[types.UID]bool{}
	for _, b := range c.desk.aged() {
		there[b.uid()] = true
		if err := c.writeOne(ctx, b); err != nil {
			errs = append(errs, fmt.Errorf("write DNSForwarding %s: %w", b.name(), err))
		}
	}
	for uid := range c.written {
		if !there[uid] {
			delete(c.written, uid)
		}
	}
	return errors.Join(errs...)
}

func (c *Controller) writeOne(ctx context.Context, b *book) error {
	old, known := c.written[b.uid()]
	if !known {
		old = b.object.Status
	}
	next := b.status(old)
	if !equality.Semantic.DeepEqual(old, next) {
		// What is read may be older than what we wrote; the status is ours alone, so it is written whole.
		f := b.object.DeepCopy()
		f.Status = next
		patch, err := statusPatch(b.uid(), next)
		if err != nil {
			return err
		}
		if err := c.client.Status().Patch(ctx, f, patch); err != nil {
			return client.IgnoreNotFound(err)
		}
		c.written[b.uid()] = next
	}
	if !b.finished() || !controllerutil.ContainsFinalizer(b.object, v1alpha1.Finalizer) {
		return nil
	}
	f := b.object.DeepCopy()
	before := f.DeepCopy()
	controllerutil.RemoveFinalizer(f, v1alpha1.Finalizer)
	err := c.client.Patch(ctx, f, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	return client.IgnoreNotFound(err)
}

// statusPatch replaces the status of this very object.
func statusPatch(uid types.UID, status v1alpha1.DNSForwardingStatus) (client.Patch, error) {
	text, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": uid},
		{"op": "add", "path": "/status", "value": status},
	})
	return client.RawPatch(types.JSONPatchType, text), err
}
