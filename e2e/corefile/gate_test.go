// Package corefile_test holds what corednsconfig/corefile says about Corefiles against a real CoreDNS.
package corefile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Every faulty Corefile says on its first line whether CoreDNS 1.15.0 starts with it. Those that it starts with are faults of
// another release, or traps.
func TestCoreDNSAgreesWithTheStaticGate(t *testing.T) {
	program, err := stack.Tool("coredns")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(stack.Root(), "corednsconfig/corefile/testdata/faulty/*"))
	if err != nil || len(paths) < 70 {
		t.Fatalf("found %d faulty Corefiles (%v), want at least 70", len(paths), err)
	}
	header := regexp.MustCompile(`; CoreDNS 1\.15\.0 (refuses|starts)$`)
	refused := 0
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(src), "\n")
			m := header.FindStringSubmatch(first)
			if m == nil {
				t.Fatalf("first line %q does not say what CoreDNS 1.15.0 does", first)
			}
			started, output := tryToStart(t, program, src)
			if started != (m[1] == "starts") {
				t.Errorf("CoreDNS started: %v, want that it %s\n%s", started, m[1], output)
			}
			if !started {
				refused++
			}
		})
	}
	t.Logf("%d faulty Corefiles, %d of them refused by CoreDNS 1.15.0 too", len(paths), refused)
}

// tryToStart runs CoreDNS with src, its ports replaced by free ones, until it says that it runs or ends.
func tryToStart(t *testing.T, program string, src []byte) (started bool, output string) {
	t.Helper()
	for _, port := range []string{":53", ":9153", "127.0.0.1:8181"} {
		free, err := stack.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		src = regexp.MustCompile(regexp.QuoteMeta(port)+`\b`).ReplaceAll(src, fmt.Appendf(nil, "%s:%d", strings.Split(port, ":")[0], free))
	}
	free, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "Corefile")
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out := &watched{want: []byte("CoreDNS-1.15.0"), found: make(chan struct{})}
	cmd := exec.CommandContext(ctx, program, "-conf", path, "-dns.port", fmt.Sprint(free))
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || ctx.Err() != nil {
			t.Fatalf("CoreDNS ended with %v (%v)\n%s", err, ctx.Err(), out.text)
		}
		return false, string(out.text)
	case <-out.found:
		cancel()
		if err := <-ended; err == nil {
			t.Error("CoreDNS ended by itself")
		}
		return true, string(out.text)
	}
}

// watched collects output and tells when it holds want. os/exec writes to it from one goroutine.
type watched struct {
	want, text []byte
	found      chan struct{}
	told       bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	if !w.told && bytes.Contains(w.text, w.want) {
		w.told = true
		close(w.found)
	}
	return len(p), nil
}
