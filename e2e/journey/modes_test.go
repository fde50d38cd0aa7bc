package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The classic hub and spoke without a file, by the environment its operator's users have.
func TestWithoutAFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dns := bind(s)
	key := s.shared.bind.Key
	s.startWebhook(stack.WebhookConfig{Env: []string{
		"CLOUD_PROVIDER=rfc2136", "ZONE=" + s.zone, "CUSTOM_IP=" + hub4, "CUSTOM_TTL=120",
		"RFC2136_SERVERS=" + s.shared.bind.Addr, "RFC2136_TSIG_NAME=" + key.Name, "RFC2136_TSIG_SECRET=" + key.Secret,
	}})
	s.startExternalDNS(stack.ExternalDNSConfig{})
	s.apply(oneShop(), ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11"}})
	dns.answers("shop", "A", hub4)
	dns.answers("admin", "A", "10.1.0.11")
	dns.holdsTTL("shop", "A", "2m")
	s.settle()
}

// A dry run says what it would do, does nothing, and external-dns, which does not know of it, lives on.
func TestDryRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := setup{views: []view{{name: "public", backend: s.bind(), rules: classic}}}
	s.startWebhook(stack.WebhookConfig{ConfigYAML: c.yaml(s), Args: []string{"--dry-run"}})
	s.startExternalDNS(stack.ExternalDNSConfig{})
	before := bind(s).serial()
	s.apply(oneShop())
	s.logged(s.webhook.Part, s.name("shop"), hub4, "dry")
	if after := bind(s).serial(); after != before {
		t.Errorf("the zone went from serial %d to %d", before, after)
	}
	bind(s).holds("shop", "A")
	s.alive()
}
