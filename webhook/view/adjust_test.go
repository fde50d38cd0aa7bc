package view_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/extdns"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// hub rewrites class nginx to the hub's address and keeps everything else.
func hub() setup {
	return setup{
		views: []policy.View{{Name: "public", Zones: []string{"example.org"}, TTL: time.Minute, Rules: []policy.Rule{
			{Match: policy.Match{IngressClasses: []string{"nginx"}}, Action: policy.Rewrite, Target: "hub"},
		}}},
		targets: map[string]policy.Target{"hub": {Static: []string{"203.0.113.10"}}},
	}
}

func ingress(name, class string, hosts ...string) *claim.Claim {
	return &claim.Claim{Ref: claim.Ref{Kind: "ingress", Namespace: "shop", Name: name}, Hosts: hosts, IngressClass: class, Targets: []string{"10.0.0.1"}}
}

func labelled(e *endpoint.Endpoint, resource string) *endpoint.Endpoint {
	return e.WithLabel("resource", resource)
}

func TestAdjustBringsEndpointsIntoTheFormRecordsReturn(t *testing.T) {
	r := start(t, one())
	got := r.adjust(t,
		a("WWW.Example.org.", "192.0.2.2", "192.0.2.1"),
		record("AAAA", "www.example.org", "2001:DB8:0::1"),
		record("CNAME", "alias.example.org", "Target.Example.Net."),
		record("TXT", "text.example.org", `"quoted \"text\" \233" "and more"`, "raw"),
		record("MX", "example.org", "10 Mail.example.org."),
		record("A", "münchen.example.org", "192.0.2.3"),
		a("www.example.com", "192.0.2.4"), // in no zone
	)
	check(t, "adjusted", lines(got),
		"alias.example.org CNAME 5m0s target.example.net",
		"example.org MX 5m0s 10 mail.example.org",
		`text.example.org TXT 5m0s "quoted \"text\" \233and more",raw`,
		"www.example.org A 5m0s 192.0.2.1,192.0.2.2",
		"www.example.org AAAA 5m0s 2001:db8::1",
		"xn--mnchen-3ya.example.org A 5m0s 192.0.2.3")
	check(t, "adjusted again", lines(r.adjust(t, got...)), lines(got))
}

func TestAdjustKeepsLabels(t *testing.T) {
	r := start(t, one())
	got := r.adjust(t, labelled(a("www.example.org", "192.0.2.1"), "ingress/shop/front"))
	if len(got) != 1 || got[0].Labels["resource"] != "ingress/shop/front" {
		t.Errorf("got %v", got)
	}
}

func TestAdjustFillsAndClampsTTL(t *testing.T) {
	s := hub()
	s.limits = memory.Everything()
	s.limits.MinTTL, s.limits.MaxTTL = 30*time.Second, time.Hour
	r := start(t, s)
	withTTL := func(name string, ttl endpoint.TTL) *endpoint.Endpoint {
		e := a(name, "192.0.2.1")
		e.RecordTTL = ttl
		return e
	}
	check(t, "adjusted", lines(r.adjust(t, withTTL("none.example.org", 0), withTTL("low.example.org", 1),
		withTTL("high.example.org", 1<<40), withTTL("fine.example.org", 77), withTTL("negative.example.org", -5))),
		"fine.example.org A 1m17s 192.0.2.1", "high.example.org A 1h0m0s 192.0.2.1", "low.example.org A 30s 192.0.2.1",
		"negative.example.org A 1m0s 192.0.2.1", "none.example.org A 1m0s 192.0.2.1")
}

func TestAdjustStripsWhatTheBackendCannotStore(t *testing.T) {
	s := one()
	s.limits = memory.Everything()
	s.limits.Attrs = []string{"weight"}
	r := start(t, s)
	e := a("www.example.org", "192.0.2.1").WithProviderSpecific("weight", "5").WithProviderSpecific("other", "x")
	blue := in("blue", a("set.example.org", "192.0.2.1"))
	green := in("green", a("set.example.org", "192.0.2.2"))
	check(t, "adjusted", lines(r.adjust(t, e, blue, green)),
		"set.example.org A 5m0s 192.0.2.1,192.0.2.2", "www.example.org A 5m0s 192.0.2.1 weight=5")
}

