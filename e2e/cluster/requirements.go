package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spokedns/spokedns/e2e/stack"
)

// nodePath is where the node's daemons look for programs.
const nodePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// cniDir is where Debian puts the network plugins.
const cniDir = "/usr/lib/cni"

// machine is what requirements asks of this machine.
type machine struct {
	uid    int
	tool   func(name string) (string, error)
	system func(name, debianPackage string) (string, error)
	exists func(path string) error
}

func thisMachine() machine {
	return machine{uid: os.Geteuid(), tool: stack.Tool, system: stack.System, exists: func(path string) error {
		_, err := os.Stat(path)
		return err
	}}
}

// requirements says all that is missing for a cluster, and how to get it, in one error.
func requirements(m machine) error {
	var missing []error
	if m.uid != 0 {
		missing = append(missing, errors.New("only root can make a node's namespaces and control groups: run this with sudo"))
	}
	tools := []Component{Etcd, APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy, "coredns", "kubectl"}
	for _, name := range tools {
		if _, err := m.tool(string(name)); err != nil {
			missing = append(missing, err)
		}
	}
	for _, program := range [][2]string{
		{"nsenter", "util-linux"}, {"mount", "mount"}, {"ip", "iproute2"}, {"dig", "bind9-dnsutils"}, {"go", "golang-go"},
		{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"}, {"iptables", "iptables"}, {"nft", "nftables"},
	} {
		if _, err := m.system(program[0], program[1]); err != nil {
			missing = append(missing, err)
		}
	}
	for _, plugin := range []string{"ptp", "portmap", "host-local", "loopback"} {
		if err := m.exists(filepath.Join(cniDir, plugin)); err != nil {
			missing = append(missing, fmt.Errorf("a network plugin is missing: run `make packages`, or install the Debian package containernetworking-plugins: %w", err))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return fmt.Errorf("a cluster cannot be started here:\n%w", err)
	}
	return nil
}

// Program builds a Go program of this checkout, "./cluster/probe" relative to e2e or an import path of its
// module, into dir, statically linked for an image from scratch, and returns its path.
func Program(ctx context.Context, dir, pkg string) (string, error) {
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, pkg)
	cmd.Dir = filepath.Join(stack.Root(), "e2e")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := output(cmd); err != nil {
		return "", fmt.Errorf("build %s: %w", pkg, err)
	}
	return path, nil
}
