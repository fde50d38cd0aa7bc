// Package cluster owns a real Kubernetes of one node with running pods, for tests and for hand work: its
// control plane, kubelet, kube-proxy, containerd and cluster DNS, in namespaces of their own on this
// machine, and its end without a trace.
//
// Several clusters run side by side; each takes about 0.9 GB of memory. Nothing is fetched: images are
// made of programs of this machine (Scratch). A pod reaches its own cluster, servers that listen on HostIP,
// and clusters that were connected to its own; there is no route to anything else.
//
//	image, err := cluster.Scratch("localhost/webhook:1", map[string]string{"/webhook": "../bin/webhook"}, []string{"/webhook"}, "65532:65532")
//	c := cluster.Start(t, cluster.Options{Images: []cluster.Image{image}})
//	_, err = c.Kubectl(ctx, manifest, "apply", "--filename", "-")
//
// Kubernetes is configured as kubeadm would, but for three things: kube-proxy is in its nftables mode, the
// kubelet brings a changed ConfigMap to a pod's files within ten seconds instead of sixty, and it deletes
// nothing when the disk is full. A Service answers some moments after its pods are ready, as in any
// cluster: ask until it does.
//
// Network policies are not enforced; there is no IPv6, no load balancer, no storage but the node's and
// Options.Volumes of it, and no aggregated API.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

// Domain is the domain of every cluster's Services.
const Domain = "cluster.local"

// Options say what is particular about a cluster. The zero value is a good one.
type Options struct {
	Name     string   // of the node and of the kubeconfig's context, a DNS label; "node" when empty
	Images   []Image  // there before the first pod; further ones come with Import
	Archives []string // the same, as files that hold an OCI image layout: what `make images` leaves
	Volumes  int      // persistent volumes of 8Gi for who claims one, on the node; nobody makes more
	Detached bool     // outlive the process that started it, until Down
}

// Cluster is a running cluster.
type Cluster struct {
	Name        string
	Dir         string       // its working directory: logs, keys, what containerd and etcd store
	Kubeconfig  string       // path of the administrator's kubeconfig file, good on this machine
	Config      *rest.Config // the same, without client-side throttling
	HostIP      netip.Addr   // this machine as the node and the pods see it: test servers listen here
	NodeIP      netip.Addr   // the node as this machine and the pods see it: NodePorts are here
	PodCIDR     netip.Prefix // the same in every cluster, as are the next two
	ServiceCIDR netip.Prefix // its first address is the API server's
	DNSIP       netip.Addr   // of the Service kube-dns
	Steps       []Step       // what its start took

	node *node

	mu      sync.Mutex
	daemons map[Component]*daemon
}

// Step is a stage of the start and how long after its beginning it was reached.
type Step struct {
	Name  string
	After time.Duration
}

// Start starts a cluster that ends with the test; it fails the test when it cannot. When the test
// failed, the end of every component's log is shown.
func Start(t testing.TB, opts Options) *Cluster {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		if t.Failed() {
			var b strings.Builder
			PrintLogs(&b, dir, 30)
			t.Log(b.String())
		}
	})
	c, err := Up(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Log(c.Summary())
	return c
}

