package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
)

// view is a compiled View.
type view struct {
	name  string
	zones []string
	ttl   endpoint.TTL
	rules []rule
}

// rule is a compiled Rule.
type rule struct {
	index  int
	name   string
	action Action
	answer *answer // what Rewrite publishes
	ttl    endpoint.TTL

	kinds, namespaces, ingress, gateway, hosts []glob
	labels, annotations                        []pair
	cidrs                                      []netip.Prefix
}

// pair is a key that must be there with a value.
type pair struct {
	key   string
	value glob
}

// compile builds what Validate accepted.
func compile(c Config) *Policy {
	p := &Policy{targets: make(map[string]*answer, len(c.Targets)), overrides: c.Overrides.switches()}
	for name, t := range c.Targets {
		a, _, _ := parseAnswer(t.Static)
		if a.name = name; t.WANIP != nil {
			all := len(t.WANIP.Families) == 0
			a.wan = wan{
				target: name,
				v4:     all || slices.Contains(t.WANIP.Families, familyIPv4),
				v6:     all || slices.Contains(t.WANIP.Families, familyIPv6),
			}
		}
		p.targets[name] = a
	}
	for _, v := range c.Views {
		out := view{name: v.Name, ttl: seconds(v.TTL)}
		for _, z := range v.Zones {
			name, _ := backend.Name(z)
			out.zones = append(out.zones, name)
		}
		for i, r := range v.Rules {
			out.rules = append(out.rules, compileRule(i, r, p.targets))
		}
		p.views = append(p.views, out)
		p.names = append(p.names, v.Name)
	}
	return p
}

func compileRule(index int, r Rule, targets map[string]*answer) rule {
	out := rule{
		index: index, name: r.Name, action: r.Action, answer: targets[r.Target], ttl: seconds(r.TTL),
		namespaces: parseGlobs(r.Match.Namespaces),
		ingress:    parseGlobs(r.Match.IngressClasses), gateway: parseGlobs(r.Match.GatewayClasses),
		labels: parsePairs(r.Match.Labels), annotations: parsePairs(r.Match.Annotations),
	}
	for _, k := range r.Match.Kinds {
		if k = strings.ToLower(k); k == "dnsendpoint" {
			k = "crd" // as external-dns calls it in labels
		}
		out.kinds = append(out.kinds, parseGlob(k))
	}
	for _, h := range r.Match.Hosts {
		g, _ := parseHostGlob(h)
		if g.any() {
			out.hosts = nil
			break
		}
		out.hosts = append(out.hosts, g)
	}
	for _, s := range r.Match.TargetCIDRs {
		p, _ := parsePrefix(s)
		out.cidrs = append(out.cidrs, p)
	}
	return out
}

func parsePairs(m map[string]string) []pair {
	var out []pair
	for k, v := range m {
		out = append(out, pair{k, parseGlob(v)})
	}
	return out
}

func seconds(d time.Duration) endpoint.TTL { return endpoint.TTL(d / time.Second) }

// covers is run.covers for the zones of the configuration.
func (v *view) covers(name string) bool {
	for _, z := range v.zones {
		if backend.InZone(name, z) {
			return true
		}
	}
	return false
}
