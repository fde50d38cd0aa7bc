package charts_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// alert is one of a PrometheusRule.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// prometheusRule is the shape the Prometheus operator gives it.
type prometheusRule struct {
	Spec struct {
		Groups []struct {
			Name  string  `json:"name"`
			Rules []alert `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

// alerts are those of a chart, everything on.
func alerts(t *testing.T, chart string) (out []alert) {
	t.Helper()
	for _, rule := range all[prometheusRule](render(t, chartDir(t, chart), "testdata/"+chart+"/full.yaml"), "PrometheusRule") {
		for _, group := range rule.Spec.Groups {
			out = append(out, group.Rules...)
		}
	}
	if len(out) == 0 {
		t.Fatalf("chart %s has no alerts", chart)
	}
	return out
}

// An alert on a series that does not exist never fires: every one of ours stands in the programs or their page.
func TestAlertsAreAboutSeriesThatExist(t *testing.T) {
	var known strings.Builder
	for _, path := range []string{"docs/metrics.md", "corednsconfig/controller/metrics.go", "corednsconfig/serve.go"} {
		text, err := os.ReadFile(filepath.Join(stack.Root(), path))
		if err != nil {
			t.Fatal(err)
		}
		known.WriteString(strings.NewReplacer(`prefix + "`, "`spokedns_corednsconfig_", `gauge("`, "`spokedns_corednsconfig_", `Name: "`, "`").Replace(string(text)))
	}
	series, names := regexp.MustCompile(`\bspokedns_[a-z_]+`), []string{}
	for _, chart := range []string{"webhook", "ipcontroller", "corednsconfig", "central-dns"} {
		for _, a := range alerts(t, chart) {
			for _, name := range series.FindAllString(a.Expr, -1) {
				if !regexp.MustCompile("`" + name + "[`\"]").MatchString(known.String()) {
					t.Errorf("%s: nothing serves %s", a.Alert, name)
				}
			}
			if slices.Contains(names, a.Alert) {
				t.Errorf("two alerts are called %s", a.Alert)
			}
			names = append(names, a.Alert)
			if !slices.Contains([]string{"info", "warning", "critical"}, a.Labels["severity"]) || len(a.Annotations["summary"]) < 20 {
				t.Errorf("%s: severity %q, summary %q", a.Alert, a.Labels["severity"], a.Annotations["summary"])
			}
			if want := "https://runbooks.example.org/" + a.Alert; a.Annotations["runbook_url"] != want {
				t.Errorf("%s: runbook %q, want %s", a.Alert, a.Annotations["runbook_url"], want)
			}
		}
	}
}
