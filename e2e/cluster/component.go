package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Component names one of the daemons of a node.
type Component string

// The daemons of a node. CoreDNS is a Deployment, as in any cluster.
const (
	Containerd        Component = "containerd"
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
	Scheduler         Component = "kube-scheduler"
	Kubelet           Component = "kubelet"
	KubeProxy         Component = "kube-proxy"
)

// daemon is one running component.
type daemon struct {
	argv  []string
	ready func(context.Context) error

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// startDaemon starts a component for the first time and waits until it is ready.
func (c *Cluster) startDaemon(ctx context.Context, name Component, ready func(context.Context) error, argv ...string) error {
	c.mu.Lock()
	d := &daemon{argv: argv, ready: ready}
	c.daemons[name] = d
	c.mu.Unlock()
	return c.run(ctx, name, d)
}

// Restart starts a component again with the arguments it had, and waits until it says that it is well. One
// that runs is killed before. Nobody else does: a component that ends, as the kubelet does when it comes
// up without containerd, stays ended.
func (c *Cluster) Restart(ctx context.Context, name Component) error {
	if err := c.Kill(name); err != nil {
		return err
	}
	d, err := c.daemon(name)
	if err != nil {
		return err
	}
	return c.run(ctx, name, d)
}

// Kill ends a component at once, as a crash does, and waits until it is gone. Pods go on: with containerd
// or the kubelet gone, nobody looks after them, and that is all. A component that has ended stays so.
func (c *Cluster) Kill(name Component) error {
	d, err := c.daemon(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil {
		return nil
	}
	pid, err := childOf(d.cmd.Process.Pid)
	if err == nil && pid != 0 {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	select {
	case <-d.done:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("%s does not end", name)
	}
}

func (c *Cluster) daemon(name Component) (*daemon, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.daemons[name]
	if !ok {
		return nil, fmt.Errorf("cluster %s: no component %q was started by this process", c.Name, name)
	}
	return d, nil
}

// run starts the daemon in the node and its control group, its output appended to its log.
func (c *Cluster) run(ctx context.Context, name Component, d *daemon) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	log, err := os.OpenFile(c.logFile(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	const enterGroups = `for file in $GROUPS_TO_ENTER; do echo $$ >"$file"; done; unset GROUPS_TO_ENTER; exec "$@"`
	argv := append([]string{"-ec", enterGroups, string(name)}, c.node.enter(d.argv)...)
	// It ends with the node, not with the context it was started under.
	d.cmd = exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", argv...)
	// A clean environment: proxies and the like of whoever starts it are not the cluster's.
	d.cmd.Env = []string{"PATH=" + nodePath, "GROUPS_TO_ENTER=" + strings.Join(c.node.cg.entrances(), " ")}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	d.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { _ = cmd.Wait(); close(done) }(d.cmd, d.done)
	if err := await(ctx, d.done, d.ready); err != nil {
		return fmt.Errorf("%s is not ready: %w; its last words:\n%s", name, err, lastLines(c.logFile(name), 5))
	}
	return nil
}

// await repeats the check until it succeeds, the process ends, or a minute has passed.
func await(ctx context.Context, ended <-chan struct{}, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// childOf is the only child of a process, 0 when it has none: nsenter stays outside the node and waits
// for the daemon.
func childOf(pid int) (int, error) {
	id := strconv.Itoa(pid)
	children, err := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(children)), " ")
	if first == "" {
		return 0, nil
	}
	return strconv.Atoi(first)
}

func (c *Cluster) logFile(name Component) string {
	return filepath.Join(c.Dir, "log", string(name)+".log")
}

// Logs returns what a component has written so far. What the containers of pods write, Kubectl shows.
func (c *Cluster) Logs(name Component) (string, error) {
	b, err := os.ReadFile(c.logFile(name))
	return string(b), err
}

func lastLines(file string, n int) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
