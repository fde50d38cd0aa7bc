package journey_test

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The API server hangs. What is published stays, a webhook that starts meanwhile says that it does not
// know the claims yet instead of guessing, and all goes on when the server does.
func TestAPIServerHangs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ownCluster()
	dns := bind(s)
	c := setup{views: []view{{name: "public", backend: s.bind(), rules: classic}}}
	s.start(c, stack.ExternalDNSConfig{})
	s.apply(oneShop())
	dns.answers("shop", "A", hub4)
	s.settle()
	first := s.webhook

	s.must(s.shared.api.Signal(syscall.SIGSTOP))
	s.staysSettled(3)
	dns.holds("shop", "A", hub4)

	s.startWebhook(stack.WebhookConfig{Name: "webhook-late", ConfigYAML: c.yaml(s), Unready: true})
	late := s.webhook
	s.webhook = first
	if late.Ready(s.ctx) == nil {
		t.Error("a webhook that has seen no claims says that it is ready")
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, late.API+"/adjustendpoints", strings.NewReader(
		`[{"dnsName":"`+s.name("shop")+`","targets":["10.1.0.10"],"recordType":"A","labels":{"resource":"ingress/`+s.ns+`/shop"}}]`))
	s.must(err)
	req.Header.Set("Content-Type", "application/external.dns.webhook+json;version=1")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("it answers %s, want 503", resp.Status)
	}

	s.must(s.shared.api.Signal(syscall.SIGCONT))
	s.must(stack.Eventually(s.ctx, soon, func(ctx context.Context) error { return late.Ready(ctx) }))
	s.apply(ingress{name: "later", class: "nginx", hosts: []string{"later"}, at: []string{"10.1.0.10"}})
	dns.answers("later", "A", hub4)
	s.alive()
}

// ownCluster gives the test an API server that nobody else uses.
func (s *site) ownCluster() {
	s.Helper()
	p := *s.shared
	p.Stack = s.own
	s.must(p.startCluster(s.ctx))
	s.shared = &p
	s.must(p.api.ApplyYAML(s.ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+s.ns+"}"))
}
