package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// cluster is a claim.Facts of a few objects.
type cluster struct {
	claims  []*claim.Claim
	watched map[string]string // kind → "", or why it cannot be watched
}

// objects is a cluster in which the kinds of the claims, and Ingresses in any case, are watched.
func objects(claims ...*claim.Claim) *cluster {
	c := &cluster{claims: claims, watched: map[string]string{"ingress": ""}}
	for _, cl := range claims {
		c.watched[cl.Kind] = ""
	}
	slices.SortFunc(c.claims, func(a, b *claim.Claim) int { return a.Compare(b.Ref) })
	return c
}

func (c *cluster) blind(kind, why string) *cluster {
	c.watched[kind] = why
	return c
}

func (c *cluster) ByHost(host string) (out []*claim.Claim) {
	for _, cl := range c.claims {
		for _, h := range cl.Hosts {
			if h == host || strings.HasPrefix(h, "*.") && strings.HasSuffix(host, h[1:]) {
				out = append(out, cl)
				break
			}
		}
	}
	return out
}

func (c *cluster) ByRef(r claim.Ref) *claim.Claim {
	for _, cl := range c.claims {
		if cl.Ref == r {
			return cl
		}
	}
	return nil
}

func (c *cluster) Watched(kind string) (bool, string) {
	why, ok := c.watched[kind]
	return ok && why == "", why
}

// ingress is an Ingress "<namespace>/<name>" of a class with one host and its load balancer's addresses.
func ingress(path, class, host string, targets ...string) *claim.Claim {
	return object("ingress/"+path, host, func(c *claim.Claim) { c.IngressClass, c.Targets = class, targets })
}

func object(ref, host string, with func(*claim.Claim)) *claim.Claim {
	r, ok := claim.ParseRef(ref)
	if !ok {
		panic(ref)
	}
	c := &claim.Claim{Ref: r, Hosts: []string{host}}
	with(c)
	return c
}

func annotated(c *claim.Claim, pairs ...string) *claim.Claim {
	c.Annotations = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		c.Annotations[pairs[i]] = pairs[i+1]
	}
	return c
}

// ep reads an endpoint: "www.example.org A 10.0.0.1 10.0.0.2", then options.
func ep(s string, with ...func(*endpoint.Endpoint)) *endpoint.Endpoint {
	f := strings.Fields(s)
	e := &endpoint.Endpoint{DNSName: f[0], RecordType: f[1], Targets: f[2:]}
	for _, w := range with {
		w(e)
	}
	return e
}

func from(ref string) func(*endpoint.Endpoint) {
	return func(e *endpoint.Endpoint) { e.WithLabel("resource", ref) }
}

func id(s string) func(*endpoint.Endpoint) {
	return func(e *endpoint.Endpoint) { e.SetIdentifier = s }
}

func ttl(n int64) func(*endpoint.Endpoint) {
	return func(e *endpoint.Endpoint) { e.RecordTTL = endpoint.TTL(n) }
}

func prop(name, value string) func(*endpoint.Endpoint) {
	return func(e *endpoint.Endpoint) { e.SetProviderSpecificProperty(name, value) }
}

func eps(e ...*endpoint.Endpoint) []*endpoint.Endpoint { return e }

// records is a Published that holds the endpoints in every view they name, or in every one.
func records(all ...*endpoint.Endpoint) func(string, string) []*endpoint.Endpoint {
	return func(view, name string) (out []*endpoint.Endpoint) {
		for _, e := range all {
			if e.DNSName == name && (e.SetIdentifier == "" || e.SetIdentifier == view || strings.HasPrefix(e.SetIdentifier, view+"/")) {
				out = append(out, e)
			}
		}
		return out
	}
}

// hub is the target of most tests.
var hub = map[string]policy.Target{"hub": {Static: []string{"203.0.113.10"}}}

// oneView has the zone example.org and the rules.
func oneView(rules ...policy.Rule) policy.Config {
	return policy.Config{
		Views:   []policy.View{{Name: "public", Zones: []string{"example.org"}, Rules: rules}},
		Targets: map[string]policy.Target{"hub": hub["hub"]},
	}
}

// hubAndSpoke is the classic pair of rules.
func hubAndSpoke() policy.Config {
	return oneView(
		policy.Rule{Name: "internal", Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Keep},
		policy.Rule{Name: "the rest", Action: policy.Rewrite, Target: "hub"},
	)
}

func compiled(t testing.TB, c policy.Config) *policy.Policy {
	t.Helper()
	p, err := policy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func adjust(t testing.TB, c policy.Config, f policy.Facts, in ...*endpoint.Endpoint) policy.Result {
	t.Helper()
	r, err := compiled(t, c).Adjust(in, f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same compares endpoints as external-dns sees them: nil and empty are one.
func same(t testing.TB, got, want []*endpoint.Endpoint) {
	t.Helper()
	if d := diff(got, want); d != "" {
		t.Errorf("endpoints (-want +got):\n%s", d)
	}
}

func diff(got, want []*endpoint.Endpoint) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(endpoint.Endpoint{}))
}
