package journey_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
)

// soon is how long a test waits for what takes a second or two on an idle machine.
const soon = 60 * time.Second

// The hub's addresses: what the world should see instead of the spoke's load balancers.
const (
	hub4 = "203.0.113.10"
	hub6 = "2001:db8::10"
)

// classic are the rules of the hub and spoke: everything goes to the hub, but the internal class keeps
// its own address.
const classic = `
- match: {ingressClasses: [nginx-internal]}
  action: keep
- action: rewrite
  target: hub
`

// site is one test's corner of the shared parts: a namespace in the API server and a zone in every DNS
// service, with a webhook and an external-dns of its own.
type site struct {
	*testing.T
	ctx    context.Context
	shared *parts
	own    *stack.Stack // parts that end with the test
	ns     string
	zone   string

	webhook *stack.Webhook
	dns     *stack.ExternalDNS
}

func newSite(t *testing.T) *site {
	t.Helper()
	p := shared(t)
	zone := p.takeZone(t)
	s := &site{T: t, ctx: t.Context(), shared: p, own: stack.ForTest(t), zone: zone, ns: strings.ReplaceAll(zone, ".", "-")}
	s.must(p.api.ApplyYAML(s.ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+s.ns+"}"))
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// name is the full name of a host relative to the zone.
func (s *site) name(host string) string {
	if host == "@" {
		return s.zone
	}
	return host + "." + s.zone
}

func (s *site) meta(name string, annotations map[string]string) metav1.ObjectMeta {
	all := maps.Clone(annotations)
	if all == nil {
		all = map[string]string{}
	}
	return metav1.ObjectMeta{Namespace: s.ns, Name: name, Annotations: all}
}

// apply makes the objects be as described.
func (s *site) apply(all ...claimant) {
	s.Helper()
	for _, c := range all {
		s.must(s.shared.api.Apply(s.ctx, c.object(s)))
	}
}

// remove deletes the objects.
func (s *site) remove(all ...claimant) {
	s.Helper()
	for _, c := range all {
		manifest, err := yaml.Marshal(c.object(s))
		s.must(err)
		s.must(s.shared.api.Delete(s.ctx, string(manifest)))
	}
}

// view is one audience in a test's configuration.
type view struct {
	name    string
	backend string // YAML of the backend section; see site.bind and site.etcd
	rules   string // YAML list
	zones   []string
}

// setup is what a test wants to run.
type setup struct {
	views     []view
	hub       []string // default hub4
	overrides string   // YAML mapping; empty leaves the default
	options   string   // YAML of further settings, at top level
}

// yaml is the webhook's configuration file.
func (c setup) yaml(s *site) string {
	var b strings.Builder
	b.WriteString("views:\n")
	for _, v := range c.views {
		zones := v.zones
		if zones == nil {
			zones = []string{s.zone}
		}
		fmt.Fprintf(&b, "- name: %s\n  zones: [%s]\n  ttl: 1m\n  backend:\n%s  rules:\n%s",
			v.name, strings.Join(zones, ", "), indent(4, v.backend), indent(2, v.rules))
	}
	hub := c.hub
	if hub == nil {
		hub = []string{hub4}
	}
	fmt.Fprintf(&b, "targets:\n  hub: {static: ['%s']}\n", strings.Join(hub, "', '"))
	if c.overrides != "" {
		fmt.Fprintf(&b, "overrides: %s\n", c.overrides)
	}
	return b.String() + c.options
}

func indent(n int, text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(text, "\n") + "\n") {
		b.WriteString(strings.Repeat(" ", n) + line)
	}
	return b.String()
}

// start runs the webhook and an external-dns on it.
func (s *site) start(c setup, x stack.ExternalDNSConfig) {
	s.Helper()
	s.startWebhook(stack.WebhookConfig{ConfigYAML: c.yaml(s)})
	s.startExternalDNS(x)
}

func (s *site) startWebhook(c stack.WebhookConfig) {
	s.Helper()
	c.Program = s.shared.program
	c.Kubeconfig = cmp.Or(c.Kubeconfig, s.shared.identity.webhook)
	var err error
	s.webhook, err = s.own.Webhook(s.ctx, c)
	s.must(err)
}

