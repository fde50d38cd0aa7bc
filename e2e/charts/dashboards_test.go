package charts_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/e2e/charts/dashboard"
)

// grafana is what of a dashboard's JSON is looked at.
type grafana struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	} `json:"templating"`
	Panels []struct {
		ID          int
		Type        string
		Title       string
		Description string
		GridPos     struct{ X, Y, W, H int } `json:"gridPos"`
		Datasource  struct{ Type, UID string }
		Targets     []struct {
			RefID, Expr, LegendFormat string
			Instant, Range            bool
			Datasource                struct{ UID string }
		}
		FieldConfig struct {
			Defaults struct {
				Unit       string
				Thresholds struct{ Steps []struct{ Value *float64 } }
			}
		} `json:"fieldConfig"`
	} `json:"panels"`
}

// dashboards are those that the charts put into ConfigMaps, by chart.
func dashboards(t *testing.T) map[string]grafana {
	t.Helper()
	out := map[string]grafana{}
	for _, d := range dashboard.All() {
		r := render(t, chartDir(t, d.Chart), "testdata/"+d.Chart+"/full.yaml")
		for _, cm := range all[corev1.ConfigMap](r, "ConfigMap") {
			text, ok := cm.Data["spokedns-"+d.Chart+".json"]
			if !ok {
				continue
			}
			if cm.Labels["grafana_dashboard"] != "1" || cm.Labels["dashboards"] != "main" || cm.Annotations["grafana_folder"] != "DNS" {
				t.Errorf("%s: labels %v, annotations %v", d.Chart, cm.Labels, cm.Annotations)
			}
			var g grafana
			if err := json.Unmarshal([]byte(text), &g); err != nil {
				t.Fatal(err)
			}
			out[d.Chart] = g
		}
		if _, ok := out[d.Chart]; !ok {
			t.Errorf("chart %s has no dashboard", d.Chart)
		}
	}
	return out
}

func TestDashboardsAskForSeriesThatExist(t *testing.T) {
	known := knownSeries(t)
	chosen := strings.NewReplacer("$__rate_interval", "5m", "$__range", "6h", "$namespace", "dns", "$job", "x")
	legend := regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	asked := 0
	for chart, g := range dashboards(t) {
		for _, p := range g.Panels {
			for _, q := range p.Targets {
				asked++
				of, err := known.check(chosen.Replace(q.Expr))
				if err != nil {
					t.Errorf("%s, %s: %s: %v", chart, p.Title, q.Expr, err)
					continue
				}
				if !strings.Contains(q.Expr, "$namespace") {
					t.Errorf("%s, %s: %s looks at every namespace", chart, p.Title, q.Expr)
				}
				for _, m := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
					if !slices.Contains(of, m[1]) {
						t.Errorf("%s, %s: the legend names %s; there is only %q", chart, p.Title, m[1], of)
					}
				}
				if q.LegendFormat == "" {
					t.Errorf("%s, %s: %s has no legend", chart, p.Title, q.Expr)
				}
			}
		}
		for _, v := range g.Templating.List {
			metric := regexp.MustCompile(`^label_values\((\w+)`).FindStringSubmatch(v.Definition)
			if v.Type != "query" {
				continue
			}
			if _, err := known.labelsOf(metric[1]); err != nil {
				t.Errorf("%s, variable %s: %v", chart, v.Name, err)
			}
		}
	}
	const least = 70
	if asked < least {
		t.Errorf("only %d queries", asked)
	}
}

func TestGrafanaCanDrawTheDashboards(t *testing.T) {
	uids := map[string]bool{}
	for chart, g := range dashboards(t) {
		if g.UID != "spokedns-"+chart || uids[g.UID] || len(g.UID) > 40 || g.SchemaVersion != 39 || g.Title == "" {
			t.Errorf("%s: uid %s, schema %d, title %q", chart, g.UID, g.SchemaVersion, g.Title)
		}
		uids[g.UID] = true
		if len(g.Templating.List) == 0 || g.Templating.List[0].Name != "datasource" || g.Templating.List[0].Type != "datasource" {
			t.Errorf("%s: the data source is no choice", chart)
		}
		taken, ids := map[[2]int]string{}, map[int]bool{}
		for _, p := range g.Panels {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s, %s: id %d is taken", chart, p.Title, p.ID)
			}
			ids[p.ID] = true
			at := p.GridPos
			if at.X < 0 || at.W < 1 || at.H < 1 || at.X+at.W > 24 {
				t.Errorf("%s, %s: does not fit in: %+v", chart, p.Title, at)
			}
			for x := at.X; x < at.X+at.W; x++ {
				for y := at.Y; y < at.Y+at.H; y++ {
					if other, is := taken[[2]int{x, y}]; is {
						t.Fatalf("%s: %s lies over %s", chart, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if !slices.Contains([]string{"stat", "timeseries", "state-timeline"}, p.Type) || p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" {
				t.Errorf("%s, %s: %+v", chart, p.Title, p)
			}
			steps := p.FieldConfig.Defaults.Thresholds.Steps
			for i, s := range steps {
				if (s.Value == nil) != (i == 0) || i > 1 && *s.Value < *steps[i-1].Value {
					t.Errorf("%s, %s: the steps do not rise from nothing", chart, p.Title)
				}
			}
			refs := map[string]bool{}
			for _, q := range p.Targets {
				if refs[q.RefID] || q.Instant == q.Range || q.Datasource.UID != "${datasource}" {
					t.Errorf("%s, %s: %+v", chart, p.Title, q)
				}
				refs[q.RefID] = true
			}
			if p.Datasource.UID != "${datasource}" || len(refs) == 0 {
				t.Errorf("%s, %s: data source %q, %d queries", chart, p.Title, p.Datasource.UID, len(refs))
			}
		}
	}
}
