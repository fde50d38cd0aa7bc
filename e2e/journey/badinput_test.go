package journey_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Each wrong thing below is told about where and what it is, external-dns survives it, nothing
// published is lost, and what is unrelated flows.

// oneShop is what most of these tests publish.
func oneShop() ingress {
	return ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}}
}

func TestServerDownAtStart(t *testing.T) {
	t.Parallel()
	t.Run("BIND", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		own := s.ownBIND()
		own.stop()
		s.start(setup{views: []view{{name: "public", backend: own.backend, rules: classic}}}, stack.ExternalDNSConfig{})
		s.apply(oneShop())
		s.troubled()
		s.logged(s.webhook.Part, own.addr)
		own.restart()
		own.answers("shop", "A", hub4)
		s.settle()
	})
	t.Run("etcd", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		own := s.ownEtcd(stack.EtcdConfig{NoSync: true})
		own.stop()
		s.start(setup{views: []view{{name: "public", backend: own.backend, rules: classic}}}, stack.ExternalDNSConfig{})
		s.apply(oneShop())
		s.troubled()
		s.logged(s.webhook.Part, strings.TrimPrefix(own.etcd.Endpoint, "http://"))
		own.restart()
		own.answers("shop", "A", hub4)
		s.settle()
	})
}

func TestWrongTSIGKeyIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	own := s.ownBIND()
	for what, backend := range map[string]string{
		"secret":    strings.Replace(own.backend, own.secret, "d3Jvbmcgc2VjcmV0IHdyb25nIHNlY3JldCB3cm9uZyE=", 1),
		"name":      strings.Replace(own.backend, own.key, "nobody", 1),
		"algorithm": strings.Replace(own.backend, "hmac-sha256", "hmac-sha512", 1),
	} {
		name := "webhook-" + what
		s.startWebhook(stack.WebhookConfig{Name: name, ConfigYAML: setup{views: []view{{name: "public", backend: backend, rules: classic}}}.yaml(s)})
		s.startExternalDNS(stack.ExternalDNSConfig{Name: "external-dns-" + what})
		s.apply(oneShop())
		s.troubled()
		key := own.key
		if what == "name" {
			key = "nobody"
		}
		s.logged(s.webhook.Part, key, s.zone)
	}
	own.holds("shop", "A")
}

func TestZoneMissingOnTheServerIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(setup{views: []view{{name: "public", backend: s.bind(), rules: classic, zones: []string{s.zone}}}}, stack.ExternalDNSConfig{})
	s.apply(oneShop())
	bind(s).answers("shop", "A", hub4)

	const missing = "missing.example"
	s.reload(setup{views: []view{{name: "public", backend: s.bind(), rules: classic, zones: []string{s.zone, missing}}}})
	s.troubled()
	s.logged(s.webhook.Part, missing)
	bind(s).holds("shop", "A", hub4)
}

func TestEtcdPasswordWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	own := s.ownEtcd(stack.EtcdConfig{NoSync: true, RootPassword: "correct"})
	right := setup{views: []view{{name: "public", backend: own.backend, rules: classic}}}
	wrong := right
	wrong.views = []view{{name: "public", backend: strings.Replace(own.backend, "correct", "mistaken", 1), rules: classic}}

	s.start(wrong, stack.ExternalDNSConfig{})
	s.apply(oneShop())
	s.troubled()
	s.logged(s.webhook.Part, "auth")
	if strings.Contains(s.webhook.LogTail(10_000), "mistaken") {
		t.Error("the log shows the password")
	}
	s.reload(right)
	own.answers("shop", "A", hub4)
	s.settle()
}

// CoreDNS fails a whole branch over one value it cannot read. We report it, leave it to its owner, and
// go on with everything else.
func TestForeignMalformedKeyInEtcd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dns := coreDNS(s)
	client, err := s.shared.etcd.Client()
	s.must(err)
	defer client.Close()
	key := "/skydns/" + reversed(s.name("broken")) + "/x1"
	const value = `{"host":"10.1.0.99","port":"443"}`
	_, err = client.Put(s.ctx, key, value)
	s.must(err)

	s.start(setup{views: []view{{name: "public", backend: s.etcd(), rules: classic}}}, stack.ExternalDNSConfig{})
	shop := oneShop()
	s.apply(shop)
	dns.answers("shop", "A", hub4)
	s.logged(s.webhook.Part, key)
	s.settle()
	s.remove(shop)
	dns.answers("shop", "A")
	got, err := client.Get(s.ctx, key)
	s.must(err)
	if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != value {
		t.Errorf("the foreign key changed: %v", got.Kvs)
	}
}

