package policy_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/policy"
)

// atSite rewrites everything to the site's addresses, of the families if any are given.
func atSite(families ...string) policy.Config {
	c := oneView(policy.Rule{Action: policy.Rewrite, Target: "site"})
	c.Targets["site"] = policy.Target{WANIP: &policy.WANIP{Name: "spokedns-wan-ip", Families: families}}
	return c
}

func known(addr string) policy.Reading { return policy.Reading{Addr: netip.MustParseAddr(addr)} }

// sites is a Facts.Site that knows the target "site" only.
func sites(v4, v6 policy.Reading) func(string) policy.Site {
	return func(target string) policy.Site {
		if target != "site" {
			return policy.Site{}
		}
		return policy.Site{V4: v4, V6: v6}
	}
}

func TestRewriteToTheSite(t *testing.T) {
	v4, v6 := known("8.8.8.8"), known("2606:4700::1")
	absent, unknown := policy.Reading{Absent: true}, policy.Reading{Why: "stale since noon"}
	in := func() *endpoint.Endpoint { return ep("www.example.org A 10.0.0.1", from("ingress/a/x"), ttl(60)) }
	oldA, oldAAAA := ep("www.example.org A 9.9.9.9", ttl(60)), ep("www.example.org AAAA 2620:fe::9", ttl(60))
	a := func(ip string) *endpoint.Endpoint {
		return ep("www.example.org A "+ip, from("ingress/a/x"), ttl(60))
	}
	aaaa := func(ip string) *endpoint.Endpoint {
		return ep("www.example.org AAAA "+ip, from("ingress/a/x"), ttl(60))
	}
	for _, c := range []struct {
		name      string
		config    policy.Config
		v4, v6    policy.Reading
		published []*endpoint.Endpoint
		want      []*endpoint.Endpoint
		reason    string // part of it; empty: not held
	}{
		{"both known", atSite(), v4, v6, eps(oldA), eps(a("8.8.8.8"), aaaa("2606:4700::1")), ""},
		{"one known, the other not looked after", atSite(), v4, absent, eps(oldA, oldAAAA), eps(a("8.8.8.8")), ""},
		{"both unknown", atSite(), unknown, unknown, eps(oldA, oldAAAA), eps(a("9.9.9.9"), aaaa("2620:fe::9")), "A: stale since noon; AAAA: stale since noon"},
		{"both unknown and nothing published", atSite(), unknown, unknown, nil, nil, "stale"},
		{"IPv6 unknown", atSite(), v4, unknown, eps(oldA, oldAAAA), eps(a("8.8.8.8"), aaaa("2620:fe::9")), "AAAA: stale since noon"},
		{"IPv6 unknown and not published", atSite(), v4, unknown, eps(oldA), eps(a("8.8.8.8")), "AAAA"},
		{"IPv4 unknown", atSite(), unknown, v6, eps(oldA), eps(a("9.9.9.9"), aaaa("2606:4700::1")), "A: stale"},
		{"IPv4 unknown, IPv6 not looked after", atSite(), unknown, absent, eps(oldA), eps(a("9.9.9.9")), "stale"},
		{"nothing looked after", atSite(), absent, absent, eps(oldA), eps(a("9.9.9.9")), "no address family"},
		{"nothing read yet", atSite(), policy.Reading{}, policy.Reading{}, eps(oldA), eps(a("9.9.9.9")), "nothing has been read yet"},
		{"a CNAME stays one until all is known", atSite(), v4, unknown, eps(ep("www.example.org CNAME lb.example.net")),
			eps(ep("www.example.org CNAME lb.example.net", from("ingress/a/x"))), "AAAA"},
		{"a CNAME goes when all is known", atSite(), v4, absent, eps(ep("www.example.org CNAME lb.example.net")), eps(a("8.8.8.8")), ""},
		{"only IPv4 is asked for", atSite("ipv4"), v4, unknown, eps(oldA), eps(a("8.8.8.8")), ""},
		{"only IPv6 is asked for", atSite("ipv6"), unknown, v6, eps(oldA), eps(aaaa("2606:4700::1")), ""},
		{"what is asked for is not looked after", atSite("ipv6"), v4, absent, eps(oldA), eps(a("9.9.9.9")), "no address family"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := adjust(t, c.config, policy.Facts{Site: sites(c.v4, c.v6), Published: records(c.published...)}, in(), ep("free.example.org TXT x"))
			same(t, r.Endpoints, append(eps(ep("free.example.org TXT x")), c.want...))
			d := r.Decisions[1]
			switch {
			case c.reason == "" && (d.Action != policy.Rewrite || d.Target != "site"):
				t.Errorf("%v, want a rewrite to the site", d)
			case c.reason != "" && (d.Action != policy.Hold || !strings.Contains(d.String(), c.reason)):
				t.Errorf("%v, want it held because of %q", d, c.reason)
			}
		})
	}
}

