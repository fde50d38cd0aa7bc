package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
)

// distance is how long every request of the timed rows takes at least.
const distance = 20 * time.Millisecond

// cloud is one service: a fake of it, and who keeps zones there.
type cloud struct {
	name    string
	host    string // where its API is
	service http.Handler
	addZone func(zone string) error
	peer    func(ctx context.Context, zone string) (client, error)
	ours    func(zone string) (client, error)
	timed   int                                                // names in the timed part, which must not take the peer minutes
	once    bool                                               // it is too slow to repeat
	note    string                                             // what is set differently from the defaults
	more    func(ctx context.Context, c *cloud) ([]row, error) // what is measured of this service only
	meter   *meter
	zones   int // how many were added

	// The smallest numbers of calls by the service's documented limits: those that make wanted of old, and
	// those that read a zone.
	leastWrites func(old, wanted []*endpoint.Endpoint) int
	leastReads  func(sets int) int
	batched     bool // ours promises to come close to the smallest number of writes
}

// clouds lets external-dns's providers and our backends keep a zone each in the same fake of a service.
func (b *bench) clouds(ctx context.Context) ([]row, error) {
	var rows []row
	for _, open := range []func(*bench) (*cloud, func(), error){(*bench).azureDNS, (*bench).cloudDNS, (*bench).route53, (*bench).gandi} {
		c, stop, err := open(b)
		if err != nil {
			return nil, err
		}
		more, err := b.cloud(ctx, c)
		stop()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// cloud measures one service: the calls for many names, and the time for some over a distance.
func (b *bench) cloud(ctx context.Context, c *cloud) ([]row, error) {
	c.meter = &meter{service: c.service, counts: calls{}}
	b.services.serve(c.host, c.meter)
	many, some := life{b.n}, life{min(c.timed, b.n)}
	peers, ours, err := b.bothLive(ctx, c, many, 0)
	if err != nil {
		return nil, err
	}
	rows := c.counted(many, peers, ours)
	peerTimes, ourTimes := make([]samples, len(rows)), make([]samples, len(rows))
	repeats := b.repeats
	if c.once {
		repeats = 1
	}
	for range repeats {
		if peers, ours, err = b.bothLive(ctx, c, some, distance); err != nil {
			return nil, err
		}
		for i := range rows {
			peerTimes[i], ourTimes[i] = append(peerTimes[i], peers[i].took), append(ourTimes[i], ours[i].took)
		}
	}
	label := fmt.Sprintf("%d names, %s a request", some.names, distance)
	for i := range rows {
		r, peer, result := &rows[i], took(label, peerTimes[i]), took(label, ourTimes[i])
		r.peers, r.ours = append(r.peers, peer), append(r.ours, result)
		r.facts = append(r.facts, fmt.Sprintf("%.3g × as fast as upstream", peer.samples.median().Seconds()/result.samples.median().Seconds()))
	}
	rows[0].note = c.note
	if c.more == nil {
		return rows, nil
	}
	more, err := c.more(ctx, c)
	return append(rows, more...), err
}

// bothLive lets the peer and then ours go through the life of a zone, each in a new one.
func (b *bench) bothLive(ctx context.Context, c *cloud, l life, delay time.Duration) (peer, ours []step, err error) {
	if peer, err = b.live(ctx, c, "upstream", l, delay, func(zone string) (client, error) { return c.peer(ctx, zone) }); err != nil {
		return nil, nil, err
	}
	ours, err = b.live(ctx, c, "spokedns", l, delay, c.ours)
	return peer, ours, err
}

func (b *bench) live(ctx context.Context, c *cloud, who string, l life, delay time.Duration, open func(string) (client, error)) ([]step, error) {
	c.zones++
	zone := fmt.Sprintf("z%d.test", c.zones)
	if err := c.addZone(zone); err != nil {
		return nil, err
	}
	steps, err := l.live(ctx, c.meter, delay, zone, open)
	if err != nil {
		return nil, fmt.Errorf("%s, %d names: %w", who, l.names, err)
	}
	for _, s := range steps {
		b.say("  %-44s %-18s %-8s %s", fmt.Sprintf("%s: %s, %d names", c.name, s.name, l.names), who, short(s.took), s.calls)
	}
	return steps, nil
}

// counted are the rows about the steps: who needs how many calls for each.
func (c *cloud) counted(l life, peers, ours []step) []row {
	var rows []row
	for i := range ours {
		r := c.countedStep(l, &peers[i], &ours[i])
		if ours[i].writes {
			list := slices.IndexFunc(ours, func(s step) bool { return !s.writes })
			r.facts = append(r.facts, fmt.Sprintf("with the list that begins external-dns's loop: %d calls, upstream %d",
				ours[i].calls.total()+ours[list].calls.total(), peers[i].calls.total()+peers[list].calls.total()))
		}
		rows = append(rows, r)
	}
	return rows
}

func (c *cloud) countedStep(l life, peer, ours *step) row {
	least, kind := c.leastReads(2*l.names), "to read as many RRsets"
	if ours.writes {
		least, kind = c.leastWrites(ours.old, ours.wanted), "to write"
	}
	r := row{
		work:   fmt.Sprintf("%s: %s, %d names", c.name, ours.name, l.names),
		peers:  []cell{said("", "%s", peer.calls)},
		limits: []cell{said("", "%d calls %s", least, kind)},
		ours:   []cell{said("", "%s", ours.calls)},
	}
	got, most := ours.calls.total(), peer.calls.total()
	r.promise(got <= most, fmt.Sprint(got), "calls ≤ upstream's %d", most)
	if c.batched && ours.writes {
		batches := ours.calls.writes()
		r.promise(float64(batches) <= 1.05*float64(least), fmt.Sprint(batches), "batches ≤ 1.05 × the fewest possible, %d", least)
	}
	return r
}
