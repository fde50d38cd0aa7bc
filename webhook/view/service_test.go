package view_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/policy"
)

// aliasing is a service that turns CNAMEs to its own load balancers into aliases, and takes no PTR.
type aliasing struct {
	backend.Backend
	err error
}

func (s *aliasing) Adjust(_ context.Context, zone string, sets []backend.RRset) ([]backend.RRset, error) {
	if s.err != nil {
		return nil, s.err
	}
	var out []backend.RRset
	var errs []error
	for _, r := range sets {
		switch {
		case r.Type == "PTR":
			errs = append(errs, &backend.Error{Kind: backend.Rejected, Op: "aliasing: adjust", Zone: zone, Key: r.Key, Err: errors.New("no PTR here")})
		case r.Type == "CNAME" && strings.HasSuffix(r.Values[0], ".elb.example"):
			for _, typ := range []string{"AAAA", "A"} {
				alias := r
				alias.Type, alias.Attrs = typ, map[string]string{backend.AttrAlias: "true", "health": "true"}
				out = append(out, alias)
			}
		default:
			out = append(out, r)
		}
	}
	return out, errors.Join(errs...)
}

// withAliases is two views, of which only the first has such a service.
func withAliases() (setup, *aliasing) {
	service := &aliasing{}
	s := setup{views: []policy.View{{Name: "public", Zones: []string{"example.org", "sub.example.org"}}, {Name: "internal", Zones: []string{"example.org"}}}}
	s.limits = memory.Everything()
	s.limits.Attrs, s.limits.SetIDs = []string{backend.AttrAlias, "health"}, true
	s.wrap = func(b backend.Backend) backend.Backend {
		if service.Backend != nil {
			return b
		}
		service.Backend = b
		return service
	}
	return s, service
}

func TestAdjustAsksTheServiceForItsForm(t *testing.T) {
	s, _ := withAliases()
	r := start(t, s)
	e := labelled(record("CNAME", "www.example.org", "lb.elb.example"), "ingress/shop/front")
	got := r.adjust(t, e, record("CNAME", "x.sub.example.org", "lb.elb.example"), record("CNAME", "plain.example.org", "lb.example.net"))
	want := []string{
		"plain.example.org CNAME 5m0s lb.example.net (internal)",
		"plain.example.org CNAME 5m0s lb.example.net (public)",
		"www.example.org A 5m0s lb.elb.example (public) alias=true,health=true",
		"www.example.org AAAA 5m0s lb.elb.example (public) alias=true,health=true",
		"www.example.org CNAME 5m0s lb.elb.example (internal)",
		"x.sub.example.org A 5m0s lb.elb.example (public) alias=true,health=true",
		"x.sub.example.org AAAA 5m0s lb.elb.example (public) alias=true,health=true",
		"x.sub.example.org CNAME 5m0s lb.elb.example (internal)",
	}
	for _, w := range want {
		name, typ := strings.Fields(w)[0], strings.Fields(w)[1]
		id := w[strings.Index(w, "(")+1 : strings.Index(w, ")")]
		if find(got, name, typ, id) == nil {
			t.Errorf("missing %s in\n%s", w, lines(got))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d endpoints, want %d:\n%s", len(got), len(want), lines(got))
	}
	alias := find(got, "www.example.org", "AAAA", "public")
	if alias == nil || alias.Labels["resource"] != "ingress/shop/front" || alias.Targets[0] != "lb.elb.example" {
		t.Errorf("the alias is %v, want the labels of what it was made from", alias)
	}
	r.apply(t, plan.Changes{Create: got})
	check(t, "what is listed after apply", lines(r.records(t)), lines(got))
}

func find(eps []*endpoint.Endpoint, name, typ, id string) *endpoint.Endpoint {
	for _, e := range eps {
		if e.DNSName == name && e.RecordType == typ && e.SetIdentifier == id {
			return e
		}
	}
	return nil
}

func TestAdjustHoldsWhatTheServiceRefuses(t *testing.T) {
	s, _ := withAliases()
	s.views = s.views[:1]
	r := start(t, s)
	r.backends[0].Put("example.org", backend.RRset{Key: backend.Key{Name: "p.example.org", Type: "PTR"}, TTL: 77e9, Values: []string{"old.example.org"}})
	check(t, "adjusted", lines(r.adjust(t, record("PTR", "p.example.org", "new.example.org"), record("PTR", "q.example.org", "new.example.org"), a("z.example.org", "192.0.2.1"))),
		"p.example.org PTR 1m17s old.example.org", "z.example.org A 5m0s 192.0.2.1")
	if n := strings.Count(r.log.String(), "no PTR here"); n != 2 {
		t.Errorf("%d refusals are logged, want 2:\n%s", n, r.log)
	}
}

func TestAdjustFailsWhenTheServiceCannotSay(t *testing.T) {
	for _, err := range []error{
		errors.New("unreachable"),
		&backend.Error{Kind: backend.Temporary, Op: "x", Key: backend.Key{Name: "www.example.org", Type: "A"}, Err: errors.New("timeout")},
		&backend.Error{Kind: backend.Rejected, Op: "x", Zone: "example.org", Err: errors.New("no such zone")},
		&backend.Error{Kind: backend.Rejected, Op: "x", Key: backend.Key{Name: "other.example.org", Type: "A"}, Err: errors.New("nobody asked")},
	} {
		s, service := withAliases()
		r := start(t, s)
		service.err = err
		if got, failed := r.Adjust(t.Context(), []*endpoint.Endpoint{a("www.example.org", "192.0.2.1")}); failed == nil {
			t.Errorf("%v: got %s, want an error: a shorter list deletes", err, lines(got))
		}
	}
}
