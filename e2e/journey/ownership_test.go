package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Two clusters share a zone: each with its own external-dns and webhook. Nobody takes the other's names.
func TestTwoClustersOnOneZone(t *testing.T) {
	t.Parallel()
	for _, home := range homes() {
		t.Run(home.name, func(t *testing.T) {
			t.Parallel()
			east, west := newSite(t), newSite(t)
			west.zone = east.zone
			dns := home.in(east)
			setupOf := func(hub string) setup {
				return setup{hub: []string{hub}, views: []view{{name: "public", backend: home.backend(east), rules: classic}}}
			}
			east.start(setupOf("203.0.113.1"), stack.ExternalDNSConfig{Owner: "east"})
			west.start(setupOf("203.0.113.2"), stack.ExternalDNSConfig{Owner: "west"})

			shop := ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}}
			east.apply(shop)
			dns.answers("shop", "A", "203.0.113.1")

			// The same name in the other cluster waits; that cluster's own names do not.
			west.apply(shop, ingress{name: "west", class: "nginx", hosts: []string{"west"}, at: []string{"10.1.0.10"}})
			dns.answers("west", "A", "203.0.113.2")
			east.settle()
			west.settle()
			dns.holds("shop", "A", "203.0.113.1")

			// It removes what it never owned: nothing happens.
			west.remove(shop)
			west.settle()
			dns.holds("shop", "A", "203.0.113.1")

			// It wants the name again, and gets it once its owner lets go.
			west.apply(shop)
			east.remove(shop)
			dns.answers("shop", "A", "203.0.113.2")
			east.settle()
			west.settle()
			dns.holds("west", "A", "203.0.113.2")
			east.alive()
			west.alive()
		})
	}
}
