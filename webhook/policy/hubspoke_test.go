package policy_test

import (
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// The classic configuration: names of class nginx-internal keep their address, all others get the hub's.
func TestHubAndSpoke(t *testing.T) {
	facts := policy.Facts{Claims: objects(
		ingress("shop/front", "nginx", "shop.example.org", "10.0.0.1"),
		ingress("ops/grafana", "nginx-internal", "grafana.example.org", "10.0.0.2"),
	)}
	r := adjust(t, hubAndSpoke(), facts,
		ep("shop.example.org A 10.0.0.1", from("ingress/shop/front")),
		ep("grafana.example.org A 10.0.0.2", from("ingress/ops/grafana")),
		ep("www.example.net A 10.0.0.3", from("ingress/ops/elsewhere")),
	)
	same(t, r.Endpoints, eps(
		ep("grafana.example.org A 10.0.0.2", from("ingress/ops/grafana")),
		ep("shop.example.org A 203.0.113.10", from("ingress/shop/front")),
		ep("www.example.net A 10.0.0.3", from("ingress/ops/elsewhere")),
	))
	want := []string{
		"public grafana.example.org: keep by rule 0 (internal) for ingress/ops/grafana",
		"public shop.example.org: rewrite to hub by rule 1 (the rest) for ingress/shop/front",
	}
	if len(r.Decisions) != len(want) {
		t.Fatalf("%d decisions, want %d: %v", len(r.Decisions), len(want), r.Decisions)
	}
	for i := range want {
		if got := r.Decisions[i].String(); got != want[i] {
			t.Errorf("decision %d: %q, want %q", i, got, want[i])
		}
	}
}

// Two Ingresses share a host, and arrive as one endpoint with both addresses and either label.
func TestSharedHost(t *testing.T) {
	internal := func() *claim.Claim { return ingress("a/int", "nginx-internal", "www.example.org", "10.0.0.1") }
	public := func() *claim.Claim { return ingress("b/pub", "nginx", "www.example.org", "10.0.0.2") }
	merged := "www.example.org A 10.0.0.1 10.0.0.2"
	drop := policy.Rule{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Drop}
	keep := policy.Rule{Match: policy.Match{IngressClasses: []string{"nginx"}}, Action: policy.Keep}
	for _, tt := range []struct {
		name   string
		config policy.Config
		want   []*endpoint.Endpoint
	}{
		{"rewrite beats keep", hubAndSpoke(), eps(ep("www.example.org A 203.0.113.10", from("ingress/a/int")))},
		{"what is dropped leaves with its address", oneView(drop, keep), eps(ep("www.example.org A 10.0.0.2", from("ingress/b/pub")))},
		{"all dropped", oneView(policy.Rule{Action: policy.Drop}), nil},
		{"all kept", oneView(), eps(ep(merged, from("ingress/a/int")))},
		{"rewrite beats drop", oneView(drop, policy.Rule{Action: policy.Rewrite, Target: "hub"}),
			eps(ep("www.example.org A 203.0.113.10", from("ingress/b/pub")))},
	} {
		for _, label := range []string{"ingress/a/int", "ingress/b/pub"} {
			t.Run(tt.name+", labelled "+label, func(t *testing.T) {
				facts := policy.Facts{Claims: objects(internal(), public())}
				r := adjust(t, tt.config, facts, ep(merged, from(label)))
				same(t, r.Endpoints, tt.want)
			})
		}
	}
}

// The kept claim publishes another type than the dropped one.
func TestSharedHostOfTwoTypes(t *testing.T) {
	facts := policy.Facts{Claims: objects(
		ingress("a/int", "nginx-internal", "www.example.org", "10.0.0.1"),
		ingress("b/pub", "nginx", "www.example.org", "lb.example.net"),
	)}
	config := oneView(policy.Rule{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Drop})
	r := adjust(t, config, facts,
		ep("www.example.org A 10.0.0.1", from("ingress/a/int")),
		ep("www.example.org CNAME lb.example.net", from("ingress/b/pub")))
	same(t, r.Endpoints, eps(ep("www.example.org CNAME lb.example.net", from("ingress/b/pub"))))
}

// A kept claim without known targets leaves what is left when the dropped claims' targets are gone.
func TestKeptClaimWithoutTargets(t *testing.T) {
	config := oneView(policy.Rule{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Drop})
	facts := policy.Facts{
		Claims: objects(
			ingress("a/int", "nginx-internal", "www.example.org", "10.0.0.1"),
			ingress("b/pub", "nginx", "www.example.org")),
		Published: records(ep("www.example.org A 198.51.100.9")),
	}
	r := adjust(t, config, facts, ep("www.example.org A 10.0.0.1 10.0.0.2", from("ingress/a/int")))
	same(t, r.Endpoints, eps(ep("www.example.org A 10.0.0.2", from("ingress/b/pub"))))

	r = adjust(t, config, facts, ep("www.example.org A 10.0.0.1", from("ingress/a/int")))
	same(t, r.Endpoints, eps(ep("www.example.org A 198.51.100.9", from("ingress/b/pub"))))
	if d := r.Decisions[0]; d.Action != policy.Hold || d.Detail == nil {
		t.Errorf("decision %v, want a hold with its reason", d)
	}
}

// A wildcard is a record of its own: its class says nothing about a name below it.
func TestWildcardClaim(t *testing.T) {
	facts := policy.Facts{Claims: objects(
		ingress("a/any", "nginx", "*.apps.example.org", "10.0.0.1"),
		ingress("b/one", "nginx-internal", "one.apps.example.org", "10.0.0.2"),
	)}
	r := adjust(t, hubAndSpoke(), facts,
		ep("*.apps.example.org A 10.0.0.1", from("ingress/a/any")),
		ep("one.apps.example.org A 10.0.0.2", from("ingress/b/one")))
	same(t, r.Endpoints, eps(
		ep("*.apps.example.org A 203.0.113.10", from("ingress/a/any")),
		ep("one.apps.example.org A 10.0.0.2", from("ingress/b/one"))))

	facts.Published = records(ep("two.apps.example.org A 10.0.0.9"))
	r = adjust(t, hubAndSpoke(), facts, ep("two.apps.example.org A 10.0.0.2", from("ingress/b/not-seen-yet")))
	same(t, r.Endpoints, eps(ep("two.apps.example.org A 10.0.0.9", from("ingress/b/not-seen-yet"))))
}

// The hub's own name, published by the cluster too, cannot point to itself.
func TestTargetIsNotItsOwnName(t *testing.T) {
	config := oneView(policy.Rule{Action: policy.Rewrite, Target: "name"})
	config.Targets["name"] = policy.Target{Static: []string{"hub.example.org"}}
	r := adjust(t, config, policy.Facts{Published: records()},
		ep("hub.example.org A 10.0.0.1"), ep("www.example.org A 10.0.0.1"))
	same(t, r.Endpoints, eps(ep("www.example.org CNAME hub.example.org")))
	if d := r.Decisions[0]; d.Action != policy.Hold {
		t.Errorf("%v, want a hold", d)
	}
}