// Names that no DNS can hold stop nothing else, and are not published under another name.
func TestAdjustWithImpossibleNames(t *testing.T) {
	r := start(t, one())
	long := strings.Repeat("x", 64) + ".example.org"
	check(t, "adjusted", lines(r.adjust(t,
		a("", "192.0.2.1"), a("a..example.org", "192.0.2.1"), a("sp ace.example.org", "192.0.2.1"), a(long, "192.0.2.1"),
		a("a,b.example.org", "192.0.2.1"), a("\xff\xfe.example.org", "192.0.2.1"), a("nothing.example.org"),
		record("", "untyped.example.org", "192.0.2.1"), a("fine.example.org", "192.0.2.9"), nil)),
		"fine.example.org A 5m0s 192.0.2.9")
}

// What a view cannot store is left out and told once; what stands under its key is no reason to delete.
func TestAdjustHoldsWhatItRefuses(t *testing.T) {
	r := start(t, one())
	r.backends[0].Put("example.org", backend.RRset{Key: backend.Key{Name: "m.example.org", Type: "MX"}, TTL: 77e9, Values: []string{"10 mail.example.org"}})
	for range 2 {
		check(t, "adjusted", lines(r.adjust(t,
			record("MX", "M.example.org", "ten mail"), record("MX", "new.example.org", "nonsense"),
			record("CAA", "caa.example.org", "0 issue x"), a("fine.example.org", "192.0.2.9"))),
			"fine.example.org A 5m0s 192.0.2.9", "m.example.org MX 1m17s 10 mail.example.org")
	}
	if n := strings.Count(r.log.String(), "endpoint refused"); n != 3 {
		t.Errorf("%d refusals are logged, want 3:\n%s", n, r.log)
	}
	if n := r.counter(t, "spokedns_endpoints_refused", "view", "public"); n != 3 {
		t.Errorf("%v refusals are counted", n)
	}
	r.adjust(t)
	if n := r.counter(t, "spokedns_endpoints_refused", "view", "public"); n != 0 {
		t.Errorf("%v refusals are counted after they are gone", n)
	}
}

// An alias that cannot stand at the zone's own name is no reason to delete the addresses there.
func TestAdjustHoldsAddressesForARefusedAlias(t *testing.T) {
	r := start(t, one())
	for typ, value := range map[string]string{"A": "192.0.2.1", "AAAA": "2001:db8::1", "MX": "10 mail.example.org"} {
		r.backends[0].Put("example.org", backend.RRset{Key: backend.Key{Name: "example.org", Type: typ}, TTL: 77e9, Values: []string{value}})
	}
	check(t, "adjusted", lines(r.adjust(t, a("a.example.org", "192.0.2.9"),
		record("CNAME", "example.org", "lb.example.net"), a("z.example.org", "192.0.2.9"))),
		"a.example.org A 5m0s 192.0.2.9", "example.org A 1m17s 192.0.2.1", "example.org AAAA 1m17s 2001:db8::1",
		"z.example.org A 5m0s 192.0.2.9")
}

