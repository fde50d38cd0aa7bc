package view_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// rig is a Provider over backends in memory, with what it logs and counts.
type rig struct {
	*view.Provider
	backends []*memory.Backend
	log      *safeBuffer
	registry *prometheus.Registry
}

// safeBuffer is a buffer that several goroutines may write to.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// setup is what differs between rigs.
type setup struct {
	views   []policy.View
	targets map[string]policy.Target
	limits  backend.Limits
	wrap    func(backend.Backend) backend.Backend
	change  func(*view.Config)
}

// one is a setup with a single view of example.org that keeps everything.
func one() setup {
	return setup{views: []policy.View{{Name: "public", Zones: []string{"example.org"}}}}
}

func start(t testing.TB, s setup) *rig {
	t.Helper()
	r := &rig{log: &safeBuffer{}, registry: prometheus.NewRegistry()}
	rules, err := policy.New(policy.Config{Views: s.views, Targets: s.targets})
	if err != nil {
		t.Fatal(err)
	}
	c := view.Config{
		Policy:  rules,
		Log:     slog.New(slog.NewTextHandler(r.log, nil)),
		Metrics: view.NewMetrics(r.registry),
	}
	for _, v := range s.views {
		m, err := memory.New(memory.Config{Zones: v.Zones, Limits: s.limits})
		if err != nil {
			t.Fatal(err)
		}
		r.backends = append(r.backends, m)
		var b backend.Backend = m
		if s.wrap != nil {
			b = s.wrap(m)
		}
		c.Views = append(c.Views, view.View{Name: v.Name, Zones: v.Zones, Backend: b, BackendName: "memory", TTL: v.TTL})
	}
	if s.change != nil {
		s.change(&c)
	}
	if r.Provider, err = view.New(c); err != nil {
		t.Fatal(err)
	}
	return r
}

// counter adds up the series of a metric that have all the labels, given as name, value pairs.
func (r *rig) counter(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			matches := true
			for i := 0; i+1 < len(labels); i += 2 {
				matches = matches && have[labels[i]] == labels[i+1]
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func (r *rig) records(t testing.TB) []*endpoint.Endpoint {
	t.Helper()
	eps, err := r.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return eps
}

func (r *rig) adjust(t testing.TB, in ...*endpoint.Endpoint) []*endpoint.Endpoint {
	t.Helper()
	out, err := r.Adjust(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (r *rig) apply(t testing.TB, c plan.Changes) {
	t.Helper()
	if err := r.Apply(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
}

// lines writes endpoints as "www.example.org A 300 [192.0.2.1] (public)", sorted.
func lines(eps []*endpoint.Endpoint) string {
	var out []string
	for _, e := range eps {
		s := e.DNSName + " " + e.RecordType + " " + time.Duration(e.RecordTTL*1e9).String() + " " + strings.Join(e.Targets, ",")
		if e.SetIdentifier != "" {
			s += " (" + e.SetIdentifier + ")"
		}
		for _, p := range e.ProviderSpecific {
			s += " " + p.Name + "=" + p.Value
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func check(t testing.TB, what, got string, want ...string) {
	t.Helper()
	if w := strings.Join(want, "\n"); got != w {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, w)
	}
}

func a(name string, targets ...string) *endpoint.Endpoint {
	return &endpoint.Endpoint{DNSName: name, RecordType: "A", Targets: targets}
}

func record(typ, name string, targets ...string) *endpoint.Endpoint {
	return &endpoint.Endpoint{DNSName: name, RecordType: typ, Targets: targets}
}

// owner is the ownership TXT that external-dns's registry writes for a record.
func owner(id, typ, name string) *endpoint.Endpoint {
	e := record("TXT", strings.ToLower(typ)+"-"+name, `"heritage=external-dns,external-dns/owner=`+id+`"`)
	e.Labels = endpoint.Labels{"ownedRecord": name}
	return e
}

// facts is a hand-made index.
type facts struct{ claims []*claim.Claim }

func (f facts) ByHost(host string) []*claim.Claim {
	var out []*claim.Claim
	for _, c := range f.claims {
		if slices.Contains(c.Hosts, host) {
			out = append(out, c)
		}
	}
	return out
}

func (f facts) ByRef(r claim.Ref) *claim.Claim {
	for _, c := range f.claims {
		if c.Ref == r {
			return c
		}
	}
	return nil
}

func (facts) Watched(string) (bool, string) { return true, "" }

// index is an index whose lookups find what late holds.
type index struct {
	mu     sync.Mutex
	now    facts
	late   []*claim.Claim
	asked  []claim.Ref
	synced error
}

func (x *index) Snapshot() claim.Facts {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

func (x *index) Synced() error { return x.synced }

func (x *index) Resolve(_ context.Context, refs []claim.Ref) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, refs...)
	x.now.claims = append(slices.Clone(x.now.claims), x.late...)
	return nil
}

var errDown = errors.New("connection refused")

// flaky fails when told to.
type flaky struct {
	backend.Backend
	mu          sync.Mutex
	list, apply error
}

func (f *flaky) set(list, apply error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.apply = list, apply
}

func (f *flaky) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.list != nil {
		return nil, &backend.Error{Kind: backend.Temporary, Op: "flaky: list", Zone: zone, Err: f.list}
	}
	return f.Backend.List(ctx, zone)
}

func (f *flaky) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.apply != nil {
		return &backend.Error{Kind: backend.Temporary, Op: "flaky: update", Zone: zone, Err: f.apply}
	}
	return f.Backend.Apply(ctx, zone, changes)
}
