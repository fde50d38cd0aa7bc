package policy_test

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// Each predicate on an object that it is for, and on one that it is not for.
func TestMatch(t *testing.T) {
	shop := func(c *claim.Claim) {
		c.IngressClass, c.Targets = "nginx", []string{"10.1.2.3", "fd00::1"}
		c.Labels, c.Annotations = map[string]string{"team": "shop"}, map[string]string{"tier": "front", "empty": ""}
	}
	route := func(c *claim.Claim) {
		c.GatewayClasses, c.Targets = []string{"istio", "public"}, []string{"lb.example.net"}
	}
	ing, rt, dns := object("ingress/shop-eu/www", "www.shop.example.org", shop),
		object("httproute/shop-us/www", "www.shop.example.org", route),
		object("crd/shop-us/www", "www.shop.example.org", func(*claim.Claim) {})
	for _, tt := range []struct {
		name  string
		match policy.Match
		claim *claim.Claim
		want  bool
	}{
		{"everything", policy.Match{}, ing, true},
		{"kind", policy.Match{Kinds: []string{"service", "Ingress"}}, ing, true},
		{"another kind", policy.Match{Kinds: []string{"service"}}, ing, false},
		{"a DNSEndpoint by its own name", policy.Match{Kinds: []string{"DNSEndpoint"}}, dns, true},
		{"namespace", policy.Match{Namespaces: []string{"shop-*"}}, ing, true},
		{"another namespace", policy.Match{Namespaces: []string{"shop"}}, ing, false},
		{"ingress class", policy.Match{IngressClasses: []string{"nginx"}}, ing, true},
		{"any ingress class", policy.Match{IngressClasses: []string{"*"}}, ing, true},
		{"an object without class", policy.Match{IngressClasses: []string{"*"}}, rt, false},
		{"class names are compared whole", policy.Match{IngressClasses: []string{"ngin"}}, ing, false},
		{"one of the gateway classes", policy.Match{GatewayClasses: []string{"public"}}, rt, true},
		{"no gateway class", policy.Match{GatewayClasses: []string{"*"}}, ing, false},
		{"host", policy.Match{Hosts: []string{"www.shop.example.org"}}, ing, true},
		{"any depth", policy.Match{Hosts: []string{"*.example.org"}}, ing, true},
		{"star inside", policy.Match{Hosts: []string{"www.*.org"}}, ing, true},
		{"the name itself is not below", policy.Match{Hosts: []string{"*.www.shop.example.org"}}, ing, false},
		{"label", policy.Match{Labels: map[string]string{"team": "sh*"}}, ing, true},
		{"a label that is not there", policy.Match{Labels: map[string]string{"team": "*", "x": "*"}}, ing, false},
		{"annotation", policy.Match{Annotations: map[string]string{"tier": "front"}}, ing, true},
		{"an empty annotation", policy.Match{Annotations: map[string]string{"empty": ""}}, ing, true},
		{"another value", policy.Match{Annotations: map[string]string{"tier": "back"}}, ing, false},
		{"address range", policy.Match{TargetCIDRs: []string{"192.0.2.0/24", "10.0.0.0/8"}}, ing, true},
		{"v6 range", policy.Match{TargetCIDRs: []string{"fd00::/8"}}, ing, true},
		{"outside the range", policy.Match{TargetCIDRs: []string{"10.2.0.0/16"}}, ing, false},
		{"an address that the object's host name was resolved to", policy.Match{TargetCIDRs: []string{"10.9.9.9"}}, rt, true},
		{"an address that the object has got just now", policy.Match{TargetCIDRs: []string{"10.9.9.9"}}, ing, true},
		{"the record's address where the object has none", policy.Match{TargetCIDRs: []string{"10.9.9.9"}}, dns, true},
		{"fields are ANDed", policy.Match{Kinds: []string{"ingress"}, Namespaces: []string{"other"}}, ing, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := adjust(t, oneView(policy.Rule{Match: tt.match, Action: policy.Drop}), policy.Facts{Claims: objects(tt.claim)},
				ep("www.shop.example.org A 10.9.9.9", from(tt.claim.Ref.String())))
			if dropped := len(r.Endpoints) == 0; dropped != tt.want {
				t.Errorf("matched: %v, want %v (%v)", dropped, tt.want, r.Decisions)
			}
		})
	}
}

func TestNameIsInNoRange(t *testing.T) {
	rt := object("httproute/shop/www", "www.example.org", func(c *claim.Claim) { c.Targets = []string{"lb.example.net"} })
	r := adjust(t, oneView(policy.Rule{Match: policy.Match{TargetCIDRs: []string{"0.0.0.0/0"}}, Action: policy.Drop}),
		policy.Facts{Claims: objects(rt)}, ep("www.example.org CNAME lb.example.net", from(rt.Ref.String())))
	if len(r.Endpoints) != 1 {
		t.Errorf("dropped: %v", r.Decisions)
	}
}
