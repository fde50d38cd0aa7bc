// Package controller owns what happens when: it brings DNSZones with their DNSRecords to their DNSServers, notices what
// servers lose, and writes down what became of it.
//
// The unit of work is a zone. Everything that happens leads to one reconciliation of the zones it is about; a zone never
// runs beside itself. On its way each step is written down before it is taken: the finalizer and the servers before
// anything is put on a server, the RRsets before they are published. So a process that is killed between any two steps
// leaves nothing that the next one does not find. Statuses are written by others, and nothing waits for them.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// Nameserver is a server on which zones come and go. A *nameserver.Server is one; what it promises stands there.
type Nameserver interface {
	Probe(ctx context.Context) (nameserver.Health, error)
	Ensure(ctx context.Context, z nameserver.ZoneConfig, content nameserver.Content) (changed bool, err error)
	Remove(ctx context.Context, zone string) error
}

// DNS is what a server holds. A *rfc2136.Zones is one.
type DNS interface {
	SOA(ctx context.Context, zone string) (rfc2136.SOA, error)
	Transfer(ctx context.Context, zone string) ([]backend.RRset, rfc2136.SOA, error)
	Apply(ctx context.Context, zone string, changes []backend.Change) error
	Answers(ctx context.Context, zone string, want []backend.RRset) []error
	DS(ctx context.Context, zone string) ([]string, error)
	Forget(zone string)
	Close() error
}

// Server is one DNS server.
type Server struct {
	Nameserver
	DNS DNS
}

// Dial opens a server. It does not connect.
type Dial func(nameserver.Config) (Server, error)

// Ledger is the memory of what is ours. A *ledger.Ledger is one.
type Ledger interface {
	Load(ctx context.Context, zone types.UID) error
	Begin(zone types.UID)
	Has(zone types.UID, key backend.Key) bool
	Keys(zone types.UID) []backend.Key
	Add(ctx context.Context, zone types.UID, keys []backend.Key) error
	Strike(ctx context.Context, zone types.UID, keys []backend.Key) error
	Drop(ctx context.Context, zone types.UID) error
}

// Options are what a Controller needs.
type Options struct {
	Dial    Dial
	Ledger  Ledger
	Secrets client.Reader // reads Secrets one by one, not from a cache
	Log     *slog.Logger
	Metrics *Metrics // nil: none
	Events  *Events  // nil: none
	// Zones is how many are worked on at a time. Most of that time is waiting for servers. 0: 16.
	Zones int
	// Writers is how many statuses are written at a time. 0: 4.
	Writers int
	// Poll is the time from one question for a zone's serial to the next. 0: 2 s.
	Poll time.Duration
	// Probe is the time from one look at a server and its Secrets to the next. 0: 10 s.
	Probe time.Duration
	// Call is how long one step with one server may take. 0: 30 s.
	Call time.Duration
}

// Controller is made by New.
type Controller struct {
	opts     Options
	client   client.Client
	pool     *pool
	memory   *memory
	catalogs *catalogs
	fills    sync.Map // name of a zone → *sync.Mutex
	statuses *statuses
	news     chan event.TypedGenericEvent[types.NamespacedName] // zones to be looked at
}

// New returns a Controller. c reads from a cache and writes to the API server.
func New(c client.Client, opts Options) *Controller {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&opts.Poll, 2*time.Second)
	or(&opts.Probe, 10*time.Second)
	or(&opts.Call, 30*time.Second)
	if opts.Zones == 0 {
		opts.Zones = 16
	}
	if opts.Writers == 0 {
		opts.Writers = 4
	}
	k := &Controller{
		opts: opts, client: c, pool: newPool(opts.Secrets, opts.Dial), memory: newMemory(), catalogs: newCatalogs(),
		statuses: newStatuses(c, opts.Writers, opts.Log, opts.Metrics),
		news:     make(chan event.TypedGenericEvent[types.NamespacedName], 1024),
	}
	opts.Metrics.watch(k.memory)
	return k
}

// Names of the indexes of the cache.
const (
	byZone     = "zone"     // DNSRecords by their DNSZone
	byZoneName = "zoneName" // DNSZones by their name in DNS
)

// Index is what the cache, or a test's, has to know records and zones by.
func Index(ctx context.Context, i client.FieldIndexer) error {
	return errors.Join(
		i.IndexField(ctx, &v1alpha1.DNSRecord{}, byZone, zoneOfRecord),
		i.IndexField(ctx, &v1alpha1.DNSZone{}, byZoneName, nameOfZone),
	)
}

func zoneOfRecord(o client.Object) []string {
	return []string{content.ZoneOf(o.(*v1alpha1.DNSRecord)).String()}
}

func nameOfZone(o client.Object) []string { return []string{o.(*v1alpha1.DNSZone).Spec.ZoneName} }

