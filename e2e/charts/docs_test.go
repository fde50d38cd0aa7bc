package charts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// snippet is a values file that a page shows.
type snippet struct{ page, chart, text string }

// snippets are the blocks of the pages that begin with "yaml chart NAME".
func snippets(t *testing.T) (out []snippet) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(stack.Root(), "charts", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, filepath.Join(stack.Root(), "docs", "install.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```") {
			head, code, _ := strings.Cut(block, "\n")
			words := strings.Fields(head)
			if i%2 == 1 && len(words) >= 3 && words[1] == "chart" {
				out = append(out, snippet{page: strings.TrimPrefix(page, stack.Root()), chart: strings.Join(words[2:], " "), text: code})
			}
		}
	}
	return out
}

// upstreamChart is the directory of external-dns's own chart, as its module brings it.
func upstreamChart(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/external-dns")
	cmd.Dir = filepath.Join(stack.Root(), "e2e")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "charts", "external-dns")
}

// Every values file that the pages show is one: the chart takes it, the API server takes what it renders to, and the
// webhook its configuration.
func TestThePagesShowValuesThatWork(t *testing.T) {
	program, err := stack.BuildWebhook(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t)
	s.define()
	s.namespace(namespace)
	shown := map[string]int{}
	for _, sn := range snippets(t) {
		shown[sn.chart]++
		t.Run(sn.page+"/"+sn.chart, func(t *testing.T) {
			chart, _, _ := strings.Cut(sn.chart, " ")
			dir := upstreamChart(t)
			if chart != "external-dns" {
				dir = chartDir(t, chart)
			}
			r := render(t, dir, valuesFile(t, sn.text))
			s.on(t).takes(r)
			s.on(t).admits(r)
			for _, cm := range all[corev1.ConfigMap](r, "ConfigMap") {
				if config, ok := cm.Data["config.yaml"]; ok && strings.Contains(config, "views:") {
					accepts(t, program, config)
				}
			}
		})
	}
	for _, chart := range []string{"webhook", "webhook companion", "external-dns"} {
		if shown[chart] == 0 {
			t.Errorf("no page shows values of %s", chart)
		}
	}
}

// What the page tells the two charts fits together: names, account, ownership, the pod's labels.
func TestTheCompanionFitsTheOtherChart(t *testing.T) {
	var ours, theirs release
	for _, sn := range snippets(t) {
		switch sn.chart {
		case "webhook companion":
			ours = parsed(t, rendered(t, "dns", chartDir(t, "webhook"), sn.text))
		case "external-dns":
			theirs = parsed(t, rendered(t, "external-dns", upstreamChart(t), sn.text))
		}
	}
	deployment := get[appsv1.Deployment](theirs, "Deployment", "external-dns")
	pod := deployment.Spec.Template
	config := get[corev1.ConfigMap](ours, "ConfigMap", "dns-webhook").Data["config.yaml"]
	mounted := false
	for _, v := range pod.Spec.Volumes {
		mounted = mounted || v.ConfigMap != nil && v.ConfigMap.Name == "dns-webhook"
	}
	if !mounted {
		t.Error("nobody mounts ConfigMap dns-webhook")
	}
	for _, b := range all[rbacv1.ClusterRoleBinding](ours, "ClusterRoleBinding") {
		if b.Subjects[0].Name != pod.Spec.ServiceAccountName {
			t.Errorf("%s is for %s; the pod is %s", b.Name, b.Subjects[0].Name, pod.Spec.ServiceAccountName)
		}
	}
	for label, value := range policySelector(ours) {
		if pod.Labels[label] != value {
			t.Errorf("the NetworkPolicy is for pods with %s=%s; the pod has %q", label, value, pod.Labels[label])
		}
	}
	args := strings.Join(pod.Spec.Containers[0].Args, " ")
	for flag, key := range map[string]string{
		"--registry=": "registry: ", "--txt-owner-id=": "txtOwnerID: ", "--txt-prefix=": "txtPrefix: ", "--txt-wildcard-replacement=": "txtWildcardReplacement: ",
	} {
		if a, b := after(args, flag), after(config, key); a == "" || a != b {
			t.Errorf("external-dns has %s%s, the webhook %s%s", flag, a, key, b)
		}
	}
}

// rendered is a chart as a release of that name.
func rendered(t *testing.T, name, dir, values string) string {
	t.Helper()
	out, err := helm(t, "template", name, dir, "--namespace", namespace, "--kube-version", "v1.36.0", "--values", valuesFile(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// after is the word after a text.
func after(text, what string) string {
	_, rest, _ := strings.Cut(text, what)
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return ""
}

func policySelector(r release) map[string]string {
	for _, u := range r.objects {
		if u.GetKind() == "NetworkPolicy" {
			labels := map[string]string{}
			spec, _ := u.Object["spec"].(map[string]any)
			selector, _ := spec["podSelector"].(map[string]any)
			match, _ := selector["matchLabels"].(map[string]any)
			for k, v := range match {
				labels[k], _ = v.(string)
			}
			return labels
		}
	}
	return nil
}
