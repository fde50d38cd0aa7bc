package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/policy"
)

// Describe says in words what the configuration means: what becomes of a claim in each view.
func (f *File) Describe() string {
	var b strings.Builder
	for _, v := range f.Views {
		zones := strings.Join(v.Zones, ", ")
		switch {
		case v.ZonesFrom != nil && zones != "":
			zones += " and the zones of " + v.ZonesFrom.String()
		case v.ZonesFrom != nil:
			zones = "the zones of " + v.ZonesFrom.String()
		case zones == "":
			zones = "the zones its backend names"
		}
		fmt.Fprintf(&b, "view %s publishes %s to %s\n", v.Name, zones, v.Backend.Kind)
		open := true // whether a claim can get past all rules
		for i, r := range v.Rules {
			who := matches(r.Match)
			if open = who != ""; !open {
				who = "everything"
				if i > 0 {
					who = "everything else"
				}
			}
			fmt.Fprintf(&b, "  %d. %s: %s%s\n", i+1, who, f.outcome(r), named(r))
		}
		if open {
			who := "everything"
			if len(v.Rules) > 0 {
				who = "everything else"
			}
			fmt.Fprintf(&b, "  -  %s: keep the object's own targets\n", who)
		}
		if v.TTL != 0 {
			fmt.Fprintf(&b, "  records that ask for no TTL get %s\n", short(v.TTL))
		}
	}
	if f.DryRun {
		b.WriteString("dry run: nothing is written\n")
	}
	return b.String()
}

func (f *File) outcome(r policy.Rule) string {
	var what string
	switch r.Action {
	case policy.Rewrite:
		what = "rewrite to " + r.Target + " (" + meaning(f.Targets[r.Target]) + ")"
	case policy.Drop:
		return "drop, it is not published in this view"
	default:
		what = "keep the object's own targets"
	}
	if r.TTL != 0 {
		what += ", TTL " + short(r.TTL)
	}
	return what
}

// meaning says what a target stands for.
func meaning(t policy.Target) string {
	if t.WANIP == nil {
		return strings.Join(t.Static, ", ")
	}
	what := "the site's address"
	if len(t.WANIP.Families) == 1 {
		what += " of " + t.WANIP.Families[0]
	}
	name := t.WANIP.Name
	if t.WANIP.Namespace != "" {
		name = t.WANIP.Namespace + "/" + name
	}
	return what + " in ConfigMap " + name
}

func named(r policy.Rule) string {
	if r.Name == "" {
		return ""
	}
	return "  (" + r.Name + ")"
}

// matches says which claims a rule is for; empty: all.
func matches(m policy.Match) string {
	var parts []string
	add := func(what string, list []string) {
		if len(list) > 0 {
			parts = append(parts, what+" "+strings.Join(list, " or "))
		}
	}
	add("kind", m.Kinds)
	add("namespace", m.Namespaces)
	add("ingress class", m.IngressClasses)
	add("gateway class", m.GatewayClasses)
	if !slices.Contains(m.Hosts, "*") {
		add("host", m.Hosts)
	}
	for _, k := range slices.Sorted(maps.Keys(m.Labels)) {
		parts = append(parts, "label "+k+"="+m.Labels[k])
	}
	for _, k := range slices.Sorted(maps.Keys(m.Annotations)) {
		parts = append(parts, "annotation "+k+"="+m.Annotations[k])
	}
	add("address in", m.TargetCIDRs)
	return strings.Join(parts, ", ")
}
