// Package stack owns the real parts that tests, the demo and the benchmark run against: it starts them
// on loopback from a temporary directory, waits until they answer, and ends them.
//
// A part that is missing is an error that says how to get it, never a reason to skip.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Stack is a set of running parts that end together.
type Stack struct {
	Dir string // working directory; every part has a sub-directory and a log file in it

	mu    sync.Mutex
	parts []*Part
}

// New returns an empty stack working in dir, which must exist.
func New(dir string) *Stack { return &Stack{Dir: dir} }

// ForTest returns a stack that ends with the test; when the test failed, the end of every part's log is
// shown.
func ForTest(t testing.TB) *Stack {
	t.Helper()
	s := New(t.TempDir())
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			var b strings.Builder
			s.PrintLogs(&b, 40)
			t.Log(b.String())
		}
	})
	return s
}

// Close ends every part, the youngest first, and waits for it.
func (s *Stack) Close() {
	s.mu.Lock()
	parts := slices.Clone(s.parts)
	s.mu.Unlock()
	for _, p := range slices.Backward(parts) {
		p.Stop()
	}
}

// PrintLogs writes the last n lines of every part's log.
func (s *Stack) PrintLogs(w io.Writer, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		fmt.Fprintf(w, "--- %s\n%s\n", p.Name, p.LogTail(n))
	}
}

// Part is one running program.
type Part struct {
	Name string
	Log  string // path of the file with its standard output and error
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // valid once done is closed
}

// Start runs a program with its output in <Dir>/<name>.log and waits up to a minute until ready returns
// nil; a program that ends before is an error showing its last words.
func (s *Stack) Start(ctx context.Context, name string, ready func(context.Context) error, cmd *exec.Cmd) (*Part, error) {
	p := &Part{Name: name, Log: filepath.Join(s.Dir, name+".log"), cmd: cmd, done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.err = cmd.Wait(); close(p.done) }()
	s.mu.Lock()
	s.parts = append(s.parts, p)
	s.mu.Unlock()
	if err := p.await(ctx, ready); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Part) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for ready != nil {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready (%w):\n%s", p.Name, p.err, p.LogTail(20))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w:\n%s", p.Name, err, p.LogTail(20))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// PID is the process id.
func (p *Part) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Part) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the process.
func (p *Part) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Kill ends the process at once, as a crash would, and waits for it.
func (p *Part) Kill() { _ = p.cmd.Process.Kill(); <-p.done }

// Stop asks the process to end, kills it after ten seconds, and waits for it.
func (p *Part) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.Kill()
	}
}

// LogTail returns the last n lines of the log.
func (p *Part) LogTail(n int) string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Root is the top of the checkout.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Tool is the path of a program that `make tools` built, "etcd" for example.
func Tool(name string) (string, error) {
	path := filepath.Join(Root(), ".tools", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing: run `make tools`: %w", name, err)
	}
	return path, nil
}

// System finds a program of the operating system, also where only root's PATH looks.
func System(name, debianPackage string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if fi, err := os.Stat(path); err == nil && fi.Mode()&0o111 != 0 && !fi.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is missing: run `make packages`, or install the Debian package %s", name, debianPackage)
}

// FreePort returns a loopback port that was free for both TCP and UDP a moment ago. It lies below the
// range from which Linux takes the local ports of outgoing connections, so that none takes it while its
// server starts, or is down for a while.
func FreePort() (int, error) {
	const lowest, highest = 10_000, 32_000
	for range 100 {
		port := lowest + rand.IntN(highest-lowest)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", address)
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port, nil
		}
	}
	return 0, errors.New("no port is free for both TCP and UDP")
}