func TestAdjustRewritesByClaim(t *testing.T) {
	s := hub()
	x := &index{
		now:  facts{[]*claim.Claim{ingress("front", "nginx", "www.example.org"), ingress("back", "nginx-internal", "back.example.org")}},
		late: []*claim.Claim{ingress("late", "nginx", "late.example.org")},
	}
	s.change = func(c *view.Config) { c.Claims = x }
	r := start(t, s)
	check(t, "adjusted", lines(r.adjust(t,
		labelled(a("www.example.org", "10.0.0.1"), "ingress/shop/front"),
		labelled(a("back.example.org", "10.0.0.1"), "ingress/shop/back"),
		labelled(a("late.example.org", "10.0.0.1"), "ingress/shop/late"))),
		"back.example.org A 1m0s 10.0.0.1", "late.example.org A 1m0s 203.0.113.10", "www.example.org A 1m0s 203.0.113.10")
	if len(x.asked) != 1 || x.asked[0].Name != "late" {
		t.Errorf("looked up: %v", x.asked)
	}
	if n := r.counter(t, "spokedns_decisions", "view", "public", "action", "rewrite"); n != 2 {
		t.Errorf("%v rewrites are counted", n)
	}
	before := strings.Count(r.log.String(), "msg=decision")
	r.adjust(t, labelled(a("www.example.org", "10.0.0.1"), "ingress/shop/front"))
	if after := strings.Count(r.log.String(), "msg=decision"); before != 3 || after != before {
		t.Errorf("%d decisions are logged, then %d:\n%s", before, after-before, r.log)
	}
}

func TestAdjustWithoutFactsFails(t *testing.T) {
	s := hub()
	x := &index{synced: errors.New("ingresses: forbidden")}
	s.change = func(c *view.Config) { c.Claims = x }
	var down *flaky
	s.wrap = func(b backend.Backend) backend.Backend { down = &flaky{Backend: b}; return down }
	r := start(t, s)
	want := func(what, part string) {
		t.Helper()
		out, err := r.Adjust(t.Context(), eps{a("www.example.org", "10.0.0.1")})
		if err == nil || !strings.Contains(err.Error(), part) || out != nil {
			t.Errorf("%s: got %v, %v", what, lines(out), err)
		}
	}
	want("claims not synced", "ingresses: forbidden")
	down.set(errDown, nil)
	r2 := start(t, setup{views: s.views, targets: s.targets, change: s.change, wrap: s.wrap})
	down.set(errDown, nil)
	if out, err := r2.Adjust(t.Context(), eps{a("www.example.org", "10.0.0.1")}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nothing known of what is published: got %s, %v", lines(out), err)
	}
}

func TestAdjustClonesIntoViews(t *testing.T) {
	s := two()
	s.views[0].Rules = []policy.Rule{{Action: policy.Rewrite, Target: "hub"}}
	s.targets = map[string]policy.Target{"hub": {Static: []string{"203.0.113.10"}}}
	r := start(t, s)
	check(t, "adjusted", lines(r.adjust(t, a("www.example.org", "10.0.0.1"))),
		"www.example.org A 5m0s 10.0.0.1 (internal)", "www.example.org A 5m0s 203.0.113.10 (public)")
}

// The strings of a request share its memory: what outlives the call is a copy.
func TestAppliedRecordsShareNothingWithTheRequest(t *testing.T) {
	r := start(t, one())
	body := []byte(`{"create":[{"dnsName":"www.example.org","targets":["some text"],"recordType":"TXT"}]}`)
	changes, err := extdns.DecodeChanges(body)
	if err != nil {
		t.Fatal(err)
	}
	r.apply(t, *changes)
	for i := range body {
		body[i] = 'x'
	}
	check(t, "records", lines(r.records(t)), "www.example.org TXT 5m0s some text")
}

// One endpoint that makes some code panic is an error of the call and not the end of the process.
func TestPanicInABackendIsAnError(t *testing.T) {
	s := one()
	s.wrap = func(b backend.Backend) backend.Backend { return panicking{b} }
	r := start(t, s)
	if _, err := r.Records(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: ouch") {
		t.Errorf("records: %v", err)
	}
	if _, err := r.Adjust(t.Context(), eps{a("www.example.org", "192.0.2.1")}); err == nil {
		t.Error("adjust succeeds")
	}
}

type panicking struct{ backend.Backend }

func (panicking) List(context.Context, string) ([]backend.RRset, error) { panic("ouch") }
