package dashboard

import (
	"fmt"
	"maps"
	"slices"
)

// size is how much of the page a panel takes, in Grafana's units.
func (p Panel) size() (w, h int) {
	w, h = 12, 8
	if p.Form == Stat {
		w, h = 4, 4
	}
	if p.Width > 0 {
		w = p.Width
	}
	return w, h
}

func (p Panel) json(id int, at map[string]int) map[string]any {
	targets := []any{}
	for i, q := range p.Queries {
		targets = append(targets, map[string]any{
			"refId": string(rune('A' + i)), "datasource": datasource(), "expr": q.Expr, "legendFormat": q.Legend,
			"range": p.Form != Stat, "instant": p.Form == Stat,
		})
	}
	form, options, custom := p.drawn()
	defaults := map[string]any{
		"unit": p.Unit, "custom": custom, "min": 0, "mappings": p.mappings(),
		"thresholds": map[string]any{"mode": "absolute", "steps": p.steps()},
		"color":      map[string]string{"mode": "palette-classic"},
	}
	if p.Form == Stat || p.Form == State {
		defaults["color"] = map[string]string{"mode": "thresholds"}
	}
	return map[string]any{
		"id": id, "type": form, "title": p.Title, "description": p.Help, "gridPos": at, "datasource": datasource(),
		"targets": targets, "options": options, "fieldConfig": map[string]any{"defaults": defaults, "overrides": []any{}},
	}
}

// drawn is what Grafana calls the form, with what only that form knows.
func (p Panel) drawn() (form Form, options, custom map[string]any) {
	legend := map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true}
	switch p.Form {
	case Stat:
		text := "auto"
		if p.Name {
			text = "name"
		}
		return Stat, map[string]any{
			"colorMode": "background", "graphMode": "none", "justifyMode": "auto", "textMode": text, "wideLayout": true,
			"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		}, map[string]any{}
	case State:
		return State, map[string]any{"legend": legend, "mergeValues": true, "rowHeight": 0.9, "showValue": "never"}, map[string]any{"fillOpacity": 80, "lineWidth": 0}
	case Bars:
		custom = map[string]any{"drawStyle": "bars", "fillOpacity": 80, "lineWidth": 0, "stacking": map[string]string{"mode": "normal", "group": "A"}}
	default:
		custom = map[string]any{"drawStyle": "line", "fillOpacity": 5, "lineWidth": 1, "showPoints": "never"}
	}
	return Lines, map[string]any{"legend": legend, "tooltip": map[string]string{"mode": "multi", "sort": "desc"}}, custom
}

func (p Panel) steps() []any {
	steps := p.Steps
	if len(steps) == 0 {
		steps = []Step{{0, "green"}}
	}
	out := []any{}
	for i, s := range steps {
		var from any = s.From
		if i == 0 {
			from = nil
		}
		out = append(out, map[string]any{"color": s.Color, "value": from})
	}
	return out
}

func (p Panel) mappings() []any {
	options := map[string]any{}
	for i, value := range slices.Sorted(maps.Keys(p.Words)) {
		options[value] = map[string]any{"text": p.Words[value], "index": i}
	}
	if len(options) == 0 {
		return []any{}
	}
	return []any{map[string]any{"type": "value", "options": options}}
}

// firing is the first panel of every page: the alerts of ours that fire now.
func firing() Panel {
	return Panel{
		Title: "Alerts", Help: "Alerts of spokedns that fire now, each with a runbook.", Form: Stat, Unit: "short", Steps: below(1, 1),
		Queries: []Query{{fmt.Sprintf("sum(ALERTS{%s, %s, %s}) or vector(0)", `alertname=~"Spokedns.+"`, `alertstate="firing"`, `namespace=~"$namespace"`), "firing"}},
	}
}
