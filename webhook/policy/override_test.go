package policy_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

const (
	older  = "external-dns.alpha.kubernetes.io/"
	newer  = "external-dns.kubernetes.io/"
	target = "hub-dns-operator.io/target-hostname"
	typ    = "hub-dns-operator.io/record-type"
)

// www is an Ingress for www.example.org with annotations, of a class that is rewritten.
func www(pairs ...string) *claim.Claim {
	return annotated(ingress("a/www", "nginx", "www.example.org", "10.0.0.1"), pairs...)
}

func wants(s ...string) (out []*endpoint.Endpoint) {
	for _, x := range s {
		out = append(out, ep("www.example.org "+x, from("ingress/a/www")))
	}
	return out
}

func TestOverrides(t *testing.T) {
	rewritten := "A 203.0.113.10"
	for _, tt := range []struct {
		name    string
		claim   *claim.Claim
		want    []*endpoint.Endpoint
		ignored string // part of what is reported as ignored
	}{
		{"keep", www(older+"webhook-target", "keep"), wants("A 10.0.0.1"), ""},
		{"a named target", www(newer+"webhook-target", "other"), wants("A 198.51.100.7"), ""},
		{"addresses", www(newer+"webhook-target", "2001:DB8::1, 192.0.2.1"), wants("A 192.0.2.1", "AAAA 2001:db8::1"), ""},
		{"a host name", www(newer+"webhook-target", "LB.example.net."), wants("CNAME lb.example.net"), ""},
		{"the newer prefix wins", www(older+"webhook-target", "keep", newer+"webhook-target", "other"), wants("A 198.51.100.7"), ""},
		{"an unknown target", www(newer+"webhook-target", "hubb"), wants(rewritten), `webhook-target "hubb"`},
		{"an impossible address", www(newer+"webhook-target", "192.0.2.300"), wants(rewritten), `"192.0.2.300" is neither`},
		{"address and name", www(newer+"webhook-target", "192.0.2.1 lb.example.net"), wants(rewritten), "webhook-target"},
		{"nothing but commas", www(newer+"webhook-target", " , "), wants(rewritten), "names nothing"},
		{"a view", www(newer+"webhook-view", "public"), wants(rewritten), ""},
		{"an unknown view unpublishes nothing", www(newer+"webhook-view", "pubic"), wants(rewritten), "no such view: pubic"},
		{"a wrong TTL", www(newer+"webhook-ttl", "soon"), wants(rewritten), "webhook-ttl"},
		{"a TTL of nothing", www(newer+"webhook-ttl", "0"), wants(rewritten), "webhook-ttl"},
		{"the seed's host name is not rewritten", www(target, "lb.example.net"), wants("CNAME lb.example.net"), ""},
		{"the seed's address counts as the object's and is rewritten", www(target, "10.0.0.7"), wants(rewritten), ""},
		{"the seed's type", www(typ, "cname"), wants(rewritten), "record-type"},
		{"the seed's type with an address", www(typ, "CNAME", target, "10.0.0.7"), wants(rewritten), "record-type"},
		{"our override before the seed's", www(newer+"webhook-target", "other", target, "lb.example.net"), wants("A 198.51.100.7"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := hubAndSpoke()
			config.Targets["other"] = policy.Target{Static: []string{"198.51.100.7"}}
			r := adjust(t, config, policy.Facts{Claims: objects(tt.claim)}, ep("www.example.org A 10.0.0.1", from("ingress/a/www")))
			same(t, r.Endpoints, tt.want)
			said := r.Decisions[0].String()
			if strings.Contains(said, "ignored") != (tt.ignored != "") || !strings.Contains(said, tt.ignored) {
				t.Errorf("decision %q, want ignored: %q", said, tt.ignored)
			}

			off := false
			config.Overrides = policy.Overrides{Target: &off, View: &off, TTL: &off}
			r = adjust(t, config, policy.Facts{Claims: objects(tt.claim)}, ep("www.example.org A 10.0.0.1", from("ingress/a/www")))
			same(t, r.Endpoints, wants(rewritten))
		})
	}
}

