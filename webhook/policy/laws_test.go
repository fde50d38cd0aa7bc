package policy_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// world is a drawn state: objects, what external-dns makes of them, and what is published.
type world struct {
	config    policy.Config
	claims    *cluster
	published []*endpoint.Endpoint // in every view, without set identifier
}

var (
	drawnHosts   = []string{"a.example.org", "b.example.org", "*.example.org", "c.corp.example"}
	drawnClasses = []string{"nginx", "nginx-internal", "other"}
	drawnTargets = []string{"10.0.0.1", "10.0.0.2", "192.168.0.1", "fd00::1", "lb.example.net"}
)

func drawMatch(t *rapid.T) policy.Match {
	some := func(name string, from ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID).Draw(t, name)
	}
	switch rapid.IntRange(0, 4).Draw(t, "predicate") {
	case 0:
		return policy.Match{Namespaces: []string{rapid.SampledFrom([]string{"n0", "n1", "n*"}).Draw(t, "namespace")}}
	case 1:
		return policy.Match{Hosts: []string{rapid.SampledFrom([]string{"a.example.org", "*.example.org", "*.corp.example"}).Draw(t, "glob")}}
	case 2:
		return policy.Match{TargetCIDRs: []string{rapid.SampledFrom([]string{"10.0.0.0/8", "192.168.0.0/16", "fd00::/8"}).Draw(t, "cidr")}}
	case 3:
		return policy.Match{Labels: map[string]string{"team": rapid.SampledFrom([]string{"*", "shop"}).Draw(t, "label")}}
	}
	return policy.Match{IngressClasses: append(some("classes", drawnClasses...), "nginx-*")}
}

func drawRules(t *rapid.T) []policy.Rule {
	var rules []policy.Rule
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		r := policy.Rule{Match: drawMatch(t), Action: rapid.SampledFrom([]policy.Action{policy.Rewrite, policy.Keep, policy.Drop}).Draw(t, "action")}
		if r.Action == policy.Rewrite {
			r.Target = rapid.SampledFrom([]string{"v4", "dual", "name"}).Draw(t, "target")
		}
		if r.Action != policy.Drop && rapid.Bool().Draw(t, "with TTL") {
			r.TTL = 60e9
		}
		rules = append(rules, r)
	}
	return rules
}

func drawWorld(t *rapid.T) world {
	w := world{config: policy.Config{Targets: map[string]policy.Target{
		"v4": {Static: []string{"203.0.113.10"}}, "dual": {Static: []string{"203.0.113.10", "2001:db8::10"}}, "name": {Static: []string{"hub.example.net"}},
	}}}
	for i := range rapid.IntRange(1, 3).Draw(t, "views") {
		zones := []string{"example.org", "corp.example"} // of the first view: nothing is outside all views
		if i > 0 {
			zones = zones[rapid.IntRange(0, 1).Draw(t, "zones"):]
		}
		w.config.Views = append(w.config.Views, policy.View{Name: fmt.Sprint("v", i), Zones: zones, TTL: 300e9, Rules: drawRules(t)})
	}
	var claims []*claim.Claim
	for i := range rapid.IntRange(0, 7).Draw(t, "claims") {
		c := &claim.Claim{
			Ref:   claim.Ref{Kind: "ingress", Namespace: fmt.Sprint("n", i%3), Name: fmt.Sprint("i", i)},
			Hosts: rapid.SliceOfNDistinct(rapid.SampledFrom(drawnHosts), 1, 2, rapid.ID).Draw(t, "hosts"),
			// An object that publishes nothing gives no endpoint, so it always has a target.
			Targets:      slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.SampledFrom(drawnTargets), 1, 3, rapid.ID).Draw(t, "targets"))),
			IngressClass: rapid.SampledFrom(drawnClasses).Draw(t, "class"),
		}
		if rapid.Bool().Draw(t, "labelled") {
			c.Labels = map[string]string{"team": "shop"}
		}
		if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
			c.IngressClass, c.Unknown = "", "no right to read it"
		}
		if key := rapid.SampledFrom([]string{"", "webhook-target", "webhook-view", "webhook-ttl", "webhook-weight", "alias"}).Draw(t, "annotation"); key != "" {
			value := rapid.SampledFrom([]string{"keep", "v4", "192.0.2.1", "v0", "v1,v0", "30", "true", "nonsense"}).Draw(t, "value")
			annotated(c, newer+key, value)
		}
		claims = append(claims, c)
	}
	w.claims = objects(claims...)
	for _, h := range drawnHosts {
		if rapid.Bool().Draw(t, "published") {
			w.published = append(w.published, ep(h+" A 198.51.100.9"), ep(h+" MX 20.old."+"example.org", ttl(77)))
		}
	}
	return w
}

