package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/e2e/stack"
)

// TestGenerated has the definition of DNSForwarding and its copying code made anew: what is committed is that.
func TestGenerated(t *testing.T) {
	generator, err := stack.Tool("controller-gen")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), generator, "object", "crd", "paths=./corednsconfig/api/v1alpha1",
		"output:crd:dir="+dir, "output:object:dir="+dir)
	cmd.Dir = stack.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != 2 {
		t.Fatalf("%v, %v: want a definition and a Go file", made, err)
	}
	for _, file := range made {
		want, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(filepath.Dir(definition()), file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), string(want)); diff != "" {
			t.Errorf("%s is not what its types say; run make generate (-committed +made):\n%s", file.Name(), diff)
		}
	}
}
