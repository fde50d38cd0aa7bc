package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownerDir names the working directory to a process of this test that owns a node and is killed.
const ownerDir = "SPOKEDNS_TEST_OWNER_DIR"

// TestNodeEndsWithItsOwner kills a process that started a node, as a test run over its time limit is.
func TestNodeEndsWithItsOwner(t *testing.T) {
	if dir := os.Getenv(ownerDir); dir != "" {
		ownNode(t, dir)
		return
	}
	dir := t.TempDir()
	buildInit(t, dir)
	owner := exec.Command(os.Args[0], "-test.run=^TestNodeEndsWithItsOwner$")
	owner.Env = append(os.Environ(), ownerDir+"="+dir)
	owner.Stderr = os.Stderr
	stdout, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Process.Kill() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	pid, notPID := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || notPID != nil {
		t.Fatalf("the owner said %q (%v)", line, err)
	}
	n, err := recordedNode(dir)
	if err != nil || n.PID != pid {
		t.Fatalf("recorded: %+v, %v; want process %d", n, err, pid)
	}
	_ = owner.Process.Kill()
	_ = owner.Wait()
	eventually(t, "the node's first process ends", func() error {
		if n.alive() {
			return fmt.Errorf("process %d is there", pid)
		}
		return nil
	})
	if left := trace(t, n); len(left) != 1 || !strings.HasPrefix(left[0], "control groups") {
		t.Errorf("left after the owner was killed: %v, want only empty control groups", left)
	}
	if err := sweepCgroups(); err != nil {
		t.Fatal(err)
	}
	if left := trace(t, n); len(left) > 0 {
		t.Errorf("left after the next start would have swept: %v", left)
	}
}

func ownNode(t *testing.T, dir string) {
	n, err := newNode(context.Background(), dir, "owned", filepath.Join(dir, "pause"), false)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(n.PID)
	time.Sleep(time.Hour) // killed long before
}

// TestNodeOfAnotherProcess takes a node down that somebody else started.
func TestNodeOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	n, err := newNode(t.Context(), dir, "left", buildInit(t, dir), true)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = n.cmd.Wait() }() // as whatever inherits an orphan does
	if err := Down(dir); err != nil {
		t.Fatal(err)
	}
	if left := trace(t, n); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := Down(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want an error that says there is none", err)
	}
}

// TestARecordedProcessIDIsNotEnough: after a restart of the machine the number may be anybody's.
func TestARecordedProcessIDIsNotEnough(t *testing.T) {
	sleeper := exec.Command("sleep", "3600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	n := &node{PID: sleeper.Process.Pid, Started: "1", dir: t.TempDir()}
	if err := n.remove(); err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
}

func TestWorkingDirectories(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"/run/x":      "want a directory elsewhere",
		"/var/lib/y":  "want a directory elsewhere",
		"/var/log":    "want a directory elsewhere",
		"/etc/passwd": "not a directory",
		"/not/there":  "no such file",
	} {
		if err := prepareDir(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", dir, err, want)
		}
	}
}

// TestCommandsEndWithTheirContext: what runs in the node is not a child of the test's.
func TestCommandsEndWithTheirContext(t *testing.T) {
	dir := t.TempDir()
	n, err := newNode(t.Context(), dir, "commands", buildInit(t, dir), false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.remove(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := n.command(ctx, "sh", "-c", "echo here; hostname; exec sleep 3600")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stdout)
	for _, want := range []string{"here\n", "commands\n"} {
		if got, err := said.ReadString('\n'); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	cancel()
	_ = cmd.Wait()
	eventually(t, "the command in the node ends", func() error {
		out, err := output(n.command(t.Context(), "sh", "-c", "cat /proc/[0-9]*/cmdline"))
		if err == nil && strings.Contains(out, "sleep\x003600") {
			err = errors.New("it sleeps")
		}
		return err
	})
}

func buildInit(t *testing.T, dir string) string {
	t.Helper()
	init, err := Program(t.Context(), dir, "./cluster/pause")
	if err != nil {
		t.Fatal(err)
	}
	return init
}

// trace lists what is left of a node.
func trace(t *testing.T, n *node) []string {
	t.Helper()
	var left []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), n.dir) {
		left = append(left, "mounts of "+n.dir)
	}
	if n.Link != "" {
		if _, err := os.Stat(filepath.Join("/sys/class/net", n.Link)); err == nil {
			left = append(left, "network device "+n.Link)
		}
	}
	groups, err := filepath.Glob(filepath.Join(cgroupRoot, "*", n.Cgroup))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(cgroupRoot, n.Cgroup)); err == nil || len(groups) > 0 {
		left = append(left, "control groups "+n.Cgroup)
	}
	return append(left, processesOf(t, n)...)
}

// processesOf finds the processes in the node's control groups, in which all daemons and pods are, and
// those that have the node's directory or its process on their command line.
func processesOf(t *testing.T, n *node) []string {
	t.Helper()
	commandLines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range commandLines {
		words, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		groups, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cgroup"))
		target := fmt.Sprintf("--target\x00%d\x00", n.PID)
		if strings.Contains(string(words), n.dir) || strings.Contains(string(words), target) ||
			strings.Contains(string(groups), "/"+n.Cgroup) {
			found = append(found, "process "+strings.ReplaceAll(string(words), "\x00", " "))
		}
	}
	return found
}

// eventually repeats the check for up to a minute.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	if err := await(t.Context(), nil, func(context.Context) error { return check() }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
