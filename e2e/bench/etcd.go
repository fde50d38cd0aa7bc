package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	upstreamcoredns "sigs.k8s.io/external-dns/provider/coredns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
)

// etcd measures a real etcd that syncs to disk.
func (b *bench) etcd(ctx context.Context) ([]row, error) {
	server, err := b.stack.Etcd(ctx, stack.EtcdConfig{QuotaBytes: 8 << 30})
	if err != nil {
		return nil, err
	}
	client, err := server.Client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	raw := rawEtcd{client}
	create, err := b.etcdCreate(ctx, server, raw)
	if err != nil {
		return nil, err
	}
	lists, err := b.etcdList(ctx, server, raw)
	return append([]row{create}, lists...), err
}

// etcdCreate fills an empty zone, a new one each time.
func (b *bench) etcdCreate(ctx context.Context, server *stack.Etcd, raw rawEtcd) (row, error) {
	r := row{work: fmt.Sprintf("etcd: create %d names, fsync on", b.n)}
	next := 0
	fresh := func(create func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error) func(context.Context) (time.Duration, error) {
		return func(ctx context.Context) (time.Duration, error) {
			zone := fmt.Sprintf("z%d.test", next)
			next++
			eps := hosts(zone, b.n, 0)
			took, err := clock(func() error { return create(ctx, zone, eps) })
			if err != nil {
				return took, err
			}
			count, err := raw.count(ctx, "/skydns/"+below(zone))
			if err == nil && count < int64(len(eps)) {
				err = fmt.Errorf("%d keys, want at least %d", count, len(eps))
			}
			return took, err
		}
	}
	ours, err := ourEtcd(server)
	if err != nil {
		return r, err
	}
	defer ours.Close()
	s, err := b.interleave(ctx, r.work,
		contender{name: "upstream", once: b.n >= 5000, run: fresh(func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error {
			p, err := upstreamEtcd(ctx, server, "/skydns/", zone)
			if err != nil {
				return err
			}
			return p.ApplyChanges(ctx, &plan.Changes{Create: eps})
		})},
		contender{name: "raw", run: fresh(func(ctx context.Context, _ string, eps []*endpoint.Endpoint) error {
			return raw.create(ctx, "/skydns", eps)
		})},
		contender{name: "spokedns", run: fresh(func(ctx context.Context, zone string, eps []*endpoint.Endpoint) error {
			return create(ctx, ours, zone, eps)
		})},
	)
	if err != nil {
		return r, err
	}
	peer, result := took("upstream", s["upstream"]), took("", s["spokedns"])
	limit := took("128 operations × 8, guarded", s["raw"])
	r.peers, r.limits, r.ours = []cell{peer}, []cell{limit}, []cell{result}
	r.faster(45, peer, result)
	r.beside(limit, result)
	return r, nil
}

// etcdList lists a large zone, cold and from the watched copy.
func (b *bench) etcdList(ctx context.Context, server *stack.Etcd, raw rawEtcd) ([]row, error) {
	const zone, peerPrefix, rawPrefix = "large.test", "/peer", "/raw"
	peerNames, note := b.peerNames()
	warm, err := ourEtcd(server)
	if err != nil {
		return nil, err
	}
	defer warm.Close()
	if err := b.fill(ctx, warm, zone); err != nil {
		return nil, err
	}
	err = errors.Join(
		raw.create(ctx, peerPrefix, hosts("medium.test", peerNames, 0)),
		raw.create(ctx, rawPrefix, hosts(zone, b.large, 0)))
	if err != nil {
		return nil, err
	}
	cold := row{work: fmt.Sprintf("etcd: list %d names", b.large), note: note}
	s, err := b.interleave(ctx, cold.work,
		contender{name: "upstream", once: true, run: func(ctx context.Context) (time.Duration, error) {
			p, err := upstreamEtcd(ctx, server, peerPrefix+"/", "medium.test")
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
			return clock(func() error {
				count, err := raw.list(ctx, rawPrefix)
				if err == nil && count != 2*b.large {
					err = fmt.Errorf("%d records, want %d", count, 2*b.large)
				}
				return err
			})
		}},
		contender{name: "spokedns", run: func(ctx context.Context) (time.Duration, error) {
			fresh, err := ourEtcd(server)
			if err != nil {
				return 0, err
			}
			defer fresh.Close()
			return clock(func() error { return ourList(ctx, fresh, zone, 2*b.large) })
		}},
	)
	if err != nil {
		return nil, err
	}
	limit, ours := took("one range and one merge", s["raw"]), took("", s["spokedns"])
	cold.peers = []cell{took(fmt.Sprintf("upstream, %d names", peerNames), s["upstream"])}
	cold.limits, cold.ours = []cell{limit}, []cell{ours}
	cold.within(800*time.Millisecond, ours)
	cold.beside(limit, ours)

	again := row{work: fmt.Sprintf("etcd: list %d names again, nothing changed", b.large)}
	if err := ourList(ctx, warm, zone, 2*b.large); err != nil {
		return nil, err
	}
	s, err = b.interleave(ctx, again.work,
		contender{name: "raw", run: func(ctx context.Context) (time.Duration, error) {
			return often(100, func() error { return raw.fence(ctx) })
		}},
		contender{name: "spokedns", run: func(ctx context.Context) (time.Duration, error) {
			return often(100, func() error { _, err := warm.List(ctx, zone); return err })
		}},
	)
	if err != nil {
		return nil, err
	}
	fence, watched := took("linearizable read of one key", s["raw"]), took("", s["spokedns"])
	again.peers, again.limits, again.ours = []cell{said("", "as above: everything is read")}, []cell{fence}, []cell{watched}
	again.within(2*time.Millisecond, watched)
	again.beside(fence, watched)
	return []row{cold, again}, nil
}

// fill puts the large number of names into the zone in portions that a client would send.
func (b *bench) fill(ctx context.Context, to *etcd.Backend, zone string) error {
	took, err := clock(func() error {
		for part := range slices.Chunk(hosts(zone, b.large, 0), 20_000) {
			if err := create(ctx, to, zone, part); err != nil {
				return err
			}
		}
		return nil
	})
	b.say("  filled etcd with %d names in %s", b.large, short(took))
	return err
}

// below is the path of a zone's names.
func below(zone string) string {
	labels := strings.Split(zone, ".")
	slices.Reverse(labels)
	return strings.Join(labels, "/")
}

// upstreamEtcd is the peer; it takes its servers from the environment only.
func upstreamEtcd(ctx context.Context, server *stack.Etcd, prefix, zone string) (provider.Provider, error) {
	if err := os.Setenv("ETCD_URLS", server.Endpoint); err != nil {
		return nil, err
	}
	return upstreamcoredns.New(ctx, &externaldns.Config{CoreDNSPrefix: prefix, TXTOwnerID: "bench"}, endpoint.NewDomainFilter([]string{zone}))
}

func ourEtcd(server *stack.Etcd) (*etcd.Backend, error) {
	return etcd.New(etcd.Config{Endpoints: []string{server.Endpoint}, Prefix: "/skydns", Timeout: time.Minute}, slog.New(slog.DiscardHandler))
}
