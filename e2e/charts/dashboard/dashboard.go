// Package dashboard owns what Grafana shows of each program: the panels as data here, and the JSON that the charts carry.
package dashboard

import (
	"encoding/json"
	"path/filepath"
	"strings"
)

// Dashboard is one page of Grafana.
type Dashboard struct {
	Chart string // whose directory it goes to; the page's uid is "spokedns-" and this
	Title string
	// Found is a metric that every instance has: where the page's choice of namespaces and jobs is from.
	Found string
	Rows  []Row
}

// Row is a heading and the panels below it.
type Row struct {
	Title  string
	Panels []Panel
}

// Form is how a panel draws.
type Form string

// The forms in use.
const (
	Stat  Form = "stat"           // a number, or a word for it
	Lines Form = "timeseries"     // over time
	Bars  Form = "barchart"       // how much since the bar before; drawn by timeseries
	State Form = "state-timeline" // what was so, and when
)

// Panel is one picture.
type Panel struct {
	Title   string
	Help    string // shown at the corner: what it means, and what is well
	Form    Form
	Unit    string // as Grafana names them: s, short, percentunit, bytes
	Width   int    // of 24; 0: as wide as usual for the form
	Queries []Query
	Steps   []Step            // colours by value, from below; none: green
	Words   map[string]string // shown instead of values
	Name    bool              // a Stat shows the legend instead of the value
}

// Step is from which value on a colour holds. The first holds from minus infinity.
type Step struct {
	From  float64
	Color string
}

// Query is a series, or several. $namespace and $job are the page's choice; $__rate_interval and $__range are Grafana's.
type Query struct {
	Expr, Legend string
}

// below are the colours of a value that is well while it is less than warn.
func below(warn, bad float64) []Step {
	return []Step{{0, "green"}, {warn, "orange"}, {bad, "red"}}
}

// wanted are the colours of what should be there, or so.
func wanted() []Step { return []Step{{0, "red"}, {1, "green"}} }

// of are the labels by which every query is restricted to the page's choice, with more in front.
func of(labels ...string) string {
	return "{" + strings.Join(append(labels, `namespace=~"$namespace"`, `job=~"$job"`), ", ") + "}"
}

// quantile is the one below which 99 % of a histogram's observations are, by labels.
func quantile(histogram, by string) string {
	return "histogram_quantile(0.99, sum by (le, " + by + ") (rate(" + histogram + "_bucket" + of() + "[$__rate_interval])))"
}

// grew is by how much a counter grew in a step of the picture, by labels.
func grew(counter, by string) string {
	return "sum by (" + by + ") (increase(" + counter + of() + "[$__rate_interval]))"
}

// All are the dashboards there are.
func All() []Dashboard {
	return []Dashboard{webhook(), ipcontroller(), corednsconfig(), centralDNS(), zonecontroller()}
}

// Files are the pages where the charts below root have them: content by path.
func Files(root string) (map[string]string, error) {
	out := map[string]string{}
	for _, d := range All() {
		text, err := d.JSON()
		if err != nil {
			return nil, err
		}
		out[filepath.Join(root, "charts", d.Chart, "dashboards", "spokedns-"+d.Chart+".json")] = string(text)
	}
	return out, nil
}

// JSON is the page as Grafana takes it.
func (d Dashboard) JSON() ([]byte, error) {
	const columns = 24
	panels, id, y := []any{}, 0, 0
	for _, row := range d.Rows {
		id++
		panels = append(panels, map[string]any{
			"id": id, "type": "row", "title": row.Title, "collapsed": false, "panels": []any{},
			"gridPos": map[string]int{"h": 1, "w": columns, "x": 0, "y": y},
		})
		y++
		x, high := 0, 0
		for _, p := range row.Panels {
			w, h := p.size()
			if x+w > columns {
				x, y, high = 0, y+high, 0
			}
			id++
			panels = append(panels, p.json(id, map[string]int{"h": h, "w": w, "x": x, "y": y}))
			x, high = x+w, max(high, h)
		}
		y += high
	}
	choice := func(name, label, query string) map[string]any {
		return map[string]any{
			"name": name, "label": label, "type": "query", "datasource": datasource(), "definition": query,
			"query":   map[string]any{"query": query, "refId": "choice"},
			"refresh": 2, "includeAll": true, "multi": true, "allValue": ".+", "sort": 1,
			"current": map[string]any{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
		}
	}
	return indented(map[string]any{
		"uid": "spokedns-" + d.Chart, "title": d.Title, "tags": []string{"dns", "spokedns"}, "schemaVersion": 39, "version": 1,
		"editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
		"time":        map[string]string{"from": "now-6h", "to": "now"},
		"annotations": map[string]any{"list": []any{}},
		"links": []any{map[string]any{
			"title": "Runbooks", "type": "link", "icon": "doc", "targetBlank": true,
			"url": "https://github.com/spokedns/spokedns/tree/main/docs/runbooks",
		}},
		"templating": map[string]any{"list": []any{
			map[string]any{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1},
			choice("namespace", "Namespace", "label_values("+d.Found+", namespace)"),
			choice("job", "Release", `label_values(`+d.Found+`{namespace=~"$namespace"}, job)`),
		}},
		"panels": panels,
	})
}

func datasource() map[string]string {
	return map[string]string{"type": "prometheus", "uid": "${datasource}"}
}

// indented is JSON for people to read: no character is written as its number.
func indented(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return []byte(b.String()), err
}
