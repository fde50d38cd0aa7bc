package charts_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/spokedns/spokedns/e2e/stack"
)

// series are those that somebody serves: labels by name. Our programs' are those of docs/metrics.md, which their own
// tests hold against what they register; other people's are from the pages that come with their programs.
type series map[string][]string

// knownSeries are all there are.
func knownSeries(t *testing.T) series {
	t.Helper()
	known := series{
		"ALERTS":                        {"alertname", "alertstate", "severity"}, // Prometheus makes it
		"up":                            nil,                                     // and this
		"process_resident_memory_bytes": nil,                                     // and client_golang
	}
	row := regexp.MustCompile("(?m)^\\| `(spokedns_\\w+)` \\| \\w+ \\|([^|]*)\\|")
	for _, m := range row.FindAllStringSubmatch(text(t, stack.Root(), "docs", "metrics.md"), -1) {
		known[m[1]] = append(known[m[1]], words(m[2])...)
	}
	row = regexp.MustCompile(`(?m)^\| (\w+) +\| \w+ +\| (\w*) +\|([^|]*)\|`)
	for _, m := range row.FindAllStringSubmatch(text(t, module(t, "", "sigs.k8s.io/external-dns"), "docs", "monitoring", "metrics.md"), -1) {
		known["external_dns_"+strings.TrimPrefix(m[2]+"_", "_")+m[1]] = words(m[3])
	}
	row = regexp.MustCompile("`(coredns_\\w+)\\{([^}]*)\\}`")
	coredns := module(t, "tools/coredns", "github.com/coredns/coredns")
	for _, plugin := range []string{"metrics", "cache", "reload"} {
		for _, m := range row.FindAllStringSubmatch(text(t, coredns, "plugin", plugin, "README.md"), -1) {
			known[m[1]] = words(m[2])
		}
	}
	row = regexp.MustCompile(`NewDesc\("(certmanager_\w+)", "[^"]*", \[\]string\{([^}]*)\}`)
	for _, m := range row.FindAllStringSubmatch(text(t, module(t, "tools/crds", "github.com/cert-manager/cert-manager"), "internal", "collectors", "certificate_collector.go"), -1) {
		known[m[1]] = words(m[2])
	}
	etcd, err := stack.ForTest(t).Etcd(t.Context(), stack.EtcdConfig{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	scraped, err := stack.Scrape(context.WithoutCancel(t.Context()), etcd.Endpoint+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range scraped {
		if strings.HasPrefix(name, "etcd_") {
			known[name] = nil
			for _, l := range family.GetMetric()[0].GetLabel() {
				known[name] = append(known[name], l.GetName())
			}
		}
	}
	const least = 100 // a page that is read no more would make everything unknown, and this few
	if len(known) < least {
		t.Fatalf("only %d series are known", len(known))
	}
	return known
}

func text(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// words are the names in a list of labels.
func words(list string) []string { return regexp.MustCompile(`[a-z_]+`).FindAllString(list, -1) }

// module is where the source of a module is that e2e or one of its tools requires.
func module(t *testing.T, of, path string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", path)
	if of == "" {
		cmd = exec.CommandContext(t.Context(), "go", "list", "-m", "-json", path)
	}
	cmd.Dir = filepath.Join(stack.Root(), "e2e", of)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("find %s: %v", path, err)
	}
	_, dir, _ := strings.Cut(string(out), `"Dir": "`)
	dir, _, _ = strings.Cut(dir, `"`)
	return dir
}

// labelsOf are the labels of a series, as a Prometheus that finds its targets by ServiceMonitors stores it.
func (s series) labelsOf(name string) ([]string, error) {
	found, ok := s[name]
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && !ok {
			if found, ok = s[base]; suffix == "_bucket" {
				found = append(slices.Clone(found), "le")
			}
		}
	}
	if !ok {
		return nil, fmt.Errorf("nothing serves %s", name)
	}
	return append(slices.Clone(found), "namespace", "job", "instance", "pod", "container", "service", "endpoint"), nil
}

// check reads an expression with Prometheus's own parser: every series exists with the labels it is asked by. What comes
// out has the labels that are returned.
func (s series) check(expr string) ([]string, error) {
	node, err := parser.ParseExpr(expr)
	if err != nil {
		return nil, err
	}
	return s.labels(node)
}

func (s series) labels(node parser.Expr) ([]string, error) {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return s.selected(n)
	case *parser.MatrixSelector:
		return s.labels(n.VectorSelector)
	case *parser.SubqueryExpr:
		return s.labels(n.Expr)
	case *parser.ParenExpr:
		return s.labels(n.Expr)
	case *parser.UnaryExpr:
		return s.labels(n.Expr)
	case *parser.Call:
		return s.called(n)
	case *parser.AggregateExpr:
		return s.aggregated(n)
	case *parser.BinaryExpr:
		return s.combined(n)
	}
	return nil, nil // a number or a text
}

func (s series) selected(n *parser.VectorSelector) ([]string, error) {
	known, err := s.labelsOf(n.Name)
	if err != nil {
		return nil, err
	}
	for _, m := range n.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.Contains(known, m.Name) {
			return nil, fmt.Errorf("%s has no label %s, only %q", n.Name, m.Name, known)
		}
		if m.Type == labels.MatchEqual && m.Value == "" {
			return nil, fmt.Errorf("%s: %s is asked to be empty", n.Name, m.Name)
		}
	}
	return known, nil
}

