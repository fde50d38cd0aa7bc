package policy_test

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/policy"
)

// splitHorizon shows the hub to the world and private addresses inside.
func splitHorizon() policy.Config {
	return policy.Config{
		Targets: hub,
		Views: []policy.View{
			{Name: "public", Zones: []string{"example.org"}, Rules: []policy.Rule{
				{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Drop},
				{Action: policy.Rewrite, Target: "hub", TTL: 60e9},
			}},
			{Name: "internal", Zones: []string{"example.org", "corp.example"}},
		},
	}
}

func TestSplitHorizon(t *testing.T) {
	facts := policy.Facts{Claims: objects(
		ingress("shop/front", "nginx", "shop.example.org", "10.0.0.1"),
		ingress("ops/grafana", "nginx-internal", "grafana.example.org", "10.0.0.2"),
	)}
	r := adjust(t, splitHorizon(), facts,
		ep("shop.example.org A 10.0.0.1", from("ingress/shop/front")),
		ep("grafana.example.org A 10.0.0.2", from("ingress/ops/grafana")),
		ep("wiki.corp.example A 10.0.0.3", id("blue")),
		ep("elsewhere.example A 10.0.0.4", id("public")),
	)
	want := eps(
		ep("elsewhere.example A 10.0.0.4", id("public")),
		ep("grafana.example.org A 10.0.0.2", id("internal"), from("ingress/ops/grafana")),
		ep("shop.example.org A 10.0.0.1", id("internal"), from("ingress/shop/front")),
		ep("shop.example.org A 203.0.113.10", id("public"), ttl(60), from("ingress/shop/front")),
		ep("wiki.corp.example A 10.0.0.3", id("internal/blue")),
	)
	same(t, r.Endpoints, want)
	again := adjust(t, splitHorizon(), facts, r.Endpoints...)
	same(t, again.Endpoints, want)
}

// An endpoint that names a view by its set identifier is for that view alone.
func TestSetIdentifierChoosesTheView(t *testing.T) {
	r := adjust(t, splitHorizon(), policy.Facts{},
		ep("www.example.org A 10.0.0.1", id("internal")),
		ep("www.example.org A 10.0.0.2"),
		ep("blue.example.org A 10.0.0.3", id("public/blue")))
	same(t, r.Endpoints, eps(
		ep("blue.example.org A 203.0.113.10", id("public/blue"), ttl(60)),
		ep("www.example.org A 10.0.0.1 10.0.0.2", id("internal")),
		ep("www.example.org A 203.0.113.10", id("public"), ttl(60))))
}

func TestSetID(t *testing.T) {
	views := []string{"public", "internal"}
	for _, tt := range []struct {
		id, view, orig string
		ok             bool
	}{
		{"public", "public", "", true},
		{"internal/blue", "internal", "blue", true},
		{"internal/a/b", "internal", "a/b", true},
		{"blue", "", "blue", false},
		{"publicity", "", "publicity", false},
		{"public/", "", "public/", false},
		{"", "", "", false},
	} {
		view, orig, ok := policy.SplitSetID(views, tt.id)
		if view != tt.view || orig != tt.orig || ok != tt.ok {
			t.Errorf("SplitSetID(%q) = %q, %q, %v; want %q, %q, %v", tt.id, view, orig, ok, tt.view, tt.orig, tt.ok)
		}
		if ok && policy.SetID(view, orig) != tt.id {
			t.Errorf("SetID(%q, %q) = %q, want %q", view, orig, policy.SetID(view, orig), tt.id)
		}
	}
	if view, orig, ok := policy.SplitSetID(views[:1], "internal/blue"); view != "public" || orig != "internal/blue" || !ok {
		t.Errorf("with one view: %q, %q, %v; want every set identifier to be its own", view, orig, ok)
	}
}
