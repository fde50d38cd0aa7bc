package journey_test

import (
	"context"
	"errors"
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

// complete waits until the first, the last and a few hosts in between answer.
func (v server) complete(n int, within time.Duration) {
	v.Helper()
	for _, i := range []int{n - 1, 0, n / 3, n / 2, 2 * n / 3} {
		address := fmt.Sprintf("10.%d.%d.%d", 100+i>>16, i>>8&255, i&255)
		if err := stack.EventuallyAnswers(v.ctx, within, v.addr, v.name(fmt.Sprintf("h%06d", i)), "A", address); err != nil {
			v.Fatal(err)
		}
	}
}

// began waits until some of the crowd has arrived.
func (v server) began() {
	v.Helper()
	v.must(stack.Eventually(v.ctx, soon, func(ctx context.Context) error {
		got, err := stack.Query(ctx, v.addr, v.name("h000000"), "A")
		if err == nil && len(got) == 0 {
			err = errors.New("nothing has arrived")
		}
		return err
	}))
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
			config := stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: home.backend(s), rules: "- action: keep"}}}.yaml(s)}
			s.startWebhook(config)
			c := newConnector(s, record(s, "before", "A", "10.1.0.1"))
			s.startExternalDNS(c.externalDNS())
			dns.answers("before", "A", "10.1.0.1")

			c.serve(append(crowd(s, n), record(s, "before", "A", "10.1.0.1"))...)
			dns.began()
			s.webhook.Kill()
			s.dns.Stop()
			dns.holds("before", "A", "10.1.0.1")

			config.APIPort, config.Name = s.webhook.APIPort, "webhook-again"
			s.startWebhook(config)
			again := c.externalDNS()
			again.Name = "external-dns-again"
			s.startExternalDNS(again)
			dns.complete(n, 2*time.Minute)
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
		s.startWebhook(stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: own.backend, rules: "- action: keep"}}}.yaml(s)})
		before := record(s, "before", "A", "10.1.0.1")
		c := newConnector(s, before)
		s.startExternalDNS(c.externalDNS())
		own.answers("before", "A", "10.1.0.1")
		c.serve(append(crowd(s, n), before)...)
		own.began()
		own.stop()
		s.troubled()
		own.restart()
		own.complete(n, 2*time.Minute)
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

// 100,000 names at once are more than one call can take on a busy machine: it is done in durable steps,
// each answered before external-dns would hang up, and external-dns carries on.
func TestAHundredThousandNamesAgainstTheTimeLimit(t *testing.T) {
	for _, home := range homes() {
		t.Run(home.name, func(t *testing.T) {
			const n = 100_000
			s := newSite(t)
			dns := home.in(s)
			s.startWebhook(stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: home.backend(s), rules: "- action: keep"}}}.yaml(s)})
			c := newConnector(s, crowd(s, n)...)
			s.startExternalDNS(c.externalDNS())
			dns.complete(n, 5*time.Minute)
			s.alive()
			s.settle()
			l := s.loops()
			t.Logf("100,000 names took %g calls, %g of them unfinished", l.Applies, l.Errors)
			s.dns.Stop() // a loop over this many costs the other tests time
		})
	}
}