func (s series) called(n *parser.Call) (out []string, err error) {
	for _, arg := range n.Args {
		of, err := s.labels(arg)
		if err != nil {
			return nil, err
		}
		out = append(out, of...)
	}
	switch n.Func.Name {
	case "histogram_quantile":
		if !slices.Contains(out, "le") {
			return nil, fmt.Errorf("%s: the buckets' le is lost", n)
		}
		out = slices.DeleteFunc(out, func(l string) bool { return l == "le" })
	case "absent", "vector", "time":
		out = nil
	}
	return out, nil
}

func (s series) aggregated(n *parser.AggregateExpr) ([]string, error) {
	of, err := s.labels(n.Expr)
	if err != nil {
		return nil, err
	}
	for _, l := range n.Grouping {
		if !slices.Contains(of, l) {
			return nil, fmt.Errorf("%s: there is no label %s, only %q", n, l, of)
		}
	}
	if n.Op == parser.TOPK || n.Op == parser.BOTTOMK {
		return of, nil
	}
	return n.Grouping, nil
}

func (s series) combined(n *parser.BinaryExpr) ([]string, error) {
	left, err := s.labels(n.LHS)
	if err != nil {
		return nil, err
	}
	right, err := s.labels(n.RHS)
	if err != nil || n.LHS.Type() == parser.ValueTypeScalar {
		return right, err
	}
	if n.VectorMatching != nil && !n.Op.IsSetOperator() && !slices.Equal(left, right) {
		return nil, fmt.Errorf("%s: the sides have not the same labels, %q and %q", n, left, right)
	}
	return left, nil
}

// The judge of all expressions is awake.
func TestWrongExpressionsAreSeen(t *testing.T) {
	s := series{"a_total": {"view"}, "b": {"view", "zone"}, "h": {"call"}}
	for expr, want := range map[string]string{
		`rate(a_total[5m]`:                  "unclosed",
		`rate(c_total[5m])`:                 "nothing serves c_total",
		`a_total{zone="x"}`:                 "a_total has no label zone",
		`sum by (zone) (a_total)`:           "there is no label zone",
		`sum by (zone) (max by (view) (b))`: "there is no label zone",
		`histogram_quantile(0.9, sum by (call) (rate(h_bucket[5m])))`: "le is lost",
		`sum by (view) (a_total) / sum by (zone) (b)`:                 "not the same labels",
		`b{view=""}`: "asked to be empty",
	} {
		if _, err := s.check(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error about %q", expr, err, want)
		}
	}
	for expr, want := range map[string]string{
		`sum by (view) (rate(a_total[5m])) or vector(0)`:                  "view",
		`time() - max by (zone) (b)`:                                      "zone",
		`histogram_quantile(0.9, sum by (le, call) (rate(h_bucket[5m])))`: "call",
		`topk(3, max by (view) (b))`:                                      "view",
		`absent(b)`:                                                       "",
	} {
		if of, err := s.check(expr); err != nil || strings.Join(of, " ") != want {
			t.Errorf("%s: labels %q, %v, want %s", expr, of, err, want)
		}
	}
}
