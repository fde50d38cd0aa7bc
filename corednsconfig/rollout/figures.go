package rollout

import (
	"fmt"
	"io"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// figures are what a CoreDNS tells about its configuration.
type figures struct {
	// Hash is that of the file it read last, "sha512:…", loaded or rejected; empty before the first reload.
	Hash string
	// Failed counts the reloads it rejected since it started. A file it cannot even parse is not counted.
	Failed float64
	// Zones have a forward plugin in their block, as far as the block has a prometheus plugin: "openmcp.cluster.".
	Zones map[string]bool
}

func parseFigures(r io.Reader) (*figures, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("metrics of CoreDNS: %w", err)
	}
	f := &figures{Zones: map[string]bool{}}
	for _, m := range families["coredns_reload_version_info"].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if m.GetGauge().GetValue() == 1 {
			f.Hash = labels["hash"] + ":" + labels["value"]
		}
	}
	for _, m := range families["coredns_reload_failed_total"].GetMetric() {
		f.Failed += m.GetCounter().GetValue()
	}
	for _, m := range families["coredns_plugin_enabled"].GetMetric() {
		var name, zone string
		for _, l := range m.GetLabel() {
			switch l.GetName() {
			case "name":
				name = l.GetValue()
			case "zone":
				zone = l.GetValue()
			}
		}
		if name == "forward" && m.GetGauge().GetValue() == 1 {
			f.Zones[zone] = true
		}
	}
	return f, nil
}
