package journey_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"
)

// The law that everything read back is what was written: a second external-dns plans nothing, with
// every kind of record a backend takes, in the loops of the first and in the first loop of another.
func TestSecondRunChangesNothing(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		config := newConnector(s, record(s, "_sip._tcp", "SRV", "10 60 5060 sip.example.net.")).externalDNS()
		config.Sources = append(config.Sources, "ingress", "service", "crd", "gateway-httproute")
		config.ExtraArgs = append(config.ExtraArgs, managed("A", "AAAA", "CNAME", "MX", "SRV")...)
		s.start(setup{hub: []string{hub4, hub6}, views: []view{{name: "public", backend: home.backend(s), rules: classic}}}, config)
		s.apply(
			ingress{name: "shop", class: "nginx", hosts: []string{"shop", "@", "very.deep.down"}, at: []string{"10.1.0.10", "fd00:1::10"}},
			ingress{name: "admin", class: "nginx-internal", hosts: []string{"admin"}, at: []string{"10.1.0.11", "fd00:1:0:0:0:0:0:b"},
				annotations: map[string]string{ttlAnnotation: "7m"}},
			ingress{name: "named", class: "nginx-internal", hosts: []string{"named"}, at: []string{"lb.cloud.example.net"}},
			service{name: "many", hosts: []string{"many", "Mixed-Case"}, at: addresses("10.2.0.%d", 1, 60)},
			gateway{name: "edge", class: "envoy", at: []string{"10.1.0.20"}},
			httpRoute{name: "api", gateway: "edge", hosts: []string{"api"}},
			dnsEndpoint{name: "records", records: []*endpoint.Endpoint{
				{DNSName: "mail", RecordType: "MX", Targets: endpoint.Targets{"10 " + s.name("mx1"), "20 " + s.name("mx2")}},
			}},
		)
		dns.answers("mixed-case", "A", hub4)
		dns.answers("very.deep.down", "A", hub4)
		dns.answers("admin", "AAAA", "fd00:1::b")
		dns.answers("_sip._tcp", "SRV", "10 60 5060 sip.example.net")
		dns.answers("named", "CNAME", "lb.cloud.example.net")
		dns.answers("mail", "MX", "10 "+s.name("mx1"), "20 "+s.name("mx2"))
		s.settle()
		s.staysSettled(5)

		second := config
		second.Name = "external-dns-second"
		s.startExternalDNS(second)
		s.logged(s.dns.Part, "All records are already up to date")
		s.staysSettled(2)
		if l := s.loops(); l.Applies != 0 {
			t.Errorf("the second external-dns asked for %g changes:\n%s", l.Applies, s.dns.LogTail(30))
		}
	})
}

// addresses counts from first up to last.
func addresses(format string, first, last int) []string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf(format, i))
	}
	return all
}
