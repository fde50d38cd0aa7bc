package main

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	upstreamwebhook "sigs.k8s.io/external-dns/provider/webhook"

	"github.com/spokedns/spokedns/e2e/stack"
)

// process measures what our program itself needs.
func (b *bench) process(ctx context.Context) ([]row, error) {
	s, err := b.site(ctx)
	if err != nil {
		return nil, err
	}
	idle, err := b.processIdle(ctx, s)
	if err != nil {
		return nil, err
	}
	b.say("  creating %d Ingresses, which takes the API server a while", b.large)
	if err := s.grow(ctx, b.large, true); err != nil {
		return nil, err
	}
	loaded, err := b.processLoaded(ctx, s)
	return []row{idle, loaded}, err
}

// processIdle starts the program in an empty cluster.
func (b *bench) processIdle(ctx context.Context, s *site) (row, error) {
	r := row{work: "webhook process, nothing to do", peers: []cell{said("seed", "claims 50 MB, start < 1 s")}}
	addr, err := b.named(ctx, "named-idle", 0, zoneFile{name: appsZone})
	if err != nil {
		return r, err
	}
	var starts samples
	var resident memory
	for i := range b.repeats {
		var w *stack.Webhook
		took, err := clock(func() (err error) {
			w, err = b.stack.Webhook(ctx, stack.WebhookConfig{
				Name: fmt.Sprintf("idle-%d", i), Program: s.webhook, ConfigYAML: configFor(addr, appsZone), Kubeconfig: s.ourIdentity,
			})
			return err
		})
		if err != nil {
			return r, err
		}
		starts = append(starts, took)
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return r, ctx.Err()
		}
		m, err := memoryOf(w.PID())
		if err != nil {
			return r, err
		}
		if m.now > resident.now {
			resident = m
		}
		w.Stop()
	}
	ready := took("from start to ready, informers included", starts)
	r.ours = []cell{said("resident", "%s", resident), ready}
	r.promise(resident.now <= 40, resident.String(), "≤ 40 MB resident")
	r.within(time.Second, ready)
	return r, nil
}

// processLoaded lets it hold a large zone and as many claims, and plays external-dns for three loops.
func (b *bench) processLoaded(ctx context.Context, s *site) (row, error) {
	r := row{work: fmt.Sprintf("webhook process, %d names in DNS and as many Ingresses", b.large)}
	const zone = "bench.test"
	addr, err := b.named(ctx, "named-loaded", 0, zoneFile{name: zone, hosts: b.large})
	if err != nil {
		return r, err
	}
	w, err := b.stack.Webhook(ctx, stack.WebhookConfig{
		Name: "loaded", Program: s.webhook, ConfigYAML: configFor(addr, zone), Kubeconfig: s.ourIdentity,
	})
	if err != nil {
		return r, err
	}
	defer w.Stop()
	claimsOnly, err := memoryOf(w.PID())
	if err != nil {
		return r, err
	}
	client, err := upstreamwebhook.New(ctx, &externaldns.Config{
		WebhookProviderURL: w.API, WebhookProviderReadTimeout: time.Minute, WebhookProviderWriteTimeout: time.Minute,
	}, nil)
	if err != nil {
		return r, err
	}
	for range 3 {
		eps, err := client.Records(ctx)
		if err != nil {
			return r, err
		}
		var wanted []*endpoint.Endpoint
		for _, e := range eps {
			if e.RecordType == endpoint.RecordTypeA {
				wanted = append(wanted, e)
			}
		}
		if len(wanted) < b.large {
			return r, fmt.Errorf("%d addresses were listed, want %d", len(wanted), b.large)
		}
		if _, err := client.AdjustEndpoints(wanted); err != nil {
			return r, err
		}
	}
	after, err := memoryOf(w.PID())
	if err != nil {
		return r, err
	}
	r.ours = []cell{
		said("resident after three loops", "%s", after), said("at most", "%.0f MB", after.peak), said("with the claims alone", "%s", claimsOnly),
	}
	r.promise(after.now <= 350, after.String(), "≤ 350 MB resident")
	return r, nil
}
