package charts_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The real kubectl builds base and overlays; what comes out is taken as a release is.
func TestKustomizeBuildsTheOverlays(t *testing.T) {
	kubectl, err := stack.Tool("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	program, err := stack.BuildWebhook(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t)
	for at, want := range map[string]struct{ image, dryRun, priority string }{
		"base":                 {image: "spokedns/webhook:0.1.0"},
		"overlays/development": {image: "registry.example.org/spokedns/webhook:0.1.0", dryRun: "true"},
		"overlays/production":  {image: "registry.example.org/spokedns/webhook:0.1.0", priority: "system-cluster-critical"},
	} {
		t.Run(at, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), kubectl, "kustomize", filepath.Join(stack.Root(), "charts", "kustomize", at)).CombinedOutput()
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			r := parsed(t, string(out))
			s.on(t).takes(r)
			s.on(t).admits(r)
			config := get[corev1.ConfigMap](r, "ConfigMap", "spokedns-webhook").Data["config.yaml"]
			accepts(t, program, config)
			pod := get[appsv1.Deployment](r, "Deployment", "spokedns-webhook").Spec.Template.Spec
			if got := pod.InitContainers[0].Image; got != want.image {
				t.Errorf("image %s, want %s", got, want.image)
			}
			if got := after(config, "dryRun: "); got != want.dryRun {
				t.Errorf("dryRun %q, want %q", got, want.dryRun)
			}
			if pod.PriorityClassName != want.priority {
				t.Errorf("priority %q, want %q", pod.PriorityClassName, want.priority)
			}
		})
	}
}
