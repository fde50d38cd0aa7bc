package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFigures(t *testing.T) {
	const text = `# HELP coredns_plugin_enabled A metric that indicates whether a plugin is enabled on per server and zone basis.
# TYPE coredns_plugin_enabled gauge
coredns_plugin_enabled{name="cache",server="dns://:53",view="",zone="."} 1
coredns_plugin_enabled{name="forward",server="dns://:53",view="",zone="."} 1
coredns_plugin_enabled{name="forward",server="dns://:53",view="",zone="openmcp.cluster."} 1
# HELP coredns_reload_failed_total Counter of the number of failed reload attempts.
# TYPE coredns_reload_failed_total counter
coredns_reload_failed_total 2
# HELP coredns_reload_version_info A metric with a constant '1' value labeled by hash, and value which type of hash generated.
# TYPE coredns_reload_version_info gauge
coredns_reload_version_info{hash="sha512",value="953949"} 1
`
	got, err := parseFigures(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := &figures{Hash: "sha512:953949", Failed: 2, Zones: map[string]bool{".": true, "openmcp.cluster.": true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = parseFigures(strings.NewReader("")); err != nil || got.Hash != "" || got.Failed != 0 || len(got.Zones) != 0 {
		t.Errorf("a CoreDNS that was never reloaded: %+v, %v", got, err)
	}
	if _, err = parseFigures(strings.NewReader("<html>")); err == nil {
		t.Error("want an error for what is no metrics")
	}
}
