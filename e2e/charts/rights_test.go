package charts_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
)

// documented are the rules of a ClusterRole or Role that a page of docs shows.
func documented(t *testing.T, page, name string) []rbacv1.PolicyRule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "```") {
		code, isYAML := strings.CutPrefix(block, "yaml\n")
		if !isYAML {
			continue
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.Unmarshal([]byte(code), role); err == nil && strings.HasSuffix(role.Kind, "Role") && role.Name == name {
			return role.Rules
		}
	}
	t.Fatalf("docs/%s shows no role %s", page, name)
	return nil
}

// flat are rules as a sorted list of single rights.
func flat(rules []rbacv1.PolicyRule) (out []string) {
	for _, r := range rules {
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{"*"}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, name := range names {
					for _, verb := range r.Verbs {
						out = append(out, strings.Join([]string{verb, resource + "." + group, name}, " "))
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// With every kind that rules can match, the webhook's rights are those of the page, and no others.
func TestTheWebhooksRightsAreTheDocumentedOnes(t *testing.T) {
	r := render(t, chartDir(t, "webhook"), "testdata/webhook/full.yaml")
	role := get[rbacv1.ClusterRole](r, "ClusterRole", "dns:dns-everything")
	if diff := cmp.Diff(flat(documented(t, "kubernetes.md", "spokedns-webhook")), flat(role.Rules)); diff != "" {
		t.Errorf("documented -, chart +:\n%s", diff)
	}
	site := get[rbacv1.Role](r, "Role", "dns-everything-target-site")
	if diff := cmp.Diff(flat(documented(t, "wan-ip.md", "spokedns-wan-ip")), flat(site.Rules)); diff != "" || site.Namespace != "wan" {
		t.Errorf("in %s: documented -, chart +:\n%s", site.Namespace, diff)
	}
	lab := get[rbacv1.Role](r, "Role", "dns-everything-target-lab_2")
	if diff := cmp.Diff([]string{"get configmaps. lab-address", "list configmaps. lab-address", "watch configmaps. lab-address"}, flat(lab.Rules)); diff != "" || lab.Namespace != namespace {
		t.Errorf("in %s:\n%s", lab.Namespace, diff)
	}
	events := get[rbacv1.Role](r, "Role", "dns-everything-events")
	if diff := cmp.Diff([]string{"create events. *"}, flat(events.Rules)); diff != "" || events.Namespace != namespace {
		t.Errorf("in %s:\n%s", events.Namespace, diff)
	}
}

// Rights come with the sources: one source brings what it needs and nothing else.
func TestRightsFollowTheSources(t *testing.T) {
	read := func(resources ...string) (out []string) {
		for _, resource := range resources {
			for _, verb := range []string{"get", "list", "watch"} {
				out = append(out, verb+" "+resource+" *")
			}
		}
		slices.Sort(out)
		return out
	}
	const gateway, istio = ".gateway.networking.k8s.io", ".networking.istio.io"
	for source, want := range map[string]struct{ webhook, externalDNS []string }{
		"ingress": {read("ingresses.networking.k8s.io", "ingressclasses.networking.k8s.io"), read("ingresses.networking.k8s.io")},
		"service": {read("services."), read("services.", "pods.", "nodes.", "endpointslices.discovery.k8s.io")},
		"node":    {nil, read("nodes.")},
		"crd": {read("dnsendpoints.externaldns.k8s.io"),
			append(read("dnsendpoints.externaldns.k8s.io"), "update dnsendpoints/status.externaldns.k8s.io *")},
		"gateway-httproute": {read("gateways"+gateway, "listenersets"+gateway, "httproutes"+gateway, "xlistenersets.gateway.networking.x-k8s.io"),
			read("gateways"+gateway, "httproutes"+gateway, "namespaces.")},
		"istio-gateway": {read("services.", "ingresses.networking.k8s.io", "ingressclasses.networking.k8s.io", "gateways"+istio),
			read("services.", "ingresses.networking.k8s.io", "gateways"+istio)},
		"openshift-route": {nil, read("services.", "pods.", "nodes.", "ingresses.networking.k8s.io", "routes.route.openshift.io")},
	} {
		r := render(t, chartDir(t, "webhook"), "testdata/webhook/least.yaml", "--set", "externalDNS.sources={"+source+"}")
		got := map[string][]string{}
		for _, role := range all[rbacv1.ClusterRole](r, "ClusterRole") {
			got[role.Name] = flat(role.Rules)
		}
		wanted := map[string][]string{"dns:edge-webhook:external-dns": want.externalDNS}
		if want.webhook != nil {
			wanted["dns:edge-webhook"] = want.webhook
		}
		for _, rights := range wanted {
			slices.Sort(rights)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", source, diff)
		}
	}
}
