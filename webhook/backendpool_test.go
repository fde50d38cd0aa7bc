package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// closable counts how often it is closed. Nothing else of it is called.
type closable struct {
	backend.Backend
	closed int
	err    error
}

func (c *closable) Close() error { c.closed++; return c.err }

func memoryView(name string, zones ...string) config.View {
	return config.View{View: policy.View{Name: name, Zones: zones}, Backend: config.Section{Kind: "memory", Settings: new(memorySettings)}}
}

func TestBackendsSurviveAReload(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	kept, gone := &closable{}, &closable{err: errors.New("already gone")}
	inUse := []openBackend{{memoryView("a", "a.org"), kept}, {memoryView("b", "b.org"), gone}}

	changed := memoryView("a", "a.org")
	changed.Rules = []policy.Rule{{Action: policy.Drop}}
	now, err := new(shared).openAll([]config.View{changed, memoryView("b", "other.org")}, inUse, view.NewMetrics(prometheus.NewRegistry()), log)
	if err != nil {
		t.Fatal(err)
	}
	if now[0].Backend != backend.Backend(kept) {
		t.Error("the backend of a view whose rules changed was not kept")
	}
	if now[1].Backend == backend.Backend(gone) {
		t.Error("the backend of a view with other zones was kept")
	}
	closeBackends(inUse, now, log)
	if kept.closed != 0 || gone.closed != 1 {
		t.Errorf("kept was closed %d times, gone %d times; want 0 and 1", kept.closed, gone.closed)
	}
}

func TestFailedOpenLeavesNothingOpen(t *testing.T) {
	kept := &closable{}
	inUse := []openBackend{{memoryView("a", "a.org"), kept}}
	bad := config.View{View: policy.View{Name: "b"}, Backend: config.Section{Kind: "etcd", Settings: new(etcd.Config)}}
	_, err := new(shared).openAll([]config.View{memoryView("a", "a.org"), bad}, inUse, view.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "view b, backend etcd.endpoints: want") {
		t.Errorf("got %v, want what is wrong with view b", err)
	}
	if kept.closed != 0 {
		t.Error("a backend in use was closed")
	}
}

func TestRetireWaitsForAllCallsBefore(t *testing.T) {
	w := &webhook{log: slog.New(slog.DiscardHandler)}
	b := &closable{}
	inUse := []openBackend{{memoryView("a", "a.org"), b}}
	first, second := make(chan struct{}), make(chan struct{})
	w.retire(first, nil, inUse)  // calls under way on the configuration before still use b
	w.retire(second, inUse, nil) // and b is no longer in the one after
	close(second)
	select {
	case <-w.closed:
		t.Fatal("closed before the calls on the first configuration ended")
	default:
	}
	close(first)
	<-w.closed
	if b.closed != 1 {
		t.Errorf("closed %d times, want once", b.closed)
	}
}

func TestEveryKindOpens(t *testing.T) {
	for kind := range kinds() {
		settings, err := kinds().New(kind)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := new(backendSettings).of(kind); err != nil || s == nil {
			t.Errorf("%s cannot be chosen without a file: %v", kind, err)
		}
		v := memoryView("v", "example.org")
		v.Backend = config.Section{Kind: kind, Settings: settings}
		if _, err := new(shared).open(v, nil, slog.New(slog.DiscardHandler)); err != nil && strings.Contains(err.Error(), "unexpected settings") {
			t.Errorf("%s is not opened: %v", kind, err)
		}
	}
}
