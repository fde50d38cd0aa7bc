package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
)

// What runs against which zone file.
const appsZone = "apps.test"

// site is a cluster with Ingresses, ready for an external-dns.
type site struct {
	*ingresses
	api         *stack.APIServer
	webhook     string // path of our program
	ourIdentity string // kubeconfigs
	dnsIdentity string
}

func (b *bench) site(ctx context.Context) (*site, error) {
	s := &site{}
	var err error
	if s.webhook, err = stack.BuildWebhook(ctx, b.stack.Dir); err != nil {
		return nil, err
	}
	if s.api, err = b.stack.APIServer(ctx, stack.APIServerConfig{}); err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(s.api.Config)
	if err != nil {
		return nil, err
	}
	s.ingresses = &ingresses{client: client, zone: appsZone, addresses: map[int]string{}}
	if s.ourIdentity, err = s.api.WebhookIdentity(ctx); err != nil {
		return nil, err
	}
	s.dnsIdentity, err = s.api.ExternalDNSIdentity(ctx)
	return s, err
}

// configFor is a configuration whose rules need to know the claims: one class is hidden, the rest is
// published as it is.
func configFor(addr, zone string) string {
	return fmt.Sprintf(`views:
  - name: public
    zones: [%s]
    backend:
      rfc2136: {servers: [%q], tsig: {name: %s, algorithm: hmac-sha256, secret: %s}}
    rules:
      - {match: {ingressClasses: [nginx-internal]}, action: drop}
      - {action: keep}
`, zone, addr, tsigName, tsigSecret)
}

// endToEnd measures from the status of an Ingress to the authoritative answer.
func (b *bench) endToEnd(ctx context.Context) ([]row, error) {
	s, err := b.site(ctx)
	if err != nil {
		return nil, err
	}
	few, many := b.n/10, b.n
	b.say("  creating %d Ingresses", few)
	if err := s.grow(ctx, few, false); err != nil {
		return nil, err
	}
	small := row{work: fmt.Sprintf("Ingress status → authoritative answer, %d names", few)}
	floor, err := b.floor(ctx, s)
	if err != nil {
		return nil, err
	}
	peer, err := b.peerLatency(ctx, s)
	if err != nil {
		return nil, err
	}
	small.limits = []cell{took("a raw watch and a raw write", floor)}
	small.peers = []cell{took("external-dns --events, its own rfc2136 provider", peer)}
	if err := b.ourLatency(ctx, s, &small); err != nil {
		return nil, err
	}
	b.say("  creating %d Ingresses", many)
	if err := s.grow(ctx, many, false); err != nil {
		return nil, err
	}
	large := row{work: fmt.Sprintf("Ingress status → authoritative answer, %d names", many)}
	large.peers, large.limits = []cell{said("", "as above")}, []cell{said("", "as above")}
	err = b.ourLatency(ctx, s, &large)
	return []row{small, large}, err
}

// ourLatency runs external-dns on our webhook with the settings that the demo and the chart ship.
func (b *bench) ourLatency(ctx context.Context, s *site, r *row) error {
	suffix := fmt.Sprint(s.n)
	addr, err := b.named(ctx, "named-"+suffix, 0, zoneFile{name: appsZone})
	if err != nil {
		return err
	}
	webhook, err := b.stack.Webhook(ctx, stack.WebhookConfig{
		Name: "webhook-" + suffix, Program: s.webhook, ConfigYAML: configFor(addr, appsZone), Kubeconfig: s.ourIdentity,
	})
	if err != nil {
		return err
	}
	defer webhook.Stop()
	for _, interval := range []time.Duration{time.Second, shippedInterval} {
		if err := b.withExternalDNS(ctx, s, webhook, addr, interval, r); err != nil {
			return fmt.Errorf("%w\n%s", err, webhook.LogTail(5))
		}
	}
	return nil
}

// shippedInterval is a little less than the second at which external-dns looks whether it is time: with
// exactly a second, jitter lets about every other look come too early, and the period becomes two.
const shippedInterval = 900 * time.Millisecond

