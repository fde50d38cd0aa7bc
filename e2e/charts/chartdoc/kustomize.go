package chartdoc

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kustomize is the base for users of kustomize, as the helm program renders it: content by path. What only tells that
// Helm looks after an object is left out.
func Kustomize(ctx context.Context, root, helm string) (map[string]string, error) {
	dir := filepath.Join(root, "charts", "kustomize")
	cmd := exec.CommandContext(ctx, helm, "template", "spokedns", filepath.Join(root, "charts", "webhook"), "--namespace", "dns",
		"--kube-version", "v1.29.0", "--values", filepath.Join(dir, "values.yaml"))
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("render the base for kustomize: %w", err)
	}
	var b strings.Builder
	b.WriteString("# What the chart webhook renders for ../values.yaml.\n")
	for line := range strings.Lines(string(out)) {
		if text := strings.TrimSpace(line); text != "" && text != "app.kubernetes.io/managed-by: Helm" &&
			!strings.HasPrefix(text, "helm.sh/chart:") && !strings.HasPrefix(text, "# Source:") {
			b.WriteString(line)
		}
	}
	return map[string]string{filepath.Join(dir, "base", "webhook.yaml"): b.String()}, nil
}
