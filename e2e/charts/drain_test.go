package charts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// Draining, external-dns looks at nothing and may delete all that is its own, whatever else it was told; and the pods
// can be told from those before.
func TestADrainWithdrawsEverything(t *testing.T) {
	r := render(t, chartDir(t, "webhook"), "testdata/webhook/drain.yaml")
	pod := get[appsv1.Deployment](r, "Deployment", "edge-webhook").Spec.Template
	if pod.Labels["dns.spokedns.io/drain"] != "true" {
		t.Errorf("labels %v", pod.Labels)
	}
	said := slices.DeleteFunc(slices.Clone(pod.Spec.Containers[0].Args), func(arg string) bool {
		name, _, _ := strings.Cut(arg, "=")
		return !slices.Contains([]string{"--source", "--label-filter", "--policy", "--interval", "--events", "--once", "--domain-filter", "--txt-owner-id"}, name)
	})
	want := []string{"--source=ingress", "--label-filter=dns.spokedns.io/drain,!dns.spokedns.io/drain", "--policy=sync", "--interval=2s", "--txt-owner-id=spoke-1", "--domain-filter=example.org"}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	config := get[corev1.ConfigMap](r, "ConfigMap", "edge-webhook").Data["config.yaml"]
	if !strings.Contains(config, "maxDeleteShare: 1\n") || !strings.Contains(config, "maxDeleteMin: 5\n") {
		t.Errorf("the rails may hold it up:\n%s", config)
	}
	refused(t, "webhook", "testdata/webhook/noop.yaml", []wrong{{"drain=true", "would delete those of others"}})
}
