package policy_test

import (
	"errors"
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

func gatewayRule() policy.Config {
	return oneView(
		policy.Rule{Match: policy.Match{GatewayClasses: []string{"internal"}}, Action: policy.Keep},
		policy.Rule{Action: policy.Rewrite, Target: "hub"},
	)
}

// What depends on a fact that is missing stays as it is published; everything else flows.
func TestHold(t *testing.T) {
	unknown := func(c *claim.Claim) { c.Unknown = "gateway infra/public: forbidden" }
	partly := func(c *claim.Claim) {
		c.Unknown, c.GatewayClasses = "gateway infra/public: forbidden", []string{"internal"}
	}
	published := records(
		ep("www.example.org A 198.51.100.9", ttl(77)), ep("www.example.org TXT other"), ep("www.example.org AAAA 2001:db8::9"))
	held := eps(
		ep("www.example.org A 198.51.100.9", ttl(77), from("httproute/a/x")), ep("www.example.org AAAA 2001:db8::9", from("httproute/a/x")))
	in := ep("www.example.org A 10.0.0.1", from("httproute/a/x"))
	rewritten := eps(ep("www.example.org A 203.0.113.10", from("httproute/a/x")))
	for _, tt := range []struct {
		name   string
		config policy.Config
		claims *cluster
		want   []*endpoint.Endpoint
		reason string // part of the reason; empty: not held
	}{
		{"a class that cannot be read", gatewayRule(), objects(object("httproute/a/x", "www.example.org", unknown)), held, "infra/public: forbidden"},
		{"a class that is not asked for", hubAndSpoke(), objects(object("httproute/a/x", "www.example.org", unknown)), rewritten, ""},
		{"a class that matches whatever the other is", gatewayRule(), objects(object("httproute/a/x", "www.example.org", partly)),
			eps(in), ""},
		{"a kind that cannot be watched", gatewayRule(), objects().blind("httproute", "httproutes: forbidden"), held, "httproutes: forbidden"},
		{"labels of a kind that cannot be watched", oneView(
			policy.Rule{Match: policy.Match{Labels: map[string]string{"team": "shop"}}, Action: policy.Drop}),
			objects().blind("httproute", "httproutes: forbidden"), held, "httproutes: forbidden"},
		{"rules that do not ask", oneView(policy.Rule{Match: policy.Match{Namespaces: []string{"a"}}, Action: policy.Rewrite, Target: "hub"}),
			objects().blind("httproute", "httproutes: forbidden"), rewritten, ""},
		{"an object that is not there, or not yet", hubAndSpoke(), objects(object("httproute/b/y", "other.example.org", partly)), held, "httproute/a/x does not exist"},
		{"a kind that nobody watches", gatewayRule(), objects(), rewritten, ""},
		{"another claim decides anyway", gatewayRule(), objects(object("httproute/a/x", "www.example.org", unknown),
			ingress("b/y", "nginx", "www.example.org", "10.0.0.2")), rewritten, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := adjust(t, tt.config, policy.Facts{Claims: tt.claims, Published: published}, in, ep("free.example.org TXT x"))
			same(t, r.Endpoints, append(eps(ep("free.example.org TXT x")), tt.want...))
			switch d := r.Decisions[1]; {
			case tt.reason == "" && d.Action == policy.Hold:
				t.Errorf("%v, want a decision", d)
			case tt.reason != "" && (d.Action != policy.Hold || !strings.Contains(d.String(), tt.reason)):
				t.Errorf("%v, want held because of %q", d, tt.reason)
			}

			r = adjust(t, tt.config, policy.Facts{Claims: tt.claims, Published: records()}, in)
			if tt.reason != "" && len(r.Endpoints) != 0 {
				t.Errorf("%v is published; a held name that is not published waits", r.Endpoints)
			}

			_, err := compiled(t, tt.config).Adjust(eps(in), policy.Facts{Claims: tt.claims})
			var unpublished *policy.UnpublishedError
			if tt.reason != "" && (!errors.As(err, &unpublished) || unpublished.Host != "www.example.org" || unpublished.View != "public") {
				t.Errorf("error %v when it is not known what is published, want an *UnpublishedError", err)
			}
			if tt.reason == "" && err != nil {
				t.Error(err)
			}
		})
	}
}

// Each view holds what it publishes itself, under its own set identifiers.
func TestHoldInViews(t *testing.T) {
	config := splitHorizon()
	facts := policy.Facts{
		Claims: objects().blind("ingress", "ingresses: forbidden"),
		Published: func(view, name string) []*endpoint.Endpoint {
			return map[string][]*endpoint.Endpoint{
				"public":   eps(ep(name+" A 203.0.113.10", id("public")), ep(name+" A 203.0.113.11", id("public/blue"))),
				"internal": eps(ep(name+" A 10.9.9.9", id("internal"))),
			}[view]
		},
	}
	r := adjust(t, config, facts, ep("www.example.org A 10.0.0.1", from("ingress/a/x")))
	same(t, r.Endpoints, eps(
		ep("www.example.org A 10.0.0.1", id("internal"), from("ingress/a/x")),
		ep("www.example.org A 203.0.113.10", id("public"), from("ingress/a/x"))))
}

// One impossible endpoint is reported and held, the others flow.
func TestImpossibleInput(t *testing.T) {
	published := policy.Facts{Published: records(ep("bad.example.org A 198.51.100.9"))}
	in := eps(
		ep("a..b.example.org A 10.0.0.1"),
		ep("bad.example.org A 10.0.0.300 10.0.0.1"),
		ep("empty.example.org A"),
		ep("good.example.org A 10.0.0.2"),
		ep("mixed.example.org A fd00::1"),
		nil,
	)
	r := adjust(t, oneView(), published, in...)
	same(t, r.Endpoints, eps(ep("bad.example.org A 198.51.100.9"), ep("good.example.org A 10.0.0.2")))
	held := 0
	for _, d := range r.Decisions {
		if d.Action == policy.Hold && d.Detail != nil && d.Detail.Reason != "" {
			held++
		}
	}
	if held != 4 {
		t.Errorf("%d decisions are holds with a reason, want 4: %v", held, r.Decisions)
	}
	r = adjust(t, oneView(policy.Rule{Action: policy.Rewrite, Target: "hub"}), policy.Facts{}, in[1])
	same(t, r.Endpoints, eps(ep("bad.example.org A 203.0.113.10")))
}
