package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// described is a Registerer that only asks what there is.
type described struct {
	prometheus.Registerer
	labels map[string][]string // by name of the metric
}

// MustRegister implements prometheus.Registerer.
func (d described) MustRegister(all ...prometheus.Collector) {
	said := regexp.MustCompile(`fqName: "(spokedns_\w+)".*variableLabels: \{([^}]*)\}`)
	for _, c := range all {
		descs := make(chan *prometheus.Desc, 1000)
		c.Describe(descs)
		close(descs)
		for desc := range descs {
			if m := said.FindStringSubmatch(desc.String()); m != nil {
				d.labels[m[1]] = split(m[2], ",")
			}
		}
	}
}

func split(s, by string) []string {
	out := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(by+" `", r) })
	slices.Sort(out)
	return out
}

// section is the part of docs/metrics.md under a heading, until the next one that is no deeper.
func section(t *testing.T, heading string) string {
	t.Helper()
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, out, found := strings.Cut(string(doc), "\n"+heading+"\n")
	if !found {
		t.Fatalf("docs/metrics.md has no %q", heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	for n := range len(level) - 1 {
		out, _, _ = strings.Cut(out, "\n"+level[n+1:]+" ")
	}
	out, _, _ = strings.Cut(out, "\n"+level+" ")
	return out
}

// explained are the metrics of a table, with their labels and types.
func explained(text string) (labels map[string][]string, types map[string]string) {
	labels, types = map[string][]string{}, map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(spokedns_\\w+)` \\| (\\w+) \\|([^|]*)\\|").FindAllStringSubmatch(text, -1) {
		labels[row[1]], types[row[1]] = split(row[3], ","), row[2]
	}
	return labels, types
}

// docs/metrics.md has every metric, its labels and its type, and none that does not exist.
func TestTheDocumentationHasTheseMetrics(t *testing.T) {
	s := newSite(t)
	a := s.start("a")
	s.until("published", s.published(here))
	s.until("known", func() bool { return strings.Contains(a.body("/raw"), here) })

	there := described{labels: map[string][]string{}}
	newMetrics(there)
	there.MustRegister(gauges{a.controller})
	labels, types := explained(section(t, "## The ipcontroller"))
	if diff := cmp.Diff(there.labels, labels); diff != "" {
		t.Errorf("docs/metrics.md (-registered +explained):\n%s", diff)
	}

	families, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range families {
		if want, ours := types[f.GetName()]; ours {
			seen++
			if got := strings.ToLower(f.GetType().String()); got != want {
				t.Errorf("%s is a %s, docs/metrics.md says %s", f.GetName(), got, want)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d metrics have values", seen)
	}
}

// Every metric ESDDNS had has its line, and every metric of ours that is named there, for other operators and in
// alerts, exists with the labels that are used.
func TestOldMetricsHaveTheirCounterparts(t *testing.T) {
	old := section(t, "### ESDDNS")
	for _, name := range []string{
		"dns_updates_total{domain,record_type}", "dns_update_failures_total{domain,record_type,error_type}", "dns_update_duration_seconds{domain}",
		"last_dns_update_timestamp{domain}", "current_wan_ip_info{ip_address}", "wan_ip_changes_total", "wan_ip_discovery_duration_seconds",
		"wan_ip_discovery_failures_total{service}", "service_health{component}", "cache_hits_total", "cache_misses_total", "state_poll_timestamp",
		"state_in_sync{domain}", "dns_record_ip_matches{domain}", "endpoint_request_duration_seconds{method,endpoint}",
		"endpoint_requests_total{method,endpoint,status}", "configmap_reads", "configmap_read_failures", "fallback_detections", "stale_ip_warnings",
	} {
		if !regexp.MustCompile("(?m)^\\| (`[^`]*`, )?`" + regexp.QuoteMeta(name) + "`").MatchString(old) {
			t.Errorf("docs/metrics.md has no line for %s", name)
		}
	}

	known := map[string][]string{}
	for _, heading := range []string{"## The webhook", "## The ipcontroller"} {
		labels, _ := explained(section(t, heading))
		for name, of := range labels {
			known[name] = append(known[name], of...)
		}
	}
	text := section(t, "## The webhook") + section(t, "## The ipcontroller") + section(t, "## Coming from other operators")
	used := regexp.MustCompile(`(spokedns_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(text, -1)
	for _, use := range used {
		labels, exists := known[use[1]]
		if !exists {
			t.Errorf("%s is named and not explained", use[1])
		}
		for _, l := range regexp.MustCompile(`(\w+)(?:=~?"[^"]*")?(?:,|$)`).FindAllStringSubmatch(use[2], -1) {
			if !slices.Contains(labels, l[1]) {
				t.Errorf("%s has no label %s, only %q", use[0], l[1], labels)
			}
		}
	}
	if len(used) < 60 {
		t.Errorf("only %d names found", len(used))
	}
}

// The webhook's metrics are tested against docs/metrics.md there; here, that none of the names is made up.
func TestTheWebhooksMetricsAreInItsCode(t *testing.T) {
	labels, _ := explained(section(t, "## The webhook"))
	missing := maps.Clone(labels)
	err := filepath.WalkDir("../webhook", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for name := range labels {
			if strings.Contains(string(code), `"`+name+`"`) || strings.Contains(string(code), `"`+strings.TrimPrefix(name, "spokedns_")+`"`) {
				delete(missing, name)
			}
		}
		return err
	})
	if err != nil || len(labels) < 15 || len(missing) > 0 {
		t.Errorf("%d names, of which no code has %q (%v)", len(labels), slices.Collect(maps.Keys(missing)), err)
	}
}
