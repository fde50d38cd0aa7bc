package policy_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/policy"
)

// A, AAAA and CNAME of one name are one decision.
func TestWhatANamePointsToIsOneDecision(t *testing.T) {
	const (
		v4   = "203.0.113.10"
		both = "203.0.113.10 2001:db8::10"
		name = "hub.example.net"
	)
	for _, tt := range []struct {
		name, target string
		in, want     []*endpoint.Endpoint
	}{
		{"a v4 hub removes the AAAA", v4,
			eps(ep("www.example.org A 10.0.0.1"), ep("www.example.org AAAA fd00::1")),
			eps(ep("www.example.org A 203.0.113.10"))},
		{"a lone AAAA becomes an A", v4,
			eps(ep("www.example.org AAAA fd00::1")),
			eps(ep("www.example.org A 203.0.113.10"))},
		{"a dual-stack hub publishes both", both,
			eps(ep("www.example.org A 10.0.0.1")),
			eps(ep("www.example.org A 203.0.113.10"), ep("www.example.org AAAA 2001:db8::10"))},
		{"a load balancer's name becomes addresses, alias goes", both,
			eps(ep("www.example.org CNAME lb.example.net", prop("alias", "true"), prop("webhook/weight", "5"))),
			eps(ep("www.example.org A 203.0.113.10", prop("webhook/weight", "5")), ep("www.example.org AAAA 2001:db8::10", prop("webhook/weight", "5")))},
		{"a hub with a name replaces addresses", name,
			eps(ep("www.example.org A 10.0.0.1"), ep("www.example.org AAAA fd00::1")),
			eps(ep("www.example.org CNAME hub.example.net"))},
		{"the lowest TTL stays", both,
			eps(ep("www.example.org A 10.0.0.1", ttl(60)), ep("www.example.org AAAA fd00::1", ttl(30))),
			eps(ep("www.example.org A 203.0.113.10", ttl(30)), ep("www.example.org AAAA 2001:db8::10", ttl(30)))},
		{"other types pass", v4,
			eps(ep("www.example.org A 10.0.0.1"), ep("www.example.org MX 10.mx.example.org"), ep(`www.example.org TXT "v=spf1"`)),
			eps(ep("www.example.org A 203.0.113.10"), ep("www.example.org MX 10.mx.example.org"), ep(`www.example.org TXT "v=spf1"`))},
		{"other types alone get no address", v4,
			eps(ep("_sip._tcp.example.org SRV 10")), eps(ep("_sip._tcp.example.org SRV 10"))},
		{"each set identifier by itself", v4,
			eps(ep("www.example.org A 10.0.0.1", id("blue")), ep("www.example.org AAAA fd00::1", id("green"))),
			eps(ep("www.example.org A 203.0.113.10", id("blue")), ep("www.example.org A 203.0.113.10", id("green")))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := oneView(policy.Rule{Action: policy.Rewrite, Target: "hub"})
			config.Targets["hub"] = policy.Target{Static: strings.Fields(tt.target)}
			same(t, adjust(t, config, policy.Facts{}, tt.in...).Endpoints, tt.want)
		})
	}
}

// What is kept passes, in canonical form and as far as DNS allows.
func TestKeep(t *testing.T) {
	for _, tt := range []struct {
		name     string
		in, want []*endpoint.Endpoint
	}{
		{"canonical names and addresses",
			eps(ep("WWW.Example.org. AAAA FD00:0::0001 fd00::2"), ep(`\052.example.org CNAME LB.example.net.`)),
			eps(ep("*.example.org CNAME lb.example.net"), ep("www.example.org AAAA fd00::1 fd00::2"))},
		{"endpoints of one record are merged",
			eps(ep("www.example.org A 10.0.0.2", ttl(300), from("service/b/x")), ep("www.example.org A 10.0.0.1", ttl(60), from("ingress/a/x"))),
			eps(ep("www.example.org A 10.0.0.1 10.0.0.2", ttl(60), from("ingress/a/x")))},
		{"a CNAME has one target",
			eps(ep("www.example.org CNAME b.example.net"), ep("www.example.org CNAME a.example.net")),
			eps(ep("www.example.org CNAME a.example.net"))},
		{"a CNAME does not stand beside addresses",
			eps(ep("www.example.org CNAME b.example.net"), ep("www.example.org A 10.0.0.1")),
			eps(ep("www.example.org A 10.0.0.1"))},
		{"outside the zones nothing is touched but our properties",
			eps(ep("www.badexample.org A 10.0.0.1", prop("webhook/target", "hub"), prop("webhook/x", "y"))),
			eps(ep("www.badexample.org A 10.0.0.1", prop("webhook/x", "y")))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			same(t, adjust(t, oneView(), policy.Facts{}, tt.in...).Endpoints, tt.want)
		})
	}
}

// The TTL of a rule is stronger than the record's own, the view's is for those that have none.
func TestTTL(t *testing.T) {
	view := func(rule policy.Rule) policy.Config {
		c := oneView(rule)
		c.Views[0].TTL = 300e9
		return c
	}
	keep := policy.Rule{Action: policy.Keep}
	minute := policy.Rule{Action: policy.Keep, TTL: 60e9}
	for _, tt := range []struct {
		name     string
		rule     policy.Rule
		in, want *endpoint.Endpoint
	}{
		{"the view's", keep, ep("www.example.org A 10.0.0.1"), ep("www.example.org A 10.0.0.1", ttl(300))},
		{"its own", keep, ep("www.example.org A 10.0.0.1", ttl(30)), ep("www.example.org A 10.0.0.1", ttl(30))},
		{"the rule's", minute, ep("www.example.org A 10.0.0.1", ttl(30)), ep("www.example.org A 10.0.0.1", ttl(60))},
		{"of any type", minute, ep("www.example.org TXT x"), ep("www.example.org TXT x", ttl(60))},
		{"an override's", minute, ep("www.example.org A 10.0.0.1", prop("webhook/ttl", "1h")), ep("www.example.org A 10.0.0.1", ttl(3600))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			same(t, adjust(t, view(tt.rule), policy.Facts{}, tt.in).Endpoints, eps(tt.want))
		})
	}
}
