package journey_test

import (
	"fmt"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Most names of a zone vanish at once, as they do when a filter is wrong. That is refused and explained,
// other changes flow, and who means it can say so.
func TestMassDeletionIsRefusedUntilItIsMeant(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		c := setup{views: []view{{name: "public", backend: home.backend(s), rules: classic}}}
		s.start(c, stack.ExternalDNSConfig{})
		fleet := ingress{name: "fleet", class: "nginx", at: []string{"10.1.0.10"}}
		for i := range 30 {
			fleet.hosts = append(fleet.hosts, fmt.Sprintf("ship-%d", i))
		}
		s.apply(fleet, oneShop())
		dns.answers("ship-0", "A", hub4)
		dns.answers("ship-29", "A", hub4)
		s.settle()

		s.remove(fleet)
		s.logged(s.webhook.Part, s.zone, "maxDeleteShare")
		s.apply(ingress{name: "later", class: "nginx", hosts: []string{"later"}, at: []string{"10.1.0.10"}})
		dns.answers("later", "A", hub4)
		dns.holds("ship-0", "A", hub4)
		dns.holds("ship-29", "A", hub4)
		s.alive()

		c.options = "rails: {maxDeleteShare: 1}\n"
		s.reload(c)
		dns.answers("ship-0", "A")
		dns.answers("ship-29", "A")
		s.settle()
		dns.holds("shop", "A", hub4)
	})
}
