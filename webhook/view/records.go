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
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// concurrency is how many zones are listed or changed at the same time.
const concurrency = 8

// listing is one zone as its backend listed it, and the same as endpoints.
type listing struct {
	place
	rrsets    []backend.RRset
	endpoints []*endpoint.Endpoint
	below     []string // the view's zones inside it, whose records are not its own
	failed    bool     // the backend did not say; these are of the time before
}

// snapshot is everything that is published, at one moment.
type snapshot struct {
	applies   uint64 // how many Apply had begun or ended when it was taken
	zoning    *zoning
	listings  []listing
	endpoints []*endpoint.Endpoint
	byName    func() map[published][]*endpoint.Endpoint // built when first asked for
}

// published is a name in a view.
type published struct{ view, name string }

// Records lists every zone of every view; one failure fails the call, because a shorter answer would
// make external-dns publish again what is there.
func (p *Provider) Records(ctx context.Context) ([]*endpoint.Endpoint, error) {
	s, err := p.list(ctx, true)
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
	return p.list(ctx, false)
}

// list asks the backends. One call at a time does, because backends answer the second from the memory
// of the first. With an error comes what is known all the same, so that a view that is down stops no other; nil when
// nothing is. renew takes up the zones there are now; else it lists those of the last time that was done.
func (p *Provider) list(ctx context.Context, renew bool) (*snapshot, error) {
	select {
	case p.listing <- struct{}{}:
		defer func() { <-p.listing }()
	case <-ctx.Done():
		return p.last.Load(), fmt.Errorf("view: wait for another list: %w", context.Cause(ctx))
	}
	next, last := &snapshot{applies: p.applies.Load(), zoning: p.zoning.Load()}, p.last.Load()
	if renew = renew || !p.taken; renew {
		found, err := p.find()
		if err != nil {
			return last, err
		}
		next.zoning = found
	}
	for _, at := range next.zoning.places {
		next.listings = append(next.listings, listing{place: at, below: next.zoning.inside[at]})
	}
	waits, err := p.listAll(ctx, next, renew)
	if err != nil {
		return next.completed(last), err
	}
	next.wait(p.all, waits)
	p.assemble(next, last)
	if renew && p.config.Found != nil {
		next.zoning.joined(p.zoning.Load(), time.Now())
	}
	p.last.Store(next)
	if renew {
		p.takeUp(ctx, next.zoning)
		p.taken = true
	}
	return next, nil
}

// wait takes zones out that could not be listed and may wait.
func (s *snapshot) wait(views []*View, why map[place]string) {
	s.zoning = s.zoning.waiting(views, why)
	s.listings = slices.DeleteFunc(s.listings, func(l listing) bool { return why[l.place] != "" })
}

// completed takes from the last snapshot what could not be listed now. It has listings alone: enough to compare
// changes with, and not to be decided by.
func (s *snapshot) completed(last *snapshot) *snapshot {
	if last == nil {
		return nil
	}
	for i := range s.listings {
		if l := &s.listings[i]; l.failed {
			if before := last.at(l.place, i); before != nil {
				l.rrsets = before.rrsets
			}
		}
	}
	return s
}

// at is the listing of a place, nil when there is none. Mostly it has the same index as in the next snapshot.
func (s *snapshot) at(p place, index int) *listing {
	if index < len(s.listings) && s.listings[index].place == p {
		return &s.listings[index]
	}
	for i := range s.listings {
		if s.listings[i].place == p {
			return &s.listings[i]
		}
	}
	return nil
}

// listAll lists every zone. Zones that were found may wait, when mayWait, instead of failing the others.
func (p *Provider) listAll(ctx context.Context, s *snapshot, mayWait bool) (waits map[place]string, err error) {
	errs := make([]error, len(s.listings))
	why := make([]string, len(s.listings))
	var g errgroup.Group
	g.SetLimit(concurrency)
	for i := range s.listings {
		l, m := &s.listings[i], s.zoning.of[s.listings[i].place]
		g.Go(func() error {
			err := p.listOne(ctx, l, mayWait && m.found != nil && m.found.State == zonesource.Unready)
			if err != nil && mayWait && ctx.Err() == nil {
				why[i] = m.tolerable(err)
			}
			if l.failed = err != nil; err != nil && why[i] == "" {
				errs[i] = fmt.Errorf("view %s: %w", l.view.Name, err)
			}
			return nil
		})
	}
	_ = g.Wait() // every zone is asked; the errors are in errs
	waits = map[place]string{}
	for i, l := range s.listings {
		if why[i] != "" {
			waits[l.place] = why[i]
		}
	}
	return waits, errors.Join(errs...)
}

// listOne lists one zone, within a short time when brief.
func (p *Provider) listOne(ctx context.Context, l *listing, brief bool) error {
	if brief {
		limited, cancel := context.WithTimeout(ctx, unreadyTime)
		defer cancel()
		ctx = limited
	}
	start := time.Now()
	err := caught(func() (err error) {
		l.rrsets, err = l.view.Backend.List(ctx, l.zone)
		return err
	})()
	p.config.Metrics.backend(l.view, l.zone, "list", time.Since(start), err)
	return err
}

// assemble turns what was listed into endpoints. What did not change since the last list stays the very
// same slice, so that nobody does the work of encoding it again.
func (p *Provider) assemble(next, last *snapshot) {
	total, changed := 0, last == nil || len(last.listings) != len(next.listings)
	if last == nil {
		p.config.Metrics.records.Reset() // of the configuration before, whose zones may be others
	}
	for i := range next.listings {
		l := &next.listings[i]
		var before *listing
		if last != nil {
			before = last.at(l.place, i)
		}
		if before != nil && sameSlice(l.rrsets, before.rrsets) && slices.Equal(l.below, before.below) {
			l.endpoints = before.endpoints
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
	block := make([]endpoint.Endpoint, len(l.rrsets))
	eps := make([]*endpoint.Endpoint, 0, len(l.rrsets))
	for i := range l.rrsets {
		r := &l.rrsets[i]
		if slices.ContainsFunc(l.below, func(child string) bool { return backend.InZone(r.Name, child) }) {
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
