package policy_test

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// withoutInternal drops what has the class nginx-internal.
func withoutInternal() policy.Config {
	return oneView(policy.Rule{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Drop})
}

// A dropped claim takes the records with it that are its own: its set identifier, its mail servers.
func TestDroppedClaimTakesItsRecords(t *testing.T) {
	facts := policy.Facts{Claims: objects(
		ingress("a/int", "nginx-internal", "www.example.org", "10.0.0.1"),
		ingress("b/pub", "nginx", "www.example.org", "10.0.0.2"),
	)}
	r := adjust(t, withoutInternal(), facts,
		ep("www.example.org A 10.0.0.1", id("blue"), from("ingress/a/int")),
		ep("www.example.org A 10.0.0.2", id("green"), from("ingress/b/pub")))
	same(t, r.Endpoints, eps(ep("www.example.org A 10.0.0.2", id("green"), from("ingress/b/pub"))))

	mail := object("crd/a/mail", "www.example.org", func(*claim.Claim) {})
	dropCRD := oneView(policy.Rule{Match: policy.Match{Kinds: []string{"dnsendpoint"}}, Action: policy.Drop})
	r = adjust(t, dropCRD, policy.Facts{Claims: objects(mail, ingress("b/pub", "nginx", "www.example.org", "10.0.0.2"))},
		ep("www.example.org MX 10.mx.example.org", from("crd/a/mail")),
		ep("www.example.org A 10.0.0.2", from("ingress/b/pub")))
	same(t, r.Endpoints, eps(ep("www.example.org A 10.0.0.2", from("ingress/b/pub"))))
}

// A dropped claim has no say in the TTL.
func TestDroppedClaimHasNoSay(t *testing.T) {
	facts := policy.Facts{Claims: objects(
		annotated(ingress("a/int", "nginx-internal", "www.example.org", "10.0.0.1"), newer+"webhook-ttl", "5"),
		annotated(ingress("b/pub", "nginx", "www.example.org", "10.0.0.2"), newer+"webhook-ttl", "50"),
	)}
	r := adjust(t, withoutInternal(), facts, ep("www.example.org A 10.0.0.1 10.0.0.2", from("ingress/a/int")))
	same(t, r.Endpoints, eps(ep("www.example.org A 10.0.0.2", ttl(50), from("ingress/b/pub"))))
}

// A claim whose class is not known might be rewritten to another target by an earlier rule.
func TestOpenClaimCouldWin(t *testing.T) {
	route := object("httproute/a/x", "www.example.org", func(c *claim.Claim) { c.Unknown = "gateway infra/dmz: forbidden" })
	config := oneView(
		policy.Rule{Match: policy.Match{GatewayClasses: []string{"dmz"}}, Action: policy.Rewrite, Target: "dmz"},
		policy.Rule{Action: policy.Rewrite, Target: "hub"})
	config.Targets["dmz"] = policy.Target{Static: []string{"198.51.100.1"}}
	facts := policy.Facts{
		Claims:    objects(route, ingress("b/pub", "nginx", "www.example.org", "10.0.0.2")),
		Published: records(ep("www.example.org A 198.51.100.9")),
	}
	in := ep("www.example.org A 10.0.0.2", from("ingress/b/pub"))
	r := adjust(t, config, facts, in)
	same(t, r.Endpoints, eps(ep("www.example.org A 198.51.100.9", from("ingress/b/pub"))))
	if d := r.Decisions[0]; d.Action != policy.Hold || d.Detail.Reason != "httproute/a/x: gateway infra/dmz: forbidden" {
		t.Errorf("%v, want a hold for the route's class", d)
	}
	config.Targets["dmz"] = config.Targets["hub"] // then it makes no difference
	same(t, adjust(t, config, facts, in).Endpoints, eps(ep("www.example.org A 203.0.113.10", from("ingress/b/pub"))))
}

// Where a name lies outside the zones of the view that its set identifier names, the identifier is its own.
func TestSetIdentifierOfAnotherZonesView(t *testing.T) {
	r := adjust(t, splitHorizon(), policy.Facts{}, ep("wiki.corp.example A 10.0.0.3", id("public")))
	same(t, r.Endpoints, eps(ep("wiki.corp.example A 10.0.0.3", id("internal/public"))))
}
