// Package webhook owns the tests of the webhook with zones that DNSZone objects bring: a real API server, BIND with
// zones made by hand, the real external-dns with policy sync, and the compiled webhook.
package webhook

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// soon is how long anything may take on a busy machine.
const soon = 2 * time.Minute

// parts are what one test runs.
type parts struct {
	*testing.T
	stack   *stack.Stack
	version string // of external-dns; empty is the default
	api     *stack.APIServer
	bind    *stack.Named
	webhook *stack.Webhook
	dns     *stack.ExternalDNS
}

// zoneDefinition is the file that makes the API server know DNSZones.
func zoneDefinition() string {
	return filepath.Join(stack.Root(), "zonecontroller", "api", "v1alpha1", "dns.spokedns.io_dnszones.yaml")
}

// newParts starts an API server that knows DNSEndpoints and what else is given, and BIND with the zones.
func newParts(t *testing.T, zones []string, definitions ...string) *parts {
	t.Helper()
	p := &parts{T: t, stack: stack.ForTest(t)}
	endpoints, err := stack.DNSEndpointCRD()
	p.must(err)
	p.api, err = p.stack.APIServer(t.Context(), stack.APIServerConfig{})
	p.must(err)
	p.must(p.api.ApplyCRDs(t.Context(), append(definitions, endpoints)...))
	p.bind, err = p.stack.Named(t.Context(), stack.NamedConfig{Zones: zones})
	p.must(err)
	return p
}

func (p *parts) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// mayReadZones are the rights a webhook with zonesFrom needs beside the others.
func mayReadZones() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"dns.spokedns.io"}, Resources: []string{"dnszones"}, Verbs: []string{"get", "list", "watch"}}
}

// start runs the webhook with the views, and external-dns. unready: the webhook cannot be ready yet.
func (p *parts) start(views string, unready bool, rights ...rbacv1.PolicyRule) {
	p.Helper()
	program, err := stack.BuildWebhook(p.Context(), p.stack.Dir)
	p.must(err)
	identity, err := p.api.WebhookIdentity(p.Context(), rights...)
	p.must(err)
	p.webhook, err = p.stack.Webhook(p.Context(), stack.WebhookConfig{
		Program: program, Kubeconfig: identity, ConfigYAML: "views:\n" + views, Unready: unready,
	})
	p.must(err)
	reader, err := p.api.ExternalDNSIdentity(p.Context())
	p.must(err)
	p.dns, err = p.stack.ExternalDNS(p.Context(), stack.ExternalDNSConfig{
		Version: p.version, Kubeconfig: reader, WebhookURL: p.webhook.API, Sources: []string{"crd"},
		ExtraArgs: []string{"--managed-record-types=A", "--managed-record-types=AAAA", "--managed-record-types=CNAME", "--managed-record-types=TXT"},
	})
	p.must(err)
}

// view is the configuration of a view on the BIND.
func (p *parts) view(name, zones string) string {
	return fmt.Sprintf("- name: %s\n  %s\n  ttl: 1m\n  backend:\n    rfc2136:\n      servers: [%q]\n      tsig: {name: %s, algorithm: %s, secret: %q}\n",
		name, strings.ReplaceAll(zones, "\n", "\n  "), p.bind.Addr, p.bind.Key.Name, p.bind.Key.Algorithm, p.bind.Key.Secret)
}

// zone is a DNSZone of the name, with a label.
func zone(name, label string) string {
	return fmt.Sprintf(`
apiVersion: dns.spokedns.io/v1alpha1
kind: DNSZone
metadata: {name: %s, namespace: default, labels: {%s}}
spec:
  zoneName: %s
  soa: {primaryNS: ns.invalid, adminEmail: hostmaster@invalid.test}
  nameServers: [{hostname: ns.invalid}]
  serverSelector: {matchLabels: {by: hand}}
`, strings.ReplaceAll(name, ".", "-"), label, name)
}

// wish is a DNSEndpoint that asks for one record.
func wish(name, typ string, targets ...string) string {
	return fmt.Sprintf(`
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: %s, namespace: default}
spec: {endpoints: [{dnsName: %s, recordType: %s, targets: ['%s']}]}
`, strings.ToLower(strings.ReplaceAll(name, "_", "u")+"-"+typ), name, typ, strings.Join(targets, "', '"))
}

func (p *parts) apply(manifests ...string) {
	p.Helper()
	for _, m := range manifests {
		p.must(p.api.ApplyYAML(p.Context(), m))
	}
}