func (w world) facts() policy.Facts {
	return policy.Facts{Claims: w.claims, Published: records(w.published...)}
}

// endpoints are what external-dns would send: merged over claims, in any order, each with the label and
// the properties of one claim, chosen by chance.
func (w world) endpoints(seed uint64) []*endpoint.Endpoint {
	chance := rand.New(rand.NewPCG(seed, 1))
	type key struct{ host, typ string }
	behind := map[key][]*claim.Claim{}
	targets := map[key][]string{}
	for _, c := range w.claims.claims {
		for _, h := range c.Hosts {
			for _, t := range c.Targets {
				k := key{h, endpoint.SuitableType(t)}
				behind[k], targets[k] = append(behind[k], c), append(targets[k], t)
			}
			k := key{h, "MX"}
			behind[k], targets[k] = append(behind[k], c), []string{"10.mx.example.org"}
		}
	}
	var out []*endpoint.Endpoint
	keys := slices.SortedFunc(maps.Keys(targets), func(a, b key) int { return strings.Compare(a.host+a.typ, b.host+b.typ) })
	for _, k := range keys {
		if chance.IntN(2) == 0 { // not merged, as before v0.21 and across sources
			for i, c := range behind[k] {
				out = append(out, of(c, k.host, k.typ, targets[k][min(i, len(targets[k])-1)]))
			}
			continue
		}
		c := behind[k][chance.IntN(len(behind[k]))]
		out = append(out, of(c, k.host, k.typ, slices.Compact(slices.Sorted(slices.Values(targets[k])))...))
	}
	chance.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// of is the endpoint that external-dns makes of a claim.
func of(c *claim.Claim, host, typ string, targets ...string) *endpoint.Endpoint {
	e := ep(host+" "+typ, from(c.Ref.String()))
	e.Targets = targets
	for key, value := range c.Annotations {
		if name := key[len(newer):]; name == "alias" && value == "true" {
			e.SetProviderSpecificProperty("alias", "true")
		} else if name != "alias" {
			e.SetProviderSpecificProperty("webhook/"+name[len("webhook-"):], value)
		}
	}
	return e
}

func clones(in []*endpoint.Endpoint) (out []*endpoint.Endpoint) {
	for _, e := range in {
		c := *e
		c.Targets, c.ProviderSpecific, c.Labels = slices.Clone(e.Targets), slices.Clone(e.ProviderSpecific), maps.Clone(e.Labels)
		out = append(out, &c)
	}
	return out
}

func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		p, err := policy.New(w.config)
		if err != nil {
			t.Fatal(err)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		in := w.endpoints(seed)
		before := clones(in)
		r, err := p.Adjust(in, w.facts())
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(in, before); d != "" {
			t.Fatalf("the input was modified:\n%s", d)
		}

		again, err := p.Adjust(r.Endpoints, w.facts())
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(again.Endpoints, r.Endpoints); d != "" {
			t.Errorf("adjusted twice is not adjusted once (-once +twice):\n%s", d)
		}

		other, err := p.Adjust(w.endpoints(seed+1), w.facts())
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(other.Endpoints, r.Endpoints); d != "" {
			t.Errorf("order, and whose label a merged endpoint carries, matter:\n%s", d)
		}

		w.holdsAreWhole(t, r)
		w.viewsAreIsolated(t, in, r)
		onlyOurs(t, r)
	})
}

