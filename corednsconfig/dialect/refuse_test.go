package dialect_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

func to(addr string) []netip.AddrPort {
	return []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr(addr), 53)}
}

// Every kind refuses what would take the cluster's own names away, send it in circles, or take a zone from its user.
func TestWishesAreRefused(t *testing.T) {
	kinds := []string{"kubeadm", "kubeadm-nodelocal", "aks", "openshift", "gke-standard", "rke2", "rke2-adjusted", "eks-addon"}
	service := map[string]string{
		"kubeadm": "10.96.0.10", "kubeadm-nodelocal": "169.254.20.10", "aks": "10.0.0.10", "openshift": "172.30.0.10",
		"gke-standard": "34.118.224.10", "rke2": "10.43.0.10", "rke2-adjusted": "10.43.0.10", "eks-addon": "172.20.0.10",
	}
	for _, name := range kinds {
		d := mustDetect(t, cluster(t, name))
		for what, c := range map[string]struct {
			want   []corefile.Forward
			reason corefile.Reason
		}{
			"the cluster's domain":   {[]corefile.Forward{{Zones: []string{"cluster.local"}, Upstreams: to("10.200.0.53")}}, corefile.ClusterDomain},
			"below it":               {[]corefile.Forward{{Zones: []string{"x.svc.cluster.local"}, Upstreams: to("10.200.0.53")}}, corefile.ClusterDomain},
			"no name":                {[]corefile.Forward{{Zones: []string{"not a zone"}, Upstreams: to("10.200.0.53")}}, corefile.Zone},
			"twice":                  {[]corefile.Forward{{Zones: []string{"a.example"}, Upstreams: to("10.200.0.53")}, {Zones: []string{"A.example."}, Upstreams: to("10.200.0.54")}}, corefile.Zone},
			"nobody to ask":          {[]corefile.Forward{{Zones: []string{"a.example"}}}, corefile.Upstream},
			"everybody to ask":       {[]corefile.Forward{{Zones: []string{"a.example"}, Upstreams: to("0.0.0.0")}}, corefile.Upstream},
			"the cluster's own DNS":  {[]corefile.Forward{{Zones: []string{"a.example"}, Upstreams: to(service[name])}}, corefile.Loop},
			"a pod of the own DNS":   {[]corefile.Forward{{Zones: []string{"a.example"}, Upstreams: to(d.Cluster.Pods[0].Status.PodIP)}}, corefile.Loop},
			"the reverse of the net": {[]corefile.Forward{{Zones: []string{"in-addr.arpa"}, Upstreams: to("10.200.0.53")}}, corefile.Zone},
		} {
			change, err := d.Plan(c.want)
			if err == nil || len(change.Edits) > 0 {
				t.Errorf("%s: %s: planned:\n%s", name, what, show(change))
				continue
			}
			if !hasReason(err, c.reason) {
				t.Errorf("%s: %s: want reason %s, got %v", name, what, c.reason, err)
			}
		}
	}
}

func hasReason(err error, reason corefile.Reason) bool {
	for _, f := range corefile.Faults(err) {
		if f.Reason == reason {
			return true
		}
	}
	return false
}

// A zone that somebody else serves is theirs, wherever they serve it.
func TestZonesOfOthersAreLeftAlone(t *testing.T) {
	for name, zone := range map[string]string{
		"aks":           "contoso.example",
		"openshift":     "corp.example.com",
		"gke-standard":  "Corp.Example.com.",
		"rke2-adjusted": "corp.example",
		"kubeadm":       "corp.example",
	} {
		c := cluster(t, name)
		switch name {
		case "rke2-adjusted":
			setValues(t, c, func(values string) string {
				return strings.Replace(values, "servers:   # replaces the chart's\n", "servers:\n- zones:\n  - zone: Corp.Example.\n  plugins: []\n", 1)
			})
		case "kubeadm":
			setCorefile(t, c, func(text string) string { return text + "corp.example:53 {\n    errors\n}\n" })
		}
		change, err := mustDetect(t, c).Plan([]corefile.Forward{forward(zone)})
		if !hasReason(err, corefile.UserZone) || len(change.Edits) > 0 {
			t.Errorf("%s: want reason UserZone and no edit, got %v and\n%s", name, err, show(change))
		}
	}
}

