package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/e2e/stack"
)

// documented is the code block of a language on the page about the rfc2136 backend, in a file.
func documented(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(stack.Root(), "docs", "backends", "rfc2136.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "```"+language+"\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatalf("the page has no block in %s", language)
	}
	path := filepath.Join(t.TempDir(), language+".conf")
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What the documentation tells administrators to write is taken by the servers' own checkers.
func TestRFC2136DocumentedServersAreValid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language, program, debian string
		args                      []string
	}{
		{"named", "named-checkconf", "bind9", nil},
		{"knot", "knotc", "knot", []string{"conf-check"}},
	} {
		t.Run(c.language, func(t *testing.T) {
			program, err := stack.System(c.program, c.debian)
			if err != nil {
				t.Fatal(err)
			}
			args := []string{documented(t, c.language)}
			if c.args != nil {
				args = append([]string{"-c"}, append(args, c.args...)...)
			}
			if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", c.program, err, out)
			}
		})
	}
}
