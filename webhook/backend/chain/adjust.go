package chain

import (
	"context"
	"errors"
	"slices"

	"github.com/spokedns/spokedns/webhook/backend"
)

const opAdjust = "chain: adjust"

// Adjust implements backend.Adjuster: it asks the other webhook. What that leaves out of its answer it
// does not take. A record that makes it refuse the question is found and left out, so that it stops no
// other.
func (b *Backend) Adjust(ctx context.Context, zone string, sets []backend.RRset) ([]backend.RRset, error) {
	if len(sets) == 0 {
		return nil, nil
	}
	q := &question{backend: b, zone: zone, byName: map[string][]endpoint{}, asked: map[owner][]backend.RRset{}}
	var names []string
	for _, s := range sets {
		q.asked[ownerOf(s.Key)] = append(q.asked[ownerOf(s.Key)], s)
		if q.byName[s.Name] == nil {
			names = append(names, s.Name)
		}
		q.byName[s.Name] = append(q.byName[s.Name], endpointOf(&s))
	}
	d := &delivery{send: func(names []string) error { return q.send(ctx, names) }}
	d.run(names, nil)
	if err := q.unanswerable(d); err != nil {
		return nil, err
	}
	return q.answer(d)
}

// owner is what a result has in common with what was asked for.
type owner struct{ name, setID string }

func ownerOf(k backend.Key) owner { return owner{k.Name, k.SetID} }

// question is one Adjust.
type question struct {
	backend *Backend
	zone    string
	byName  map[string][]endpoint
	asked   map[owner][]backend.RRset
	answers []endpoint
}

// send asks about names.
func (q *question) send(ctx context.Context, names []string) error {
	var asked []endpoint
	for _, n := range names {
		asked = append(asked, q.byName[n]...)
	}
	answer, err := q.backend.client.adjust(ctx, asked)
	if err == nil {
		q.answers = append(q.answers, answer...)
	}
	return err
}

// unanswerable is the error for a question that has no answer: it is not known for every name what the
// other webhook makes of it.
func (q *question) unanswerable(d *delivery) error {
	zone := func(err error) error {
		return &backend.Error{Kind: kindOf(err), Op: opAdjust, Zone: q.zone, Err: err}
	}
	for _, err := range d.untried {
		if !errors.Is(err, errTakesNothing) {
			return zone(err)
		}
	}
	for _, err := range d.refused {
		// What it answers to a single record while it takes others is about that record. When it takes
		// none, its word counts: a fault is a fault.
		if !d.delivered && (len(d.untried) > 0 || kindOf(err) != backend.Rejected) {
			return zone(err)
		}
	}
	return nil
}

// answer turns the results into RRsets and names what is missing among them.
func (q *question) answer(d *delivery) ([]backend.RRset, error) {
	var out []backend.RRset
	why := map[owner]error{}
	got := map[backend.Key]bool{}
	converted := map[owner]bool{} // has a result of a type that was not asked for
	for i := range q.answers {
		r, err := q.answers[i].rrset()
		asked := q.asked[ownerOf(r.Key)]
		switch {
		case asked == nil || got[r.Key]:
			continue
		case err != nil:
			why[ownerOf(r.Key)] = err
			continue
		}
		same := slices.IndexFunc(asked, func(s backend.RRset) bool { return s.Type == r.Type })
		if asked[max(same, 0)].TTL == 0 {
			r.TTL = 0
		}
		got[r.Key] = true
		converted[ownerOf(r.Key)] = converted[ownerOf(r.Key)] || same < 0
		out = append(out, r)
	}
	var errs []error
	for o, asked := range q.asked {
		for _, s := range asked {
			if got[s.Key] || converted[o] {
				continue
			}
			err := d.refused[s.Name]
			if err == nil {
				err = why[o]
			}
			if err == nil {
				err = errors.New("the other webhook does not take it: its answer leaves the record out")
			}
			errs = append(errs, &backend.Error{Kind: backend.Rejected, Op: opAdjust, Zone: q.zone, Key: s.Key, Err: err})
		}
	}
	slices.SortFunc(errs, func(x, y error) int {
		return compareKeys(x.(*backend.Error).Key, y.(*backend.Error).Key) //nolint:errorlint // made above
	})
	return out, errors.Join(errs...)
}
