package view_test

import (
	"context"
	"testing"

	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/extdns"
	"github.com/spokedns/spokedns/webhook/view"
)

var _ extdns.Provider = (*view.Switch)(nil)

func TestSwitchFailsUntilThereIsAProvider(t *testing.T) {
	var s view.Switch
	if _, err := s.Filter(); err == nil {
		t.Error("Filter succeeds")
	}
	if _, err := s.Records(t.Context()); err == nil {
		t.Error("Records succeeds")
	}
	if _, err := s.Adjust(t.Context(), nil); err == nil {
		t.Error("Adjust succeeds")
	}
	if err := s.Apply(t.Context(), &plan.Changes{}); err == nil {
		t.Error("Apply succeeds")
	}
	if s.Provider() != nil {
		t.Error("there is a provider")
	}
}

// gate lets List wait.
type gate struct {
	backend.Backend
	entered, open chan struct{}
}

func (g *gate) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	g.entered <- struct{}{}
	<-g.open
	return g.Backend.List(ctx, zone)
}

func TestSwitchTellsWhenTheOldOneIsIdle(t *testing.T) {
	g := &gate{entered: make(chan struct{}), open: make(chan struct{})}
	slowly := one()
	slowly.wrap = func(b backend.Backend) backend.Backend { g.Backend = b; return g }
	old, next := start(t, slowly), start(t, one())
	var s view.Switch
	<-s.Replace(old.Provider) // there was none: idle at once
	answered := make(chan error)
	go func() {
		_, err := s.Records(context.Background())
		answered <- err
	}()
	<-g.entered
	idle := s.Replace(next.Provider)
	select {
	case <-idle:
		t.Fatal("idle while a call is under way")
	default:
	}
	if _, err := s.Records(t.Context()); err != nil || s.Provider() != next.Provider {
		t.Errorf("the next one does not serve: %v", err)
	}
	close(g.open)
	if err := <-answered; err != nil {
		t.Errorf("the call under way failed: %v", err)
	}
	<-idle
}
