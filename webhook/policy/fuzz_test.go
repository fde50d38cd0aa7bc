package policy_test

import (
	"path"
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/policy"
)

// A glob over hosts agrees with path.Match, which knows the same star as long as there is no slash.
func FuzzGlob(f *testing.F) {
	f.Add("*.example.org", "a.b.example.org")
	f.Add("a*b*c.example.org", "a1b2b3c.example.org")
	f.Add("*.*.example.org", "a.example.org")
	f.Fuzz(func(t *testing.T, glob, host string) {
		config := oneView(policy.Rule{Match: policy.Match{Hosts: []string{glob}}, Action: policy.Drop})
		p, err := policy.New(config)
		if err != nil {
			return
		}
		r, err := p.Adjust(eps(&endpoint.Endpoint{DNSName: host, RecordType: "TXT", Targets: []string{"x"}}), policy.Facts{})
		if err != nil || len(r.Decisions) == 0 || r.Decisions[0].Action == policy.Hold {
			return // not a name, or not one of ours
		}
		name := r.Decisions[0].Host
		if strings.Contains(name, "/") {
			return
		}
		want, err := path.Match(strings.TrimSuffix(strings.ToLower(glob), "."), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(r.Endpoints) == 0; got != want {
			t.Errorf("%q matches %q: %v, want %v", glob, name, got, want)
		}
	})
}

// Whatever an annotation says, the name stays published and has targets that DNS can hold.
func FuzzOverride(f *testing.F) {
	for _, s := range []string{"keep", "hub", "192.0.2.1,2001:db8::1", "lb.example.net", "0x7f.1", "public", "5m", "99999999999", " , "} {
		f.Add(s, s, s, s, s)
	}
	f.Fuzz(func(t *testing.T, to, view, ttl, seedTo, seedType string) {
		c := www(newer+"webhook-target", to, newer+"webhook-view", view, newer+"webhook-ttl", ttl, target, seedTo, typ, seedType)
		in := ep("www.example.org A 10.0.0.1", from("ingress/a/www"))
		r := adjust(t, hubAndSpoke(), policy.Facts{Claims: objects(c)}, in)
		if len(r.Endpoints) == 0 {
			t.Fatalf("nothing is published: %v", r.Decisions)
		}
		for _, e := range r.Endpoints {
			if e.RecordTTL < 0 || len(e.Targets) == 0 {
				t.Errorf("%v cannot be published", e)
			}
			for _, target := range e.Targets {
				if want := endpoint.SuitableType(target); want != e.RecordType {
					t.Errorf("%v holds %s, which belongs to a %s record", e, target, want)
				}
			}
		}
		again := adjust(t, hubAndSpoke(), policy.Facts{Claims: objects(c)}, r.Endpoints...)
		same(t, again.Endpoints, r.Endpoints)
	})
}

// Any input ends in an answer in which nothing good is lost, and nothing appears twice.
func FuzzEndpoint(f *testing.F) {
	f.Add("www.example.org", "A", "10.0.0.1", "10.0.0.300", "blue", "ingress/a/b")
	f.Add("\\052.EXAMPLE.org.", "CNAME", "lb.", "..", "public/", "//")
	f.Fuzz(func(t *testing.T, name, typ, a, b, setID, label string) {
		odd := &endpoint.Endpoint{DNSName: name, RecordType: typ, Targets: []string{a, b}, SetIdentifier: setID, Labels: map[string]string{"resource": label}}
		good := ep("good.corp.example A 10.0.0.9", from("service/a/good"))
		facts := policy.Facts{Published: records()}
		r := adjust(t, splitHorizon(), facts, odd, good)
		found := false
		seen := map[endpoint.EndpointKey]bool{}
		for _, e := range r.Endpoints {
			found = found || e.DNSName == good.DNSName && e.SetIdentifier == "internal"
			if seen[e.Key()] {
				t.Errorf("%v is there twice", e)
			}
			seen[e.Key()] = true
		}
		if !found {
			t.Errorf("the good endpoint is lost: %v", r.Endpoints)
		}
		again := adjust(t, splitHorizon(), facts, r.Endpoints...)
		same(t, again.Endpoints, r.Endpoints)
	})
}