func (s *site) startExternalDNS(c stack.ExternalDNSConfig) {
	s.Helper()
	c.Kubeconfig = s.shared.identity.externalDNS
	c.Namespace = s.ns
	c.WebhookURL = cmp.Or(c.WebhookURL, s.webhook.API)
	var err error
	s.dns, err = s.own.ExternalDNS(s.ctx, c)
	s.must(err)
}

// loops reads external-dns's counters.
func (s *site) loops() stack.Loops {
	s.Helper()
	l, err := s.dns.Loops(s.ctx)
	s.must(err)
	return l
}

// settle waits until external-dns has planned nothing in two loops after the last change.
func (s *site) settle() {
	s.Helper()
	base := s.loops()
	s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error {
		l, err := s.dns.Loops(ctx)
		if err != nil {
			return err
		}
		if l.Applies != base.Applies || l.Errors != base.Errors {
			base = l
		}
		if l.Idle < base.Idle+2 {
			return fmt.Errorf("external-dns is still busy: %+v", l)
		}
		return nil
	}))
}

// staysSettled checks that external-dns plans nothing in the next loops.
func (s *site) staysSettled(loops float64) {
	s.Helper()
	base := s.loops()
	s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error {
		l, err := s.dns.Loops(ctx)
		if err != nil {
			return err
		}
		if l.Begun < base.Begun+loops {
			return fmt.Errorf("only %g loops so far", l.Begun-base.Begun)
		}
		return nil
	}))
	if l := s.loops(); l.Applies != base.Applies || l.Errors != base.Errors {
		s.Errorf("in %g loops without a change in the cluster external-dns asked for %g changes and met %g errors:\n%s",
			l.Begun-base.Begun, l.Applies-base.Applies, l.Errors-base.Errors, s.dns.LogTail(30))
	}
}

// alive checks that external-dns did not end: every answer of the webhook was one it survives.
func (s *site) alive() {
	s.Helper()
	select {
	case <-s.dns.Done():
		s.Fatalf("external-dns ended:\n%s", s.dns.LogTail(20))
	default:
	}
}

// logged waits until a part's log holds every one of the texts in one line.
func (s *site) logged(p *stack.Part, texts ...string) {
	s.Helper()
	s.must(stack.Eventually(s.ctx, soon, func(context.Context) error {
		log := p.LogTail(10_000)
		for line := range strings.Lines(log) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				return nil
			}
		}
		return fmt.Errorf("no line of %s holds all of %q; its last ones:\n%s", p.Name, texts, p.LogTail(15))
	}))
}

// reload gives the running webhook another configuration and waits until it is in use.
func (s *site) reload(c setup) {
	s.Helper()
	before := s.reloads("success")
	s.must(os.WriteFile(s.webhook.ConfigFile, []byte(c.yaml(s)), 0o600))
	s.must(stack.Eventually(s.ctx, soon, func(context.Context) error {
		if s.reloads("success") == before {
			return fmt.Errorf("the new configuration is not in use:\n%s", s.webhook.LogTail(10))
		}
		return nil
	}))
}

// reloads is how many configurations the webhook put into use ("success") or refused ("failure").
func (s *site) reloads(result string) float64 {
	s.Helper()
	return s.counted("spokedns_config_reload_total", "result="+result)
}

// counted reads one of the webhook's metrics.
func (s *site) counted(metric string, labels ...string) float64 {
	s.Helper()
	m, err := s.webhook.Metrics(s.ctx)
	s.must(err)
	return m.Sum(metric, labels...)
}

// troubled waits until external-dns has heard two more errors, and is still there.
func (s *site) troubled() {
	s.Helper()
	base := s.loops()
	s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error {
		s.alive()
		l, err := s.dns.Loops(ctx)
		if err == nil && l.Errors < base.Errors+2 {
			err = fmt.Errorf("%g errors so far", l.Errors-base.Errors)
		}
		return err
	}))
	s.alive()
}
