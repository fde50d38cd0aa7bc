package watch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/claim"
)

// Objects that depend on each other in every way there is. "%d" is a version of the object.
var related = []struct{ id, object string }{
	{ingressClasses, `{"metadata":{"name":"one","creationTimestamp":"2020-01-0%[1]dT00:00:00Z","annotations":{"ingressclass.kubernetes.io/is-default-class":"true"}}}`},
	{ingressClasses, `{"metadata":{"name":"two","creationTimestamp":"2020-01-02T00:00:00Z","annotations":{"ingressclass.kubernetes.io/is-default-class":"true"}}}`},
	{ingresses, `{"metadata":{"namespace":"a","name":"plain"},"spec":{"rules":[{"host":"p%[1]d.example.org"}]},"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.%[1]d"}]}}}`},
	{ingresses, `{"metadata":{"namespace":"a","name":"own"},"spec":{"ingressClassName":"c%[1]d","rules":[{"host":"own.example.org"}]}}`},
	{services, `{"metadata":{"namespace":"a","name":"gw"},"spec":{"type":"LoadBalancer","selector":{"gw":"%[1]d"}},"status":{"loadBalancer":{"ingress":[{"ip":"10.0.1.1"}]}}}`},
	{istioGateways, `{"metadata":{"namespace":"a","name":"selects"},"spec":{"selector":{"gw":"1"},"servers":[{"hosts":["*.istio.example.org"]}]}}`},
	{istioGateways, `{"metadata":{"namespace":"a","name":"refers","annotations":{"external-dns.kubernetes.io/ingress":"plain"}},"spec":{"servers":[{"hosts":["v%[1]d.istio.example.org"]}]}}`},
	{istioVirtualServices, `{"metadata":{"namespace":"a","name":"v"},"spec":{"hosts":["v1.istio.example.org"],"gateways":["selects","refers"]}}`},
	{gateways, `{"metadata":{"namespace":"a","name":"g"},"spec":{"gatewayClassName":"c%[1]d","allowedListeners":{"namespaces":{"from":"All"}},"listeners":[{"name":"l","protocol":"HTTP"}]},"status":{"addresses":[{"value":"10.0.2.%[1]d"}]}}`},
	{listenerSets, `{"metadata":{"namespace":"a","name":"s"},"spec":{"parentRef":{"name":"g"},"listeners":[{"name":"l","hostname":"s%[1]d.example.org","protocol":"HTTP"}]},"status":{"conditions":[{"type":"Accepted","status":"True"}],"listeners":[{"name":"l","conditions":[{"type":"Accepted","status":"True"}]}]}}`},
	{"httproutes." + gatewayGroup, `{"metadata":{"namespace":"a","name":"g"},"spec":{"hostnames":["r%[1]d.example.org"],"parentRefs":[{"name":"g"}]},"status":{"parents":[{"parentRef":{"name":"g"},"conditions":[{"type":"Accepted","status":"True"}]}]}}`},
	{"httproutes." + gatewayGroup, `{"metadata":{"namespace":"a","name":"s"},"spec":{"parentRefs":[{"kind":"ListenerSet","name":"s"}]},"status":{"parents":[{"parentRef":{"kind":"ListenerSet","name":"s"},"conditions":[{"type":"Accepted","status":"True"}]}]}}`},
}

func testReader() *reader {
	return &reader{prefixes: []string{"external-dns.kubernetes.io/", "external-dns.alpha.kubernetes.io/"}}
}

func readJSON(r *resource, text string) (key, object, error) {
	return r.readObject(testReader(), func(into any) error { return json.Unmarshal([]byte(text), into) })
}

// Whatever the order in which changes arrive, the claims are those of the objects that are left.
func TestClaimsDoNotDependOnTheOrderOfChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore(resources())
		left := map[int]string{}
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			i := rapid.IntRange(0, len(related)-1).Draw(t, "object")
			r := s.byID[related[i].id]
			text := related[i].object
			if strings.Contains(text, "%[1]d") {
				text = fmt.Sprintf(text, rapid.IntRange(1, 3).Draw(t, "version"))
			}
			k, o, err := readJSON(r, text)
			if err != nil {
				t.Fatal(err)
			}
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				s.delete(r, k)
				delete(left, i)
			case 1: // a list with this object and the others of its resource but one
				replacement := map[key]object{k: o}
				for j := range related {
					if j == i || related[j].id != related[i].id {
						continue
					}
					if text, ok := left[j]; ok && rapid.Bool().Draw(t, "kept") {
						k, o, _ := readJSON(r, text)
						replacement[k] = o
					} else {
						delete(left, j)
					}
				}
				s.replace(r, replacement)
				left[i] = text
			default:
				s.put(r, k, o)
				left[i] = text
			}
		}
		rebuilt := newStore(resources())
		for i, text := range left {
			r := rebuilt.byID[related[i].id]
			k, o, _ := readJSON(r, text)
			rebuilt.put(r, k, o)
		}
		if diff := cmp.Diff(claims(rebuilt), claims(s)); diff != "" {
			t.Errorf("the claims differ from those of the objects left (-want +got):\n%s", diff)
		}
	})
}

