package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroupPrefix = "spokedns-" // then the process id of the node's first process
)

// cgroups are the control groups of one node: its own directory in every hierarchy (version 1) or in the
// only one (version 2), with a child "system" for the daemons; the kubelet puts the pods' beside it.
type cgroups struct {
	name string   // relative to the root of a hierarchy
	dirs []string // one per hierarchy
}

// newCgroups makes the control groups of the node whose first process is pid.
func newCgroups(pid int) (*cgroups, error) {
	g := &cgroups{name: cgroupPrefix + strconv.Itoa(pid)}
	hierarchies, unified, err := cgroupHierarchies()
	if err != nil {
		return nil, err
	}
	for _, h := range hierarchies {
		dir := filepath.Join(h, g.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, errors.Join(g.remove(), writable(err))
		}
		g.dirs = append(g.dirs, dir)
		if unified {
			err = errors.Join(delegate(h), delegate(dir), os.Mkdir(filepath.Join(dir, "system"), 0o755))
		} else {
			err = errors.Join(inheritCPUs(h, dir), os.Mkdir(filepath.Join(dir, "system"), 0o755), inheritCPUs(dir, filepath.Join(dir, "system")))
		}
		if err != nil {
			return nil, errors.Join(g.remove(), writable(err))
		}
	}
	return g, nil
}

func writable(err error) error {
	return fmt.Errorf("control groups: %w (in a container the cluster needs it privileged and with the host's cgroup namespace)", err)
}

// cgroupHierarchies finds where control groups can be made: the one root of version 2, or every
// controller's of version 1, and with them version 2's without controllers, which runc uses too.
func cgroupHierarchies() (dirs []string, unified bool, err error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		return []string{cgroupRoot}, true, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		dir := filepath.Join(cgroupRoot, e.Name())
		// Two controllers may share one hierarchy; the second name is a symbolic link and no directory.
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); e.IsDir() && err == nil {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) == 0 {
		return nil, false, errors.New("no control group hierarchy is mounted below " + cgroupRoot)
	}
	return dirs, false, nil
}

// delegate lets the children of dir have the controllers the kubelet wants (version 2).
func delegate(dir string) error {
	available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	enabled, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	has := strings.Fields(string(enabled))
	for _, controller := range []string{"cpu", "cpuset", "io", "memory", "pids"} {
		if slices.Contains(has, controller) || !slices.Contains(strings.Fields(string(available)), controller) {
			continue // what is missing, the kubelet names better than we could
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// inheritCPUs gives a new cpuset group its parent's processors and memory nodes: with none, which is
// what version 1 makes it with, no process can enter.
func inheritCPUs(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// entrances are the files a daemon writes its process id to.
func (g *cgroups) entrances() []string {
	var files []string
	for _, dir := range g.dirs {
		files = append(files, filepath.Join(dir, "system", "cgroup.procs"))
	}
	return files
}

// remove takes the groups away once their processes, which were just killed, are gone.
func (g *cgroups) remove() error {
	var err error
	for range 100 {
		err = nil
		for _, dir := range g.dirs {
			err = errors.Join(err, removeCgroup(dir))
		}
		if err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("control groups: %w", err)
}

// removeCgroup removes the group with all below it. What is not there is removed.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeCgroup(filepath.Join(dir, e.Name())))
		}
	}
	if removed := os.Remove(dir); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// sweepCgroups removes the empty groups of nodes whose owner was killed before it could.
func sweepCgroups() error {
	hierarchies, _, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		left, err := filepath.Glob(filepath.Join(h, cgroupPrefix+"*"))
		if err != nil {
			return err
		}
		for _, dir := range left {
			pid := strings.TrimPrefix(filepath.Base(dir), cgroupPrefix)
			if _, err := os.Stat(filepath.Join("/proc", pid)); errors.Is(err, fs.ErrNotExist) {
				_ = removeCgroup(dir) // one that is not empty is somebody's after all
			}
		}
	}
	return nil
}
