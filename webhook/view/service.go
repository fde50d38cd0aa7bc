package view

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// serviceForm replaces the endpoints of views whose service has a form of its own by what the service
// makes of them (see backend.Adjuster). The others pass as they are. What a service does not take is left
// out and returned as refusals.
func (p *Provider) serviceForm(ctx context.Context, in []*endpoint.Endpoint, now *snapshot) ([]*endpoint.Endpoint, []refusal, error) {
	asked, rest := p.questions(in, now)
	if len(asked) == 0 {
		return in, nil, nil
	}
	out, refused := rest, []refusal(nil)
	var mu sync.Mutex
	var calls errgroup.Group
	for _, q := range asked {
		calls.Go(caught(func() error {
			sets, err := q.adjuster.Adjust(ctx, q.zone, q.sets)
			no, err := q.refusals(p, err, now)
			if err != nil {
				return err
			}
			answer := q.endpoints(p, sets)
			mu.Lock()
			defer mu.Unlock()
			out, refused = append(out, answer...), append(refused, no...)
			return nil
		}))
	}
	err := calls.Wait()
	slices.SortStableFunc(out, byKey) // whichever service answered first
	return out, refused, err
}

// question is what one service is asked about one zone.
type question struct {
	view     *View
	adjuster backend.Adjuster
	zone     string
	sets     []backend.RRset
	from     map[answerKey]*endpoint.Endpoint // what was asked for, by what an answer has in common with it
}

// answerKey tells to which endpoint an answer belongs: the one of its type, or else any of its name.
type answerKey struct{ name, setID, typ string }

// questions sorts the endpoints: those that a service is asked about, by view and zone, and the rest.
func (p *Provider) questions(in []*endpoint.Endpoint, now *snapshot) (asked []*question, rest []*endpoint.Endpoint) {
	byPlace := map[place]*question{}
	for _, e := range in {
		v, own, ok := p.viewOf(e.SetIdentifier)
		adjuster, special := backend.Adjuster(nil), false
		if ok {
			adjuster, special = v.Backend.(backend.Adjuster)
		}
		if !special {
			rest = append(rest, e)
			continue
		}
		if !v.Backend.Limits().SetIDs {
			own = ""
		}
		r, err := v.rrsetOf(e, own)
		zone, inside := now.zoning.zoneOf(v, r.Name)
		if err != nil || !inside {
			rest = append(rest, e) // fit says what is wrong with it
			continue
		}
		if r.TTL == 0 {
			r.TTL = v.TTL // the service may raise it, as any other
		}
		q := byPlace[place{v, zone}]
		if q == nil {
			q = &question{view: v, adjuster: adjuster, zone: zone, from: map[answerKey]*endpoint.Endpoint{}}
			byPlace[place{v, zone}] = q
			asked = append(asked, q)
		}
		q.sets = append(q.sets, r)
		for _, typ := range []string{r.Type, ""} {
			if k := (answerKey{r.Name, r.SetID, typ}); q.from[k] == nil {
				q.from[k] = e
			}
		}
	}
	return asked, rest
}

// source is the endpoint an answer belongs to, nil when nobody asked for it.
func (q *question) source(k backend.Key) *endpoint.Endpoint {
	if e := q.from[answerKey{k.Name, k.SetID, k.Type}]; e != nil {
		return e
	}
	return q.from[answerKey{k.Name, k.SetID, ""}]
}

// endpoints are the answer on the wire, with the labels of what was asked for.
func (q *question) endpoints(p *Provider, sets []backend.RRset) []*endpoint.Endpoint {
	block := make([]endpoint.Endpoint, len(sets))
	out := make([]*endpoint.Endpoint, 0, len(sets))
	for i := range sets {
		e := q.source(sets[i].Key)
		if e == nil {
			continue
		}
		fill(&block[i], &sets[i], p.setID(q.view, sets[i].SetID))
		block[i].Labels = e.Labels
		out = append(out, &block[i])
	}
	return out
}

// refusals reads an Adjust's error: the endpoints it refuses, or an error when nothing can be said.
func (q *question) refusals(p *Provider, err error, now *snapshot) ([]refusal, error) {
	if err == nil {
		return nil, nil
	}
	var out []refusal
	for _, e := range backend.Errors(err) {
		if e.Kind != backend.Rejected || e.Key == (backend.Key{}) {
			return nil, err
		}
		asked := q.source(e.Key)
		if asked == nil {
			return nil, errors.Join(errors.New("a refusal of what nobody asked for"), err)
		}
		out = append(out, p.refuse(q.view, asked, e.Key, "unsupported", e.Err, now))
	}
	return out, nil
}
