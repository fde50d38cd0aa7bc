package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

const (
	farAway = 50 * time.Millisecond

	// Azure Resource Manager's buckets of writes, and of deletes, for one principal and subscription
	// ("Understand how Azure Resource Manager throttles requests").
	azureBurst, azurePerSecond = 200, 10
)

// azurePace measures how many requests are under way at a time, and whether ours stays within the rate.
func (b *bench) azurePace(ctx context.Context, c *cloud) ([]row, error) {
	parallel, err := b.azureParallel(ctx, c)
	if err != nil {
		return nil, err
	}
	within, err := b.azureWithinRate(ctx)
	return []row{parallel, within}, err
}

func (b *bench) azureParallel(ctx context.Context, c *cloud) (row, error) {
	peers, ours := min(50, b.n), min(1000, b.n)
	r := row{
		work: fmt.Sprintf("azuredns: create %d names, %s a request, no limit", ours, farAway),
		note: "how far parallel requests go when neither pace nor service limits them",
	}
	peer, err := b.createFarAway(ctx, c.meter, c.addZone, "parallel-peer.test", peers, func(zone string) (client, error) { return c.peer(ctx, zone) })
	if err != nil {
		return r, err
	}
	result, err := b.createFarAway(ctx, c.meter, c.addZone, "parallel.test", ours, c.ours)
	if err != nil {
		return r, err
	}
	r.peers = []cell{said(fmt.Sprintf("%d names", peers), "%s", peer.rate()), said("in flight at most", "%d", peer.inFlight)}
	r.ours = []cell{took("", samples{result.took}), said("", "%s", result.rate()), said("in flight at most", "%d", result.inFlight)}
	r.facts = append(r.facts, fmt.Sprintf("%.3g × upstream's throughput", result.perSecond()/peer.perSecond()))
	return r, nil
}

// azureWithinRate lets each create more than the service takes at once, on a fake that throttles as the
// service does. A bucket that is full at first sets the shortest time.
func (b *bench) azureWithinRate(ctx context.Context) (row, error) {
	const names = 150
	shortest := time.Duration(2*names-azureBurst) * time.Second / azurePerSecond
	r := row{
		work: fmt.Sprintf("azuredns: create %d names, %s a request, the service's rate of %d writes and then %d a second",
			names, farAway, azureBurst, azurePerSecond),
		limits: []cell{said("bucket", "%s", short(shortest))},
		note: "a fake with Azure Resource Manager's token bucket; ours at its default pace, whose bucket is as large and begins " +
			"to fill when a request is sent, half a round trip before the service's does: what comes too early is repeated",
	}
	create := func(open func(zone string) (client, error)) (step, error) {
		fake := azurednstest.New(azurednstest.Options{Bucket: azurednstest.Bucket{Size: azureBurst, PerSecond: azurePerSecond}})
		m := &meter{service: fake, counts: calls{}}
		b.services.serve(azureLogin, fake)
		b.services.serve(azureHost, m)
		add := func(zone string) error {
			fake.AddZone(azureSubscription, azureGroup, zone, azurednstest.Public)
			return nil
		}
		return b.createFarAway(ctx, m, add, "paced.test", names, open)
	}
	peer, err := create(func(zone string) (client, error) {
		return upstreamAzure(ctx, zone, filepath.Join(b.services.dir, "azure.json"))
	})
	if err != nil {
		return r, err
	}
	ours, err := create(func(zone string) (client, error) { return ourAzure(zone, 0) })
	if err != nil {
		return r, err
	}
	r.peers = []cell{took("", samples{peer.took}), said("throttled", "%d", peer.throttled)}
	result := took("", samples{ours.took})
	r.ours = []cell{result, said("throttled", "%d", ours.throttled), said("in flight at most", "%d", ours.inFlight)}
	r.promise(ours.throttled == 0, fmt.Sprint(ours.throttled), "throttled requests = 0")
	r.near(1.1, cell{label: "the bucket's time", samples: samples{shortest}}, result)
	return r, nil
}

// createFarAway measures creating names in a new zone.
func (b *bench) createFarAway(ctx context.Context, m *meter, addZone func(string) error, zone string, names int, open func(string) (client, error)) (step, error) {
	s := step{name: "create", writes: true, wanted: hosts(zone, names, 0)}
	if err := addZone(zone); err != nil {
		return s, err
	}
	c, err := open(zone)
	if err != nil {
		return s, err
	}
	defer c.close()
	if _, _, err := c.list(ctx); err != nil {
		return s, err
	}
	m.reset(farAway)
	s.took, err = clock(func() error { return c.apply(ctx, nil, s.wanted) })
	s.calls, s.inFlight, s.throttled = m.seen()
	m.reset(0)
	if err != nil {
		return s, err
	}
	stands := map[string]string{}
	expect(stands, nil, s.wanted)
	return s, check(ctx, c, stands)
}

func (s *step) perSecond() float64 { return float64(s.calls.total()) / s.took.Seconds() }

func (s *step) rate() string { return fmt.Sprintf("%.0f requests a second", s.perSecond()) }
