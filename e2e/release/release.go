// Package release owns the house in which our charts are installed as a user installs them: a real Kubernetes with
// running pods, our images, the real helm, and around it the servers that scenarios write to.
package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/images"
	"github.com/spokedns/spokedns/e2e/pki"
	"github.com/spokedns/spokedns/e2e/stack"
)

// House is a cluster and what is around it. Build, StartCluster and StartServers bring it up, in this order.
type House struct {
	*stack.Stack
	Cluster *cluster.Cluster
	// Public is the BIND of the scenario split-horizon, OnPremises that of bind-on-premises. Both hold example.org, on
	// this machine's end of the cable to the cluster.
	Public, OnPremises *stack.Named
	// Charts is a copy of charts/, the umbrella with its dependencies beside it.
	Charts string

	images    []images.Image
	authority *pki.Authority // of the central etcd
}

// New returns a house of which nothing stands yet. It works in dir, on a disk.
func New(dir string) *House { return &House{Stack: stack.New(dir)} }

// Close ends everything.
func (h *House) Close() {
	h.Stack.Close()
	if h.Cluster != nil {
		_ = h.Cluster.Close() // its processes are gone or it says so in its own tests
	}
}

// Build builds our images, as `make images` does, and puts the umbrella chart together.
func (h *House) Build(ctx context.Context) error {
	root := stack.Root()
	source, err := images.SourceOf(ctx, root, os.Getenv)
	if err != nil {
		return err
	}
	programs, err := images.Programs(root)
	if err != nil {
		return err
	}
	h.images, err = images.Build(ctx, images.Options{
		Root: root, Dir: h.Dir, Programs: programs, Architectures: []string{runtime.GOARCH}, Registry: images.Registry, Source: source,
	})
	if err != nil {
		return err
	}
	h.Charts = filepath.Join(h.Dir, "checkout", "charts")
	if err := os.CopyFS(h.Charts, os.DirFS(filepath.Join(root, "charts"))); err != nil {
		return err
	}
	_, err = h.Helm(ctx, "dependency", "build", filepath.Join(h.Charts, "spokedns"))
	return err
}

// StartCluster starts the cluster with our images, those the charts run besides, and the given ones.
func (h *House) StartCluster(ctx context.Context, more ...cluster.Image) error {
	others, err := cluster.ChartImages()
	if err != nil {
		return err
	}
	options := cluster.Options{Name: "release", Images: append(others, more...), Volumes: etcdMembers}
	for _, image := range h.images {
		options.Archives = append(options.Archives, image.Archive)
	}
	dir := filepath.Join(h.Dir, "cluster")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	h.Cluster, err = cluster.Up(ctx, dir, options)
	return err
}

// StartServers starts the servers around the cluster.
func (h *House) StartServers(ctx context.Context) (err error) {
	host := h.Cluster.HostIP.String()
	if h.Public, err = h.Named(ctx, stack.NamedConfig{Name: "public", Zones: []string{"example.org"}, Host: host}); err != nil {
		return err
	}
	h.OnPremises, err = h.Named(ctx, stack.NamedConfig{Name: "on-premises", Zones: []string{"example.org"}, Host: host, TLS: true})
	return err
}

// Helm runs the real helm against the cluster, once there is one, with an empty home. An error holds what it said.
func (h *House) Helm(ctx context.Context, args ...string) (string, error) {
	program, err := stack.Tool("helm")
	if err != nil {
		return "", err
	}
	home := filepath.Join(h.Dir, "helm")
	kubeconfig := ""
	if h.Cluster != nil {
		kubeconfig = h.Cluster.Kubeconfig
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+kubeconfig)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return out.String(), nil
}

// Kubectl runs kubectl as the administrator.
func (h *House) Kubectl(ctx context.Context, args ...string) (string, error) {
	return h.Cluster.Kubectl(ctx, "", args...)
}

// Apply applies a manifest.
func (h *House) Apply(ctx context.Context, manifest string) error {
	_, err := h.Cluster.Kubectl(ctx, manifest, "apply", "--server-side", "--force-conflicts", "--filename", "-")
	return err
}

// Namespace makes a namespace that admits restricted pods only.
func (h *House) Namespace(ctx context.Context, name string) error {
	return h.Apply(ctx, fmt.Sprintf(`apiVersion: v1
kind: Namespace
metadata:
  name: %s
  labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/enforce-version: latest}
`, name))
}

// Secret makes a Secret of the given files.
func (h *House) Secret(ctx context.Context, namespace, name string, files map[string][]byte) error {
	var data strings.Builder
	for _, key := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&data, "  %q: %s\n", key, base64.StdEncoding.EncodeToString(files[key]))
	}
	return h.Apply(ctx, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\ndata:\n%s", name, namespace, data.String()))
}

// Address gives an Ingress or a LoadBalancer Service an address, as a cloud would: object is "ingress/shop".
func (h *House) Address(ctx context.Context, namespace, object, address string) error {
	_, err := h.Kubectl(ctx, "--namespace", namespace, "patch", object, "--subresource=status", "--type=merge",
		fmt.Sprintf(`--patch={"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, address))
	return err
}

// CentralAddr is where this machine asks the central DNS, host:port: the node hands on what comes to that port.
func (h *House) CentralAddr(ctx context.Context) (string, error) {
	port, err := h.Kubectl(ctx, "get", "service", Release+"-central-dns", "--namespace", Center, "--output=jsonpath={.spec.ports[0].nodePort}")
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(h.Cluster.NodeIP.String(), port), nil
}
