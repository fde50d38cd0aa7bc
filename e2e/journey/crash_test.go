package journey_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
)

// crowd is n hosts, the i-th at its own address.
func crowd(s *site, n int) []*endpoint.Endpoint {
	all := make([]*endpoint.Endpoint, n)
	for i := range all {
		all[i] = record(s, fmt.Sprintf("h%06d", i), "A", fmt.Sprintf("10.%d.%d.%d", 100+i>>16, i>>8&255, i&255))
	}
	return all
}

// arrived is how many of 40 hosts spread over the crowd answer.
func (v server) arrived(ctx context.Context, n int) (int, error) {
	const samples = 40
	arrived := 0
	for k := range samples {
		got, err := stack.Query(ctx, v.addr, v.name(fmt.Sprintf("h%06d", k*(n-1)/(samples-1))), "A")
		if err != nil {
			return 0, err
		}
		arrived += len(got)
	}
	return arrived, nil
}

// arrive waits until some of the crowd answer, or all.
func (v server) arrive(n int, all bool, within time.Duration) {
	v.Helper()
	v.must(stack.Eventually(v.ctx, within, func(ctx context.Context) error {
		arrived, err := v.arrived(ctx, n)
		if err == nil && (arrived == 0 || all && arrived < 40) {
			err = fmt.Errorf("%d of 40 samples have arrived", arrived)
		}
		return err
	}))
}

// halfway checks that not all of the crowd answer: that what happened now happened in the middle.
func (v server) halfway(n int) {
	v.Helper()
	arrived, err := v.arrived(v.ctx, n)
	v.must(err)
	if arrived == 40 {
		v.Error("everything had arrived: this was not in the middle")
	}
}

// The webhook dies in the middle of an apply, and external-dns with it. Both come back, as Kubernetes
// would bring them, and finish the work.
func TestWebhookKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, home := range homes() {
		t.Run(home.name, func(t *testing.T) {
			t.Parallel()
			const n = 20_000
			s := newSite(t)
			dns := home.in(s)
			config := stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: home.farAway(s), rules: "- action: keep"}}}.yaml(s)}
			s.startWebhook(config)
			c := newConnector(s, record(s, "before", "A", "10.1.0.1"))
			s.startExternalDNS(c.externalDNS())
			dns.answers("before", "A", "10.1.0.1")

			c.serve(append(crowd(s, n), record(s, "before", "A", "10.1.0.1"))...)
			dns.arrive(n, false, soon)
			s.webhook.Kill()
			s.dns.Stop()
			dns.halfway(n)
			dns.holds("before", "A", "10.1.0.1")

			config.APIPort, config.Name = s.webhook.APIPort, "webhook-again"
			s.startWebhook(config)
			again := c.externalDNS()
			again.Name = "external-dns-again"
			s.startExternalDNS(again)
			dns.arrive(n, true, 2*time.Minute)
			s.settle()
			dns.holds("before", "A", "10.1.0.1")
		})
	}
}

// The DNS server goes away in the middle of an apply and comes back.
func TestServerStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	const n = 20_000
	run := func(t *testing.T, s *site, own *ownServer) {
		s.startWebhook(stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: own.farAway, rules: "- action: keep"}}}.yaml(s)})
		before := record(s, "before", "A", "10.1.0.1")
		c := newConnector(s, before)
		s.startExternalDNS(c.externalDNS())
		own.answers("before", "A", "10.1.0.1")
		c.serve(append(crowd(s, n), before)...)
		own.arrive(n, false, soon)
		own.stop()
		s.troubled()
		own.restart()
		own.arrive(n, true, 2*time.Minute)
		own.holds("before", "A", "10.1.0.1")
		s.settle()
	}
	t.Run("BIND", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		run(t, s, s.ownBIND())
	})
	t.Run("etcd", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		run(t, s, s.ownEtcd(stack.EtcdConfig{}))
	})
}

// 100,000 names at once, over a link on which they take longer than external-dns waits for one call: the
// work is done in durable steps, each answered before external-dns would hang up, and carried on by its
// next loop.
func TestAHundredThousandNamesAgainstTheTimeLimit(t *testing.T) {
	for _, home := range homes() {
		t.Run(home.name, func(t *testing.T) {
			const n = 100_000
			s := newSite(t)
			dns := home.in(s)
			s.startWebhook(stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: home.farAway(s), rules: "- action: keep"}}}.yaml(s)})
			c := newConnector(s, crowd(s, n)...)
			s.startExternalDNS(c.externalDNS())
			dns.arrive(n, true, 5*time.Minute)
			s.alive()
			s.settle()
			l := s.loops()
			if l.Errors == 0 {
				t.Error("one call was enough: the link is too fast to show anything")
			}
			t.Logf("100,000 names took %g calls, %g of them unfinished", l.Applies, l.Errors)
		})
	}
}
