package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The main journey with every external-dns we support; the others run the youngest.
func TestEveryExternalDNS(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v0.20", "v0.21"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			public, internal := bind(s), coreDNS(s)
			s.start(splitHorizon(s), stack.ExternalDNSConfig{Version: version, Sources: []string{"ingress", "service", "gateway-httproute"}})

			shop := ingress{name: "shop", class: "nginx", hosts: []string{"shop"}, at: []string{"10.1.0.10"}}
			s.apply(
				shop,
				ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin", "shared"}, at: []string{"10.1.0.11"}},
				ingress{name: "front", class: "nginx", hosts: []string{"shared"}, at: []string{"10.1.0.10"}},
				service{name: "mqtt", hosts: []string{"mqtt"}, at: []string{"10.1.0.30"}},
				gateway{name: "edge", class: "envoy", at: []string{"10.1.0.20"}},
				httpRoute{name: "api", gateway: "edge", hosts: []string{"api"}},
			)
			public.answers("shop", "A", hub4)
			public.answers("mqtt", "A", hub4)
			public.answers("api", "A", hub4)
			public.answers("shared", "A", hub4)
			internal.answers("shop", "A", "10.1.0.10")
			internal.answers("admin", "A", "10.1.0.11")
			internal.answers("mqtt", "A", "10.1.0.30")
			internal.answers("api", "A", "10.1.0.20")
			s.settle()
			public.holds("admin", "A")
			s.staysSettled(5)

			shop.at = []string{"10.1.0.12"}
			s.apply(shop)
			internal.answers("shop", "A", "10.1.0.12")
			s.remove(shop)
			public.answers("shop", "A")
			internal.answers("shop", "A")
			s.settle()
			s.alive()
		})
	}
}
