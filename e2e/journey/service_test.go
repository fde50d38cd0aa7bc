package journey_test

import (
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

func TestLoadBalancerService(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: `
- match: {kinds: [service], targetCIDRs: [10.9.0.0/16]}
  action: keep
- action: rewrite
  target: hub`}}}, stack.ExternalDNSConfig{})

		mqtt := service{name: "mqtt", hosts: []string{"mqtt", "broker"}, at: []string{"10.1.0.30"}}
		s.apply(
			mqtt,
			service{name: "metrics", hosts: []string{"metrics"}, at: []string{"10.9.0.5"}},
			service{name: "named", hosts: []string{"named"}, at: []string{"lb-1.cloud.example.net"}},
		)
		dns.answers("mqtt", "A", hub4)
		dns.answers("broker", "A", hub4)
		dns.answers("metrics", "A", "10.9.0.5")
		dns.answers("named", "A", hub4) // a CNAME to the cloud's name would point past the hub

		mqtt.at = []string{"10.9.0.6"}
		s.apply(mqtt)
		dns.answers("mqtt", "A", "10.9.0.6")
		s.remove(mqtt)
		dns.answers("mqtt", "A")
		dns.answers("broker", "A")
		s.settle()
		s.alive()
	})
}
