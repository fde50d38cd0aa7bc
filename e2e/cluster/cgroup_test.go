package cluster

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// version2 tells a process of this test that it has a mount namespace to itself.
const version2 = "SPOKEDNS_TEST_CGROUP_VERSION_2"

// TestControlGroupsVersion2 puts the second version's hierarchy in the first's place, for one process. On a
// machine of the first version it has no controllers to delegate.
func TestControlGroupsVersion2(t *testing.T) {
	if os.Getenv(version2) == "" {
		again := exec.Command(os.Args[0], "-test.run=^TestControlGroupsVersion2$", "-test.v")
		again.Env = append(os.Environ(), version2+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := syscall.Mount("cgroup2", cgroupRoot, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	g, err := newCgroups(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.remove(); err != nil {
			t.Error(err)
		}
	}()
	entrances := g.entrances()
	if len(entrances) != 1 || entrances[0] != filepath.Join(cgroupRoot, g.name, "system", "cgroup.procs") {
		t.Fatalf("got %v", entrances)
	}
	// A daemon can enter, the pods' groups can be made, and those of the living are not swept.
	daemon := exec.Command("sh", "-c", "echo $$ >"+entrances[0]+" && cat /proc/$$/cgroup")
	out, err := daemon.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "/"+g.name+"/system\n") {
		t.Errorf("the daemon: %v, %s", err, out)
	}
	pods := filepath.Join(cgroupRoot, g.name, "kubepods", "burstable")
	if err := errors.Join(os.MkdirAll(pods, 0o755), sweepCgroups()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(pods); err != nil {
		t.Error(err)
	}
	if err := g.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(cgroupRoot, g.name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want it to be gone", err)
	}
}

// TestDelegation shows which controllers the kubelet's groups get, by what would be written.
func TestDelegation(t *testing.T) {
	t.Parallel()
	for available, want := range map[string]string{
		"cpuset cpu io memory hugetlb pids rdma": "+pids",
		"cpu misc":                               "+cpu",
		"misc":                                   "misc",
	} {
		dir := t.TempDir()
		control := filepath.Join(dir, "cgroup.subtree_control")
		err := errors.Join(os.WriteFile(filepath.Join(dir, "cgroup.controllers"), []byte(available+"\n"), 0o600),
			os.WriteFile(control, []byte("misc"), 0o600), delegate(dir))
		got, readErr := os.ReadFile(control)
		if err != nil || readErr != nil || string(got) != want {
			t.Errorf("of %q the last written is %q (%v, %v), want %q", available, got, err, readErr, want)
		}
	}
	if err := delegate(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it is no control group", err)
	}
}
