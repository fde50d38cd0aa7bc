package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Every mistake is reported at once, with its field, its value and what would be right.
func TestMistakes(t *testing.T) {
	valid := func() policy.Config {
		return policy.Config{
			Views: []policy.View{{Name: "public", Zones: []string{"example.org"}, Rules: []policy.Rule{
				{Match: policy.Match{Kinds: []string{"Ingress"}, Hosts: []string{"*.Example.org.", "*"}, TargetCIDRs: []string{"10.0.0.0/8", "10.0.0.1", "fd00::/8"},
					Labels: map[string]string{"a": "*"}}, Action: policy.Rewrite, Target: "hub", TTL: time.Minute},
				{Action: policy.Keep}}}},
			Targets: map[string]policy.Target{"hub": {Static: []string{"203.0.113.10", "2001:db8::10"}}, "name": {Static: []string{"hub.example.net."}}},
		}
	}
	if _, err := policy.New(valid()); err != nil {
		t.Fatal(err)
	}
	view := func(f func(*policy.View)) func(*policy.Config) { return func(c *policy.Config) { f(&c.Views[0]) } }
	match := func(f func(*policy.Match)) func(*policy.Config) {
		return func(c *policy.Config) { f(&c.Views[0].Rules[0].Match) }
	}
	for _, tt := range []struct {
		field, value string
		spoil        func(*policy.Config)
	}{
		{"views", "", func(c *policy.Config) { c.Views = nil }},
		{"views[0].name", "", view(func(v *policy.View) { v.Name = "" })},
		{"views[0].name", "a/b", view(func(v *policy.View) { v.Name = "a/b" })},
		{"views[1].name", "public", func(c *policy.Config) { c.Views = append(c.Views, valid().Views...) }},
		{"views[0].zones[0]", "exam ple.org", view(func(v *policy.View) { v.Zones[0] = "exam ple.org" })},
		{"views[0].zones[0]", "*.example.org", view(func(v *policy.View) { v.Zones[0] = "*.example.org" })},
		{"views[0].zones[1]", "Example.org.", view(func(v *policy.View) { v.Zones = append(v.Zones, "Example.org.") })},
		{"views[0].ttl", "500ms", view(func(v *policy.View) { v.TTL = 500 * time.Millisecond })},
		{"views[0].rules[0].ttl", "-1s", view(func(v *policy.View) { v.Rules[0].TTL = -time.Second })},
		{"views[0].rules[1].ttl", "1m0s", view(func(v *policy.View) { v.Rules[1] = policy.Rule{Action: policy.Drop, TTL: time.Minute} })},
		{"views[0].rules[2]", "late", view(func(v *policy.View) { v.Rules = append(v.Rules, policy.Rule{Name: "late", Action: policy.Drop}) })},
		{"views[0].rules[1].action", "", view(func(v *policy.View) { v.Rules[1].Action = "" })},
		{"views[0].rules[1].action", "hold", view(func(v *policy.View) { v.Rules[1].Action = policy.Hold })},
		{"views[0].rules[0].target", "", view(func(v *policy.View) { v.Rules[0].Target = "" })},
		{"views[0].rules[0].target", "hubb", view(func(v *policy.View) { v.Rules[0].Target = "hubb" })},
		{"views[0].rules[1].target", "hub", view(func(v *policy.View) { v.Rules[1].Target = "hub" })},
		{"views[0].rules[0].match.kinds[0]", "", match(func(m *policy.Match) { m.Kinds[0] = "" })},
		{"views[0].rules[0].match.namespaces[0]", "a b", match(func(m *policy.Match) { m.Namespaces = []string{"a b"} })},
		{"views[0].rules[0].match.gatewayClasses", "istio", match(func(m *policy.Match) {
			m.IngressClasses, m.GatewayClasses = []string{"nginx"}, []string{"istio"}
		})},
		{"views[0].rules[0].match.hosts[0]", "a..b", match(func(m *policy.Match) { m.Hosts[0] = "a..b" })},
		{"views[0].rules[0].match.hosts[0]", ".example.org", match(func(m *policy.Match) { m.Hosts[0] = ".example.org" })},
		{"views[0].rules[0].match.hosts[0]", "[ab].example.org", match(func(m *policy.Match) { m.Hosts[0] = "[ab].example.org?" })},
		{"views[0].rules[0].match.hosts[1]", "**.example.org", match(func(m *policy.Match) { m.Hosts[1] = "**.example.org" })},
		{"views[0].rules[0].match.targetCIDRs[1]", "10.0.0.1/8", match(func(m *policy.Match) { m.TargetCIDRs[1] = "10.0.0.1/8" })},
		{"views[0].rules[0].match.targetCIDRs[2]", "10/8", match(func(m *policy.Match) { m.TargetCIDRs[2] = "10/8" })},
		{"views[0].rules[0].match.labels", "", match(func(m *policy.Match) { m.Labels = map[string]string{"": "x"} })},
		{"targets", "keep", func(c *policy.Config) { c.Targets["keep"] = c.Targets["hub"] }},
		{"targets", "a.b", func(c *policy.Config) { c.Targets["a.b"] = c.Targets["hub"] }},
		{"targets.name.static", "", func(c *policy.Config) { c.Targets["name"] = policy.Target{} }},
		{"targets.name.static[0]", "hub", func(c *policy.Config) { c.Targets["name"] = policy.Target{Static: []string{"hub"}} }},
		{"targets.name.static[0]", "10.0.0.300", func(c *policy.Config) { c.Targets["name"] = policy.Target{Static: []string{"10.0.0.300"}} }},
		{"targets.name.static[0]", "fe80::1%eth0", func(c *policy.Config) { c.Targets["name"] = policy.Target{Static: []string{"fe80::1%eth0"}} }},
		{"targets.name.wanIP", "", func(c *policy.Config) {
			c.Targets["name"] = policy.Target{Static: []string{"192.0.2.1"}, WANIP: &policy.WANIP{}}
		}},
		{"targets.name.wanIP.families[1]", "v6", func(c *policy.Config) {
			c.Targets["name"] = policy.Target{WANIP: &policy.WANIP{Families: []string{"ipv4", "v6"}}}
		}},
		{"targets.name.wanIP.name", "Wan_IP!", func(c *policy.Config) {
			c.Targets["name"] = policy.Target{WANIP: &policy.WANIP{Name: "Wan_IP!"}}
		}},
		{"targets.name.static[1]", "b.example.net", func(c *policy.Config) {
			c.Targets["name"] = policy.Target{Static: []string{"192.0.2.1", "b.example.net"}}
		}},
	} {
		t.Run(tt.field+" "+tt.value, func(t *testing.T) {
			c := valid()
			tt.spoil(&c)
			_, err := policy.New(c)
			got := mistakes(err)
			if !slices.ContainsFunc(got, func(e *setting.Error) bool {
				return e.Field == tt.field && strings.HasPrefix(e.Value, tt.value) && e.Want != ""
			}) {
				t.Errorf("mistakes %v, want one about %s %q", got, tt.field, tt.value)
			}
		})
	}
	several := valid()
	several.Views[0].Name, several.Views[0].Zones[0], several.Views[0].Rules[0].Target = "", "", ""
	if got := mistakes(several.Validate()); len(got) != 3 {
		t.Errorf("%d mistakes, want all 3: %v", len(got), got)
	}
}

func mistakes(err error) (out []*setting.Error) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			var s *setting.Error
			if errors.As(e, &s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func TestViewsAndWhatRulesRead(t *testing.T) {
	c := splitHorizon()
	c.Views[1].Rules = []policy.Rule{{Match: policy.Match{
		Labels: map[string]string{"team": "*"}, Annotations: map[string]string{"example.org/zone": "dmz"}}, Action: policy.Keep}}
	p := compiled(t, c)
	if got := p.Views(); !slices.Equal(got, []string{"public", "internal"}) {
		t.Errorf("views %v", got)
	}
	for key, want := range map[string]bool{"team": true, "example.org/zone": false} {
		if p.ReadsLabel(key) != want || p.ReadsAnnotation(key) == want {
			t.Errorf("%s: read as label %v, as annotation %v", key, p.ReadsLabel(key), p.ReadsAnnotation(key))
		}
	}
}
