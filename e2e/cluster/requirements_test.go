package cluster

import (
	"errors"
	"strings"
	"testing"
)

// TestAllThatIsMissingIsNamedAtOnce: whoever sets a machine up should not learn of it one by one.
func TestAllThatIsMissingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	bare := machine{
		uid:  1000,
		tool: func(name string) (string, error) { return "", errors.New("no tool " + name) },
		system: func(name, debianPackage string) (string, error) {
			return "", errors.New("no " + name + " of " + debianPackage)
		},
		exists: func(path string) error { return errors.New("no file " + path) },
	}
	err := requirements(bare)
	for _, want := range []string{
		"run this with sudo", "no tool etcd", "no tool kubelet", "no tool kube-proxy", "no tool coredns", "no containerd of containerd",
		"no runc of runc", "no nft of nftables", "no dig of bind9-dnsutils", "no file /usr/lib/cni/ptp", "containernetworking-plugins",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	full := machine{
		tool:   func(string) (string, error) { return "", nil },
		system: func(string, string) (string, error) { return "", nil },
		exists: func(string) error { return nil },
	}
	if err := requirements(full); err != nil {
		t.Errorf("with all there: %v", err)
	}
}
