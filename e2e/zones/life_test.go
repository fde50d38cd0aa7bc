package zones

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// TestLife takes a zone and its records through everything that can be done to them, on two primaries and two secondaries
// that follow a catalog zone.
func TestLife(t *testing.T) {
	s := newSite(t)
	a, b := s.primary("a"), s.primary("b")
	c, d := s.follower("c", "c.catalog.life", a, b), s.follower("d", "d.catalog.life", a, b)
	zone := s.dnszone("zone", s.zone)
	www := s.dnsrecord("www", "zone", "A", "192.0.2.1", "192.0.2.2")
	mail := s.dnsrecord("@", "zone", "MX", "10 mail.example.net.")
	backup := s.dnsrecord("@", "zone", "MX", "20 backup.example.net.")
	backup.Name = "backup-mx"
	s.create(zone, www, mail, backup,
		s.dnsrecord("www", "zone", "AAAA", "2001:db8::1"),
		s.dnsrecord("alias", "zone", "CNAME", "www."+s.zone+"."),
		s.dnsrecord("text", "zone", "TXT", "a text; with \"quotes\""),
		s.dnsrecord("_sip._tcp", "zone", "SRV", "0 5 5060 www."+s.zone+"."),
		s.dnsrecord("@", "zone", "CAA", `0 issue "ca.example.net"`),
		s.dnsrecord("svc", "zone", "HTTPS", "1 . alpn=h2"),
		s.dnsrecord("_443._tcp.www", "zone", "TLSA", "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
		s.dnsrecord("*.apps", "zone", "A", "192.0.2.80"),
		s.dnsrecord("sub", "zone", "NS", "ns.example.net."),
	)
	z := s.zone
	s.is(zone, v1alpha1.Ready, "True Serving")
	s.answers("www."+z, "A", []string{"192.0.2.1", "192.0.2.2"}, a, b, c, d)
	s.answers("www."+z, "AAAA", []string{"2001:db8::1"}, a, b, c, d)
	s.answers(z, "MX", []string{"10 mail.example.net.", "20 backup.example.net."}, a, b, c, d)
	s.answers(z, "NS", []string{"ns1." + z + "."}, a, b, c, d)
	s.answers("ns1."+z, "A", []string{"192.0.2.53"}, a, b, c, d)
	s.answers("alias."+z, "CNAME", []string{"www." + z + "."}, a, b, c, d)
	s.answers("text."+z, "TXT", []string{`"a text; with \"quotes\""`}, a, b, c, d)
	s.answers("_sip._tcp."+z, "SRV", []string{"0 5 5060 www." + z + "."}, a, b, c, d)
	s.answers(z, "CAA", []string{`0 issue "ca.example.net"`}, a, b, c, d)
	s.answers("anything.apps."+z, "A", []string{"192.0.2.80"}, a, b, c, d)
	var all v1alpha1.DNSRecordList
	s.eachRecord(&all, "True Answered")
	if zone.Status.Ready != "4/4" {
		t.Errorf("ready is %q: %+v", zone.Status.Ready, zone.Status)
	}

	t.Log("a record changes its values, its name, its type, and goes")
	change(s, www, func(r *v1alpha1.DNSRecord) { r.Spec.Values = []string{"192.0.2.9"} })
	s.answers("www."+z, "A", []string{"192.0.2.9"}, a, b, c, d)
	change(s, www, func(r *v1alpha1.DNSRecord) { r.Spec.Name = "web" })
	s.answers("web."+z, "A", []string{"192.0.2.9"}, a, b, c, d)
	s.answers("www."+z, "A", nil, a, b, c, d)
	change(s, www, func(r *v1alpha1.DNSRecord) { r.Spec.Type, r.Spec.Values = "TXT", []string{"moved"} })
	s.answers("web."+z, "TXT", []string{`"moved"`}, a, b, c, d)
	s.answers("web."+z, "A", nil, a, b, c, d)
	s.delete(backup)
	s.answers(z, "MX", []string{"10 mail.example.net."}, a, b, c, d)

	t.Log("SOA, NS and glue change")
	change(s, zone, func(z *v1alpha1.DNSZone) {
		z.Spec.SOA.NegativeTTL = 77
		z.Spec.NameServers = append(z.Spec.NameServers, v1alpha1.NameServer{Hostname: "ns2.example.net"})
		z.Spec.NameServers[0].IPv4Addresses = []string{"192.0.2.54"}
	})
	s.answers(z, "NS", []string{"ns1." + z + ".", "ns2.example.net."}, a, b, c, d)
	s.answers("ns1."+z, "A", []string{"192.0.2.54"}, a, b, c, d)

	t.Log("a server is deselected, and selected again")
	change(s, zone, func(z *v1alpha1.DNSZone) {
		z.Spec.ServerSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"b", "d"}}}
	})
	s.refused(z, b)
	s.is(zone, v1alpha1.Ready, "True Serving")
	s.answers("web."+z, "TXT", []string{`"moved"`}, a, c)
	change(s, zone, func(z *v1alpha1.DNSZone) { z.Spec.ServerSelector.MatchExpressions = nil })
	s.answers("web."+z, "TXT", []string{`"moved"`}, a, b, c, d)

	t.Log("the zone goes")
	s.delete(zone)
	s.refused(z, a, b, c, d)
	s.is(mail, v1alpha1.Ready, "False ZoneNotFound")
}
