package dialect_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// render does what the operator of OpenShift and the chart of RKE2 do: it makes the Corefile of the object beside it.
func render(t *testing.T, c client.Client) {
	t.Helper()
	renderOpenShift(t, c)
	renderRKE2(t, c)
}

func object(t *testing.T, c client.Client, kind schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	var u unstructured.Unstructured
	u.SetGroupVersionKind(kind)
	err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, &u)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &u
}

func execute(t *testing.T, text string, data any) string {
	t.Helper()
	indent := func(n int, s string) string {
		return strings.Repeat(" ", n) + strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n))
	}
	var out bytes.Buffer
	parsed, err := template.New("").Funcs(template.FuncMap{"indent": indent, "lower": strings.ToLower}).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The operator writes a block per server, comment first, and the default block behind them.
const operatorServers = `{{range .}}# {{.name}}
{{range .zones}}{{.}}:5353 {{end}}{
    prometheus 127.0.0.1:9153
    forward .{{range .forwardPlugin.upstreams}} {{.}}{{end}} {
        policy {{lower .forwardPlugin.policy}}
    }
    errors
    log . {
        class error
    }
    bufsize 1232
    cache 900 {
        denial 9984 30
    }
}
{{end}}`

func renderOpenShift(t *testing.T, c client.Client) {
	t.Helper()
	dns := object(t, c, schema.GroupVersionKind{Group: "operator.openshift.io", Version: "v1", Kind: "DNS"}, "", "default")
	if dns == nil {
		return
	}
	servers, _, err := unstructured.NestedSlice(dns.Object, "spec", "servers")
	if err != nil {
		t.Fatal(err)
	}
	m := configMap(t, c, "openshift-dns", "dns-default")
	_, rest, found := strings.Cut(m.Data["Corefile"], ".:5353 {")
	if !found {
		t.Fatal("no default block")
	}
	m.Data["Corefile"] = execute(t, operatorServers, servers) + ".:5353 {" + rest
	if err := c.Update(context.Background(), m, client.FieldOwner("dns-operator")); err != nil {
		t.Fatal(err)
	}
}

// The chart writes words as they come, and the cluster's domain in front of what the kubernetes plugin is given.
const chartServers = `{{range .}}{{range $i, $z := .zones}}{{if $i}} {{end}}{{with $z.scheme}}{{.}}{{end}}{{$z.zone}}{{end}}:{{.port}} {
{{- range .plugins}}
    {{.name}} {{with .parameters}}{{.}}{{end}}{{with .configBlock}} {
{{indent 8 .}}
    }{{end}}
{{- end}}
}
{{end}}`

func renderRKE2(t *testing.T, c client.Client) {
	t.Helper()
	kind := schema.GroupVersionKind{Group: "helm.cattle.io", Version: "v1", Kind: "HelmChart"}
	if object(t, c, kind, "kube-system", "rke2-coredns") == nil {
		return
	}
	kind.Kind = "HelmChartConfig"
	servers := stockServers(t)
	if config := object(t, c, kind, "kube-system", "rke2-coredns"); config != nil {
		values, _, err := unstructured.NestedString(config.Object, "spec", "valuesContent")
		if err != nil {
			t.Fatal(err)
		}
		var given struct{ Servers []any }
		if err := yaml.Unmarshal([]byte(values), &given); err != nil {
			t.Fatalf("%v in\n%s", err, values)
		}
		if given.Servers != nil {
			servers = given.Servers
		}
	}
	for _, s := range servers {
		for _, p := range s.(map[string]any)["plugins"].([]any) {
			if p := p.(map[string]any); p["name"] == "kubernetes" {
				p["parameters"] = " cluster.local  " + p["parameters"].(string)
			}
		}
	}
	m := configMap(t, c, "kube-system", "rke2-coredns-rke2-coredns")
	m.Data["Corefile"] = execute(t, chartServers, servers)
	if err := c.Update(context.Background(), m, client.FieldOwner("helm")); err != nil {
		t.Fatal(err)
	}
}

// stockServers are the chart's default values.
func stockServers(t *testing.T) []any {
	t.Helper()
	var stock []any
	if err := yaml.Unmarshal([]byte(`
- zones:
  - zone: .
  port: 53
  plugins:
  - name: errors
  - name: health
    configBlock: |-
      lameduck 10s
  - name: ready
  - name: kubernetes
    parameters: cluster.local in-addr.arpa ip6.arpa
    configBlock: |-
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
      ttl 30
  - name: prometheus
    parameters: 0.0.0.0:9153
  - name: forward
    parameters: . /etc/resolv.conf
  - name: cache
    parameters: "30"
  - name: loop
  - name: reload
  - name: loadbalance
`), &stock); err != nil {
		t.Fatal(err)
	}
	return stock
}
