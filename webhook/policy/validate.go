package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/setting"
)

// mistakes collects what is wrong, so that all of it is reported at once.
type mistakes []error

func (m *mistakes) add(field, value, want string) {
	*m = append(*m, &setting.Error{Field: field, Value: value, Want: want})
}

// Validate returns every mistake in the configuration as setting.Error values, joined.
func (c Config) Validate() error {
	var m mistakes
	if len(c.Views) == 0 {
		m.add("views", "", "want at least one view")
	}
	seen := map[string]int{}
	for i, v := range c.Views {
		path := fmt.Sprintf("views[%d]", i)
		if first, dup := seen[v.Name]; dup && v.Name != "" {
			m.add(path+".name", v.Name, fmt.Sprintf("views[%d] has this name already; want one of its own", first))
		} else {
			seen[v.Name] = i
		}
		v.validate(path, c.Targets, &m)
	}
	names := make([]string, 0, len(c.Targets))
	for name := range c.Targets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c.Targets[name].validate("targets", name, &m)
	}
	return errors.Join(m...)
}

func (t Target) validate(path, name string, m *mistakes) {
	if !isWord(name) || name == string(Keep) {
		m.add(path, name, `want a name of lower-case letters, digits, "-" and "_" that is not "keep"`)
	}
	path += "." + name
	switch {
	case t.WANIP != nil && len(t.Static) > 0:
		m.add(path+".wanIP", "", "want either static or wanIP, not both")
		return
	case t.WANIP != nil:
		t.WANIP.validate(path+".wanIP", m)
		return
	case len(t.Static) == 0:
		m.add(path+".static", "", "want IPv4 and IPv6 addresses, or one host name; or wanIP in place of static")
		return
	}
	if _, bad, err := parseAnswer(t.Static); err != nil {
		m.add(fmt.Sprintf("%s.static[%d]", path, bad), t.Static[bad], err.Error())
	}
}

func (w WANIP) validate(path string, m *mistakes) {
	for _, f := range []struct{ field, value string }{{"namespace", w.Namespace}, {"name", w.Name}} {
		if name, err := backend.Name(f.value); f.value != "" && (err != nil || name != f.value) {
			m.add(path+"."+f.field, f.value, "want a name as Kubernetes takes it: lower-case letters, digits, \"-\" and \".\"")
		}
	}
	for i, f := range w.Families {
		if f != familyIPv4 && f != familyIPv6 {
			m.add(fmt.Sprintf("%s.families[%d]", path, i), f, "want ipv4 or ipv6")
		}
	}
}

func (v View) validate(path string, targets map[string]Target, m *mistakes) {
	if !isWord(v.Name) {
		m.add(path+".name", v.Name, `want a name of lower-case letters, digits, "-" and "_"`)
	}
	zones := make([]string, len(v.Zones))
	for i, z := range v.Zones {
		field := fmt.Sprintf("%s.zones[%d]", path, i)
		name, err := backend.Name(z)
		if err != nil || strings.Contains(name, "*") {
			m.add(field, z, "want the name of a zone, for example example.org")
			continue
		}
		zones[i] = name
		for j, other := range zones[:i] {
			if name == other {
				m.add(field, z, fmt.Sprintf("zones[%d] is the same zone; remove one", j))
			}
		}
	}
	validateTTL(path+".ttl", v.TTL, m)
	all := -1
	for i, r := range v.Rules {
		field := fmt.Sprintf("%s.rules[%d]", path, i)
		if all >= 0 {
			m.add(field, r.Name, fmt.Sprintf("is never reached, because rules[%d] matches everything; move it up or remove it", all))
		}
		r.validate(field, targets, m)
		if all < 0 && r.Match.empty() {
			all = i
		}
	}
}

func (r Rule) validate(path string, targets map[string]Target, m *mistakes) {
	switch r.Action {
	case Rewrite:
		if r.Target == "" {
			m.add(path+".target", "", "a rewrite needs a target; "+oneOf(targets))
		} else if _, ok := targets[r.Target]; !ok {
			m.add(path+".target", r.Target, "is not configured; "+oneOf(targets))
		}
	case Keep, Drop:
		if r.Target != "" {
			m.add(path+".target", r.Target, fmt.Sprintf("has no meaning with action %s; remove it, or use action rewrite", r.Action))
		}
	default:
		m.add(path+".action", string(r.Action), "want rewrite, keep or drop")
	}
	if r.Action == Drop && r.TTL != 0 {
		m.add(path+".ttl", r.TTL.String(), "has no meaning with action drop; remove it")
	}
	validateTTL(path+".ttl", r.TTL, m)
	r.Match.validate(path+".match", m)
}

func (t Match) validate(path string, m *mistakes) {
	for _, list := range []struct {
		field  string
		values []string
	}{
		{"kinds", t.Kinds}, {"namespaces", t.Namespaces},
		{"ingressClasses", t.IngressClasses}, {"gatewayClasses", t.GatewayClasses},
	} {
		for i, s := range list.values {
			if s == "" || strings.ContainsAny(s, " \t/") {
				m.add(fmt.Sprintf("%s.%s[%d]", path, list.field, i), s, "want one name; * stands for any characters")
			}
		}
	}
	if len(t.IngressClasses) > 0 && len(t.GatewayClasses) > 0 {
		m.add(path+".gatewayClasses", strings.Join(t.GatewayClasses, ","),
			"matches nothing together with ingressClasses, because no object has both; make two rules")
	}
	for i, h := range t.Hosts {
		if _, err := parseHostGlob(h); err != nil {
			m.add(fmt.Sprintf("%s.hosts[%d]", path, i), h, err.Error())
		}
	}
	for i, s := range t.TargetCIDRs {
		if _, err := parsePrefix(s); err != nil {
			m.add(fmt.Sprintf("%s.targetCIDRs[%d]", path, i), s, err.Error())
		}
	}
	for _, pairs := range []struct {
		field string
		pairs map[string]string
	}{{"labels", t.Labels}, {"annotations", t.Annotations}} {
		if _, ok := pairs.pairs[""]; ok {
			m.add(path+"."+pairs.field, "", "want the key before the colon")
		}
	}
}

// empty reports whether everything matches.
func (t Match) empty() bool {
	all := func(list []string) bool { return len(list) == 0 || slices.Contains(list, "*") }
	return all(t.Hosts) && len(t.Kinds)+len(t.Namespaces)+len(t.IngressClasses)+len(t.GatewayClasses)+
		len(t.Labels)+len(t.Annotations)+len(t.TargetCIDRs) == 0
}

// parsePrefix reads a CIDR, or a single address as the range of itself.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, errors.New("want an address range like 10.0.0.0/8 or fd00::/8")
	case p != p.Masked():
		return p, fmt.Errorf("has bits set behind its length; want %s", p.Masked())
	}
	return p, nil
}

func validateTTL(field string, ttl time.Duration, m *mistakes) {
	if ttl != 0 && (ttl < time.Second || ttl > backend.MaxTTL || ttl%time.Second != 0) {
		m.add(field, ttl.String(), "want whole seconds from 1s to 2147483647s (RFC 2181 §8)")
	}
}

// isWord keeps names of views and targets apart from everything they are written next to: set
// identifiers ("view/own"), comma lists, host names (which have dots).
func isWord(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func oneOf(targets map[string]Target) string {
	if len(targets) == 0 {
		return "define it under targets"
	}
	names := make([]string, 0, len(targets))
	for name := range targets {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	return "want one of " + strings.Join(names, ", ")
}
