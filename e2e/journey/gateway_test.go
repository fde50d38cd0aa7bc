package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

func TestHTTPRouteByGatewayClass(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: `
- match: {gatewayClasses: [envoy-internal]}
  action: keep
- match: {kinds: [httproute]}
  action: rewrite
  target: hub`}}}, stack.ExternalDNSConfig{Sources: []string{"gateway-httproute"}})

		api := httpRoute{name: "api", gateway: "edge", hosts: []string{"api"}}
		s.apply(
			gateway{name: "edge", class: "envoy", at: []string{"10.1.0.20"}},
			gateway{name: "office", class: "envoy-internal", at: []string{"10.1.0.21"}},
			api,
			httpRoute{name: "intranet", gateway: "office", hosts: []string{"intranet"}},
		)
		dns.answers("api", "A", hub4)
		dns.answers("intranet", "A", "10.1.0.21")

		api.gateway = "office"
		s.apply(api)
		dns.answers("api", "A", "10.1.0.21")
		s.remove(api)
		dns.answers("api", "A")
		s.settle()
		s.alive()
	})
}
