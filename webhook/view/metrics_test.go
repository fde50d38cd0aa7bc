package view_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// Every metric and every label that can occur is explained.
func TestMetricsAreDocumented(t *testing.T) {
	var f *flaky
	var metrics *view.Metrics
	s := one()
	s.wrap = func(b backend.Backend) backend.Backend { f = &flaky{Backend: b}; return f }
	s.change = func(c *view.Config) { metrics, c.MinDeletes, c.MaxDeleteShare = c.Metrics, 1, 0.1 }
	s.views[0].Rules = []policy.Rule{{Action: policy.Keep}}
	r := start(t, s)
	www := eps{a("www.example.org", "192.0.2.1"), a("w2.example.org", "192.0.2.1")}
	for range 3 {
		r.apply(t, plan.Changes{Create: www})
	}
	r.records(t)
	r.adjust(t, a("www.example.org", "192.0.2.1"), record("CAA", "caa.example.org", "x"))
	if err := r.Apply(t.Context(), &plan.Changes{Delete: www}); err == nil {
		t.Error("the deletion of everything is allowed")
	}
	f.set(errDown, nil)
	if _, err := r.Records(t.Context()); err == nil {
		t.Error("records of a backend that is down")
	}
	metrics.Request("records", 200, 0)
	metrics.API("public", "route53")("ListResourceRecordSets", apicall.Throttled, 0)

	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	const registered = 14
	if len(families) != registered {
		t.Errorf("%d metrics have values, want all %d", len(families), registered)
	}
	for _, family := range families {
		_, row, ok := strings.Cut(string(doc), "| `"+family.GetName()+"` |")
		if !ok {
			t.Errorf("docs/metrics.md does not explain %s", family.GetName())
			continue
		}
		row, _, _ = strings.Cut(row, "\n")
		for _, l := range family.GetMetric()[0].GetLabel() {
			if !strings.Contains(row, "`"+l.GetName()+"`") {
				t.Errorf("docs/metrics.md does not name the label %s of %s", l.GetName(), family.GetName())
			}
		}
	}
}

// The zones of a configuration that is no longer in use are not shown for ever.
func TestRecordsOfFormerZonesAreForgotten(t *testing.T) {
	var metrics *view.Metrics
	s := one()
	s.change = func(c *view.Config) { metrics = c.Metrics }
	former := start(t, s)
	former.records(t)
	next := setup{views: []policy.View{{Name: "internal", Zones: []string{"example.net"}}}}
	next.change = func(c *view.Config) { c.Metrics = metrics }
	start(t, next).records(t)
	families, err := former.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "spokedns_records" && len(f.GetMetric()) != 1 {
			t.Errorf("shown are %v, want those of the view internal", f.GetMetric())
		}
	}
}

// Two external-dns on one webhook take turns: what the one asks for is no news after the other.
func TestDecisionsOfTwoExternalDNSAreLoggedOnce(t *testing.T) {
	r := start(t, one())
	for range 3 {
		r.adjust(t, a("one.example.org", "10.0.0.1"))
		r.adjust(t, a("two.example.org", "10.0.0.1"))
	}
	if n := strings.Count(r.log.String(), "msg=decision"); n != 2 {
		t.Errorf("%d decisions were logged, want 2", n)
	}
}
