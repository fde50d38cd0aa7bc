package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
)

// life is what happens to a zone that is measured: its names come, are listed, change in part, and go.
type life struct{ names int }

// step is one event, and what it took.
type step struct {
	name        string
	writes      bool
	old, wanted []*endpoint.Endpoint // of a write
	calls       calls
	inFlight    int // at most
	throttled   int
	took        time.Duration
}

// changed is how many names change.
func (l life) changed() int { return max(1, l.names/100) }

// steps are the events in their order; the generations of addresses tell them apart.
func (l life) steps(zone string) []step {
	before, after := hosts(zone, l.names, 0), hosts(zone, l.names, 0)
	share := 2 * l.changed()
	copy(after, hosts(zone, l.changed(), 1))
	return []step{
		{name: "create", writes: true, wanted: before},
		{name: "list"},
		{name: "change 1 %", writes: true, old: before[:share], wanted: after[:share]},
		{name: "delete", writes: true, old: after},
	}
}

// live goes through the steps and measures each. Before the first write the client lists the zone, which is not
// counted: external-dns asks for the records first in every loop. The list that is counted is the first of
// a fresh client. What must stand after each step is checked: who is fast by doing half the work is not fast.
func (l life) live(ctx context.Context, m *meter, delay time.Duration, zone string, open func(zone string) (client, error)) ([]step, error) {
	c, err := open(zone)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if _, _, err := c.list(ctx); err != nil {
		return nil, err
	}
	steps := l.steps(zone)
	stands := map[string]string{}
	for i := range steps {
		s := &steps[i]
		if s.writes {
			m.reset(delay)
			s.took, err = clock(func() error { return c.apply(ctx, s.old, s.wanted) })
		} else {
			err = l.listAnew(ctx, m, delay, zone, open, s)
		}
		s.calls, s.inFlight, s.throttled = m.seen()
		m.reset(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		expect(stands, s.old, s.wanted)
		if err := check(ctx, c, stands); err != nil {
			return nil, fmt.Errorf("after %s: %w", s.name, err)
		}
	}
	return steps, nil
}

// listAnew measures the first list of a fresh client.
func (l life) listAnew(ctx context.Context, m *meter, delay time.Duration, zone string, open func(zone string) (client, error), s *step) error {
	fresh, err := open(zone)
	if err != nil {
		return err
	}
	defer fresh.close()
	m.reset(delay)
	var sets int
	s.took, err = clock(func() (err error) { _, sets, err = fresh.list(ctx); return err })
	if err == nil && sets < 2*l.names {
		err = fmt.Errorf("%d RRsets, want %d", sets, 2*l.names)
	}
	return err
}

// expect notes which addresses stand after a step.
func expect(stands map[string]string, old, wanted []*endpoint.Endpoint) {
	for _, e := range old {
		delete(stands, e.DNSName)
	}
	for _, e := range wanted {
		if e.RecordType == endpoint.RecordTypeA {
			stands[e.DNSName] = e.Targets[0]
		}
	}
}

// check requires that the zone holds these addresses and an ownership text for each.
func check(ctx context.Context, c client, stands map[string]string) error {
	got, sets, err := c.list(ctx)
	if err != nil {
		return err
	}
	if len(got) != len(stands) || sets != 2*len(stands) {
		return fmt.Errorf("%d addresses in %d RRsets stand, want %d in %d", len(got), sets, len(stands), 2*len(stands))
	}
	for name, address := range stands {
		if got[name] != address {
			return fmt.Errorf("%s is %q, want %q", name, got[name], address)
		}
	}
	return nil
}
