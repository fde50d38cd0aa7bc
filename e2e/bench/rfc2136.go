package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	upstreamrfc2136 "sigs.k8s.io/external-dns/provider/rfc2136"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// The peer's --rfc2136-batch-change-size: as it comes, and the largest that fits these records.
const defaultBatch, bestBatch = 50, 780

// rfc2136 measures updates of and transfers from a real BIND.
func (b *bench) rfc2136(ctx context.Context) ([]row, error) {
	var rows []row
	for _, slowSync := range []time.Duration{0, 5 * time.Millisecond} {
		r, err := b.rfc2136Create(ctx, slowSync)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	more, err := b.rfc2136Large(ctx)
	return append(rows, more...), err
}

// rfc2136Create fills an empty zone, a new one each time.
func (b *bench) rfc2136Create(ctx context.Context, slowSync time.Duration) (row, error) {
	r := row{work: fmt.Sprintf("rfc2136: create %d names", b.n)}
	name := "create"
	if slowSync > 0 {
		r.work += fmt.Sprintf(", %s fsync simulated", slowSync)
		r.note = "the named of this row runs with fsync replaced by a sleep (LD_PRELOAD): a simulation of a networked disk, not a measurement of one"
		name = "create-slow"
	}
	var zones []zoneFile
	for i := range 4 * b.repeats {
		zones = append(zones, zoneFile{name: fmt.Sprintf("z%d.test", i)})
	}
	addr, err := b.named(ctx, name, slowSync, zones...)
	if errors.Is(err, errNoCompiler) {
		r.ours = []cell{said("", "not measured: %v", err)}
		return r, nil
	}
	if err != nil {
		return r, err
	}
	next := 0
	fresh := func(create func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error) func(context.Context) (time.Duration, error) {
		return func(ctx context.Context) (time.Duration, error) {
			zone := zones[next].name
			next++
			eps := hosts(zone, b.n, 0)
			took, err := clock(func() error { return create(ctx, zone, eps) })
			return took, errors.Join(err, requireCount(ctx, addr, zone, len(eps)))
		}
	}
	upstream := func(batch int) func(context.Context, string, []*endpoint.Endpoint) error {
		return func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error {
			p, err := upstreamBIND(ctx, addr, batch, zone)
			if err != nil {
				return err
			}
			return p.ApplyChanges(ctx, &plan.Changes{Create: eps})
		}
	}
	ours, err := ourBIND(addr)
	if err != nil {
		return r, err
	}
	defer ours.Close()
	s, err := b.interleave(ctx, r.work,
		contender{name: "batch 50", run: fresh(upstream(defaultBatch))},
		contender{name: "batch 780", run: fresh(upstream(bestBatch))},
		contender{name: "raw", run: fresh(func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error {
			raw, err := dialRaw(ctx, addr)
			if err != nil {
				return err
			}
			defer raw.close()
			return raw.create(zone, eps)
		})},
		contender{name: "spokedns", run: fresh(func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error {
			return create(ctx, ours, zone, eps)
		})},
	)
	if err != nil {
		return r, err
	}
	byDefault, atBest := took("default (batch 50)", s["batch 50"]), took("best batch (780)", s["batch 780"])
	limit, result := took("64 KiB messages, unguarded", s["raw"]), took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{byDefault, atBest}, []cell{limit}, []cell{result}
	r.beside(limit, result)
	if slowSync > 0 {
		r.faster(8, cell{label: "default", samples: byDefault.samples}, result)
		return r, nil
	}
	bound := float64(limit.samples.median())
	r.note = fmt.Sprintf("the server sets the bound: here the limit itself is %.2f × the default and %.2f × the best batch",
		float64(byDefault.samples.median())/bound, float64(atBest.samples.median())/bound)
	r.faster(3, cell{label: "default", samples: byDefault.samples}, result)
	r.faster(1.5, cell{label: "best batch", samples: atBest.samples}, result)
	return r, nil
}

// requireCount transfers the zone and requires that it holds as many names: who is fast by doing half the
// work is not fast. The zone's own address of its name server is one more.
func requireCount(ctx context.Context, addr, zone string, want int) error {
	raw, err := dialRaw(ctx, addr)
	if err != nil {
		return err
	}
	defer raw.close()
	got, _, err := raw.list(zone)
	if err == nil && got != want+1 {
		err = fmt.Errorf("%s holds %d RRsets, want %d", zone, got-1, want)
	}
	return err
}

// rfc2136Large lists and changes a large zone.
func (b *bench) rfc2136Large(ctx context.Context) ([]row, error) {
	peerNames, _ := b.peerNames()
	const large, medium = "large.test", "medium.test"
	addr, err := b.named(ctx, "large", 0, zoneFile{large, b.large}, zoneFile{medium, peerNames})
	if err != nil {
		return nil, err
	}
	list, err := b.rfc2136List(ctx, addr, large, medium)
	if err != nil {
		return nil, err
	}
	change, err := b.rfc2136Change(ctx, addr, large)
	if err != nil {
		return nil, err
	}
	unchanged, err := b.rfc2136Unchanged(ctx, addr, large)
	if err != nil {
		return nil, err
	}
	delta, err := b.rfc2136Delta(ctx, addr, large)
	return []row{list, unchanged, delta, change}, err
}

func (b *bench) rfc2136List(ctx context.Context, addr, zone, peerZone string) (row, error) {
	peerNames, note := b.peerNames()
	r := row{work: fmt.Sprintf("rfc2136: list %d names", b.large), note: note}
	s, err := b.interleave(ctx, r.work,
		contender{name: "upstream", once: true, run: func(ctx context.Context) (time.Duration, error) {
			p, err := upstreamBIND(ctx, addr, defaultBatch, peerZone)
			if err != nil {
				return 0, err
			}
			return clock(func() error {
				eps, err := p.Records(ctx)
				if err == nil && len(eps) < 2*peerNames {
					err = fmt.Errorf("%d records, want %d", len(eps), 2*peerNames)
				}
				return err
			})
		}},
		contender{name: "raw", run: func(ctx context.Context) (time.Duration, error) {
			raw, err := dialRaw(ctx, addr)
			if err != nil {
				return 0, err
			}
			defer raw.close()
			return clock(func() error { _, _, err := raw.list(zone); return err })
		}},
		contender{name: "spokedns", run: func(ctx context.Context) (time.Duration, error) {
			cold, err := ourBIND(addr)
			if err != nil {
				return 0, err
			}
			defer cold.Close()
			return clock(func() error { return ourList(ctx, cold, zone, 2*b.large) })
		}},
	)
	if err != nil {
		return r, err
	}
	ours := took("", s["spokedns"])
	r.peers = []cell{took(fmt.Sprintf("upstream, %d names", peerNames), s["upstream"])}
	r.limits, r.ours = []cell{took("AXFR and one merge", s["raw"])}, []cell{ours}
	r.within(450*time.Millisecond, ours)
	r.beside(r.limits[0], ours)
	return r, nil
}

func (b *bench) rfc2136Unchanged(ctx context.Context, addr, zone string) (row, error) {
	r := row{work: fmt.Sprintf("rfc2136: list %d names again, nothing changed", b.large)}
	raw, err := dialRaw(ctx, addr)
	if err != nil {
		return r, err
	}
	defer raw.close()
	warm, err := b.warmBIND(ctx, addr, zone)
	if err != nil {
		return r, err
	}
	defer warm.Close()
	s, err := b.interleave(ctx, r.work,
		contender{name: "raw", run: func(context.Context) (time.Duration, error) {
			return often(100, func() error { return raw.serial(zone) })
		}},
		contender{name: "spokedns", run: func(ctx context.Context) (time.Duration, error) {
			return often(100, func() error { _, err := warm.List(ctx, zone); return err })
		}},
	)
	if err != nil {
		return r, err
	}
	ours := took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{said("", "as above: a whole transfer")}, []cell{took("SOA query", s["raw"])}, []cell{ours}
	r.within(time.Millisecond, ours)
	r.beside(r.limits[0], ours)
	return r, nil
}

func (b *bench) rfc2136Delta(ctx context.Context, addr, zone string) (row, error) {
	share := b.large / 100
	r := row{work: fmt.Sprintf("rfc2136: list %d names again, %d changed by another", b.large, share)}
	raw, err := dialRaw(ctx, addr)
	if err != nil {
		return r, err
	}
	defer raw.close()
	warm, err := b.warmBIND(ctx, addr, zone)
	if err != nil {
		return r, err
	}
	defer warm.Close()
	_, serial, err := raw.list(zone)
	if err != nil {
		return r, err
	}
	generation := 0
	change := func() error {
		generation++
		return raw.update(zone, hosts(zone, 4*share, generation)[2*3*share:])
	}
	s, err := b.interleave(ctx, r.work,
		contender{name: "raw", run: func(context.Context) (time.Duration, error) {
			if err := change(); err != nil {
				return 0, err
			}
			return clock(func() (err error) { _, serial, err = raw.delta(zone, serial); return err })
		}},
		contender{name: "spokedns", run: func(ctx context.Context) (time.Duration, error) {
			var rounds samples // several: a heap that grows for the first time measures the machine's page faults
			for range 5 {
				if err := change(); err != nil {
					return 0, err
				}
				took, err := clock(func() error { return ourList(ctx, warm, zone, 2*b.large) })
				if err != nil {
					return 0, err
				}
				rounds = append(rounds, took)
			}
			_, serial, err = raw.list(zone)
			return rounds.median(), err
		}},
	)
	if err != nil {
		return r, err
	}
	ours := took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{said("", "as above: a whole transfer")}, []cell{took("IXFR, unmerged", s["raw"])}, []cell{ours}
	r.within(15*time.Millisecond, ours)
	r.beside(r.limits[0], ours)
	return r, nil
}

// rfc2136Change changes one name in a hundred; each contender has names of its own.
func (b *bench) rfc2136Change(ctx context.Context, addr, zone string) (row, error) {
	share := b.large / 100
	r := row{work: fmt.Sprintf("rfc2136: change %d of %d names", share, b.large)}
	steps := func(slot int) func() (old, wanted []*endpoint.Endpoint) {
		generation := 0
		return func() (old, wanted []*endpoint.Endpoint) {
			first, last := 2*slot*share, 2*(slot+1)*share
			old = hosts(zone, (slot+1)*share, generation)[first:last]
			generation++
			return old, hosts(zone, (slot+1)*share, generation)[first:last]
		}
	}
	peer, err := upstreamBIND(ctx, addr, defaultBatch, zone)
	if err != nil {
		return r, err
	}
	raw, err := dialRaw(ctx, addr)
	if err != nil {
		return r, err
	}
	defer raw.close()
	warm, err := b.warmBIND(ctx, addr, zone)
	if err != nil {
		return r, err
	}
	defer warm.Close()
	peerStep, rawStep, ourStep := steps(0), steps(1), steps(2)
	s, err := b.interleave(ctx, r.work,
		contender{name: "upstream", run: func(ctx context.Context) (time.Duration, error) {
			old, wanted := peerStep()
			return clock(func() error { return peer.ApplyChanges(ctx, &plan.Changes{UpdateOld: old, UpdateNew: wanted}) })
		}},
		contender{name: "raw", run: func(context.Context) (time.Duration, error) {
			_, wanted := rawStep()
			return clock(func() error { return raw.update(zone, wanted) })
		}},
		contender{name: "spokedns", run: func(ctx context.Context) (time.Duration, error) {
			old, wanted := ourStep()
			return clock(func() error {
				cs, err := changes(old, wanted)
				if err != nil {
					return err
				}
				return warm.Apply(ctx, zone, cs)
			})
		}},
	)
	if err != nil {
		return r, err
	}
	ours := took("", s["spokedns"])
	r.peers, r.limits, r.ours = []cell{took("default (batch 50)", s["upstream"])}, []cell{took("64 KiB messages, unguarded", s["raw"])}, []cell{ours}
	r.within(60*time.Millisecond, ours)
	r.beside(r.limits[0], ours)
	return r, nil
}

func upstreamBIND(ctx context.Context, addr string, batch int, zone string) (provider.Provider, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	return upstreamrfc2136.New(ctx, &externaldns.Config{
		RFC2136Host: []string{host}, RFC2136Port: port, RFC2136Zone: []string{zone}, RFC2136TAXFR: true, RFC2136BatchChangeSize: batch,
		RFC2136TSIGKeyName: tsigName, RFC2136TSIGSecret: tsigSecret, RFC2136TSIGSecretAlg: "hmac-sha256",
	}, endpoint.NewDomainFilter([]string{zone}))
}

func ourBIND(addr string) (*rfc2136.Backend, error) {
	return rfc2136.New(rfc2136.Config{
		Servers: []string{addr}, Timeout: time.Minute,
		TSIG: rfc2136.TSIG{Name: tsigName, Algorithm: "hmac-sha256", Secret: tsigSecret},
	})
}

// warmBIND is our backend after its first list of a large zone.
func (b *bench) warmBIND(ctx context.Context, addr, zone string) (*rfc2136.Backend, error) {
	warm, err := ourBIND(addr)
	if err != nil {
		return nil, err
	}
	if err := ourList(ctx, warm, zone, 2*b.large); err != nil {
		return nil, errors.Join(err, warm.Close())
	}
	return warm, nil
}

// ourList lists the zone and requires at least as many RRsets.
func ourList(ctx context.Context, b backend.Backend, zone string, want int) error {
	sets, err := b.List(ctx, zone)
	if err == nil && len(sets) < want {
		err = fmt.Errorf("%d RRsets of %s listed, want %d", len(sets), zone, want)
	}
	return err
}