func (b *bench) withExternalDNS(ctx context.Context, s *site, webhook *stack.Webhook, addr string, interval time.Duration, r *row) error {
	start := time.Now()
	dns, err := b.stack.ExternalDNS(ctx, stack.ExternalDNSConfig{
		Name: fmt.Sprintf("external-dns-%d-%s", s.n, interval), Kubeconfig: s.dnsIdentity, WebhookURL: webhook.API,
		Sources: []string{"ingress"}, Interval: interval,
	})
	if err != nil {
		return err
	}
	defer dns.Stop()
	firstSync, err := s.settled(ctx, addr, start)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, dns.LogTail(5))
	}
	if len(r.ours) == 0 {
		r.ours = append(r.ours, took("first sync", samples{firstSync}))
	}
	idle, err := b.shares(ctx, dns.PID(), webhook.PID())
	if err != nil {
		return err
	}
	all, err := s.latency(ctx, addr, max(5, 7*b.repeats), time.Second)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, dns.LogTail(5))
	}
	setting := "--interval=" + interval.String()
	b.say("  %-44s %-18s %s, idle %s", r.work, setting, short(all.median()), idle)
	r.ours = append(r.ours, took(setting, all), said(setting+", CPU of one core while idle", "%s", idle))
	if interval == shippedInterval {
		r.promise(all.median() <= 700*time.Millisecond, short(all.median()), "p50 with %s ≤ 700ms", setting)
		r.note = "external-dns looks at its clock once a second, so half a second passes before its loop begins; the rest is that loop"
	}
	return nil
}

// shares watches the two processes for ten seconds of doing nothing but their loops.
func (b *bench) shares(ctx context.Context, externalDNS, webhook int) (string, error) {
	before, err := usageOf(externalDNS)
	if err != nil {
		return "", err
	}
	beforeOurs, err := usageOf(webhook)
	if err != nil {
		return "", err
	}
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return fmt.Sprintf("external-dns %s, webhook %s", before.share(), beforeOurs.share()), nil
}

// peerLatency runs external-dns on its own provider as its documentation advises: --events.
func (b *bench) peerLatency(ctx context.Context, s *site) (samples, error) {
	addr, err := b.named(ctx, "named-peer", 0, zoneFile{name: appsZone})
	if err != nil {
		return nil, err
	}
	program, err := stack.Tool("external-dns-v0.21")
	if err != nil {
		return nil, err
	}
	port, err := stack.FreePort()
	if err != nil {
		return nil, err
	}
	host, dnsPort, _ := strings.Cut(addr, ":")
	start := time.Now()
	part, err := b.stack.Start(ctx, "external-dns-peer", nil, exec.Command(program,
		"--provider=rfc2136", "--rfc2136-host="+host, "--rfc2136-port="+dnsPort, "--rfc2136-zone="+appsZone, "--rfc2136-tsig-axfr",
		"--rfc2136-tsig-keyname="+tsigName, "--rfc2136-tsig-secret="+tsigSecret, "--rfc2136-tsig-secret-alg=hmac-sha256",
		"--source=ingress", "--kubeconfig="+s.dnsIdentity, "--policy=sync", "--registry=txt", "--txt-owner-id=bench",
		"--events", "--interval=1m", fmt.Sprintf("--metrics-address=127.0.0.1:%d", port)))
	if err != nil {
		return nil, err
	}
	defer part.Stop()
	if _, err := s.settled(ctx, addr, start); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, part.LogTail(5))
	}
	return s.latency(ctx, addr, max(2, b.repeats), time.Second)
}

// floor is what the same change takes when nothing but a watch and an UPDATE message lie in between.
func (b *bench) floor(ctx context.Context, s *site) (samples, error) {
	addr, err := b.named(ctx, "named-floor", 0, zoneFile{name: appsZone})
	if err != nil {
		return nil, err
	}
	raw, err := dialRaw(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer raw.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	list, err := s.client.NetworkingV1().Ingresses("default").List(ctx, metav1.ListOptions{ResourceVersion: "0", Limit: 1})
	if err != nil {
		return nil, err
	}
	watch, err := s.client.NetworkingV1().Ingresses("default").Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	failed := make(chan error, 1)
	go func() {
		for event := range watch.ResultChan() {
			i, ok := event.Object.(*networkingv1.Ingress)
			if !ok || len(i.Status.LoadBalancer.Ingress) == 0 {
				continue
			}
			e := endpoint.NewEndpointWithTTL(i.Spec.Rules[0].Host, endpoint.RecordTypeA, 300, i.Status.LoadBalancer.Ingress[0].IP)
			if err := raw.update(appsZone, []*endpoint.Endpoint{e}); err != nil {
				failed <- err
				cancel()
				return
			}
		}
	}()
	all, err := s.latency(ctx, addr, max(5, 3*b.repeats), 100*time.Millisecond)
	select {
	case cause := <-failed:
		return nil, cause
	default:
		return all, err
	}
}
