package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/controller"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
)

// world is a platform with clusters whose DNS takes what it is given, or does otherwise where a test says so.
type world struct {
	t        *testing.T
	api      client.WithWatch
	funcs    interceptor.Funcs
	stop     func() // the process
	works    *controller.Controller
	recorder *recorder
	helm     *helm // what installs; nil: nobody

	mu       sync.Mutex
	clusters map[string]*spoke
	failed   map[v1alpha1.Source]error
	rights   map[string]string // asked for at the last listing, besides those for forwards
	log      []string          // "apply kubeconfig/dns/a", "annotate openmcp/x/y openmcp.cluster"
}

// spoke is one cluster.
type spoke struct {
	fleet.Cluster
	does    string        // "", refuse, unsupported, rollback, unresolved, hang, error, conflict, panic
	takes   time.Duration // an Apply
	has     []string      // the zones forwarded
	busy    bool
	touched int // writes
}

func newWorld(t *testing.T, ids ...string) *world {
	w := &world{t: t, clusters: map[string]*spoke{}, failed: map[v1alpha1.Source]error{}, recorder: &recorder{}}
	for _, id := range ids {
		w.cluster(id)
	}
	return w
}

func (w *world) cluster(id string) *spoke {
	parts := strings.Split(id, "/")
	c := fleet.Cluster{
		ID: id, Source: fleet.SourceOf(id), Name: parts[len(parts)-1], Labels: map[string]string{"name": parts[len(parts)-1]},
		Config: &rest.Config{Host: "https://" + id},
	}
	if len(parts) == 3 {
		c.Namespace = parts[1]
	}
	c.HasObject = c.Source == v1alpha1.OpenMCP
	s := &spoke{Cluster: c, takes: time.Minute}
	w.mu.Lock()
	w.clusters[id] = s
	w.mu.Unlock()
	return s
}

func numbered(n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("kubeconfig/dns/c%03d", i))
	}
	return ids
}

// start begins with the DNSForwardings given. What the controller does is done while the test sleeps.
func (w *world) start(forwardings ...*v1alpha1.DNSForwarding) {
	w.t.Helper()
	s := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(s); err != nil {
		w.t.Fatal(err)
	}
	w.api = fake.NewClientBuilder().WithScheme(s).WithStatusSubresource(&v1alpha1.DNSForwarding{}).WithInterceptorFuncs(w.funcs).Build()
	for _, f := range forwardings {
		w.create(f)
	}
	w.restart()
}

// restart puts a new process in place of the old one.
func (w *world) restart() {
	if w.stop != nil {
		w.stop()
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	var installer controller.Installer
	if w.helm != nil {
		installer = w.helm
	}
	c := controller.New(w.api, controller.Options{
		Engine: w, Fleet: w, Installer: installer, Namespace: "dns", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Events: controller.NewEvents(w.recorder),
	})
	var ended sync.WaitGroup
	w.stop = func() { cancel(); ended.Wait() }
	w.works = c
	ended.Go(func() { _ = c.Work(ctx) })
	ended.Go(func() {
		for ctx.Err() == nil {
			_, _ = c.Reconcile(ctx, reconcile.Request{})
			nap(ctx, 2*time.Second)
		}
	})
}

func nap(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func forwarding(name string, zones ...string) *v1alpha1.DNSForwarding {
	f := &v1alpha1.DNSForwarding{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), Generation: 1, CreationTimestamp: metav1.Now()},
		Spec: v1alpha1.DNSForwardingSpec{
			Mode: v1alpha1.Apply, Rollout: v1alpha1.Rollout{Canary: 1, Percent: 10},
			Rules: []v1alpha1.Rule{{Upstreams: []v1alpha1.Upstream{"10.0.0.53"}}},
		},
	}
	for _, zone := range zones {
		f.Spec.Rules[0].Zones = append(f.Spec.Rules[0].Zones, v1alpha1.Zone(zone))
	}
	return f
}

func (w *world) create(f *v1alpha1.DNSForwarding) {
	w.t.Helper()
	if err := w.api.Create(w.t.Context(), f.DeepCopy()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(name string) *v1alpha1.DNSForwarding {
	w.t.Helper()
	var f v1alpha1.DNSForwarding
	if err := w.api.Get(w.t.Context(), client.ObjectKey{Name: name}, &f); err != nil {
		w.t.Fatal(err)
	}
	return &f
}

func (w *world) change(name string, change func(*v1alpha1.DNSForwarding)) {
	w.t.Helper()
	f := w.get(name)
	change(f)
	f.Generation++
	if err := w.api.Update(w.t.Context(), f); err != nil {
		w.t.Fatal(err)
	}
}

// states are the clusters of a DNSForwarding as "c000=Ready c001=Pending".
func (w *world) states(name string) string {
	w.t.Helper()
	var out []string
	for _, c := range w.get(name).Status.Clusters {
		out = append(out, c.Name[strings.LastIndex(c.Name, "/")+1:]+"="+string(c.State))
	}
	return strings.Join(out, " ")
}

// holding are the clusters that have any of our zones.
func (w *world) holding() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(w.clusters)) {
		if has := w.clusters[id].has; len(has) > 0 {
			out = append(out, id[strings.LastIndex(id, "/")+1:]+"="+strings.Join(has, ","))
		}
	}
	return strings.Join(out, " ")
}

// did is what was done to clusters since the last time it was asked.
func (w *world) did() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.log
	w.log = nil
	return out
}

// landed is how many clusters have what was wished.
func (w *world) landed() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.clusters {
		if len(s.has) > 0 {
			n++
		}
	}
	return n
}

func (w *world) want(name, want string) {
	w.t.Helper()
	if got := w.states(name); got != want {
		text, _ := json.MarshalIndent(w.get(name).Status, "", " ")
		w.t.Errorf("%s: %s, want %s\n%s", name, got, want, text)
	}
}

// List implements controller.Fleet.
func (w *world) List(_ context.Context, _ func(fleet.Cluster) bool) fleet.Listing {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := fleet.Listing{Clusters: map[string]fleet.Cluster{}, Failed: maps.Clone(w.failed)}
	w.rights = map[string]string{}
	for id, s := range w.clusters {
		if w.failed[s.Source] == nil {
			c := s.Cluster
			c.Labels = maps.Clone(c.Labels)
			l.Clusters[id] = c
			rights, known := w.works.Rights(c) // as the real one does, while it lists
			w.rights[id] = rightsText(rights, known)
		}
	}
	return l
}

// Annotate implements controller.Fleet.
func (w *world) Annotate(_ context.Context, c fleet.Cluster, domain string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.clusters[c.ID]; s != nil && s.HasObject {
		s.BaseDomain = domain
		w.log = append(w.log, strings.TrimSpace("annotate "+c.ID+" "+domain))
	}
	return nil
}

// recorder keeps Events.
type recorder struct {
	mu     sync.Mutex
	events []string
}

// Eventf implements events.EventRecorder.
func (r *recorder) Eventf(regarding, _ runtime.Object, kind, reason, _, note string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf("%s %s %s "+note, append([]any{regarding.(*v1alpha1.DNSForwarding).Name, kind, reason}, args...)...))
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}
