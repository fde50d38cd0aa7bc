package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/e2e/stack"
)

// TestPlanCommand: a plan shows what would be written, or says in which line what is wrong, and touches nothing.
func TestPlanCommand(t *testing.T) {
	s := stack.ForTest(t)
	program := build(t)
	api := cluster(t, s, "spoke", stock("cluster.local"))
	run := func(t *testing.T, args ...string) (string, string, error) {
		t.Helper()
		before := snapshot(t, api)
		out, errs, err := command(t, program, append([]string{"plan", "--kubeconfig=" + api.Kubeconfig}, args...)...)
		if diff := cmp.Diff(before, snapshot(t, api)); diff != "" {
			t.Errorf("the plan wrote (-before +after)\n%s", diff)
		}
		return out, errs, err
	}
	t.Run("diff", func(t *testing.T) {
		out, errs, err := run(t, "--zone=openmcp.cluster", "--zone=18.172.in-addr.arpa", "--upstream=10.0.0.53", "--upstream=10.0.1.53:5353")
		if err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		for _, want := range []string{"# dialect: corefile", "kube-system/coredns/Corefile", "@@", "+18.172.in-addr.arpa:53 openmcp.cluster:53 {", "10.0.1.53:5353"} {
			if !strings.Contains(out, want) {
				t.Errorf("it lacks %q", want)
			}
		}
		// What patch makes of the diff has every line that was there.
		dir := t.TempDir()
		file := filepath.Join(dir, "Corefile")
		if err := os.WriteFile(file, []byte(stock("cluster.local")), 0o600); err != nil {
			t.Fatal(err)
		}
		patch := exec.CommandContext(t.Context(), "git", "apply", "--unsafe-paths", "-p3", "--directory="+dir)
		patch.Stdin, patch.Dir = strings.NewReader(out), dir
		if text, err := patch.CombinedOutput(); err != nil {
			t.Errorf("git apply: %v\n%s\n%s", err, text, out)
		}
		t.Log("\n" + out)
	})
	for name, c := range map[string]struct {
		corefile string
		args     []string
		says     []string
	}{
		"zone under the cluster domain": {stock("k8s.corp"), []string{"--zone=apps.k8s.corp", "--upstream=10.0.0.53"}, []string{"ClusterDomain", "apps.k8s.corp"}},
		"zone above the cluster domain": {stock("k8s.corp"), []string{"--zone=corp", "--upstream=10.0.0.53"}, []string{"ClusterDomain", "corp"}},
		"the cluster itself":            {stock("cluster.local"), []string{"--zone=openmcp.cluster", "--upstream=10.96.0.10"}, []string{"Loop", "10.96.0.10"}},
		"broken before us":              {stock("cluster.local") + "example.org {\n    forward . 10.0.0.1\n", []string{"--zone=openmcp.cluster", "--upstream=10.0.0.53"}, []string{"BadCorefile", "Corefile:22: the block of line 21 is not closed"}},
		"the user's own block":          {stock("cluster.local") + "OpenMCP.cluster. {\n    forward . 10.0.0.1\n}\n", []string{"--zone=openmcp.cluster", "--upstream=10.0.0.53"}, []string{"UserZone", "Corefile:21"}},
		"no address":                    {stock("cluster.local"), []string{"--zone=openmcp.cluster", "--upstream=dns.example"}, []string{"--upstream", `"dns.example"`, "10.0.0.53"}},
		"no zone":                       {stock("cluster.local"), []string{"--zone=a b", "--upstream=10.0.0.53"}, []string{`a b`}},
	} {
		t.Run(name, func(t *testing.T) {
			setDNS(t, api, c.corefile)
			out, errs, err := run(t, c.args...)
			if err == nil || out != "" {
				t.Fatalf("%v, %s", err, out)
			}
			for _, want := range c.says {
				if !strings.Contains(errs, want) {
					t.Errorf("it says %s\nwithout %q", errs, want)
				}
			}
			t.Log(errs)
		})
	}
}