func (p *parts) remove(manifests ...string) {
	p.Helper()
	for _, m := range manifests {
		p.must(p.api.Delete(p.Context(), m))
	}
}

// answers waits until BIND answers with exactly the values.
func (p *parts) answers(name, typ string, values ...string) {
	p.Helper()
	p.must(stack.EventuallyAnswers(p.Context(), soon, p.bind.Addr, name, typ, values...))
}

// holds checks that BIND answers with exactly the values now.
func (p *parts) holds(name, typ string, values ...string) {
	p.Helper()
	got, err := p.bind.Query(p.Context(), name, typ)
	p.must(err)
	if !slices.Equal(got, slices.Sorted(slices.Values(values))) {
		p.Errorf("%s %s is %q, want %q", name, typ, got, values)
	}
}

// serial is the zone's, which every change moves.
func (p *parts) serial(zone string) uint32 {
	p.Helper()
	in, _, err := new(dns.Client).ExchangeContext(p.Context(), new(dns.Msg).SetQuestion(dns.Fqdn(zone), dns.TypeSOA), p.bind.Addr)
	p.must(err)
	for _, rr := range in.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial
		}
	}
	p.Fatalf("%s has no SOA", zone)
	return 0
}

// unchanged checks that nothing in the zones changes meanwhile.
func (p *parts) unchanged(zones []string, meanwhile func()) {
	p.Helper()
	before := map[string]uint32{}
	for _, z := range zones {
		before[z] = p.serial(z)
	}
	meanwhile()
	for _, z := range zones {
		if now := p.serial(z); now != before[z] {
			p.Errorf("zone %s went from serial %d to %d", z, before[z], now)
		}
	}
}

// byHand writes records into a zone as somebody else does, such as zonecontroller.
func (p *parts) byHand(zone string, records ...string) {
	p.Helper()
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	for _, r := range records {
		rr, err := dns.NewRR(r)
		p.must(err)
		m.Insert([]dns.RR{rr})
	}
	key := p.bind.Key
	m.SetTsig(dns.Fqdn(key.Name), dns.Fqdn(key.Algorithm), 300, time.Now().Unix())
	c := dns.Client{Net: "tcp", Timeout: 10 * time.Second, TsigSecret: map[string]string{dns.Fqdn(key.Name): key.Secret}}
	in, _, err := c.ExchangeContext(p.Context(), m, p.bind.Addr)
	p.must(err)
	if in.Rcode != dns.RcodeSuccess {
		p.Fatalf("update by hand: %s", dns.RcodeToString[in.Rcode])
	}
}

// pass waits until external-dns has begun some more loops.
func (p *parts) pass(loops float64) {
	p.Helper()
	start, err := p.dns.Loops(p.Context())
	p.must(err)
	p.must(stack.Eventually(p.Context(), soon, func(ctx context.Context) error {
		now, err := p.dns.Loops(ctx)
		if err == nil && now.Begun < start.Begun+loops {
			err = fmt.Errorf("%.0f of %.0f loops", now.Begun-start.Begun, loops)
		}
		return err
	}))
}

// settles waits until external-dns plans nothing, over two loops.
func (p *parts) settles() {
	p.Helper()
	base, err := p.dns.Loops(p.Context())
	p.must(err)
	p.must(stack.Eventually(p.Context(), soon, func(ctx context.Context) error {
		now, err := p.dns.Loops(ctx)
		if err != nil {
			return err
		}
		if now.Applies != base.Applies || now.Errors != base.Errors {
			base = now
		}
		if now.Idle < base.Idle+2 {
			return fmt.Errorf("external-dns is still busy: %+v", now)
		}
		return nil
	}))
}

// counts waits until a view has that many zones in a state.
func (p *parts) counts(view, state string, want float64) {
	p.Helper()
	p.must(stack.Eventually(p.Context(), soon, func(ctx context.Context) error {
		m, err := p.webhook.Metrics(ctx)
		if err != nil {
			return err
		}
		if got := m.Sum("spokedns_zones", "view="+view, "state="+state); got != want {
			return fmt.Errorf("%v zones of view %s are %s, want %v", got, view, state, want)
		}
		return nil
	}))
}

// there checks that BIND has an RRset of the name and type.
func (p *parts) there(name, typ string) {
	p.Helper()
	in, _, err := (&dns.Client{Net: "tcp"}).ExchangeContext(p.Context(), new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[typ]), p.bind.Addr)
	p.must(err)
	if len(in.Answer) != 1 {
		p.Errorf("%s %s has %d records, want 1", name, typ, len(in.Answer))
	}
}
