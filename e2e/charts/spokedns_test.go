package charts_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Each switch brings its chart and nothing else.
func TestSwitchesOfTheUmbrella(t *testing.T) {
	dir := chartDir(t, "spokedns")
	images := `{"webhook":{"image":{"repository":"r/w"},"externalDNS":{"txtOwnerId":"a"},"config":{"views":[{"name":"a"}]}},` +
		`"ipcontroller":{"image":{"repository":"r/i"}},"corednsconfig":{"image":{"repository":"r/c"}},` +
		`"zonecontroller":{"image":{"repository":"r/z"}},` +
		`"centralDNS":{"landscape":{"zones":["a.example"]},"setup":{"image":{"repository":"r/c"}}},"install":`
	for values, want := range map[string][]string{
		`{}`:                                         {"edge-webhook"},
		`{"webhook":false}`:                          nil,
		`{"webhook":false,"ipcontroller":true}`:      {"edge-ipcontroller"},
		`{"webhook":false,"corednsconfig":true}`:     {"edge-corednsconfig"},
		`{"webhook":false,"zonecontroller":true}`:    {"edge-zonecontroller"},
		`{"webhook":false,"centralDNS":true}`:        {"edge-central-dns"},
		`{"ipcontroller":true,"corednsconfig":true}`: {"edge-corednsconfig", "edge-ipcontroller", "edge-webhook"},
	} {
		var got []string
		for _, u := range render(t, dir, valuesFile(t, images+values+"}")).objects {
			if u.GetKind() == "Deployment" {
				got = append(got, u.GetName())
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", values, diff)
		}
	}
}

// Under the overlay for development nothing is written; under the one for production everything is watched.
func TestOverlaysOfTheUmbrella(t *testing.T) {
	dir := chartDir(t, "spokedns")
	overlay := func(name string) release {
		at := func(elements ...string) string {
			return filepath.Join(append([]string{stack.Root(), "charts", "spokedns"}, elements...)...)
		}
		return render(t, dir, at("examples", "changing-address.yaml")+","+at("values-"+name+".yaml"))
	}
	development, production := overlay("development"), overlay("production")
	if config := get[corev1.ConfigMap](development, "ConfigMap", "edge-webhook").Data["config.yaml"]; after(config, "dryRun: ") != "true" {
		t.Errorf("development writes:\n%s", config)
	}
	if config := get[corev1.ConfigMap](production, "ConfigMap", "edge-webhook").Data["config.yaml"]; after(config, "dryRun: ") != "" {
		t.Errorf("production does not write:\n%s", config)
	}
	for _, name := range []string{"edge-webhook", "edge-ipcontroller"} {
		for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
			if !slices.Contains(production.kinds(), kind+" "+name) || slices.Contains(development.kinds(), kind+" "+name) {
				t.Errorf("%s %s: want it in production, and only there", kind, name)
			}
		}
	}
}

func TestTheUmbrellaRefusesWrongValues(t *testing.T) {
	refused(t, "spokedns", filepath.Join(stack.Root(), "charts", "spokedns", "examples", "landscape-center.yaml"), []wrong{
		{`instal.webhook=true`, "instal"},
		{`install.zonecontrollers=true`, "zonecontrollers"},
		{`install.webhook="yes"`, "webhook"},
		{`centraldns.replicas=1`, "centraldns"},
		{`centralDNS.etcd.replicas=2`, "replicas"},
		{`corednsconfig.parallel="many"`, "parallel"},
		{`corednsconfig.enabled=true`, "enabled"},
	})
}