// The target annotation of a Service says what the Service publishes. What an Istio Gateway publishes is its
// load balancer's address all the same.
func TestGatewayFollowsAnAnnotatedService(t *testing.T) {
	s := newStore(resources())
	put := func(id, text string) {
		r := s.byID[id]
		k, o, err := readJSON(r, text)
		if err != nil {
			t.Fatal(err)
		}
		s.put(r, k, o)
	}
	service := func(status string) {
		put(services, `{"metadata":{"namespace":"a","name":"gw","annotations":{"external-dns.kubernetes.io/target":"203.0.113.1"}},"spec":{"type":"LoadBalancer","selector":{"gw":"1"}},"status":{`+status+`}}`)
	}
	service("")
	put(istioGateways, `{"metadata":{"namespace":"a","name":"g"},"spec":{"selector":{"gw":"1"},"servers":[{"hosts":["g.example.org"]}]}}`)
	published := func() []string {
		return s.index.Get(claim.Ref{Kind: "gateway", Namespace: "a", Name: "g"}).TargetsOf("g.example.org")
	}
	service(`"loadBalancer":{"ingress":[{"ip":"10.0.1.1"}]}`)
	if got := published(); !slices.Equal(got, []string{"10.0.1.1"}) {
		t.Errorf("%q is published after the load balancer got its address", got)
	}
	service("")
	if got := published(); len(got) > 0 {
		t.Errorf("%q is published after the load balancer lost its address", got)
	}
}

func claims(s *store) map[claim.Ref]*claim.Claim {
	all := map[claim.Ref]*claim.Claim{}
	for _, r := range s.byID {
		if r.kind == "" {
			continue
		}
		for _, ref := range s.index.Kind(r.kind) {
			all[ref] = s.index.Get(ref)
		}
	}
	return all
}

// What the watch says of an object while it is being looked up wins over the answer.
func TestLiveLookupNeverBringsBackWhatIsGone(t *testing.T) {
	s := newStore(resources())
	r := s.byID[ingresses]
	k, o, err := readJSON(r, `{"metadata":{"namespace":"a","name":"i"},"spec":{"ingressClassName":"x"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, meanwhile := range map[string]func(){
		"deleted":     func() { s.put(r, k, o); s.delete(r, k) },
		"listed anew": func() { s.replace(r, nil) },
	} {
		s.await(r, k)
		meanwhile()
		s.fulfil(r, k, o)
		if c := s.index.Get(r.ref(k)); c != nil {
			t.Errorf("%s meanwhile: the claim %s is back", name, c.Ref)
		}
	}
	s.await(r, k)
	s.await(r, k)
	s.fulfil(r, k, nil)
	s.fulfil(r, k, o)
	if s.index.Get(r.ref(k)) == nil {
		t.Error("the second of two lookups found the object and it is not claimed")
	}
}

// Whatever an object holds, reading it ends, and the hosts asked for are canonical, sorted and unique.
func FuzzRead(f *testing.F) {
	for _, o := range related {
		text := o.object
		if strings.Contains(text, "%[1]d") {
			text = fmt.Sprintf(text, 1)
		}
		f.Add(text)
	}
	f.Add("{\"metadata\":{\"name\":\"t\"},\"spec\":{\"routes\":[{\"match\":\"Host(`a.example.org`) && HostSNI( `*`\"}]}}")
	f.Add(`{"metadata":{"name":"e"},"spec":{"endpoints":[null,{"dnsName":"Ä.example.org","recordType":"A","targets":["::ffff:1.2.3.4","x"]}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		s := newStore(resources())
		for _, r := range s.byID {
			k, o, err := readJSON(r, text)
			if err != nil {
				continue
			}
			s.put(r, k, o)
		}
		for _, c := range claims(s) {
			if !slices.IsSorted(c.Hosts) || len(slices.Compact(slices.Clone(c.Hosts))) != len(c.Hosts) {
				t.Errorf("%s asks for %q, want sorted and unique", c.Ref, c.Hosts)
			}
			for _, h := range c.Hosts {
				if name, err := backend.Name(h); err != nil || name != h {
					t.Errorf("%s asks for %q, whose canonical form is %q (%v)", c.Ref, h, name, err)
				}
			}
		}
	})
}
