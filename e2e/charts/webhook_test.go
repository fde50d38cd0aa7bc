package charts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// The real webhook accepts every configuration that the charts render.
func TestTheWebhookAcceptsItsConfiguration(t *testing.T) {
	program, err := stack.BuildWebhook(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	everyCase(t, func(t *testing.T, _, dir, values string) {
		for _, cm := range all[corev1.ConfigMap](render(t, dir, values), "ConfigMap") {
			config, ok := cm.Data["config.yaml"]
			if !ok {
				continue
			}
			checked++
			accepts(t, program, config)
		}
	})
	if checked == 0 {
		t.Error("no chart renders a configuration of the webhook")
	}
}

// accepts asks the real webhook about a configuration. Files that it names are in Secrets; they are put into a
// directory of the test.
func accepts(t *testing.T, program, config string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "--check", "--config="+path).CombinedOutput(); err != nil {
		t.Errorf("the webhook refuses:\n%s\n%s", out, config)
	}
}

func TestTheWebhookIsASidecar(t *testing.T) {
	r := render(t, chartDir(t, "webhook"), "testdata/webhook/least.yaml")
	pod := get[appsv1.Deployment](r, "Deployment", "edge-webhook").Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 1 {
		t.Fatalf("%d init containers and %d containers; want one of each", len(pod.InitContainers), len(pod.Containers))
	}
	webhook, externalDNS := pod.InitContainers[0], pod.Containers[0]
	if webhook.RestartPolicy == nil || *webhook.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the webhook is an init container that is waited for, not a sidecar")
	}
	if webhook.StartupProbe == nil || webhook.StartupProbe.HTTPGet.Path != "/healthz" {
		t.Error("without a startup probe external-dns starts before the webhook listens")
	}
	if webhook.LivenessProbe.HTTPGet.Path != "/healthz" || webhook.ReadinessProbe.HTTPGet.Path != "/readyz" {
		t.Error("wrong probes of the webhook")
	}
	var env []string
	for _, e := range webhook.Env {
		env = append(env, e.Name+"="+e.ValueFrom.FieldRef.FieldPath)
	}
	if diff := cmp.Diff([]string{"POD_NAME=metadata.name", "POD_NAMESPACE=metadata.namespace"}, env); diff != "" {
		t.Error(diff)
	}
	for _, mount := range webhook.VolumeMounts {
		if !mount.ReadOnly || mount.SubPath != "" {
			t.Errorf("mount %s is writable, or by subPath, which is never updated", mount.Name)
		}
	}
	want := []string{
		"--provider=webhook", "--webhook-provider-url=http://127.0.0.1:8888", "--metrics-address=:7979",
		"--source=ingress", "--source=service", "--policy=sync", "--interval=900ms", "--registry=txt",
		"--txt-owner-id=spoke-1", "--txt-prefix=_owner-%{record_type}.", "--txt-wildcard-replacement=any",
		"--managed-record-types=A", "--managed-record-types=AAAA", "--managed-record-types=CNAME",
		"--annotation-prefix=external-dns.alpha.kubernetes.io/", "--log-level=info", "--log-format=text",
	}
	if diff := cmp.Diff(want, externalDNS.Args); diff != "" {
		t.Error(diff)
	}
	if externalDNS.Image != "registry.k8s.io/external-dns/external-dns:v0.21.0" || webhook.Image != "registry.example.org/spokedns/webhook:0.1.0" {
		t.Errorf("images %s, %s", externalDNS.Image, webhook.Image)
	}
}

// A changed configuration is read by the running pod: nothing but the ConfigMap may change.
func TestAChangedConfigurationRestartsNothing(t *testing.T) {
	dir := chartDir(t, "webhook")
	before := render(t, dir, "testdata/webhook/least.yaml")
	after := render(t, dir, "testdata/webhook/least.yaml", "--set", "config.targets.hub.static={203.0.113.77}")
	for i, u := range before.objects {
		diff := cmp.Diff(u, after.objects[i])
		if changed := diff != ""; changed != (u.GetKind() == "ConfigMap") {
			t.Errorf("%s %s: changed %v: %s", u.GetKind(), u.GetName(), changed, diff)
		}
	}
}

// What external-dns is told about ownership is what the webhook is told.
func TestOwnershipIsSaidOnce(t *testing.T) {
	for _, c := range []struct{ values, flags, section string }{
		{"least", "--registry=txt --txt-owner-id=spoke-1 --txt-prefix=_owner-%{record_type}. --txt-wildcard-replacement=any",
			"registry: txt txtOwnerID: spoke-1 txtPrefix: _owner-%{record_type}. txtWildcardReplacement: any"},
		{"full", "--registry=txt --txt-owner-id=spoke-1 --txt-suffix=-%{record_type} --txt-wildcard-replacement=star",
			"registry: txt txtOwnerID: spoke-1 txtSuffix: -%{record_type} txtWildcardReplacement: star"},
	} {
		r := render(t, chartDir(t, "webhook"), "testdata/webhook/"+c.values+".yaml")
		args := all[appsv1.Deployment](r, "Deployment")[0].Spec.Template.Spec.Containers[0].Args
		if !strings.Contains(strings.Join(args, " "), c.flags) {
			t.Errorf("%s: %q lacks %q", c.values, args, c.flags)
		}
		var config string
		for _, cm := range all[corev1.ConfigMap](r, "ConfigMap") {
			config += cm.Data["config.yaml"]
		}
		if !strings.Contains(strings.Join(strings.Fields(config), " "), c.section) {
			t.Errorf("%s: lacks %q:\n%s", c.values, c.section, config)
		}
	}
}

func TestCompanionHasNoPod(t *testing.T) {
	r := render(t, chartDir(t, "webhook"), "testdata/webhook/companion.yaml")
	for _, u := range r.objects {
		if slices.Contains([]string{"Deployment", "ServiceAccount", "Service", "ServiceMonitor", "PodDisruptionBudget"}, u.GetKind()) {
			t.Errorf("has a %s", u.GetKind())
		}
	}
	policy := get[networkingv1.NetworkPolicy](r, "NetworkPolicy", "edge-webhook")
	want := map[string]string{"app.kubernetes.io/name": "external-dns"}
	if diff := cmp.Diff(want, policy.Spec.PodSelector.MatchLabels); diff != "" {
		t.Error(diff)
	}
}

// With egress on, the pod reaches what its backends need and nothing else.
func TestEgressFollowsTheBackends(t *testing.T) {
	for values, want := range map[string][]int32{
		"full":      {53, 53, 6443, 443, 2379, 8889, 3128},
		"companion": {53, 53, 443, 6443, 443},
		"detect":    {53, 53, 443, 6443, 5353, 443, 853, 19302, 3478},
	} {
		r := render(t, chartDir(t, "webhook"), "testdata/webhook/"+values+".yaml")
		var got []int32
		for _, rule := range all[networkingv1.NetworkPolicy](r, "NetworkPolicy")[0].Spec.Egress {
			for _, port := range rule.Ports {
				got = append(got, port.Port.IntVal)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", values, diff)
		}
	}
}