func TestTheSiteIsUnknownWithoutAReader(t *testing.T) {
	in := ep("www.example.org A 10.0.0.1")
	old := ep("www.example.org A 9.9.9.9")
	r := adjust(t, atSite(), policy.Facts{Published: records(old)}, in)
	same(t, r.Endpoints, eps(old))
	_, err := compiled(t, atSite()).Adjust(eps(in), policy.Facts{})
	if unpublished := (*policy.UnpublishedError)(nil); !errors.As(err, &unpublished) || !strings.Contains(err.Error(), "not known") {
		t.Errorf("got %v, want that it has to be held and nothing is known of what is published", err)
	}
}

// Two sites are two answers, although neither has a value before the moment.
func TestTwoSitesDisagree(t *testing.T) {
	c := atSite()
	c.Targets["other"] = policy.Target{WANIP: &policy.WANIP{Name: "other"}}
	c.Views[0].Rules = []policy.Rule{
		{Match: policy.Match{Namespaces: []string{"a"}}, Action: policy.Rewrite, Target: "site"},
		{Action: policy.Rewrite, Target: "other"},
	}
	r := adjust(t, c, policy.Facts{
		Claims: objects(ingress("a/x", "nginx", "www.example.org", "10.0.0.1"), ingress("b/y", "nginx", "www.example.org", "10.0.0.2")),
		Site:   sites(known("8.8.8.8"), policy.Reading{Absent: true}),
	}, ep("www.example.org A 10.0.0.1 10.0.0.2", from("ingress/a/x")))
	if d := r.Decisions[0]; d.Target != "site" || d.Detail == nil || d.Detail.Conflict == "" {
		t.Errorf("%v, want the earlier rule's target and the disagreement named", d)
	}
}

func TestAnAnnotationMayNameTheSite(t *testing.T) {
	c := atSite()
	c.Views[0].Rules = []policy.Rule{{Action: policy.Keep}}
	r := adjust(t, c, policy.Facts{Site: sites(known("8.8.8.8"), policy.Reading{Absent: true})},
		ep("www.example.org A 10.0.0.1", prop("webhook/target", "site")))
	same(t, r.Endpoints, eps(ep("www.example.org A 8.8.8.8")))
}

// A name is never without an answer because of an address that is not known, and only addresses that are
// known, or were published before, are published.
func TestASiteNeverBlanksAName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reading := func(label string, addrs ...string) policy.Reading {
			switch i := rapid.IntRange(0, len(addrs)+1).Draw(t, label); i {
			case 0:
				return policy.Reading{Why: "stale"}
			case 1:
				return policy.Reading{Absent: true}
			default:
				return known(addrs[i-2])
			}
		}
		v4, v6 := reading("v4", "8.8.8.8", "9.9.9.9"), reading("v6", "2606:4700::1")
		published := rapid.SampledFrom([][]*endpoint.Endpoint{
			nil, eps(ep("www.example.org A 9.9.9.9")), eps(ep("www.example.org AAAA 2620:fe::9")),
			eps(ep("www.example.org A 9.9.9.9"), ep("www.example.org AAAA 2620:fe::9")), eps(ep("www.example.org CNAME lb.example.net")),
		}).Draw(t, "published")
		facts := policy.Facts{Site: sites(v4, v6), Published: records(published...)}
		p, err := policy.New(atSite())
		if err != nil {
			t.Fatal(err)
		}
		once, err := p.Adjust(eps(ep("www.example.org A 10.0.0.1")), facts)
		if err != nil {
			t.Fatal(err)
		}
		if len(published) > 0 && len(once.Endpoints) == 0 {
			t.Fatalf("%v, %v: the name is left without an answer", v4, v6)
		}
		allowed := []string{}
		for _, r := range []policy.Reading{v4, v6} {
			if r.Addr.IsValid() {
				allowed = append(allowed, r.Addr.String())
			}
		}
		for _, e := range published {
			allowed = append(allowed, e.Targets...)
		}
		types := map[string]bool{}
		for _, e := range once.Endpoints {
			types[e.RecordType] = true
			for _, target := range e.Targets {
				if !slices.Contains(allowed, target) {
					t.Fatalf("%s is published", target)
				}
			}
		}
		if types["CNAME"] && len(types) > 1 {
			t.Fatalf("a CNAME beside addresses: %v", types)
		}
		if len(once.Endpoints) == 0 {
			return
		}
		facts.Published = records(once.Endpoints...)
		again, err := p.Adjust(eps(ep("www.example.org A 10.0.0.1")), facts)
		if err != nil || diff(again.Endpoints, once.Endpoints) != "" {
			t.Fatalf("published what was decided, the same facts decide otherwise: %v %s", err, diff(again.Endpoints, once.Endpoints))
		}
	})
}
