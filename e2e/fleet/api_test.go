package fleet

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
)

func forwardings() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "dns.spokedns.io", Version: "v1alpha1", Resource: "dnsforwardings"}
}

// TestAPI shows the API server good and bad DNSForwardings. A bad one is refused, and what is said names the field,
// the value, and what would be right.
func TestAPI(t *testing.T) {
	ctx := t.Context()
	api, err := stack.ForTest(t).APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyCRDs(ctx, definition()); err != nil {
		t.Fatal(err)
	}
	create := func(ctx context.Context, spec, name string) error {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		if err := yaml.Unmarshal([]byte("spec:\n"+indent(spec)), &u.Object); err != nil {
			t.Fatal(err)
		}
		u.SetAPIVersion("dns.spokedns.io/v1alpha1")
		u.SetKind("DNSForwarding")
		u.SetName(name)
		_, err := api.Dynamic.Resource(forwardings()).Create(ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	for name, spec := range good() {
		t.Run("good/"+name, func(t *testing.T) {
			if err := create(ctx, spec, "landscape"); err != nil {
				t.Errorf("%v\n%s", err, spec)
			}
		})
	}
	for name, c := range bad() {
		t.Run("bad/"+name, func(t *testing.T) {
			err := create(ctx, c.spec, "landscape")
			if !apierrors.IsInvalid(err) {
				t.Fatalf("%v, want it refused\n%s", err, c.spec)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("it says %v\nwithout %q", err, part)
				}
			}
		})
	}
	t.Run("bad/name", func(t *testing.T) {
		if err := create(ctx, good()["least"], strings.Repeat("a", 64)); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "at most 63") {
			t.Errorf("%v, want the name refused", err)
		}
	})
	t.Run("defaults", func(t *testing.T) {
		if err := api.ApplyYAML(ctx, "apiVersion: dns.spokedns.io/v1alpha1\nkind: DNSForwarding\nmetadata: {name: d}\nspec:\n"+indent(good()["least"])); err != nil {
			t.Fatal(err)
		}
		u, err := api.Dynamic.Resource(forwardings()).Get(ctx, "d", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(u.Object["spec"])
		want := "map[mode:Plan orphanAfter:1h rollout:map[canary:1 loadGate:Auto percent:10] rules:[map[upstreams:[10.0.0.53] zones:[openmcp.cluster]]]]"
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}

func rules(zones, upstreams string) string {
	return fmt.Sprintf("rules: [{zones: [%s], upstreams: [%s]}]\n", zones, upstreams)
}

func good() map[string]string {
	const upstream = "10.0.0.53"
	base := rules("openmcp.cluster", upstream)
	many := "rules:\n"
	for i := range 8 {
		var zones, upstreams []string
		for j := range 16 {
			zones = append(zones, fmt.Sprintf("%s%d-%d.example", strings.Repeat("a.", 100), i, j))
		}
		for j := range 15 {
			upstreams = append(upstreams, fmt.Sprintf(`"[2001:db8:1111:2222:3333:4444:5555:%d]:65535"`, j))
		}
		many += fmt.Sprintf("- {zones: [%s], upstreams: [%s]}\n", strings.Join(zones, ", "), strings.Join(upstreams, ", "))
	}
	return map[string]string{
		"least":           base,
		"reverse zone":    rules("openmcp.cluster, 18.172.in-addr.arpa", upstream),
		"nested zones":    "rules:\n- {zones: [openmcp.cluster], upstreams: [10.0.0.53]}\n- {zones: [eu.openmcp.cluster], upstreams: [10.1.0.53]}\n",
		"one label":       rules("corp", upstream),
		"ports, families": rules("openmcp.cluster", `"10.0.0.53:5353", "2001:db8::53", "[2001:db8::54]:53"`),
		"probes":          base + "probes: [openmcp.cluster, platform.openmcp.cluster]",
		"base domain":     base + "baseDomain: <cluster.name>.<cluster.namespace>.openmcp.cluster",
		"selector":        base + "clusterSelector: {sources: [Local, OpenMCP], matchLabels: {landscape: live}, matchExpressions: [{key: purpose.dns.spokedns.io/mcp, operator: Exists}]}",
		"roll-out":        base + "rollout: {canary: 3, percent: 25, loadGate: Require}\nmode: Apply\norphanAfter: 0s",
		"as much as goes": many,
		"external-dns":    base + "externalDNS: {installs: [{values: {any: [thing, {at: all}]}}]}",
		"all of it": base + `externalDNS:
  environment: live
  drainTimeout: 0s
  installs:
  - clusterSelector: {sources: [OpenMCP], matchLabels: {purpose.dns.spokedns.io/mcp: "true"}}
    namespace: dns
    releaseName: edge
    secrets: [{source: a, target: a}, {source: a, target: b.c}]
  - {}
`,
	}
}

type refused struct {
	spec string
	says []string
}

func bad() map[string]refused {
	const upstream = "10.0.0.53"
	base := rules("openmcp.cluster", upstream)
	cases := map[string]refused{
		"no rules":           {"rules: []", []string{"spec.rules", "at least 1"}},
		"no zones":           {rules("", upstream), []string{"spec.rules[0].zones", "at least 1"}},
		"no upstreams":       {rules("openmcp.cluster", ""), []string{"spec.rules[0].upstreams", "at least 1"}},
		"zone twice":         {rules("openmcp.cluster, openmcp.cluster", upstream), []string{"spec.rules[0].zones[1]", "Duplicate", "openmcp.cluster"}},
		"zone in two rules":  {"rules:\n- {zones: [a.example, b.example], upstreams: [10.0.0.53]}\n- {zones: [b.example], upstreams: [10.1.0.53]}\n", []string{"spec.rules", `zone "b.example" stands in more than one rule`}},
		"upstream twice":     {rules("openmcp.cluster", "10.0.0.53, 10.0.0.53"), []string{"spec.rules[0].upstreams[1]", "Duplicate"}},
		"upstream and :53":   {rules("openmcp.cluster", `10.0.0.53, "10.0.0.53:53"`), []string{"spec.rules[0].upstreams", "once"}},
		"probe elsewhere":    {base + "probes: [openmcp.cluster, www.example.org]", []string{"spec.probes", `"www.example.org": want a name in one of the zones`}},
		"probe beside":       {base + "probes: [notopenmcp.cluster]", []string{"spec.probes", `"notopenmcp.cluster"`}},
		"mode":               {base + "mode: Dry", []string{"spec.mode", "Dry", "Plan", "Apply"}},
		"canary":             {base + "rollout: {canary: 0}", []string{"spec.rollout.canary", "greater than or equal to 1"}},
		"percent":            {base + "rollout: {percent: 101}", []string{"spec.rollout.percent", "less than or equal to 100"}},
		"load gate":          {base + "rollout: {loadGate: Maybe}", []string{"spec.rollout.loadGate", "Maybe", "Require"}},
		"source":             {base + "clusterSelector: {sources: [Cloud]}", []string{"spec.clusterSelector.sources[0]", "Cloud", "OpenMCP"}},
		"orphan after":       {base + "orphanAfter: 169h", []string{"spec.orphanAfter", `"169h": want a time from 0s to 168h`}},
		"base domain":        {base + "baseDomain: <cluster.uid>.example", []string{"spec.baseDomain", `"<cluster.uid>.example": want a domain name`, "<cluster.name>"}},
		"no installs":        {base + "externalDNS: {installs: []}", []string{"spec.externalDNS.installs", "at least 1"}},
		"environment":        {base + "externalDNS: {environment: Live_1, installs: [{}]}", []string{"spec.externalDNS.environment", `"Live_1": want lower-case letters`, "live"}},
		"drain timeout":      {base + "externalDNS: {drainTimeout: 25h, installs: [{}]}", []string{"spec.externalDNS.drainTimeout", `"25h": want a time from 0s to 24h`}},
		"namespace":          {base + "externalDNS: {installs: [{namespace: My_DNS}]}", []string{"spec.externalDNS.installs[0].namespace", `"My_DNS": want the name of a namespace`}},
		"kube-system":        {base + "externalDNS: {installs: [{namespace: kube-system}]}", []string{"spec.externalDNS.installs[0].namespace", `"kube-system": want a namespace of its own`}},
		"release":            {base + "externalDNS: {installs: [{releaseName: a.b}]}", []string{"spec.externalDNS.installs[0].releaseName", `"a.b": want lower-case letters`}},
		"release too long":   {base + "externalDNS: {installs: [{releaseName: " + strings.Repeat("a", 43) + "}]}", []string{"spec.externalDNS.installs[0].releaseName", "42"}},
		"values":             {base + "externalDNS: {installs: [{values: [1]}]}", []string{"spec.externalDNS.installs[0].values", "object"}},
		"secret twice":       {base + "externalDNS: {installs: [{secrets: [{source: a, target: c}, {source: b, target: c}]}]}", []string{"spec.externalDNS.installs[0].secrets[1]", "Duplicate"}},
		"secret of helm":     {base + "externalDNS: {installs: [{secrets: [{source: a, target: sh.helm.release.v1.x.v1}]}]}", []string{"spec.externalDNS.installs[0].secrets[0].target", "does not start with sh.helm"}},
		"secret's name":      {base + "externalDNS: {installs: [{secrets: [{source: a, target: A}]}]}", []string{"spec.externalDNS.installs[0].secrets[0].target", `"A": want the name of a Secret`}},
		"install source":     {base + "externalDNS: {installs: [{clusterSelector: {sources: [Cloud]}}]}", []string{"spec.externalDNS.installs[0].clusterSelector.sources[0]", "Cloud"}},
		"orphan after: text": {base + "orphanAfter: soon", []string{"spec.orphanAfter"}},
	}
	for _, zone := range []string{"OpenMCP.cluster", "openmcp.cluster.", "-a.example", "a..example", "a b", "*.example", ".", "ü.example", strings.Repeat("a", 64) + ".example"} {
		cases["zone "+zone] = refused{rules(`"`+zone+`"`, upstream), []string{"spec.rules[0].zones[0]", `"` + zone + `": want a domain name in lower case`}}
	}
	for _, zone := range []string{"cluster.local", "svc.cluster.local", "local"} {
		cases["zone "+zone] = refused{rules(zone, upstream), []string{"spec.rules[0].zones[0]", `"` + zone + `" overlaps cluster.local`, "openmcp.cluster"}}
	}
	for _, zone := range []string{"arpa", "in-addr.arpa", "ip6.arpa"} {
		cases["zone "+zone] = refused{rules(zone, upstream), []string{"spec.rules[0].zones[0]", `"` + zone + `" holds the reverse names`}}
	}
	for _, u := range []string{"dns.example.org", "10.0.0", "10.0.0.256", "10.0.0.53:0", "10.0.0.53:65536", "2001:db8::53:x", "[2001:db8::53]", "[10.0.0.53]:53", "tls://10.0.0.53", "10.0.0.53/24", "/etc/resolv.conf", "1.2.3.4:53:53"} {
		cases["upstream "+u] = refused{rules("openmcp.cluster", `"`+u+`"`), []string{"spec.rules[0].upstreams[0]", `"` + u + `": want the IP address of a DNS server`}}
	}
	for _, u := range []string{"127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:53", "0.0.0.0", "::", "169.254.20.10", "224.0.0.251", "255.255.255.255", "fe80::1", "ff02::fb", "[ff02::fb]:53"} {
		cases["upstream "+u] = refused{rules("openmcp.cluster", `"`+u+`"`), []string{"spec.rules[0].upstreams[0]", `"` + u + `" means a server on the same host`}}
	}
	return cases
}
