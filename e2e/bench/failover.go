package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// wanChanges is how often the address changes on one webhook: as often in a row as it moves names before it
// leaves them to external-dns.
const wanChanges = 3

// wanConfig publishes the site's address for every name.
func wanConfig(backend string) string {
	return fmt.Sprintf(`views:
  - name: public
    zones: [%s]
    backend:
      %s
    rules: [{action: rewrite, target: site}]
targets:
  site: {wanIP: {namespace: default}}
externalDNS: {txtOwnerID: e2e, txtPrefix: "_owner-%%{record_type}.", txtWildcardReplacement: any}
`, appsZone, backend)
}

// home is a DNS service for the names of a site whose address changes.
type home struct {
	name, addr, backend string
}

// failover measures from the ConfigMap with a site's new address to the last authoritative answer with it.
func (b *bench) failover(ctx context.Context) ([]row, error) {
	s, err := b.site(ctx)
	if err != nil {
		return nil, err
	}
	if s.ourIdentity, err = s.api.WebhookIdentity(ctx, rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{wanip.DefaultName}, Verbs: []string{"get", "list", "watch"},
	}); err != nil {
		return nil, err
	}
	homes, err := b.homes(ctx)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, n := range []int{b.n / 10, b.n} {
		b.say("  creating %d Ingresses", n)
		if err := s.grow(ctx, n, false); err != nil {
			return nil, err
		}
		r := row{work: fmt.Sprintf("new WAN address in the ConfigMap → authoritative answers, %d names", n)}
		r.peers = []cell{said("external-dns alone", "its interval, 60 s by default")}
		for _, h := range homes {
			c, err := b.moves(ctx, s, h)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", h.name, err)
			}
			b.say("  %-60s %s", r.work, c)
			r.ours = append(r.ours, c)
			if n <= 1000 {
				r.within(time.Second, c)
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// homes starts the DNS services.
func (b *bench) homes(ctx context.Context) ([]home, error) {
	addr, err := b.named(ctx, "named-wan", 0, zoneFile{name: appsZone})
	if err != nil {
		return nil, err
	}
	server, err := b.stack.Etcd(ctx, stack.EtcdConfig{})
	if err != nil {
		return nil, err
	}
	d, err := b.stack.CoreDNS(ctx, stack.CoreDNSConfig{Zones: []string{appsZone}, Etcd: server})
	if err != nil {
		return nil, err
	}
	return []home{
		{"BIND", addr, fmt.Sprintf("rfc2136: {servers: [%q], tsig: {name: %s, algorithm: hmac-sha256, secret: %s}}", addr, tsigName, tsigSecret)},
		{"etcd and CoreDNS", d.Addr, fmt.Sprintf("etcd: {endpoints: [%q], prefix: /skydns}", server.Endpoint)},
	}, nil
}

// moves lets external-dns publish everything, and not look again, and then changes the address.
func (b *bench) moves(ctx context.Context, s *site, h home) (cell, error) {
	name := fmt.Sprintf("%s-%d", h.name[:4], s.n)
	address := func(k int) string { return fmt.Sprintf("81.2.69.%d", 100+k) }
	if err := s.wan(ctx, address(0)); err != nil {
		return cell{}, err
	}
	webhook, err := b.stack.Webhook(ctx, stack.WebhookConfig{Name: "webhook-" + name, Program: s.webhook, ConfigYAML: wanConfig(h.backend), Kubeconfig: s.ourIdentity})
	if err != nil {
		return cell{}, err
	}
	defer webhook.Stop()
	dns, err := b.stack.ExternalDNS(ctx, stack.ExternalDNSConfig{
		Name: "external-dns-" + name, Kubeconfig: s.dnsIdentity, WebhookURL: webhook.API, Sources: []string{"ingress"}, Interval: time.Hour,
	})
	if err != nil {
		return cell{}, err
	}
	defer dns.Stop()
	if err := s.allAnswer(ctx, h.addr, address(0)); err != nil {
		return cell{}, fmt.Errorf("%w\n%s\n%s", err, dns.LogTail(5), webhook.LogTail(5))
	}
	var all samples
	for k := range wanChanges {
		took, err := clock(func() error {
			if err := s.wan(ctx, address(k+1)); err != nil {
				return err
			}
			return s.allAnswer(ctx, h.addr, address(k+1))
		})
		if err != nil {
			return cell{}, fmt.Errorf("%w\n%s", err, webhook.LogTail(5))
		}
		all = append(all, took)
	}
	return took(h.name, all), nil
}

// allAnswer waits until every hundredth name, the first and the last have the address.
func (s *site) allAnswer(ctx context.Context, addr, address string) error {
	for k := 0; k < s.n; k += max(1, s.n/100) {
		if err := answers(ctx, addr, s.host(k), address); err != nil {
			return err
		}
	}
	return answers(ctx, addr, s.host(s.n-1), address)
}

// wan writes the ConfigMap as the ipcontroller does.
func (s *site) wan(ctx context.Context, address string) error {
	now := time.Now()
	cm, err := wanip.Encode(wanip.State{
		IPv4:      wanip.Finding{Status: wanip.Verified, Addr: netip.MustParseAddr(address), DetectedAt: now, VerifiedAt: now, ChangedAt: now},
		WrittenAt: now, Sequence: 1, Leader: wanip.Leader{Holder: "ipcontroller-0", Epoch: 1},
	})
	if err != nil {
		return err
	}
	cm.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	cm.Name, cm.Namespace = wanip.DefaultName, "default"
	return s.api.Apply(ctx, cm)
}
