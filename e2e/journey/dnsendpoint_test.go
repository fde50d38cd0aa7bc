package journey_test

import (
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Records written down in a DNSEndpoint: types that are no addresses pass untouched, whatever the rules.
func TestDNSEndpoint(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		// The crd source of v0.21 refuses an SRV target that ends with a dot, and a later step every
		// other one: SRV comes in beside it.
		sip := newConnector(s, record(s, "_sip._tcp", "SRV", "10 60 5060 sip.example.net."))
		x := sip.externalDNS()
		x.Sources = append(x.Sources, "crd")
		x.ExtraArgs = append(x.ExtraArgs, managed("A", "AAAA", "CNAME", "MX", "SRV", "TXT")...)
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: classic}}}, x)
		mail := &endpoint.Endpoint{DNSName: "mail", RecordType: "MX", Targets: endpoint.Targets{"10 " + s.name("mx1"), "20 " + s.name("mx2")}}
		s.apply(dnsEndpoint{name: "records", records: []*endpoint.Endpoint{
			mail,
			{DNSName: "note", RecordType: "TXT", Targets: endpoint.Targets{"v=spf1 -all"}},
			{DNSName: "host", RecordType: "A", Targets: endpoint.Targets{"10.1.0.40"}, RecordTTL: 120},
		}})
		dns.answers("mail", "MX", "10 "+s.name("mx1"), "20 "+s.name("mx2"))
		dns.answers("_sip._tcp", "SRV", "10 60 5060 sip.example.net")
		dns.answers("note", "TXT", "v=spf1 -all")
		dns.answers("host", "A", hub4)
		dns.holdsTTL("host", "A", "2m")

		mail.Targets = endpoint.Targets{"10 " + s.name("mx3")}
		s.apply(dnsEndpoint{name: "records", records: []*endpoint.Endpoint{mail}})
		sip.serve()
		dns.answers("mail", "MX", "10 "+s.name("mx3"))
		dns.answers("_sip._tcp", "SRV")
		dns.answers("host", "A")
		s.settle()
		s.staysSettled(3)
		s.alive()
	})
}

// The zone's own name works in both; wildcards only where the server can answer them, and where it
// cannot they are refused with a reason and stop nobody else.
func TestApexAndWildcard(t *testing.T) {
	t.Parallel()
	inEveryHome(t, func(t *testing.T, s *site, home home, dns server) {
		s.start(setup{views: []view{{name: "public", backend: home.backend(s), rules: classic}}}, stack.ExternalDNSConfig{})

		s.apply(ingress{name: "all", class: "nginx", hosts: []string{"@", "*.apps", "www"}, at: []string{"10.1.0.10"}})
		dns.answers("@", "A", hub4)
		dns.answers("www", "A", hub4)
		if home.wildcards {
			dns.answers("anything.apps", "A", hub4)
		} else {
			s.logged(s.webhook.Part, "*.apps."+s.zone)
		}
		s.settle()
		s.staysSettled(3)

		s.remove(ingress{name: "all"})
		dns.answers("@", "A")
		dns.answers("anything.apps", "A")
		s.settle()
		s.alive()
	})
}

// managed are the flags that make external-dns manage these record types.
func managed(types ...string) []string {
	var flags []string
	for _, typ := range types {
		flags = append(flags, "--managed-record-types="+typ)
	}
	return flags
}
