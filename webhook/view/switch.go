package view

import (
	"context"
	"errors"
	"sync"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"
)

// Switch serves a Provider that can be replaced while calls are under way. It implements
// extdns.Provider. The zero value serves none yet: every call fails and external-dns tries again.
type Switch struct {
	mu  sync.Mutex
	now *use
}

// use is a Provider and the calls under way on it.
type use struct {
	provider *Provider
	calls    int
	replaced bool
	idle     chan struct{} // closed once replaced and without calls
}

var errStarting = errors.New("the configuration is not loaded yet")

// Replace makes p serve all calls from now on. Calls under way end on the one before; the channel is
// closed when the last of them has ended, and it is time to close its backends.
func (s *Switch) Replace(p *Provider) (idle <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.now
	s.now = &use{provider: p, idle: make(chan struct{})}
	if old == nil {
		old = &use{idle: make(chan struct{})}
	}
	old.replaced = true
	old.endIfIdle()
	return old.idle
}

// Provider returns the one that serves now, or nil.
func (s *Switch) Provider() *Provider {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil {
		return nil
	}
	return s.now.provider
}

func (u *use) endIfIdle() {
	if u.replaced && u.calls == 0 {
		close(u.idle)
	}
}

// begin counts a call in; done counts it out.
func (s *Switch) begin() (p *Provider, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.now
	if u == nil {
		return nil, nil, errStarting
	}
	u.calls++
	return u.provider, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		u.calls--
		u.endIfIdle()
	}, nil
}

// Filter implements extdns.Provider.
func (s *Switch) Filter() (*endpoint.DomainFilter, error) {
	p, done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	return p.Filter()
}

// Records implements extdns.Provider.
func (s *Switch) Records(ctx context.Context) ([]*endpoint.Endpoint, error) {
	p, done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	return p.Records(ctx)
}

// Adjust implements extdns.Provider.
func (s *Switch) Adjust(ctx context.Context, in []*endpoint.Endpoint) ([]*endpoint.Endpoint, error) {
	p, done, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	return p.Adjust(ctx, in)
}

// Apply implements extdns.Provider.
func (s *Switch) Apply(ctx context.Context, changes *plan.Changes) error {
	p, done, err := s.begin()
	if err != nil {
		return err
	}
	defer done()
	return p.Apply(ctx, changes)
}

// FailOver calls FailOver of the Provider that serves now. Before there is one, there is nothing to move.
func (s *Switch) FailOver(ctx context.Context, allow func() bool) (Moved, error) {
	p, done, err := s.begin()
	if err != nil {
		return Moved{}, nil
	}
	defer done()
	return p.FailOver(ctx, allow)
}
