package journey_test

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const (
	firstWAN4, secondWAN4 = "8.8.4.4", "9.9.9.10"
	firstWAN6             = "2620:fe::10"
)

// toWAN keeps internal names and rewrites all others to the site's address.
const toWAN = `
- match: {ingressClasses: [nginx-internal]}
  action: keep
- action: rewrite
  target: wan`

// atWAN says how the webhook runs whose names have the site's address.
type atWAN struct {
	backend string
	detect  string   // YAML of the target's setting detect; empty: it finds out nothing itself
	options string   // YAML at top level; empty: those that fit the stack's external-dns
	env     []string // in addition
}

// startAtWAN runs the webhook with the rights on that one ConfigMap, and external-dns.
func (s *site) startAtWAN(c atWAN, x stack.ExternalDNSConfig) {
	s.Helper()
	s.startWebhookAtWAN(c)
	s.startExternalDNS(x)
}

func (s *site) startWebhookAtWAN(c atWAN) {
	s.Helper()
	read := []string{"get", "list", "watch"}
	identity, err := s.shared.api.Identity(s.ctx, "wan-"+s.ns, []rbacv1.PolicyRule{
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: read},
		{APIGroups: []string{"externaldns.k8s.io"}, Resources: []string{"dnsendpoints"}, Verbs: read},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{wanip.DefaultName}, Verbs: read},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}},
	})
	s.must(err)
	target := "{namespace: " + s.ns
	if c.detect != "" {
		target += ", detect: " + c.detect
	}
	options := cmp.Or(c.options, `externalDNS: {txtOwnerID: e2e, txtPrefix: "_owner-%{record_type}.", txtWildcardReplacement: any}`)
	config := strings.Replace(setup{views: []view{{name: "public", backend: c.backend, rules: toWAN}}, options: options}.yaml(s),
		"targets:\n", "targets:\n  wan: {wanIP: "+target+"}}\n", 1)
	s.startWebhook(stack.WebhookConfig{Kubeconfig: identity, ConfigYAML: config, Env: append(c.env, "POD_NAME="+podName, "POD_NAMESPACE="+s.ns)})
}

// podName is where the webhook writes its Events.
const podName = "webhook-0"

// told waits for an Event of the webhook.
func (s *site) told(typ, reason, text string) {
	s.Helper()
	client, err := kubernetes.NewForConfig(s.shared.api.Config)
	s.must(err)
	s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error {
		events, err := client.CoreV1().Events(s.ns).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + podName + ",type=" + typ + ",reason=" + reason})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if strings.Contains(e.Message, text) {
				return nil
			}
		}
		return fmt.Errorf("no Event %s with %q among %d", reason, text, len(events.Items))
	}))
}

// wan writes the ConfigMap as the ipcontroller does; an empty address is a family that is not managed.
func (s *site) wan(v4, v6 string, detected time.Time) {
	s.Helper()
	finding := func(addr string) wanip.Finding {
		if addr == "" {
			return wanip.Finding{}
		}
		return wanip.Finding{
			Status: wanip.Verified, Addr: netip.MustParseAddr(addr),
			DetectedAt: detected, VerifiedAt: detected, ChangedAt: detected,
		}
	}
	state := wanip.State{IPv4: finding(v4), IPv6: finding(v6), WrittenAt: detected, Sequence: 1, Leader: wanip.Leader{Holder: "ipcontroller-0", Epoch: 1}}
	if v6 != "" {
		state.IPv6.Mode = wanip.ModeEcho
	}
	cm, err := wanip.Encode(state)
	s.must(err)
	cm.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
	cm.Name, cm.Namespace = wanip.DefaultName, s.ns
	s.must(s.shared.api.Apply(s.ctx, cm))
}

func TestNamesFollowTheSitesAddress(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.startAtWAN(atWAN{backend: home.backend(s)}, stack.ExternalDNSConfig{})
		shop := oneShop()
		s.apply(shop, ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11"}})

		// Nothing is known yet: the name waits, and what does not depend on it flows.
		dns.answers("admin", "A", "10.1.0.11")
		s.settle()
		dns.holds("shop", "A")
		s.logged(s.webhook.Part, "no ConfigMap")

		s.wan(firstWAN4, firstWAN6, time.Now())
		dns.answers("shop", "A", firstWAN4)
		dns.answers("shop", "AAAA", firstWAN6)
		dns.holds("admin", "A", "10.1.0.11")
		s.settle()

		// Another address; IPv6 is no longer looked after.
		s.wan(secondWAN4, "", time.Now())
		dns.answers("shop", "A", secondWAN4)
		dns.answers("shop", "AAAA")
		s.settle()
		s.staysSettled(2)

		// Whatever becomes of the ConfigMap, what is published stays, and everything else flows.
		for what, spoil := range map[string]func(){
			"a private address": func() { s.spoilWAN("ipv4", "192.168.1.1") },
			"garbage":           func() { s.spoilWAN("ipv4", "<html>") },
			"stale":             func() { s.wan(firstWAN4, "", time.Now().Add(-time.Hour)) },
			"from the future":   func() { s.wan(firstWAN4, "", time.Now().Add(time.Hour)) },
			"gone": func() {
				s.must(s.shared.api.Delete(s.ctx, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+wanip.DefaultName+", namespace: "+s.ns+"}"))
			},
		} {
			spoil()
			other := ingress{name: "other", class: "nginx-internal", hosts: []string{"other"}, at: []string{"10.1.0.12"}}
			s.apply(other)
			dns.answers("other", "A", "10.1.0.12")
			s.settle()
			if t.Failed() {
				t.Fatalf("with an address that is %s", what)
			}
			dns.holds("shop", "A", secondWAN4)
			s.remove(other)
			dns.answers("other", "A")
		}
		s.wan(firstWAN4, "", time.Now())
		dns.answers("shop", "A", firstWAN4)
		s.settle()
		s.alive()
	})
}

// spoilWAN writes one key of the ConfigMap by hand.
func (s *site) spoilWAN(key, value string) {
	s.Helper()
	s.must(s.shared.api.Apply(s.ctx, &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: wanip.DefaultName, Namespace: s.ns},
		Data:       map[string]string{key: value},
	}))
}

// The plain case of a dynamic-DNS script: one record of the zone itself that follows the site's address.
// A DNSEndpoint asks for it with any address in place of the one that is not known to who writes it.
func TestTheZoneItselfFollowsTheSitesAddress(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.startAtWAN(atWAN{backend: home.backend(s)}, stack.ExternalDNSConfig{Sources: []string{"crd"}})
		s.wan(firstWAN4, "", time.Now())
		s.apply(dnsEndpoint{name: "root", records: []*endpoint.Endpoint{{DNSName: "@", RecordType: "A", Targets: endpoint.Targets{"192.0.2.1"}}}})
		dns.answers("@", "A", firstWAN4)
		s.wan(secondWAN4, "", time.Now())
		dns.answers("@", "A", secondWAN4)
		s.settle()
		s.staysSettled(2)
	})
}
