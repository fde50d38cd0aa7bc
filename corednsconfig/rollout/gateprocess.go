package rollout

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// processGate tries configurations in a CoreDNS on this machine, one after the other, without what needs a cluster.
type processGate struct {
	command []string
	bound   time.Duration
}

func (processGate) name() string { return "a CoreDNS on this machine" }

func (g processGate) try(ctx context.Context, _ *visit, current, candidate trial) (before, after finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.bound)
	defer cancel()
	if before, err = g.run(ctx, current); err != nil {
		return before, after, err
	}
	if after, err = g.run(ctx, candidate); err != nil {
		return before, after, err
	}
	return before, after, nil
}

func (g processGate) run(ctx context.Context, t trial) (finding, error) {
	dir, err := os.MkdirTemp("", "spokedns-trial-")
	if err != nil {
		return finding{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	port, err := freePort(ctx)
	if err != nil {
		return finding{}, err
	}
	text, err := standalone(dir, t, port)
	if err != nil {
		return finding{Said: err.Error()}, nil
	}
	file := filepath.Join(dir, "standalone")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return finding{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said tail
	cmd := exec.CommandContext(ctx, g.command[0], append(g.command[1:len(g.command):len(g.command)], "-conf", file)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &said, &said, dir
	if err := cmd.Start(); err != nil {
		return finding{}, err
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	defer func() { cancel(); <-done }()
	ask := func(ctx context.Context, q question) (answer, error) {
		ctx, cancel := context.WithTimeout(ctx, q.patience())
		defer cancel()
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return answer{}, err
		}
		defer conn.Close()
		return exchange(ctx, conn, q)
	}
	ended := func(context.Context) (string, bool) {
		select {
		case <-done:
			return said.String(), true
		default:
			return "", false
		}
	}
	return examineTrial(ctx, t, ask, ended), nil
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 2048

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = t.text[extra:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.text), ""))
}