// Endpoints no API server would let through: external-dns takes them from a connector.
func TestImpossibleEndpointsStopNobody(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		const keep = "- action: keep"
		s.startWebhook(stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: home.backend(s), rules: keep}}}.yaml(s)})
		c := newConnector(s,
			record(s, "good", "A", "10.1.0.1"),
			record(s, strings.Repeat("x", 64), "A", "10.1.0.2"),
			record(s, "empty..label", "A", "10.1.0.3"),
			record(s, "space in name", "A", "10.1.0.4"),
			record(s, "strange", "TYPE65280", "\\# 1 00"),
			record(s, "target", "CNAME", strings.Repeat("y", 70)+".example.net"),
			record(s, "also-good", "CNAME", "lb.example.net"),
		)
		x := c.externalDNS()
		x.ExtraArgs = append(x.ExtraArgs, managed("A", "AAAA", "CNAME", "TYPE65280")...)
		s.startExternalDNS(x)
		dns.answers("good", "A", "10.1.0.1")
		dns.answers("also-good", "CNAME", "lb.example.net")
		for _, bad := range []string{strings.Repeat("x", 64), "empty..label", "space in name", strings.Repeat("y", 70), "TYPE65280"} {
			s.logged(s.webhook.Part, bad)
		}
		c.serve(record(s, "good", "A", "10.1.0.9"), record(s, "empty..label", "A", "10.1.0.3"))
		dns.answers("good", "A", "10.1.0.9")
		dns.answers("also-good", "CNAME")
		s.alive()
	})
}

func TestBadConfigurationOnReloadKeepsTheOld(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dns := bind(s)
	good := setup{views: []view{{name: "public", backend: s.bind(), rules: classic}}}
	s.start(good, stack.ExternalDNSConfig{})
	s.apply(oneShop())
	dns.answers("shop", "A", hub4)

	for i, bad := range []struct{ file, named string }{
		{strings.Replace(good.yaml(s), "action: keep", "action: kepe", 1), "views[0].rules[0].action"},
		{strings.Replace(good.yaml(s), "target: hub", "target: hob", 1), "views[0].rules[1].target"},
		{strings.Replace(good.yaml(s), hub4, "203.0.113.300", 1), "targets.hub"},
		{good.yaml(s) + "colour: blue\n", "colour"},
		{"views: [", "not valid YAML"},
		{"", "views"},
	} {
		s.must(os.WriteFile(s.webhook.ConfigFile, []byte(bad.file), 0o600))
		s.must(stack.Eventually(s.ctx, soon, func(context.Context) error {
			if n := s.reloads("failure"); int(n) != i+1 {
				return fmt.Errorf("after %d wrong files %g are counted", i+1, n)
			}
			return nil
		}))
		s.logged(s.webhook.Part, "refused", bad.named)
	}
	s.apply(ingress{name: "later", class: "nginx", hosts: []string{"later"}, at: []string{"10.1.0.10"}})
	dns.answers("later", "A", hub4)
	dns.holds("shop", "A", hub4)

	good.hub = []string{"203.0.113.20"}
	s.reload(good)
	dns.answers("shop", "A", "203.0.113.20")
	s.alive()
}

// What is wrong with a request itself gets a status that says so; what a retry could heal stays in the
// range external-dns survives.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.startWebhook(stack.WebhookConfig{ConfigYAML: setup{views: []view{{name: "public", backend: s.bind(), rules: classic}}}.yaml(s)})
	const media = "application/external.dns.webhook+json;version=1"
	huge := strings.NewReader("[" + strings.Repeat(" ", 100<<20) + "]")
	for _, c := range []struct {
		what, path, media string
		body              *strings.Reader
		want              int
	}{
		{"broken JSON", "/records", media, strings.NewReader("{"), http.StatusBadRequest},
		{"broken JSON to adjust", "/adjustendpoints", media, strings.NewReader("[{]"), http.StatusBadRequest},
		{"another content type", "/records", "text/plain", strings.NewReader("{}"), http.StatusUnsupportedMediaType},
		{"100 MB", "/adjustendpoints", media, huge, http.StatusServiceUnavailable},
		{"nothing to do", "/records", media, strings.NewReader(`{"unknown":1}`), http.StatusNoContent},
	} {
		req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.webhook.API+c.path, c.body)
		s.must(err)
		req.Header.Set("Content-Type", c.media)
		resp, err := http.DefaultClient.Do(req)
		s.must(err)
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s is answered with %s, want %d", c.what, resp.Status, c.want)
		}
	}
	s.must(s.webhook.Ready(s.ctx))
}

// reversed is a name's labels from the root on, as etcd's keys have them.
func reversed(name string) string {
	labels := strings.Split(name, ".")
	var b strings.Builder
	for i := len(labels) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "/%s", labels[i])
	}
	return b.String()[1:]
}
