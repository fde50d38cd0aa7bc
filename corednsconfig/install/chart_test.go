package install_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/charts"
	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/install"
)

func chart(t testing.TB) *install.Chart {
	t.Helper()
	c, err := install.OpenChart(charts.Webhook, "webhook")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const least = `{
	"image": {"repository": "registry.example.org/webhook"},
	"externalDNS": {"txtOwnerId": "<cluster.name>"},
	"config": {"views": [{"name": "v", "zones": ["example.org"], "backend": {"rfc2136": {"servers": ["192.0.2.53:53"]}}, "rules": [{"action": "keep"}]}]}
}`

// wish is one that the chart takes, changed.
func wish(t testing.TB, change func(values map[string]any)) install.Wish {
	t.Helper()
	values, err := install.Values([]byte(least), place())
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(values)
	}
	return install.Wish{Namespace: "external-dns", Release: "edge", Values: values}
}

func set(path string, v any) func(map[string]any) {
	return func(values map[string]any) {
		keys := strings.Split(path, ".")
		for _, key := range keys[:len(keys)-1] {
			values = values[key].(map[string]any)
		}
		values[keys[len(keys)-1]] = v
	}
}

func TestRender(t *testing.T) {
	made, err := chart(t).Render(t.Context(), wish(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, u := range made {
		kinds = append(kinds, u.GetKind()+" "+u.GetNamespace()+"/"+u.GetName())
	}
	for _, want := range []string{"Deployment external-dns/edge-webhook", "ClusterRole /external-dns:edge-webhook", "ConfigMap external-dns/edge-webhook", "RoleBinding external-dns/edge-webhook-events"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %s among %q", want, kinds)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	c := chart(t)
	for name, x := range map[string]struct {
		change func(map[string]any)
		says   string
	}{
		"of another type":      {set("externalDNS.sources", "service"), "sources"},
		"no such value":        {set("externalDNS.polcy", "sync"), "polcy"},
		"not of the list":      {set("externalDNS.policy", "all"), "policy"},
		"missing":              {set("config", map[string]any{}), "config: is not given"},
		"without external-dns": {set("companionOnly", true), "values.companionOnly: true"},
		"no YAML":              {set("extraObjects", []any{map[string]any{"a": "{{ fail \"x\" }}"}}), "x"},
	} {
		_, err := c.Render(t.Context(), wish(t, x.change))
		var wrong *install.ValuesError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v: want %q", name, err, x.says)
		}
	}
}

func TestOpenChartRefuses(t *testing.T) {
	if _, err := install.OpenChart(fstest.MapFS{"x/values.yaml": {}}, "x"); err == nil {
		t.Error("no Chart.yaml, and it was taken")
	}
	if _, err := install.OpenChart(fstest.MapFS{}, "x"); err == nil {
		t.Error("no directory, and it was taken")
	}
}

// A digest is the same for the same, in whatever order it was said, and another for anything else.
func TestDigest(t *testing.T) {
	c := chart(t)
	digest := c.Digest(wish(t, nil))
	if again := chart(t).Digest(wish(t, nil)); again != digest || len(digest) != 16 {
		t.Errorf("%s and %s", digest, again)
	}
	other := map[string]install.Wish{"values": wish(t, set("externalDNS.policy", "sync")), "namespace": wish(t, nil), "release": wish(t, nil), "secrets": wish(t, nil)}
	for name, w := range other {
		switch name {
		case "namespace":
			w.Namespace = "x"
		case "release":
			w.Release = "x"
		case "secrets":
			w.Secrets = []v1alpha1.SecretCopy{{Source: "a", Target: "b"}}
		}
		if c.Digest(w) == digest {
			t.Errorf("another %s, and the same digest", name)
		}
	}
	files := fstest.MapFS{"webhook/Chart.yaml": {Data: []byte("apiVersion: v2\nname: webhook\nversion: 0.1.0\n")}}
	if small, err := install.OpenChart(files, "webhook"); err != nil || small.Digest(wish(t, nil)) == digest {
		t.Errorf("%v: another chart, and the same digest", err)
	}
}

// Nothing is granted that is not held, nothing is written that is not named, and nothing is asked for with a star but to
// list what is in the namespace of its own.
func TestRights(t *testing.T) {
	e := install.New(install.Options{Chart: chart(t)})
	w := wish(t, func(v map[string]any) {
		set("externalDNS.sources", []any{"service", "gateway-httproute"})(v)
		set("config.targets", map[string]any{"site": map[string]any{"wanIP": map[string]any{"namespace": "wan"}}})(v)
	})
	all, err := e.Rights(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, r := range all {
		for _, rule := range r.Rules {
			for _, verb := range rule.Verbs {
				for _, resource := range rule.Resources {
					held[strings.Join([]string{r.Namespace, rule.APIGroups[0], resource, verb}, " ")] = true
					writes := slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate", "*"}, verb)
					helms := r.Namespace == w.Namespace && (resource == "secrets" || resource == "events")
					if writes && len(rule.ResourceNames) == 0 && !helms {
						t.Errorf("%q: %s %s without a name", r.Namespace, verb, resource)
					}
					if (resource == "*" || slices.Contains(rule.APIGroups, "*")) && (r.Namespace != w.Namespace || verb != "list") {
						t.Errorf("%q: %s %s", r.Namespace, verb, resource)
					}
				}
			}
		}
	}
	made, err := chart(t).Render(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range made {
		if u.GetKind() != "ClusterRole" {
			continue
		}
		for _, want := range []string{" gateway.networking.k8s.io httproutes watch", "  services list", " networking.k8s.io ingresses list"} {
			if !held[want] {
				t.Errorf("not held: %s", want)
			}
		}
	}
	for _, want := range []string{"wan rbac.authorization.k8s.io roles patch", "wan  configmaps get", "external-dns  pods/proxy get", "  namespaces create"} {
		if !held[want] {
			t.Errorf("not held: %s", want)
		}
	}
	for _, r := range install.Whole(w, all) {
		if r.Namespace == w.Namespace {
			t.Errorf("in a namespace that is not there yet: %v", r)
		}
	}
	if joined := install.Join(all, all); len(joined) != len(all) {
		t.Errorf("%d and %d", len(joined), len(all))
	}
}

func TestChoose(t *testing.T) {
	match := func(key, value string) *v1alpha1.ClusterSelector {
		return &v1alpha1.ClusterSelector{LabelSelector: metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}
	}
	purpose := func(operator metav1.LabelSelectorOperator, purposes ...string) *v1alpha1.ClusterSelector {
		s := &v1alpha1.ClusterSelector{}
		for _, p := range purposes {
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: v1alpha1.PurposeLabelPrefix + p, Operator: operator})
		}
		return s
	}
	installs := []v1alpha1.Install{
		{ClusterSelector: match("region", "eu")},
		{ClusterSelector: &v1alpha1.ClusterSelector{Sources: []v1alpha1.Source{v1alpha1.OpenMCP}}},
		{ClusterSelector: purpose(metav1.LabelSelectorOpDoesNotExist, "mcp", "platform")},
		{ClusterSelector: purpose(metav1.LabelSelectorOpExists, "mcp")},
	}
	for name, c := range map[string]struct {
		source v1alpha1.Source
		labels map[string]string
		want   int
	}{
		"the first":     {v1alpha1.OpenMCP, map[string]string{"region": "eu"}, 0},
		"by source":     {v1alpha1.OpenMCP, nil, 1},
		"by no purpose": {v1alpha1.Kubeconfig, nil, 2},
		"by a purpose":  {v1alpha1.Kubeconfig, map[string]string{v1alpha1.PurposeLabelPrefix + "mcp": "true"}, 3},
		"none":          {v1alpha1.Kubeconfig, map[string]string{v1alpha1.PurposeLabelPrefix + "platform": "true"}, -1},
	} {
		if got, err := install.Choose(installs, c.source, c.labels); got != c.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
	}
	if got, err := install.Choose([]v1alpha1.Install{{}}, v1alpha1.Local, nil); got != 0 || err != nil {
		t.Errorf("without a selector: %d, %v", got, err)
	}
	bad := []v1alpha1.Install{{ClusterSelector: match("region", "us")}, {ClusterSelector: purpose("Near", "x")}}
	if got, err := install.Choose(bad, v1alpha1.Local, nil); got != -1 || err == nil || !strings.Contains(err.Error(), "installs[1].clusterSelector") {
		t.Errorf("%d, %v", got, err)
	}
}
