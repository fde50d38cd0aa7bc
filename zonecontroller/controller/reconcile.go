package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// Reconcile brings one zone to what its objects ask for.
func (c *Controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	c.memory.breathe(ctx, req.NamespacedName)
	start := time.Now()
	var z v1alpha1.DNSZone
	err := c.client.Get(ctx, req.NamespacedName, &z)
	if apierrors.IsNotFound(err) {
		c.memory.forget(req.NamespacedName)
		return reconcile.Result{}, c.strand(ctx, req.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read DNSZone: %w", err)
	}
	t := &tour{c: c, z: &z, k: c.memory.begin(&z), now: start}
	defer func() {
		t.k.ended, t.k.took = time.Now(), 0
		if t.storm() {
			t.k.took = time.Since(t.now)
		}
		c.memory.show(t.k, false, t.count)
	}()
	if err := t.load(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if z.DeletionTimestamp != nil {
		err = t.remove(ctx)
	} else {
		err = t.bring(ctx)
	}
	c.opts.Metrics.reconciled(time.Since(start), err != nil, t.wrong())
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: t.again()}, nil
}

// few is how many changes come one by one; more of them are a storm.
const few = 3

// storm says whether much was changed.
func (t *tour) storm() bool {
	return slices.ContainsFunc(t.primaries, func(s *stop) bool { return len(s.changes) > few })
}

// resync is when a zone with which all is well is gone through anyway.
const resync = 10 * time.Minute

// again is when the zone is to be looked at next, when nothing calls for it earlier.
func (t *tour) again() time.Duration {
	if t.gone {
		return 0
	}
	if t.more {
		return time.Millisecond
	}
	if !t.wrong() {
		t.k.tries = 0
		return resync
	}
	t.k.tries++
	return min(500*time.Millisecond<<min(t.k.tries-1, 6), 30*time.Second)
}

// strand tells the records of a zone that there is none.
func (c *Controller) strand(ctx context.Context, zone types.NamespacedName) error {
	records, err := c.records(ctx, zone)
	if err != nil {
		return err
	}
	now := time.Now()
	for i := range records {
		r := &records[i]
		if r.DeletionTimestamp != nil {
			continue
		}
		c.tell(r, told{}, outcome{reason: ReasonZoneNotFound, message: fmt.Sprintf("there is no DNSZone %s: want it made, or spec.zone to name another one", zone)}, "", "", now)
	}
	return nil
}

func (c *Controller) records(ctx context.Context, zone types.NamespacedName) ([]v1alpha1.DNSRecord, error) {
	var list v1alpha1.DNSRecordList
	if err := c.client.List(ctx, &list, client.MatchingFields{byZone: zone.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list DNSRecords: %w", err)
	}
	return list.Items, nil
}

// tour is one reconciliation of a zone.
type tour struct {
	c       *Controller
	z       *v1alpha1.DNSZone
	k       *zone
	now     time.Time
	records []v1alpha1.DNSRecord
	servers []v1alpha1.DNSServer

	w           wish
	primaries   []*stop
	secondaries []*stop
	withheld    map[backend.Key]error // what is not published, because somebody else's stands there
	foreign     []backend.Key         // what was ours and is somebody else's
	differ      []backend.Key         // what others wrote and not all primaries have
	trouble     []string              // what is wrong with the zone beside its servers
	reason      string                // of the first of them
	forbidden   []string              // servers that do not allow its namespace
	more        bool                  // there is something to be done at once
	refused     bool                  // it is not accepted
	gone        bool                  // it has left its servers
	unlisted    bool                  // a catalog zone could not be written
	counted     struct{ ready, all int }
}

// wish is what objects ask for.
type wish struct {
	soa    backend.RRset
	sets   []backend.RRset // without the SOA
	keys   map[backend.Key]int
	own    map[backend.Key]bool // NS and glue
	of     map[backend.Key][]types.NamespacedName
	refers map[backend.Key]bool // answered by referral, never with authority
	faults map[types.NamespacedName]content.Fault
}

// stop is one server on the way.
type stop struct {
	*place
	object *v1alpha1.DNSServer
	link   *link
	err    error // why it is not as it should be

	read    bool // what it holds is known
	live    []backend.RRset
	back    bool // its content is older than what it had
	fill    bool // it has no content
	filled  bool // it has got it now
	failed  map[backend.Key]error
	changes []backend.Change
	silent  error             // an RRset of which the server answers something else
	stuck   string            // why it keeps the zone though it was to let go
	heir    *v1alpha1.DNSZone // that has the zone on a server that lets go of ours
	warning error             // it serves the zone, but cannot be given today's settings
}

// load reads what is needed of the cluster.
func (t *tour) load(ctx context.Context) error {
	var err error
	if t.records, err = t.c.records(ctx, t.k.key); err != nil {
		return err
	}
	var list v1alpha1.DNSServerList
	if err := t.c.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list DNSServers: %w", err)
	}
	t.servers = list.Items
	switch {
	case t.k.loaded:
	case !controllerutil.ContainsFinalizer(t.z, v1alpha1.Finalizer) && t.z.DeletionTimestamp == nil:
		t.c.opts.Ledger.Begin(t.z.UID) // that comes before anything else
		t.k.loaded = true
	default:
		if err := t.c.opts.Ledger.Load(ctx, t.z.UID); err != nil {
			return fmt.Errorf("load the ledger: %w", err)
		}
		t.k.loaded = true
	}
	return nil
}

// bring is the straight line: wish, servers, what they hold, what is ours, what changes, what they answer, statuses.
func (t *tour) bring(ctx context.Context) error {
	if reason, message := t.judge(ctx); reason != "" {
		t.refuse(reason, message)
		return nil
	}
	t.survey(ctx)
	if err := t.hold(ctx); err != nil {
		return err
	}
	if err := t.refill(ctx); err != nil {
		return err
	}
	if err := t.plan(ctx); err != nil {
		return err
	}
	t.each(t.primaries, func(s *stop) { t.publish(ctx, s) })
	t.settle()
	t.tellRecords()
	t.enterCatalogs(ctx)
	t.each(t.secondaries, func(s *stop) { t.follow(ctx, s) })
	t.release(ctx)
	t.strike(ctx)
	t.sign(ctx)
	t.report()
	return ctx.Err()
}

// judge says why the zone cannot be served as it is written, and else finds what is wished and where.
func (t *tour) judge(ctx context.Context) (reason, message string) {
	own, faults := content.Zone(t.z)
	if len(faults) > 0 {
		var texts []string
		for _, f := range faults {
			texts = append(texts, f.Error())
		}
		return v1alpha1.ReasonInvalid, strings.Join(texts, "; ")
	}
	servers, err := choose(t.z, t.servers)
	if err != nil {
		return ReasonInvalidSelector, err.Error()
	}
	namesakes, err := t.c.named(ctx, t.z.Spec.ZoneName)
	if err != nil {
		t.complain(ReasonServersFailing, err.Error())
	}
	if o := rival(t.z, servers, namesakes, t.servers); o != nil {
		return v1alpha1.ReasonDuplicateZone, fmt.Sprintf("DNSZone %s has the name %s on the same servers, and is older: want one of them deleted, or another serverSelector", keyOf(o), t.z.Spec.ZoneName)
	}
	t.wish(own)
	t.enroll(ctx, servers)
	return "", ""
}

// wish gathers what objects ask for.
func (t *tour) wish(own []backend.RRset) {
	wanted, faults := content.Records(t.z, t.records)
	w := wish{
		keys: make(map[backend.Key]int, len(own)+len(wanted.Sets)), own: map[backend.Key]bool{},
		of: wanted.Of, refers: wanted.Delegated, faults: faults, sets: make([]backend.RRset, 0, len(own)+len(wanted.Sets)),
	}
	for _, set := range own {
		if set.Type == "SOA" {
			w.soa = set
			continue
		}
		w.own[set.Key] = true
		w.sets = append(w.sets, set)
	}
	w.sets = append(w.sets, wanted.Sets...)
	for i := range w.sets {
		w.keys[w.sets[i].Key] = i
	}
	t.w = w
}

// mine says whether an RRset is asked for or was published.
func (t *tour) mine(key backend.Key) bool {
	if _, wished := t.w.keys[key]; wished {
		_, withheld := t.withheld[key]
		return !withheld
	}
	return t.c.opts.Ledger.Has(t.z.UID, key)
}

// enroll takes the zone's servers in. Those that are not selected any more have to let go.
func (t *tour) enroll(ctx context.Context, selected chosen) {
	t.forbidden = selected.forbidden
	for _, server := range selected.servers {
		p := t.k.places[keyOf(server)]
		if p == nil {
			p = &place{server: keyOf(server), state: v1alpha1.Pending, since: t.now, pending: map[backend.Key]struct{}{}}
			t.k.places[p.server] = p
		}
		if p.state == v1alpha1.Leaving { // it is back
			p.turn(v1alpha1.Pending, "", t.now)
			p.settings = ""
		}
		p.role = server.Spec.Role
		s := &stop{place: p, object: server, link: t.c.pool.get(ctx, server), failed: map[backend.Key]error{}}
		if server.Spec.Role == v1alpha1.Primary {
			t.primaries = append(t.primaries, s)
		} else {
			t.secondaries = append(t.secondaries, s)
		}
	}
	for name, p := range t.k.places {
		if !selected.has(name) && p.state != v1alpha1.Leaving {
			p.turn(v1alpha1.Leaving, "", t.now)
		}
	}
	t.expect()
}

// expect notes for each primary which RRsets it has yet to be seen to answer: those that are other than they were, and
// after a start those whose records are not ready.
func (t *tour) expect() {
	digests := make(map[backend.Key]uint64, len(t.w.sets))
	unready := map[types.NamespacedName]bool{}
	if t.k.wished == nil {
		for i := range t.records {
			if r := &t.records[i]; !readyNow(r) {
				unready[keyOf(r)] = true
			}
		}
	}
	for i := range t.w.sets {
		set := &t.w.sets[i]
		digests[set.Key] = t.c.memory.digests.of(set)
		old, was := t.k.wished[set.Key]
		other := !was || old != digests[set.Key]
		if t.k.wished == nil {
			other = slices.ContainsFunc(t.w.of[set.Key], func(id types.NamespacedName) bool { return unready[id] })
		}
		for _, s := range t.primaries {
			if other {
				s.pending[set.Key] = struct{}{}
			}
		}
	}
	for _, s := range t.primaries {
		for key := range s.pending {
			if _, wished := digests[key]; !wished {
				delete(s.pending, key)
			}
		}
	}
	for key := range t.k.wished {
		if _, wished := digests[key]; !wished {
			t.k.stale = true
		}
	}
	t.k.wished = digests
}

// each does something at several servers at once.
func (t *tour) each(stops []*stop, do func(*stop)) {
	var wait sync.WaitGroup
	for _, s := range stops {
		if len(stops) == 1 {
			do(s)
			return
		}
		wait.Go(func() {
			if err := backend.Caught(func() { do(s) }); err != nil {
				s.err = err
			}
		})
	}
	wait.Wait()
}

// hold writes down that the zone is about to be on its servers: by our finalizer, and by status.servers.
func (t *tour) hold(ctx context.Context) error {
	var wait sync.WaitGroup
	var failed [2]error
	if !controllerutil.ContainsFinalizer(t.z, v1alpha1.Finalizer) {
		wait.Go(func() {
			failed[0] = t.c.patchFinalizers(ctx, t.z, append(slices.Clone(t.z.Finalizers), v1alpha1.Finalizer))
		})
	}
	if !t.written() {
		wait.Go(func() {
			status := t.k.status.DeepCopy()
			status.Servers = t.k.servers()
			failed[1] = t.c.statuses.store(ctx, zoneKind, t.k.key, t.k.uid, status)
			if failed[1] == nil {
				t.k.status = *status
			}
		})
	}
	wait.Wait()
	return errors.Join(failed[:]...)
}

// written says whether the status lists all servers.
func (t *tour) written() bool {
	for name := range t.k.places {
		if !slices.ContainsFunc(t.k.status.Servers, func(s v1alpha1.ZoneServer) bool { return s.Name == name.String() }) {
			return false
		}
	}
	return true
}

func (t *tour) complain(reason, text string) {
	if t.reason == "" {
		t.reason = reason
	}
	t.trouble = append(t.trouble, text)
}