func setCorefile(t *testing.T, c client.Client, edit func(string) string) {
	t.Helper()
	m := configMap(t, c, "kube-system", "coredns")
	m.Data["Corefile"] = edit(m.Data["Corefile"])
	if err := c.Update(context.Background(), m, client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatal(err)
	}
}

func setValues(t *testing.T, c client.Client, edit func(string) string) {
	t.Helper()
	config := object(t, c, schema.GroupVersionKind{Group: "helm.cattle.io", Version: "v1", Kind: "HelmChartConfig"}, "kube-system", "rke2-coredns")
	values, _, _ := unstructured.NestedString(config.Object, "spec", "valuesContent")
	if err := unstructured.SetNestedField(config.Object, edit(values), "spec", "valuesContent"); err != nil {
		t.Fatal(err)
	}
	if err := c.Update(context.Background(), config, client.FieldOwner("kubectl-edit")); err != nil {
		t.Fatal(err)
	}
}

// What cannot be read cannot be changed, and the message says where.
func TestBadTextOfOthersIsRefusedWithItsPlace(t *testing.T) {
	stub := func(text string) func(*testing.T, client.Client) {
		return func(t *testing.T, c client.Client) {
			m := configMap(t, c, "kube-system", "kube-dns")
			m.Data["stubDomains"] = text
			if err := c.Update(context.Background(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	values := func(text string) func(*testing.T, client.Client) {
		return func(t *testing.T, c client.Client) { setValues(t, c, func(string) string { return text }) }
	}
	for i, test := range []struct {
		fixture string
		bad     func(*testing.T, client.Client)
		want    string
	}{
		{"gke-standard", stub("{\n \"a\": [\"1.2.3.4\",\n}\n"), "ConfigMap kube-system/kube-dns key stubDomains:2: zone \"a\""},
		{"gke-standard", stub("[]"), "stubDomains:1: want a JSON object"},
		{"gke-standard", stub("{\"a\": \"1.2.3.4\"}"), "want a list of addresses"},
		{"gke-standard", stub("{} {}"), "more behind the closing brace"},
		{"gke-standard", stub("{\n\n"), "stubDomains:3: want a closing brace"},
		{"rke2-adjusted", values("- a\n- b\n"), "want a YAML mapping"},
		{"rke2-adjusted", values("a: [\n"), "want a YAML mapping"},
		{"rke2-adjusted", values("servers: {}\n"), "want a list with at least one server"},
		{"rke2-adjusted", values("servers: [{zones: [{zone: .}], port: 53, plugins: [{name: errors}]}]\n"), "want a block list"},
		{"rke2-adjusted", values("a: 1\n# spokedns: end.\n"), "no longer a pair"},
		{"rke2-adjusted", values("a: 1\n---\nb: 2\n"), "valuesContent"},
	} {
		c := cluster(t, test.fixture)
		test.bad(t, c)
		change, err := mustDetect(t, c).Plan(openmcp())
		if err == nil || !strings.Contains(err.Error(), test.want) || len(change.Edits) > 0 {
			t.Errorf("%d %s: want an error with %q and no edit, got %v and\n%s", i, test.fixture, test.want, err, show(change))
		}
		if len(corefile.Faults(err)) == 0 {
			t.Errorf("%d %s: %v is no fault with a reason", i, test.fixture, err)
		}
	}
}

// A Corefile that imports a broken file of the users is broken before we come, and the file is named.
func TestBrokenImportIsNamed(t *testing.T) {
	c := cluster(t, "aks")
	m := configMap(t, c, "kube-system", "coredns-custom")
	m.Data["contoso.server"] = "contoso.example:53 {\n    errors\n    cache 30\n"
	if err := c.Update(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	_, err := detect(t, c)
	if want := "/etc/coredns/custom/contoso.server"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("want an error naming %s, got %v", want, err)
	}
}

// Plugins that nobody has told us of are in Corefiles that run: they are a warning, not a reason to leave a cluster out.
func TestUnknownPluginsOfOthersAreAWarning(t *testing.T) {
	c := cluster(t, "kubeadm")
	setCorefile(t, c, func(text string) string {
		return strings.Replace(text, "    loadbalance\n", "    homemade 1 2 3\n    loadbalance\n", 1)
	})
	change := mustPlan(t, mustDetect(t, c), openmcp())
	if len(change.Edits) != 1 || !strings.Contains(fmt.Sprint(change.Warnings), "homemade") {
		t.Errorf("edits %d, warnings %q: want one edit and a warning of the plugin homemade", len(change.Edits), change.Warnings)
	}
}

// Our key in the users' ConfigMap, as three histories have left it.
func TestCustomKeyOfSeveralWriters(t *testing.T) {
	ctx := context.Background()
	t.Run("restored from a backup", func(t *testing.T) {
		c := cluster(t, "aks")
		write(t, c, mustPlan(t, mustDetect(t, c), openmcp()))
		m := configMap(t, c, "kube-system", "coredns-custom")
		m.ManagedFields = nil
		if err := c.Delete(ctx, m.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		m.ResourceVersion = ""
		if err := c.Create(ctx, m, client.FieldOwner("velero")); err != nil {
			t.Fatal(err)
		}
		if change := mustPlan(t, mustDetect(t, c), openmcp()); len(change.Edits) > 0 {
			t.Fatalf("the zones are there:\n%s", show(change))
		}
		change := mustPlan(t, mustDetect(t, c), nil)
		if len(change.Edits) != 1 || change.Edits[0].How != dialect.Update {
			t.Fatalf("want one update, since an apply would leave the other writer's key:\n%s", show(change))
		}
		write(t, c, change)
		if m := configMap(t, c, "kube-system", "coredns-custom"); m.Data["spokedns.server"] != "" || m.Data["contoso.server"] == "" {
			t.Errorf("left: %v", m.Data)
		}
	})
	t.Run("users have added keys to the object we made", func(t *testing.T) {
		c := cluster(t, "k3s")
		write(t, c, mustPlan(t, mustDetect(t, c), openmcp()))
		m := configMap(t, c, "kube-system", "coredns-custom")
		m.Data["log.override"] = "log\n"
		if err := c.Update(ctx, m, client.FieldOwner("kubectl-edit")); err != nil {
			t.Fatal(err)
		}
		write(t, c, mustPlan(t, mustDetect(t, c), nil))
		m = configMap(t, c, "kube-system", "coredns-custom")
		if len(m.Data) != 1 || m.Data["log.override"] == "" || len(m.Annotations) > 0 {
			t.Errorf("left: data %v, annotations %v: want the users' key and nothing of ours", m.Data, m.Annotations)
		}
	})
	t.Run("a zone of our key is wanted by nobody, the text around it is the users'", func(t *testing.T) {
		c := cluster(t, "aks")
		m := configMap(t, c, "kube-system", "coredns-custom")
		m.Data["spokedns.server"] = "# by hand\nmine.example:53 {\n    errors\n    forward . 10.1.0.5\n}\n"
		if err := c.Update(ctx, m, client.FieldOwner("kubectl-edit")); err != nil {
			t.Fatal(err)
		}
		before := m.Data["spokedns.server"]
		write(t, c, mustPlan(t, mustDetect(t, c), openmcp()))
		if got := configMap(t, c, "kube-system", "coredns-custom").Data["spokedns.server"]; !strings.HasPrefix(got, before) || got == before {
			t.Errorf("want our block behind the users' text, got\n%s", got)
		}
		write(t, c, mustPlan(t, mustDetect(t, c), nil))
		if got := configMap(t, c, "kube-system", "coredns-custom").Data["spokedns.server"]; got != before {
			t.Errorf("want the users' text back, got\n%s", got)
		}
	})
}

// kube-dns without its ConfigMap: ours is made, and taken away again.
func TestStubDomainsWithoutConfigMap(t *testing.T) {
	c := cluster(t, "gke-standard")
	ctx := context.Background()
	if err := c.Delete(ctx, configMap(t, c, "kube-system", "kube-dns")); err != nil {
		t.Fatal(err)
	}
	before := contents(t, c)
	for i, how := range []dialect.How{dialect.Apply, dialect.Update, dialect.Delete} {
		want := [][]corefile.Forward{openmcp(), {forward("openmcp.cluster", "b.example")}, nil}[i]
		change := mustPlan(t, mustDetect(t, c), want)
		if len(change.Edits) != 1 || change.Edits[0].How != how {
			t.Fatalf("%d: want one edit by %s:\n%s", i, how, show(change))
		}
		write(t, c, change)
	}
	if diff := cmp.Diff(before, contents(t, c)); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}