// Up starts a cluster working in dir, an existing empty directory on a disk that can hold containers'
// root filesystems (overlayfs), and waits until the node is ready and the cluster's DNS answers. The
// caller closes it and removes the directory. When it fails nothing is left running; the logs are in
// <dir>/log.
func Up(ctx context.Context, dir string, opts Options) (*Cluster, error) {
	if opts.Name == "" {
		opts.Name = "node"
	}
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`).MatchString(opts.Name) {
		return nil, fmt.Errorf("cluster name %q: want a DNS label: lower-case letters, digits and hyphens", opts.Name)
	}
	if err := requirements(thisMachine()); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		Name: opts.Name, Dir: dir,
		PodCIDR:     netip.MustParsePrefix("10.244.0.0/24"),
		ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
		DNSIP:       netip.MustParseAddr("10.96.0.10"),
		daemons:     map[Component]*daemon{},
	}
	if err := c.up(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("cluster %s: %w", c.Name, err), c.Close())
	}
	return c, nil
}

func (c *Cluster) up(ctx context.Context, opts Options) (err error) {
	begin := time.Now()
	step := func(name string) { c.Steps = append(c.Steps, Step{Name: name, After: time.Since(begin)}) }
	init, err := Program(ctx, c.Dir, "./cluster/pause")
	if err != nil {
		return err
	}
	images, err := ownImages(init)
	if err != nil {
		return err
	}
	images = append(images, opts.Images...)
	if err := sweepCgroups(); err != nil {
		return err
	}
	if c.node, err = newNode(ctx, c.Dir, c.Name, init, opts.Detached); err != nil {
		return err
	}
	if c.HostIP, c.NodeIP, err = c.node.connectToHost(ctx, c.ServiceCIDR); err != nil {
		return err
	}
	if err := c.writePKI(); err != nil {
		return err
	}
	step("node sandbox")

	var control, runtime, rest errgroup.Group
	defer func() { _, _ = runtime.Wait(), rest.Wait() }() // nothing goes on behind an error
	runtime.Go(func() error {
		if err := c.startContainerd(ctx); err != nil {
			return err
		}
		return errors.Join(c.Import(ctx, images...), c.ImportArchives(ctx, opts.Archives...))
	})
	control.Go(func() error { return c.startEtcd(ctx) })
	control.Go(func() error { return c.startAPIServer(ctx) })
	if err := control.Wait(); err != nil {
		return err
	}
	step("API server ready")
	volumes := func(ctx context.Context) error { return c.addVolumes(ctx, opts.Volumes) }
	for _, start := range []func(context.Context) error{c.startControllerManager, c.startScheduler, c.applyDNS, volumes} {
		rest.Go(func() error { return start(ctx) })
	}
	if err := runtime.Wait(); err != nil {
		return err
	}
	step("images imported")
	for _, start := range []func(context.Context) error{c.startKubelet, c.startKubeProxy} {
		rest.Go(func() error { return start(ctx) })
	}
	if err := errors.Join(c.nodeReady(ctx), rest.Wait()); err != nil {
		return err
	}
	step("node ready")
	if err := c.dnsReady(ctx); err != nil {
		return err
	}
	step("cluster DNS ready")
	return nil
}

func (c *Cluster) nodeReady(ctx context.Context) error {
	for _, condition := range []string{"create", "condition=Ready"} {
		if _, err := c.Kubectl(ctx, "", "wait", "--for="+condition, "node/"+c.Name, "--timeout=60s"); err != nil {
			return err
		}
	}
	return nil
}

// Summary says in one line what the start took.
func (c *Cluster) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s (%s) up:", c.Name, c.NodeIP)
	for _, s := range c.Steps {
		fmt.Fprintf(&b, " %s %.1fs;", s.Name, s.After.Seconds())
	}
	return strings.TrimSuffix(b.String(), ";")
}

// Close ends the cluster with everything in it and waits until no process, mount, network device or
// control group of it is left. The files in Dir stay. Closing twice is fine.
func (c *Cluster) Close() error {
	if c.node == nil {
		return nil
	}
	err := c.node.remove()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.daemons {
		if d.done != nil {
			<-d.done // what brought it into the node waits for it outside
		}
	}
	return err
}

// Down ends the cluster that Up started in dir, with Detached, perhaps by another process.
func Down(dir string) error {
	n, err := recordedNode(dir)
	if err != nil {
		return fmt.Errorf("no cluster in %s: %w", dir, err)
	}
	return n.remove()
}

// Command prepares a command to run in the node: in its network and among its processes, with this
// machine's programs.
func (c *Cluster) Command(ctx context.Context, argv ...string) *exec.Cmd {
	return c.node.command(ctx, argv...)
}

// Exec runs a command in the node, such as dig, and returns what it wrote to standard output. An error
// holds what it wrote to standard error.
func (c *Cluster) Exec(ctx context.Context, argv ...string) (string, error) {
	out, err := output(c.Command(ctx, argv...))
	if err != nil {
		return out, fmt.Errorf("in %s: %s: %w", c.Name, strings.Join(argv, " "), err)
	}
	return out, nil
}

// PrintLogs writes the last n lines of every component of the cluster that works, or worked, in dir.
func PrintLogs(w io.Writer, dir string, n int) {
	files, _ := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	for _, file := range slices.Sorted(slices.Values(files)) {
		fmt.Fprintf(w, "--- %s\n%s\n", strings.TrimSuffix(filepath.Base(file), ".log"), lastLines(file, n))
	}
}
