package charts_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The real helm installs each chart into a real API server, upgrades it, rolls back and takes it away: nothing of ours
// is left but the definition of DNSForwarding. No controller runs there, so that Jobs of hooks would never end.
func TestHelmLeavesNothingBehind(t *testing.T) {
	s := startServer(t)
	s.namespace("wan")
	for _, chart := range chartNames(t) {
		t.Run(chart, func(t *testing.T) {
			s := s.on(t)
			dir, values := chartDir(t, chart), cases(t, chart)[0]
			if chart != "spokedns" {
				values = "testdata/" + chart + "/least.yaml"
			}
			run := func(args ...string) string {
				t.Helper()
				out, err := helm(t, append(args, "--namespace", "dns", "--kubeconfig", s.api.Kubeconfig)...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			run("install", "edge", dir, "--values", values, "--create-namespace", "--no-hooks")
			before := s.ours()
			if len(before) == 0 {
				t.Fatal("nothing was installed")
			}
			run("upgrade", "edge", dir, "--values", values, "--no-hooks", "--set", change(chart))
			run("rollback", "edge", "1", "--no-hooks")
			if after := s.ours(); !slices.Equal(before, after) {
				t.Errorf("installed %q, rolled back to %q", before, after)
			}
			run("uninstall", "edge", "--no-hooks")
			if left := s.ours(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// change is a value that an upgrade changes.
func change(chart string) string {
	return map[string]string{
		"webhook": "config.dryRun=true", "ipcontroller": "replicas=3", "corednsconfig": "sources={Kubeconfig}", "zonecontroller": "replicas=3",
		"central-dns": "landscape.clusters[0].name=workload01", "spokedns": "webhook.podDisruptionBudget.enabled=true",
	}[chart]
}

// ours are the objects in the server that carry our label.
func (s server) ours() (out []string) {
	s.Helper()
	for _, r := range []schema.GroupVersionResource{
		{Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "services"}, {Version: "v1", Resource: "serviceaccounts"},
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}, {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
		{Group: "dns.spokedns.io", Version: "v1alpha1", Resource: "dnsforwardings"},
	} {
		list, err := s.api.Dynamic.Resource(r).List(s.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=spokedns"})
		if err != nil {
			s.Fatal(err)
		}
		for _, u := range list.Items {
			out = append(out, r.Resource+" "+u.GetNamespace()+"/"+u.GetName())
		}
	}
	return out
}

// Without the operator's definitions helm installs nothing, and says which kind is missing.
func TestAbsentDefinitionsAreNamed(t *testing.T) {
	s := startServer(t)
	for value, kind := range map[string]string{"serviceMonitor.enabled=true": "ServiceMonitor", "prometheusRule.enabled=true": "PrometheusRule"} {
		_, err := helm(t, "install", "edge", chartDir(t, "webhook"), "--values", "testdata/webhook/least.yaml", "--set", value,
			"--namespace", "dns", "--create-namespace", "--kubeconfig", s.api.Kubeconfig)
		if err == nil || !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: %v; want the message to name %s", value, err, kind)
		}
		if left := s.ours(); len(left) > 0 {
			t.Errorf("%s: installed %q", value, left)
		}
	}
}
