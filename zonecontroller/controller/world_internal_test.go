package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// errKilled is what a process sees of the world after its end.
var errKilled = errors.New("killed")

// world is a cluster with DNS servers, and the process that looks after them.
type world struct {
	t   *testing.T
	api client.WithWatch

	mu      sync.Mutex
	servers map[string]*fakeServer
	ledger  map[types.UID]map[backend.Key]bool
	events  []string
	steps   []string // what a process did, one after the other
	process *process
}

// process is one life of the controller. At its last step it is killed, before the step takes place or after it did and
// before it heard so.
type process struct {
	w      *world
	stop   func()
	cutAt  int // 0: it lives
	after  bool
	count  int
	killed bool
	loaded map[types.UID]bool // ledgers
}

// step is taken by everything that leaves a trace outside of the process.
func (p *process) step(what string, do func() error) error {
	p.w.mu.Lock()
	if p.killed {
		p.w.mu.Unlock()
		return errKilled
	}
	p.count++
	p.w.steps = append(p.w.steps, what)
	cut := p.count == p.cutAt
	p.killed = cut
	p.w.mu.Unlock()
	if cut && !p.after {
		return errKilled
	}
	err := do()
	if cut {
		return errKilled
	}
	return err
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, servers: map[string]*fakeServer{}, ledger: map[types.UID]map[backend.Key]bool{}}
	s := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(s), corev1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&v1alpha1.DNSZone{}, &v1alpha1.DNSRecord{}, &v1alpha1.DNSServer{})
	if err := Index(t.Context(), indexes{b}); err != nil {
		t.Fatal(err)
	}
	w.api = b.Build()
	return w
}

type indexes struct{ *fake.ClientBuilder }

func (i indexes) IndexField(_ context.Context, o client.Object, field string, f client.IndexerFunc) error {
	i.WithIndex(o, field, f)
	return nil
}

