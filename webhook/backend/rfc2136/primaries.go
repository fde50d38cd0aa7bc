package rfc2136

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/spokedns/spokedns/webhook/backend"
)

// primaries is one zone on all its servers.
type primaries struct {
	zone     string
	sessions []*session

	mu       sync.Mutex
	copies   [][]backend.RRset // what each server held when they were last compared
	agreed   []backend.RRset   // what List reported then
	disputed map[backend.Key]dispute
}

// dispute is an RRset that every server holds, but not the same one.
type dispute struct {
	reported backend.RRset
	held     []*backend.RRset // one per server
}

// each runs f for every server at once and returns their errors.
func (p *primaries) each(f func(i int, s *session) error) error {
	errs := make([]error, len(p.sessions))
	if len(p.sessions) == 1 {
		return f(0, p.sessions[0])
	}
	var all sync.WaitGroup
	for i, s := range p.sessions {
		all.Go(func() { errs[i] = f(i, s) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (p *primaries) list(ctx context.Context) ([]backend.RRset, error) {
	copies := make([][]backend.RRset, len(p.sessions))
	err := p.each(func(i int, s *session) error {
		err := s.acquire(ctx)
		if err == nil {
			defer s.release()
			err = s.refresh(ctx)
		}
		if err != nil {
			return &backend.Error{Kind: kindOf(err), Op: opList, Zone: p.zone, Err: s.explain(err)}
		}
		copies[i] = s.copy.sets
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(copies) == 1 {
		return copies[0], nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.EqualFunc(copies, p.copies, sameSlice) {
		p.agreed, p.disputed = agree(copies)
		p.copies = copies
	}
	return p.agreed, nil
}

func sameSlice(a, b []backend.RRset) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func (p *primaries) apply(ctx context.Context, units []*unit) error {
	if len(units) == 0 {
		return nil
	}
	return p.each(func(i int, s *session) error {
		if err := s.acquire(ctx); err != nil {
			r := run{session: s, pending: units}
			return backend.Unfinished(ctx, opUpdate, p.zone, r.rest(), 0)
		}
		defer s.release()
		return s.apply(ctx, p.share(i, units))
	})
}

// share is the units for one server. Where servers disagreed, Old is what List reported; it stands for
// what this server held then.
func (p *primaries) share(i int, units []*unit) []*unit {
	if len(p.sessions) == 1 {
		return units
	}
	p.mu.Lock()
	disputed := p.disputed
	p.mu.Unlock()
	out := make([]*unit, len(units))
	for n, u := range units {
		out[n] = &unit{changes: slices.Clone(u.changes)}
		for c := range out[n].changes {
			change := &out[n].changes[c]
			if d, ok := disputed[change.Key()]; ok && change.Old.Same(&d.reported) {
				change.Old = d.held[i]
			}
		}
	}
	return out
}

// agree compares what the servers hold. An RRset that one of them lacks is left out.
func agree(copies [][]backend.RRset) (agreed []backend.RRset, disputed map[backend.Key]dispute) {
	held := make(map[backend.Key][]*backend.RRset, len(copies[0]))
	for i := range copies[0] {
		r := &copies[0][i]
		held[r.Key] = []*backend.RRset{r}
	}
	for n, sets := range copies[1:] {
		for i := range sets {
			if all := held[sets[i].Key]; len(all) == n+1 {
				held[sets[i].Key] = append(all, &sets[i])
			}
		}
	}
	agreed, disputed = make([]backend.RRset, 0, len(copies[0])), map[backend.Key]dispute{}
	for _, first := range copies[0] {
		all := held[first.Key]
		if len(all) < len(copies) {
			continue
		}
		for _, other := range all[1:] {
			if other.TTL != first.TTL {
				first.TTL = 0
			}
			if !other.Same(&first) {
				first.Values = slices.Concat(first.Values, other.Values)
			}
		}
		if len(first.Values) != len(all[0].Values) || !first.Same(all[0]) {
			slices.Sort(first.Values)
			first.Values = slices.Compact(first.Values)
			disputed[first.Key] = dispute{reported: first, held: all}
		}
		agreed = append(agreed, first)
	}
	return agreed, disputed
}