// holdsAreWhole: a held host has, in its view, just what is published for it.
func (w world) holdsAreWhole(t *rapid.T, r policy.Result) {
	for _, d := range r.Decisions {
		if d.Action != policy.Hold {
			continue
		}
		var want, got []string
		for _, e := range w.published {
			if e.DNSName == d.Host {
				want = append(want, e.RecordType+" "+e.Targets.String())
			}
		}
		for _, e := range r.Endpoints {
			view, _, _ := policy.SplitSetID(names(w.config), e.SetIdentifier)
			if e.DNSName == d.Host && view == d.View {
				got = append(got, e.RecordType+" "+e.Targets.String())
			}
		}
		if !slices.Equal(want, got) {
			t.Errorf("%v: publishes %v, want what is published: %v", d, got, want)
		}
	}
}

// viewsAreIsolated: a view decides the same when it is alone.
func (w world) viewsAreIsolated(t *rapid.T, in []*endpoint.Endpoint, r policy.Result) {
	if len(w.config.Views) == 1 {
		return
	}
	for _, v := range w.config.Views {
		// The others keep their names, so that overrides mean the same, but have rules and zones of no effect.
		alone := w.config
		alone.Views = slices.Clone(alone.Views)
		for i := range alone.Views {
			if alone.Views[i].Name != v.Name {
				alone.Views[i] = policy.View{Name: alone.Views[i].Name, Zones: []string{"unused.example"}}
			}
		}
		p, err := policy.New(alone)
		if err != nil {
			t.Fatal(err)
		}
		single, err := p.Adjust(in, w.facts())
		if err != nil {
			t.Fatal(err)
		}
		of := func(all []*endpoint.Endpoint) (out []*endpoint.Endpoint) {
			for _, e := range all {
				if e.SetIdentifier == v.Name {
					out = append(out, e)
				}
			}
			return out
		}
		if d := diff(of(single.Endpoints), of(r.Endpoints)); d != "" {
			t.Errorf("view %s depends on the others:\n%s", v.Name, d)
		}
	}
}

// onlyOurs: what speaks to the policy never leaves it, and no record appears twice.
func onlyOurs(t *rapid.T, r policy.Result) {
	seen := map[endpoint.EndpointKey]bool{}
	for _, e := range r.Endpoints {
		for _, name := range []string{"webhook/target", "webhook/view", "webhook/ttl"} {
			if _, ok := e.GetProviderSpecificProperty(name); ok {
				t.Errorf("%v still has %s", e, name)
			}
		}
		if seen[e.Key()] {
			t.Errorf("%v is there twice", e)
		}
		seen[e.Key()] = true
	}
}

func names(c policy.Config) (out []string) {
	for _, v := range c.Views {
		out = append(out, v.Name)
	}
	return out
}

// When everything is rewritten, no address but the targets' leaves, whatever annotations say elsewhere.
func TestNothingLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		off := false
		w.config.Overrides.Target = &off
		for i := range w.config.Views {
			w.config.Views[i].Rules = []policy.Rule{{Action: policy.Rewrite, Target: rapid.SampledFrom([]string{"v4", "dual", "name"}).Draw(t, "to")}}
		}
		p, err := policy.New(w.config)
		if err != nil {
			t.Fatal(err)
		}
		in := w.endpoints(rapid.Uint64().Draw(t, "seed"))
		r, err := p.Adjust(in, policy.Facts{Claims: w.claims})
		if err != nil {
			t.Fatal(err)
		}
		allowed := []string{"203.0.113.10", "2001:db8::10", "hub.example.net", "10.mx.example.org"}
		for _, e := range r.Endpoints {
			for _, target := range e.Targets {
				if !slices.Contains(allowed, target) {
					t.Errorf("%v leaks %s", e, target)
				}
			}
		}
	})
}