// start begins a process that is killed at a step; 0: never.
func (w *world) start(cutAt int, after bool) {
	w.t.Helper()
	if w.process != nil {
		w.process.stop()
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	p := &process{w: w, cutAt: cutAt, after: after, loaded: map[types.UID]bool{}}
	w.process = p
	api := interceptor.NewClient(w.api, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return p.step(fmt.Sprintf("patch %T %s", o, o.GetName()), func() error { return c.Patch(ctx, o, patch, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return p.step(fmt.Sprintf("status %T %s", o, o.GetName()), func() error { return c.SubResource(sub).Patch(ctx, o, patch, opts...) })
		},
	})
	c := New(api, Options{
		Dial: p.dial, Ledger: fakeLedger{p}, Secrets: w.api, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Events: NewEvents(w), Writers: 1,
	})
	var ended sync.WaitGroup
	p.stop = func() { cancel(); ended.Wait() }
	ended.Go(func() { _ = c.Work(ctx) })
	ended.Go(func() { w.drive(ctx, c) })
}

// drive reconciles everything again and again, as events would.
func (w *world) drive(ctx context.Context, c *Controller) {
	for ctx.Err() == nil {
		var servers v1alpha1.DNSServerList
		_ = w.api.List(ctx, &servers)
		for i := range servers.Items {
			_, _ = c.ReconcileServer(ctx, reconcile.Request{NamespacedName: keyOf(&servers.Items[i])})
		}
		for _, key := range w.keys(ctx) {
			_, _ = c.Reconcile(ctx, reconcile.Request{NamespacedName: key})
		}
		for len(c.news) > 0 {
			<-c.news
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (w *world) keys(ctx context.Context) []types.NamespacedName {
	var keys []types.NamespacedName
	var zones v1alpha1.DNSZoneList
	_ = w.api.List(ctx, &zones)
	for i := range zones.Items {
		keys = append(keys, keyOf(&zones.Items[i]))
	}
	var records v1alpha1.DNSRecordList
	_ = w.api.List(ctx, &records)
	for i := range records.Items {
		if key := content.ZoneOf(&records.Items[i]); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Eventf is the recorder of Events.
func (w *world) Eventf(o, _ runtime.Object, kind, reason, _, note string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, kind+" "+reason+" "+fmt.Sprintf(note, args...))
}

func (w *world) told(reason string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.events, func(e string) bool { return strings.Fields(e)[1] == reason })
}

// fakeLedger is the ledger of a process.
type fakeLedger struct{ p *process }

func (l fakeLedger) Load(_ context.Context, zone types.UID) error {
	l.Begin(zone)
	return nil
}

func (l fakeLedger) Begin(zone types.UID) {
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	l.p.loaded[zone] = true
}

func (l fakeLedger) Has(zone types.UID, key backend.Key) bool {
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	return l.p.loaded[zone] && l.p.w.ledger[zone][key]
}

func (l fakeLedger) Keys(zone types.UID) []backend.Key {
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	var keys []backend.Key
	for key := range l.p.w.ledger[zone] {
		keys = append(keys, key)
	}
	return keys
}

func (l fakeLedger) Add(_ context.Context, zone types.UID, keys []backend.Key) error {
	return l.p.step("ledger add", func() error {
		l.p.w.mu.Lock()
		defer l.p.w.mu.Unlock()
		if l.p.w.ledger[zone] == nil {
			l.p.w.ledger[zone] = map[backend.Key]bool{}
		}
		for _, key := range keys {
			l.p.w.ledger[zone][key] = true
		}
		return nil
	})
}

func (l fakeLedger) Strike(_ context.Context, zone types.UID, keys []backend.Key) error {
	return l.p.step("ledger strike", func() error {
		l.p.w.mu.Lock()
		defer l.p.w.mu.Unlock()
		for _, key := range keys {
			delete(l.p.w.ledger[zone], key)
		}
		return nil
	})
}

func (l fakeLedger) Drop(_ context.Context, zone types.UID) error {
	return l.p.step("ledger drop", func() error {
		l.p.w.mu.Lock()
		defer l.p.w.mu.Unlock()
		delete(l.p.w.ledger, zone)
		return nil
	})
}

func (p *process) dial(c nameserver.Config) (Server, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	s := p.w.servers[c.Name]
	if s == nil {
		return Server{}, fmt.Errorf("%s: no such server", c.Name)
	}
	return Server{Nameserver: &handle{p, s, c}, DNS: &handle{p, s, c}}, nil
}

// zoneObject is a DNSZone as the API server would hand it out.
func zoneObject(name, zoneName string) *v1alpha1.DNSZone {
	return &v1alpha1.DNSZone{
		ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: name, UID: types.UID("uid-" + name), Generation: 1, CreationTimestamp: metav1.Now()},
		Spec: v1alpha1.DNSZoneSpec{
			ZoneName: zoneName, TTL: 300,
			SOA:            v1alpha1.SOA{PrimaryNS: "ns1.example.net", AdminEmail: "hostmaster@example.net", Refresh: 3600, Retry: 600, Expire: 604800, NegativeTTL: 300},
			NameServers:    []v1alpha1.NameServer{{Hostname: "ns1.example.net"}},
			ServerSelector: metav1.LabelSelector{MatchLabels: map[string]string{"zones": "all"}},
		},
	}
}

func recordObject(name, zone, typ string, values ...string) *v1alpha1.DNSRecord {
	return &v1alpha1.DNSRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: strings.ToLower(name + "-" + typ), UID: types.UID("uid-" + name + "-" + typ), Generation: 1, CreationTimestamp: metav1.Now()},
		Spec:       v1alpha1.DNSRecordSpec{Zone: v1alpha1.ZoneReference{Name: zone}, Name: name, Type: typ, Values: values},
	}
}

// server adds a DNSServer with its server.
func (w *world) server(name string, role v1alpha1.Role, change ...func(*v1alpha1.DNSServer)) *fakeServer {
	w.t.Helper()
	s := &fakeServer{name: "dns/" + name, role: role, up: true, control: true, zones: map[string]*fakeZone{}, given: map[string]nameserver.ZoneConfig{}, ensured: map[string]int{}}
	w.mu.Lock()
	w.servers[s.name] = s
	w.mu.Unlock()
	o := &v1alpha1.DNSServer{
		ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: name, UID: types.UID("uid-" + name), Generation: 1, Labels: map[string]string{"zones": "all", "name": name}, CreationTimestamp: metav1.Now()},
		Spec: v1alpha1.DNSServerSpec{
			Address: "192.0.2.1:53", Role: role,
			Control: &v1alpha1.Control{Knot: &v1alpha1.Knot{Socket: "/run/" + name}},
		},
	}
	for _, f := range change {
		f(o)
	}
	s.control = o.Spec.Control != nil
	w.create(o)
	return s
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		if err := w.api.Create(w.t.Context(), o); err != nil {
			w.t.Fatal(err)
		}
	}
}

// change changes an object as a person would: its generation goes up.
func change[T client.Object](w *world, o T, f func(T)) {
	w.t.Helper()
	for {
		if err := w.api.Get(w.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			w.t.Fatal(err)
		}
		f(o)
		o.SetGeneration(o.GetGeneration() + 1)
		switch err := w.api.Update(w.t.Context(), o); {
		case err == nil:
			return
		case !apierrors.IsConflict(err): // with a status that was written meanwhile
			w.t.Fatal(err)
		}
	}
}

func (w *world) delete(o client.Object) {
	w.t.Helper()
	if err := w.api.Delete(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

// zone is a DNSZone's status by now.
func (w *world) zone(name string) v1alpha1.DNSZone {
	w.t.Helper()
	var z v1alpha1.DNSZone
	if err := w.api.Get(w.t.Context(), types.NamespacedName{Namespace: "dns", Name: name}, &z); err != nil {
		w.t.Fatal(err)
	}
	return z
}

// reason is that of a condition, with its status: "True Serving".
func reason(conditions []metav1.Condition, kind string) string {
	for _, c := range conditions {
		if c.Type == kind {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "none"
}

func (w *world) record(name string) v1alpha1.DNSRecord {
	w.t.Helper()
	var r v1alpha1.DNSRecord
	if err := w.api.Get(w.t.Context(), types.NamespacedName{Namespace: "dns", Name: name}, &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}
