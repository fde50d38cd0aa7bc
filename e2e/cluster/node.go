package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed node.sh
var nodeScript string

// node is the sandbox of one cluster: network, mount, process, host name and IPC namespaces of its own,
// owned by one process. When that process ends, however it ends, the kernel ends every process in the
// node and takes its mounts, network devices and packet filter rules away.
type node struct {
	PID     int    // of the owner
	Started string // its start time in clock ticks since boot, which tells it from a later process of that number
	Link    string // the network device on the machine's side
	Cgroup  string // name of its control groups

	dir string
	cg  *cgroups
	cmd *exec.Cmd // nil when another process started it
}

// recordFile holds the node in the working directory, for whoever takes it away.
const recordFile = "node.json"

// newNode starts a node in dir whose first process is the program init. A detached one outlives this process.
func newNode(ctx context.Context, dir, name, init string, detached bool) (_ *node, err error) {
	if err := prepareDir(dir); err != nil {
		return nil, err
	}
	n := &node{dir: dir}
	// Not bound to the context: the node ends with Close, or with this process.
	n.cmd = exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", nodeScript, "node.sh", dir, name, init)
	n.cmd.Env = []string{"PATH=" + nodePath}
	n.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Setsid:     true,
	}
	if !detached {
		n.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	var said bytes.Buffer
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := n.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("make the node's namespaces: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.remove())
		}
	}()
	n.PID = n.cmd.Process.Pid
	// Both pipes end when the script becomes the init, or fails.
	ready, _ := io.ReadAll(stdout)
	_, _ = said.ReadFrom(stderr)
	if string(ready) != "ready\n" {
		return nil, fmt.Errorf("prepare the node's mounts: %s", strings.TrimSpace(said.String()))
	}
	if n.Started, err = startTime(n.PID); err != nil {
		return nil, err
	}
	if n.cg, err = newCgroups(n.PID); err != nil {
		return nil, err
	}
	n.Cgroup = n.cg.name
	return n, n.record()
}

// prepareDir makes what the node's first process mounts.
func prepareDir(dir string) error {
	for _, hidden := range []string{"/run", "/var/run", "/var/lib", "/var/log", "/proc", "/sys"} {
		if rel, err := filepath.Rel(hidden, dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return fmt.Errorf("working directory %s: the node has a %s of its own, want a directory elsewhere (TMPDIR decides)", dir, hidden)
		}
	}
	var fs syscall.Statfs_t
	const overlayfs = 0x794c7630 // statfs(2)
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Type == overlayfs {
		return errors.Join(err, fmt.Errorf("working directory %s: containers' root filesystems need a disk of the machine below them, "+
			"not another container's; want a directory on a volume (TMPDIR decides)", dir))
	}
	for _, sub := range []string{"varlib", "varlog", "cgroup", "sysctl", "log", "cni", "pki", "kubeconfig"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"vm.overcommit_memory": "1", "vm.panic_on_oom": "0", "kernel.panic": "10", "kernel.panic_on_oops": "1",
		"kernel.keys.root_maxkeys": "1000000", "kernel.keys.root_maxbytes": "25000000",
	} {
		if err := os.WriteFile(filepath.Join(dir, "sysctl", name), []byte(value+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) record() error {
	content, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(n.dir, recordFile), content, 0o600)
}

// recordedNode reads the node another process left in dir.
func recordedNode(dir string) (*node, error) {
	content, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return nil, err
	}
	n := &node{dir: dir}
	if err := json.Unmarshal(content, n); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, recordFile), err)
	}
	hierarchies, _, err := cgroupHierarchies()
	if err != nil {
		return nil, err
	}
	n.cg = &cgroups{name: n.Cgroup}
	for _, h := range hierarchies {
		n.cg.dirs = append(n.cg.dirs, filepath.Join(h, n.Cgroup))
	}
	return n, nil
}

// alive says whether the owner still runs.
func (n *node) alive() bool {
	started, err := startTime(n.PID)
	return err == nil && (n.Started == "" || n.Started == started)
}

// remove kills the owner, waits until it is gone, and takes away what a process cannot own.
func (n *node) remove() error {
	if n.alive() {
		if err := syscall.Kill(n.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill the node, process %d: %w", n.PID, err)
		}
	}
	if n.cmd != nil {
		_ = n.cmd.Wait() // it was killed
	}
	for range 200 {
		if !n.alive() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n.alive() {
		return fmt.Errorf("the node, process %d, does not end", n.PID)
	}
	var err error
	if n.Link != "" {
		err = removeLink(n.Link)
	}
	if n.cg != nil {
		err = errors.Join(err, n.cg.remove())
	}
	return err
}

// startTime reads field 22 of /proc/<pid>/stat (proc(5)); the second may hold spaces.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const startTimeAfterName = 22 - 3
	if len(fields) <= startTimeAfterName {
		return "", fmt.Errorf("/proc/%d/stat: %q", pid, stat)
	}
	return fields[startTimeAfterName], nil
}

// enter is a command line that runs another one in the node.
func (n *node) enter(argv []string) []string {
	return append([]string{"nsenter", "--target", strconv.Itoa(n.PID), "--net", "--mount", "--pid", "--uts", "--ipc", "--"}, argv...)
}

// command prepares a command to run in the node: in its network, seeing its processes and its mounts over
// this machine's files.
func (n *node) command(ctx context.Context, argv ...string) *exec.Cmd {
	entered := n.enter(argv)
	cmd := exec.CommandContext(ctx, entered[0], entered[1:]...)
	cmd.Env = []string{"PATH=" + nodePath}
	// What runs in the node is a child of nsenter, and would outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// output runs the command and returns its standard output; an error holds its standard error.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
