package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// splitHorizon publishes the hub's address to the world through BIND, and the real one inside through
// etcd and CoreDNS; what is internal stays out of the public view.
func splitHorizon(s *site) setup {
	return setup{views: []view{
		{name: "public", backend: s.bind(), rules: "- {match: {ingressClasses: [nginx-internal]}, action: drop}\n- {action: rewrite, target: hub}"},
		{name: "internal", backend: s.etcd(), rules: "- action: keep"},
	}}
}

// One external-dns, two audiences.
func TestTwoViewsOnOneExternalDNS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	public, internal := bind(s), coreDNS(s)
	s.start(splitHorizon(s), stack.ExternalDNSConfig{})

	shop := ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}}
	s.apply(shop, ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11"}})
	public.answers("shop", "A", hub4)
	internal.answers("shop", "A", "10.1.0.10")
	internal.answers("admin", "A", "10.1.0.11")
	s.settle()
	public.holds("admin", "A")
	s.staysSettled(3)

	// The address inside changes, the one outside does not: the public server must not be touched.
	before := public.serial()
	shop.at = []string{"10.1.0.12"}
	s.apply(shop)
	internal.answers("shop", "A", "10.1.0.12")
	s.settle()
	public.holds("shop", "A", hub4)
	if after := public.serial(); after != before {
		t.Errorf("the public zone went from serial %d to %d though nothing public changed", before, after)
	}

	// The class changes: the name leaves the public view and stays inside.
	shop.class = "nginx-internal"
	s.apply(shop)
	public.answers("shop", "A")
	s.settle()
	internal.holds("shop", "A", "10.1.0.12")

	s.remove(shop)
	internal.answers("shop", "A")
	s.settle()
	s.alive()
}

// A backend that is down holds up its own view for as long as it is down, loses nothing, and what the
// other view has stays published.
func TestAViewWhoseServerIsDownRecovers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	own := s.ownBIND()
	both := splitHorizon(s)
	both.views[0].backend = own.backend
	public, internal := own.server, coreDNS(s)
	s.start(both, stack.ExternalDNSConfig{})
	s.apply(ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}})
	public.answers("shop", "A", hub4)
	internal.answers("shop", "A", "10.1.0.10")
	s.settle()

	own.stop()
	s.troubled()
	s.apply(ingress{name: "later", class: "nginx", hosts: []string{"later"}, at: []string{"10.1.0.10"}})
	internal.holds("shop", "A", "10.1.0.10")
	s.alive()

	own.restart()
	public.answers("later", "A", hub4)
	internal.answers("later", "A", "10.1.0.10")
	public.holds("shop", "A", hub4)
	s.settle()
}