func TestSeedAnnotationsOnKeptObjects(t *testing.T) {
	config := oneView()
	in := ep("www.example.org A 10.0.0.1", from("ingress/a/www"))
	r := adjust(t, config, policy.Facts{Claims: objects(www(target, "10.0.0.7"))}, in)
	same(t, r.Endpoints, wants("A 10.0.0.7"))

	lb := annotated(ingress("a/www", "nginx", "www.example.org", "lb.example.net"), typ, "CNAME")
	r = adjust(t, hubAndSpoke(), policy.Facts{Claims: objects(lb)}, ep("www.example.org CNAME lb.example.net", from("ingress/a/www")))
	same(t, r.Endpoints, wants("CNAME lb.example.net"))
}

// Properties carry the overrides of objects whose annotations are not known, and never leave.
func TestOverridesByProperty(t *testing.T) {
	props := func(ref string) *endpoint.Endpoint {
		return ep("www.example.org A 10.0.0.1", from(ref), prop("webhook/target", "keep"), prop("webhook/view", "public"),
			prop("webhook/ttl", "90"), prop("webhook/weight", "1"))
	}
	clean := func(s, ref string, n int64) *endpoint.Endpoint {
		return ep("www.example.org "+s, from(ref), ttl(n), prop("webhook/weight", "1"))
	}
	crd := object("crd/a/x", "www.example.org", func(*claim.Claim) {})
	r := adjust(t, hubAndSpoke(), policy.Facts{Claims: objects(crd)}, props("crd/a/x"))
	same(t, r.Endpoints, eps(clean("A 10.0.0.1", "crd/a/x", 90)))
	r = adjust(t, hubAndSpoke(), policy.Facts{}, props("route/a/x"))
	same(t, r.Endpoints, eps(clean("A 10.0.0.1", "route/a/x", 90)))
	r = adjust(t, hubAndSpoke(), policy.Facts{Claims: objects(www())}, props("ingress/a/www"))
	same(t, r.Endpoints, eps(clean("A 203.0.113.10", "ingress/a/www", 0)))
}

// An object may restrict its views, and come back nowhere.
func TestViewOverride(t *testing.T) {
	in := ep("www.example.org A 10.0.0.1", from("ingress/a/www"))
	for _, tt := range []struct {
		name  string
		claim *claim.Claim
		want  []*endpoint.Endpoint
	}{
		{"one of two", www(newer+"webhook-view", "internal"), eps(ep("www.example.org A 10.0.0.1", id("internal"), from("ingress/a/www")))},
		{"never past a rule's drop", annotated(ingress("a/www", "nginx-internal", "www.example.org", "10.0.0.1"),
			newer+"webhook-view", "public", newer+"webhook-target", "keep"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			same(t, adjust(t, splitHorizon(), policy.Facts{Claims: objects(tt.claim)}, in).Endpoints, tt.want)
		})
	}
}

// Claims that disagree are settled the same way whatever comes first, and it is reported.
func TestDisagreement(t *testing.T) {
	a := annotated(ingress("a/x", "nginx", "www.example.org", "10.0.0.1"), newer+"webhook-target", "other", newer+"webhook-ttl", "60")
	b := annotated(ingress("b/x", "nginx", "www.example.org", "10.0.0.1"), newer+"webhook-ttl", "30s", newer+"webhook-weight", "1")
	config := hubAndSpoke()
	config.Targets["other"] = policy.Target{Static: []string{"198.51.100.7"}}
	for _, label := range []string{"ingress/a/x", "ingress/b/x"} {
		r := adjust(t, config, policy.Facts{Claims: objects(a, b)}, ep("www.example.org A 10.0.0.1", from(label)))
		same(t, r.Endpoints, eps(ep("www.example.org A 198.51.100.7", from("ingress/a/x"), ttl(30), prop("webhook/weight", "1"))))
		want := "public www.example.org: rewrite to other by annotation for ingress/a/x, ingress/b/x; " +
			"conflict: ingress/a/x is for rewrite to other, ingress/b/x is for rewrite to hub"
		if got := r.Decisions[0].String(); got != want {
			t.Errorf("decision %q, want %q", got, want)
		}
	}
}
