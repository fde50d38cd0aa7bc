package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spokedns/spokedns/e2e/stack"
)

// readme does what the README says under "Into a cluster", word for word, behind `make images` and `make cluster`: this
// cluster is as that one.
func (h *house) readme() {
	text, err := os.ReadFile(filepath.Join(stack.Root(), "README.md"))
	h.must(err)
	_, section, found := strings.Cut(string(text), "\n## Into a cluster\n")
	if !found {
		h.Fatal("the README has no section \"Into a cluster\"")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var commands, made []string
	for line := range strings.Lines(section) {
		line, indented := strings.CutPrefix(line, "    ")
		switch {
		case !indented:
		case strings.HasPrefix(line, "make "):
			made = append(made, strings.Fields(line)[1])
		default:
			commands = append(commands, line)
		}
	}
	if len(made) < 2 || made[0] != "images" || made[1] != "cluster" || !strings.Contains(strings.Join(commands, ""), "helm install") {
		h.Fatalf("want make images, make cluster and helm install: %q, %q", made, commands)
	}
	cmd := exec.CommandContext(h.Context(), "bash", "-euo", "pipefail", "-c", strings.Join(commands, ""))
	cmd.Dir = filepath.Dir(h.Charts)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+h.Cluster.Kubeconfig, "PATH="+filepath.Join(stack.Root(), ".tools")+":"+os.Getenv("PATH"),
		"HELM_CACHE_HOME="+h.TempDir(), "HELM_CONFIG_HOME="+h.TempDir(), "HELM_DATA_HOME="+h.TempDir())
	out, err := cmd.CombinedOutput()
	h.Logf("%s", out)
	h.must(err)
	h.ready("dns")
}
