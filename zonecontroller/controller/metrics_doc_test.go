package controller_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/zonecontroller/controller"
)

// described is a Registerer that only asks what there is: labels by name.
type described struct {
	prometheus.Registerer
	labels map[string]string
}

// MustRegister implements prometheus.Registerer.
func (d described) MustRegister(all ...prometheus.Collector) {
	said := regexp.MustCompile(`fqName: "(spokedns_\w+)".*variableLabels: \{([^}]*)\}`)
	for _, c := range all {
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			m := said.FindStringSubmatch(desc.String())
			d.labels[m[1]] = sorted(m[2])
		}
	}
}

func sorted(labels string) string {
	out := strings.FieldsFunc(labels, func(r rune) bool { return strings.ContainsRune(", `", r) })
	slices.Sort(out)
	return strings.Join(out, ",")
}

// docs/metrics.md has every metric with its labels, and none that does not exist.
func TestTheDocumentationHasTheseMetrics(t *testing.T) {
	there := described{labels: map[string]string{
		// Of the program that has the election; the test of the chart reads them there.
		"spokedns_zone_leader": "", "spokedns_build_info": "version",
	}}
	controller.NewMetrics(there)
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n## The zonecontroller\n")
	text, _, _ = strings.Cut(text, "\n## ")
	explained := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(spokedns_\\w+)` \\| \\w+ \\|([^|]*)\\|").FindAllStringSubmatch(text, -1) {
		explained[row[1]] = sorted(row[2])
	}
	if diff := cmp.Diff(there.labels, explained); diff != "" {
		t.Errorf("docs/metrics.md (-registered +explained):\n%s", diff)
	}
}
