package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The classic hub and spoke, in BIND and in etcd behind CoreDNS.
func TestIngressGoesToTheHubAndTheInternalClassStays(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: classic}}}, stack.ExternalDNSConfig{})

		s.apply(
			ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}},
			ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11"}},
			ingress{name: "old-admin", hosts: []string{"old-admin"}, at: []string{"10.1.0.11"},
				annotations: map[string]string{"kubernetes.io/ingress.class": "nginx-internal"}},
			ingress{name: "old-shop", hosts: []string{"old-shop"}, at: []string{"10.1.0.10"},
				annotations: map[string]string{"kubernetes.io/ingress.class": "nginx"}},
		)
		dns.answers("shop", "A", hub4)
		dns.answers("admin", "A", "10.1.0.11")
		dns.answers("old-admin", "A", "10.1.0.11")
		dns.answers("old-shop", "A", hub4)
		s.settle()
		s.alive()
	})
}

// An Ingress without a class has the default one, also when that is chosen later. Not parallel: the
// default class is the whole cluster's.
func TestIngressOfTheDefaultClass(t *testing.T) {
	s := newSite(t)
	dns := bind(s)
	s.start(setup{views: []view{{name: "public", backend: s.bind(), rules: classic}}}, stack.ExternalDNSConfig{})

	s.apply(ingress{name: "shop", hosts: []string{"shop"}, at: []string{"10.1.0.11"}})
	dns.answers("shop", "A", hub4)

	internal := ingressClass{name: "nginx-internal", isDefault: true}
	s.apply(internal)
	defer s.remove(internal)
	dns.answers("shop", "A", "10.1.0.11")
}

// external-dns merges Ingresses that share a host and tells the webhook about one of them, chosen by
// chance in every loop. The answer must not depend on that.
func TestSharedHostIsStable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dns := bind(s)
	s.start(setup{views: []view{{name: "public", backend: s.bind(), rules: classic}}}, stack.ExternalDNSConfig{})

	outside := ingress{name: "outside", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}}
	inside := ingress{name: "inside", class: "nginx-internal", hosts: []string{"shop"}, at: []string{"10.1.0.11"}}
	s.apply(outside, inside)
	dns.answers("shop", "A", hub4)
	s.settle()
	s.staysSettled(10)
	dns.holds("shop", "A", hub4)

	s.remove(outside)
	dns.answers("shop", "A", "10.1.0.11")
	s.settle()
	s.apply(outside)
	dns.answers("shop", "A", hub4)
}

func TestIngressLifecycle(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: classic}}}, stack.ExternalDNSConfig{})

		admin := ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11"}}
		s.apply(admin)
		dns.answers("admin", "A", "10.1.0.11")
		admin.at = []string{"10.1.0.12", "10.1.0.13"}
		s.apply(admin)
		dns.answers("admin", "A", "10.1.0.12", "10.1.0.13")
		admin.class = "nginx"
		s.apply(admin)
		dns.answers("admin", "A", hub4)
		admin.hosts = []string{"office"}
		s.apply(admin)
		dns.answers("office", "A", hub4)
		dns.answers("admin", "A")
		s.remove(admin)
		dns.answers("office", "A")
		dns.answers("_owner-a.office", "TXT")
		s.settle()
	})
}

// A dual-stack load balancer behind a dual-stack hub gets both of the hub's addresses, behind an
// IPv4-only hub only that: a private IPv6 address must not leak.
func TestDualStack(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		both := setup{hub: []string{hub4, hub6}, views: []view{{name: "public", backend: home.backend(s), rules: classic}}}
		s.start(both, stack.ExternalDNSConfig{})

		s.apply(
			ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10", "fd00:1::10"}},
			ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11", "fd00:1::11"}},
		)
		dns.answers("shop", "A", hub4)
		dns.answers("shop", "AAAA", hub6)
		dns.answers("admin", "A", "10.1.0.11")
		dns.answers("admin", "AAAA", "fd00:1::11")

		both.hub = []string{hub4}
		s.reload(both)
		dns.answers("shop", "AAAA")
		dns.holds("shop", "A", hub4)
		dns.holds("admin", "AAAA", "fd00:1::11")
		s.settle()
	})
}

func TestOverridesByAnnotation(t *testing.T) {
	t.Parallel()
	const prefix = "external-dns.alpha.kubernetes.io/"
	s := newSite(t)
	public, internal := bind(s), coreDNS(s)
	both := setup{views: []view{
		{name: "public", backend: s.bind(), rules: classic},
		{name: "internal", backend: s.etcd(), rules: "- action: keep"},
	}}
	s.start(both, stack.ExternalDNSConfig{})

	s.apply(
		ingress{name: "other", class: "nginx", hosts: []string{"other"}, at: []string{"10.1.0.10"},
			annotations: map[string]string{prefix + "webhook-target": "203.0.113.77"}},
		ingress{name: "young", class: "nginx", hosts: []string{"young"}, at: []string{"10.1.0.10"},
			annotations: map[string]string{"external-dns.kubernetes.io/webhook-target": "203.0.113.78"}},
		ingress{name: "private", class: "nginx", hosts: []string{"private"}, at: []string{"10.1.0.10"},
			annotations: map[string]string{prefix + "webhook-view": "internal"}},
		ingress{name: "brief", class: "nginx", hosts: []string{"brief"}, at: []string{"10.1.0.10"},
			annotations: map[string]string{prefix + "webhook-ttl": "30s"}},
		ingress{name: "seed", class: "nginx", hosts: []string{"seed"}, at: []string{"10.1.0.10"},
			annotations: map[string]string{"hub-dns-operator.io/target-hostname": "edge.example.net", "hub-dns-operator.io/record-type": "CNAME"}},
	)
	public.answers("other", "A", "203.0.113.77")
	public.answers("young", "A", "203.0.113.78")
	internal.answers("private", "A", "10.1.0.10")
	public.answers("brief", "A", hub4)
	public.answers("seed", "CNAME", "edge.example.net")
	s.settle()
	public.holds("private", "A")
	public.holdsTTL("brief", "A", "30s")

	both.overrides = "{target: false, view: false, ttl: false}"
	s.reload(both)
	public.answers("other", "A", hub4)
	public.answers("private", "A", hub4)
	public.answers("seed", "A", hub4)
	s.settle()
	public.holds("seed", "CNAME")
	public.holdsTTL("brief", "A", "1m")
}

// A hub that is known by name: addresses become an alias, except where there can be none.
func TestHubWithAName(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		c := setup{hub: []string{"edge.example.net"}, views: []view{{name: "public", backend: home.backend(s), rules: classic}}}
		s.start(c, stack.ExternalDNSConfig{})
		s.apply(ingress{name: "shop", class: "nginx", hosts: []string{"shop", "@"}, at: []string{"10.1.0.10", "fd00:1::10"}})
		dns.answers("shop", "CNAME", "edge.example.net")
		s.logged(s.webhook.Part, "refused", s.zone+" CNAME")
		s.settle()
		s.staysSettled(3)
		dns.holds("@", "A")

		c.hub = []string{hub4, hub6}
		s.reload(c)
		dns.answers("shop", "A", hub4)
		dns.answers("shop", "AAAA", hub6)
		dns.answers("@", "A", hub4)
		s.settle()
		s.alive()
	})
}