// SetupWithManager has the manager run the controller while it leads.
func (c *Controller) SetupWithManager(ctx context.Context, m manager.Manager) error {
	if err := Index(ctx, m.GetFieldIndexer()); err != nil {
		return err
	}
	// What is new is done at once; what failed a little later, and later still.
	limits := func() workqueue.TypedRateLimiter[reconcile.Request] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](200*time.Millisecond, 30*time.Second)
	}
	wished := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, leaving{})
	selects := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, leaving{})
	err := builder.ControllerManagedBy(m).Named("dnszone").
		For(&v1alpha1.DNSZone{}, builder.WithPredicates(wished)).
		Watches(&v1alpha1.DNSZone{}, handler.EnqueueRequestsFromMapFunc(c.namesakes), builder.WithPredicates(wished)).
		Watches(&v1alpha1.DNSRecord{}, handler.EnqueueRequestsFromMapFunc(zoneRequest), builder.WithPredicates(wished)).
		Watches(&v1alpha1.DNSServer{}, handler.EnqueueRequestsFromMapFunc(c.zonesOf), builder.WithPredicates(selects)).
		WatchesRawSource(source.TypedChannel(c.news, handler.TypedEnqueueRequestsFromMapFunc(
			func(_ context.Context, zone types.NamespacedName) []reconcile.Request {
				return []reconcile.Request{{NamespacedName: zone}}
			}))).
		WithOptions(controller.Options{MaxConcurrentReconciles: c.opts.Zones, RateLimiter: limits()}).
		Complete(c)
	if err != nil {
		return err
	}
	err = builder.ControllerManagedBy(m).Named("dnsserver").
		For(&v1alpha1.DNSServer{}, builder.WithPredicates(selects)).
		WithOptions(controller.Options{MaxConcurrentReconciles: c.opts.Zones, RateLimiter: limits()}).
		Complete(reconcile.Func(c.ReconcileServer))
	if err != nil {
		return err
	}
	return m.Add(manager.RunnableFunc(c.Work))
}

// Work polls servers and writes statuses until ctx ends. The manager calls it.
func (c *Controller) Work(ctx context.Context) error {
	var wait sync.WaitGroup
	wait.Go(func() { c.poll(ctx) })
	c.statuses.run(ctx)
	wait.Wait()
	return nil
}

// leaving lets an object through that has begun to be deleted.
type leaving struct{ predicate.Funcs }

// Update reports whether the object has a deletion timestamp that it did not have.
func (leaving) Update(e event.UpdateEvent) bool {
	return e.ObjectOld.GetDeletionTimestamp() == nil && e.ObjectNew.GetDeletionTimestamp() != nil
}

// zoneRequest is the zone of a record.
func zoneRequest(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: content.ZoneOf(o.(*v1alpha1.DNSRecord))}}
}

// namesakes are the other zones of a zone's name: one may have to yield, or may take over.
func (c *Controller) namesakes(ctx context.Context, o client.Object) []reconcile.Request {
	zones, err := c.named(ctx, o.(*v1alpha1.DNSZone).Spec.ZoneName)
	if err != nil {
		c.opts.Log.Error("DNSZones cannot be listed", "error", err)
		return nil
	}
	var requests []reconcile.Request
	for i := range zones {
		if zones[i].UID != o.GetUID() {
			requests = append(requests, reconcile.Request{NamespacedName: keyOf(&zones[i])})
		}
	}
	return requests
}

func (c *Controller) named(ctx context.Context, name string) ([]v1alpha1.DNSZone, error) {
	var list v1alpha1.DNSZoneList
	if err := c.client.List(ctx, &list, client.MatchingFields{byZoneName: name}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list DNSZones: %w", err)
	}
	return list.Items, nil
}

// zonesOf are the zones that a server is, or was, selected by.
func (c *Controller) zonesOf(ctx context.Context, o client.Object) []reconcile.Request {
	var list v1alpha1.DNSZoneList
	if err := c.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		c.opts.Log.Error("DNSZones cannot be listed", "error", err)
		return nil
	}
	server := *o.(*v1alpha1.DNSServer)
	had := map[types.NamespacedName]bool{}
	for _, p := range c.memory.on(keyOf(&server)) {
		had[p.zone] = true
	}
	var requests []reconcile.Request
	for i := range list.Items {
		z := &list.Items[i]
		if now, err := choose(z, []v1alpha1.DNSServer{server}); had[keyOf(z)] || holds(z, keyOf(&server)) || err == nil && len(now.servers)+len(now.forbidden) > 0 {
			requests = append(requests, reconcile.Request{NamespacedName: keyOf(z)})
		}
	}
	return requests
}

// look has zones reconciled.
func (c *Controller) look(ctx context.Context, zones ...types.NamespacedName) {
	for _, zone := range zones {
		select {
		case c.news <- event.TypedGenericEvent[types.NamespacedName]{Object: zone}:
		case <-ctx.Done():
			return
		}
	}
}
