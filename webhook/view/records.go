package view

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/policy"
)

// concurrency is how many zones are listed or changed at the same time.
const concurrency = 8

// listing is one zone as its backend listed it, and the same as endpoints.
type listing struct {
	view      *View
	zone      string
	rrsets    []backend.RRset
	endpoints []*endpoint.Endpoint
	failed    bool // the backend did not say; these are of the time before
}

// snapshot is everything that is published, at one moment.
type snapshot struct {
	applies   uint64 // how many Apply had begun or ended when it was taken
	listings  []listing
	endpoints []*endpoint.Endpoint
	byName    func() map[published][]*endpoint.Endpoint // built when first asked for
}

// published is a name in a view.
type published struct{ view, name string }

// Records lists every zone of every view; one failure fails the call, because a shorter answer would
// make external-dns publish again what is there.
func (p *Provider) Records(ctx context.Context) ([]*endpoint.Endpoint, error) {
	s, err := p.list(ctx)
	p.config.Metrics.ended("list", err)
	if err != nil {
		return nil, err
	}
	return s.endpoints, nil
}

// current returns what is published: the last list when nothing was applied since. With an error it returns what
// list does.
func (p *Provider) current(ctx context.Context) (*snapshot, error) {
	if s := p.last.Load(); s != nil && s.applies == p.applies.Load() {
		return s, nil
	}
	return p.list(ctx)
}

// list asks the backends. One call at a time does, because backends answer the second from the memory
// of the first. With an error comes what is known all the same, so that a view that is down stops no other; nil when
// nothing is.
func (p *Provider) list(ctx context.Context) (*snapshot, error) {
	select {
	case p.listing <- struct{}{}:
		defer func() { <-p.listing }()
	case <-ctx.Done():
		return p.last.Load(), fmt.Errorf("view: wait for another list: %w", context.Cause(ctx))
	}
	next := &snapshot{applies: p.applies.Load()}
	for _, v := range p.config.Views {
		for _, zone := range v.Zones {
			next.listings = append(next.listings, listing{view: p.views[v.Name], zone: zone})
		}
	}
	last := p.last.Load()
	if err := p.listAll(ctx, next.listings); err != nil {
		return next.completed(last), err
	}
	p.assemble(next, last)
	p.last.Store(next)
	return next, nil
}

// completed takes from the last snapshot what could not be listed now. It has listings alone: enough to compare
// changes with, and not to be decided by.
func (s *snapshot) completed(last *snapshot) *snapshot {
	if last == nil {
		return nil
	}
	for i := range s.listings {
		if s.listings[i].failed {
			s.listings[i].rrsets = last.listings[i].rrsets
		}
	}
	return s
}

func (p *Provider) listAll(ctx context.Context, listings []listing) error {
	errs := make([]error, len(listings))
	var g errgroup.Group
	g.SetLimit(concurrency)
	for i := range listings {
		l := &listings[i]
		g.Go(func() error {
			start := time.Now()
			errs[i] = caught(func() (err error) {
				l.rrsets, err = l.view.Backend.List(ctx, l.zone)
				return err
			})()
			p.config.Metrics.backend(l.view, l.zone, "list", time.Since(start), errs[i])
			if l.failed = errs[i] != nil; l.failed {
				errs[i] = fmt.Errorf("view %s: %w", l.view.Name, errs[i])
			}
			return nil
		})
	}
	_ = g.Wait() // every zone is asked; the errors are in errs
	return errors.Join(errs...)
}

// assemble turns what was listed into endpoints. What did not change since the last list stays the very
// same slice, so that nobody does the work of encoding it again.
func (p *Provider) assemble(next, last *snapshot) {
	total, changed := 0, last == nil
	if last == nil {
		p.config.Metrics.records.Reset() // of the configuration before, whose zones may be others
	}
	for i := range next.listings {
		l := &next.listings[i]
		if last != nil && sameSlice(l.rrsets, last.listings[i].rrsets) {
			l.endpoints = last.listings[i].endpoints
		} else {
			l.endpoints, changed = p.endpointsOf(l), true
			p.config.Metrics.records.WithLabelValues(l.view.Name, l.zone).Set(float64(len(l.rrsets)))
		}
		total += len(l.endpoints)
	}
	if !changed {
		next.endpoints, next.byName = last.endpoints, last.byName
		return
	}
	if len(next.listings) == 1 {
		next.endpoints = next.listings[0].endpoints
	} else {
		next.endpoints = make([]*endpoint.Endpoint, 0, total)
		for _, l := range next.listings {
			next.endpoints = append(next.endpoints, l.endpoints...)
		}
	}
	next.byName = sync.OnceValue(func() map[published][]*endpoint.Endpoint {
		m := make(map[published][]*endpoint.Endpoint, total)
		for _, l := range next.listings {
			for _, e := range l.endpoints {
				key := published{l.view.Name, e.DNSName}
				m[key] = append(m[key], e)
			}
		}
		return m
	})
}

func sameSlice(a, b []backend.RRset) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// endpointsOf makes endpoints in one block: a hundred thousand single ones cost more than their content.
//
// Where zones nest, a backend without zone cuts lists the child's records with the parent's too. They
// are the child's alone.
func (p *Provider) endpointsOf(l *listing) []*endpoint.Endpoint {
	children := l.view.below(l.zone)
	block := make([]endpoint.Endpoint, len(l.rrsets))
	eps := make([]*endpoint.Endpoint, 0, len(l.rrsets))
	for i := range l.rrsets {
		r := &l.rrsets[i]
		if slices.ContainsFunc(children, func(child string) bool { return backend.InZone(r.Name, child) }) {
			continue
		}
		fill(&block[i], r, p.setID(l.view, r.SetID))
		eps = append(eps, &block[i])
	}
	return eps
}

// setID is the set identifier under which external-dns knows an RRset of the view.
func (p *Provider) setID(v *View, own string) string {
	if len(p.names) == 1 {
		return own
	}
	return policy.SetID(v.Name, own)
}

// viewOf is the inverse of setID.
func (p *Provider) viewOf(id string) (v *View, own string, ok bool) {
	name, own, ok := policy.SplitSetID(p.names, id)
	return p.views[name], own, ok
}
