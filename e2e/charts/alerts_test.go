package charts_test

import (
	"regexp"
	"slices"
	"testing"
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

// rules are the alerts of a release.
func rules(r release) (out []alert) {
	for _, rule := range all[prometheusRule](r, "PrometheusRule") {
		for _, group := range rule.Spec.Groups {
			out = append(out, group.Rules...)
		}
	}
	return out
}

// alerts are those of a chart, everything on.
func alerts(t *testing.T, chart string) []alert {
	t.Helper()
	out := rules(render(t, chartDir(t, chart), "testdata/"+chart+"/full.yaml"))
	if len(out) == 0 {
		t.Fatalf("chart %s has no alerts", chart)
	}
	return out
}

// alertCharts are the charts that have alerts.
func alertCharts() []string {
	return []string{"webhook", "ipcontroller", "corednsconfig", "central-dns", "zonecontroller"}
}

// An alert on a series that does not exist never fires, and a summary with a label that does not exist says nothing.
func TestAlertsAreAboutSeriesThatExist(t *testing.T) {
	known, names := knownSeries(t), []string{}
	label := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, chart := range alertCharts() {
		for _, a := range alerts(t, chart) {
			of, err := known.check(a.Expr)
			if err != nil {
				t.Errorf("%s: %v", a.Alert, err)
			}
			for _, m := range label.FindAllStringSubmatch(a.Annotations["summary"], -1) {
				if !slices.Contains(of, m[1]) {
					t.Errorf("%s: the summary names %s; there is only %q", a.Alert, m[1], of)
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
