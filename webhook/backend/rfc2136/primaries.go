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

// dispute is an RRset that not all servers hold with the same values.
type dispute struct {
	reported backend.RRset
	held     []*backend.RRset // one per server; nil where it is not
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
	out := make([]*unit, 0, len(units))
	for _, u := range units {
		own := &unit{changes: make([]backend.Change, 0, len(u.changes))}
		for _, c := range u.changes {
			if d, ok := disputed[c.Key()]; ok && c.Old.Same(&d.reported) {
				c.Old = d.held[i]
			}
			if c.Old != nil || c.New != nil { // else what shall go is not there
				own.changes = append(own.changes, c)
			}
		}
		if len(own.changes) > 0 {
			out = append(out, own)
		}
	}
	return out
}

// agree compares what the servers hold. Where they differ, in values or TTL or because one of them lacks
// the RRset, all values there are are reported, without a TTL: that is never what is wanted, so the next
// comparison writes it to all, or deletes it from all.
func agree(copies [][]backend.RRset) (agreed []backend.RRset, disputed map[backend.Key]dispute) {
	held := make(map[backend.Key][]*backend.RRset, len(copies[0]))
	for n, sets := range copies {
		for i := range sets {
			all := held[sets[i].Key]
			if all == nil {
				all = make([]*backend.RRset, len(copies))
				held[sets[i].Key] = all
			}
			all[n] = &sets[i]
		}
	}
	agreed, disputed = make([]backend.RRset, 0, len(held)), map[backend.Key]dispute{}
	for key, all := range held {
		first := all[0]
		differs := func(r *backend.RRset) bool { return r == nil || !r.Same(first) || r.TTL != first.TTL }
		if !slices.ContainsFunc(all, differs) {
			agreed = append(agreed, *first)
			continue
		}
		union := backend.RRset{Key: key}
		same := true
		for _, r := range all {
			if same = same && r.Same(first); r != nil {
				union.Values = append(union.Values, r.Values...)
			}
		}
		slices.Sort(union.Values)
		union.Values = slices.Compact(union.Values)
		if !same {
			disputed[key] = dispute{reported: union, held: all}
		}
		agreed = append(agreed, union)
	}
	return agreed, disputed
}
