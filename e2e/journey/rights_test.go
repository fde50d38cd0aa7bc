package journey_test

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Without the right to read Services the webhook cannot know which of them a rule means. Their names
// wait, everything else flows, and once the right is there they are published.
func TestMissingRightHoldsOnlyWhatDependsOnIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dns := bind(s)
	rights := []rbacv1.PolicyRule{
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: []string{"get", "list", "watch"}},
	}
	identity, err := s.shared.api.Identity(s.ctx, "narrow", rights)
	s.must(err)
	s.startWebhook(stack.WebhookConfig{
		Kubeconfig: identity,
		ConfigYAML: setup{views: []view{{name: "public", backend: s.bind(), rules: `
- match: {annotations: {exposure: private}}
  action: drop
- action: rewrite
  target: hub`}}}.yaml(s),
	})
	s.startExternalDNS(stack.ExternalDNSConfig{})
	s.apply(
		oneShop(),
		service{name: "mqtt", hosts: []string{"mqtt"}, at: []string{"10.1.0.30"}},
		service{name: "vault", hosts: []string{"vault"}, at: []string{"10.1.0.31"}, annotations: map[string]string{"exposure": "private"}},
	)
	dns.answers("shop", "A", hub4)
	s.logged(s.webhook.Part, "services", "forbidden")
	s.settle()
	dns.holds("mqtt", "A")
	dns.holds("vault", "A")

	services := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get", "list", "watch"}}
	_, err = s.shared.api.Identity(s.ctx, "narrow", append(rights, services))
	s.must(err)
	dns.answers("mqtt", "A", hub4)
	s.settle()
	dns.holds("vault", "A")
	s.alive()
}
