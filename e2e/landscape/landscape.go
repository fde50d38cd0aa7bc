// Package landscape owns a landscape of two real clusters with running pods and the central DNS between them: each
// publishes its names into one etcd, and corednsconfig makes the cluster DNS of both forward the base domain to it.
package landscape

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/stack"
)

// Base is the domain of the landscape's names; a cluster's are below <cluster>.<Base>.
const Base = "landscape.example"

// The clusters. West is also the platform: the DNSForwarding stands there, and the Secret by which East is known.
const (
	West = "west"
	East = "east"
)

const (
	// Platform is the namespace of the controller, in West.
	Platform = "spokedns"
	dnsPort  = 53
	password = "of-the-demo"
)

// Landscape is a running landscape.
type Landscape struct {
	*stack.Stack
	Clusters map[string]*cluster.Cluster
	// Controller is the running corednsconfig, nil before StartController.
	Controller *stack.Part
	// Installs says that the controller installs external-dns and our webhook in both clusters, instead of Publish.
	Installs bool

	etcd    *stack.Etcd
	config  central.Landscape
	webhook string // path of the program
	program string // of corednsconfig
}

// New returns a landscape of which nothing runs yet. It works in dir, on a disk.
func New(dir string) *Landscape {
	return &Landscape{Stack: stack.New(dir), Clusters: map[string]*cluster.Cluster{}, config: central.Landscape{
		Path: "/skydns", Zones: []string{Base}, Clusters: []central.Cluster{{Name: West}, {Name: East}},
	}}
}

// Names are the clusters.
func Names() []string { return []string{West, East} }

// Close ends everything.
func (l *Landscape) Close() {
	l.Stack.Close()
	for _, c := range l.Clusters {
		_ = c.Close() // its processes are gone or it says so in its own tests
	}
}

// Build builds our programs from this checkout.
func (l *Landscape) Build(ctx context.Context) (err error) {
	if l.webhook, err = stack.BuildWebhook(ctx, l.Dir); err != nil {
		return err
	}
	l.program, err = stack.BuildCorednsconfig(ctx, l.Dir)
	return err
}

// StartClusters starts both at the same time.
func (l *Landscape) StartClusters(ctx context.Context) error {
	var g errgroup.Group
	started := make([]*cluster.Cluster, len(Names()))
	for i, name := range Names() {
		g.Go(func() error {
			dir := filepath.Join(l.Dir, "cluster-"+name)
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			c, err := cluster.Up(ctx, dir, cluster.Options{Name: name})
			if err != nil {
				return fmt.Errorf("cluster %s: %w", name, err)
			}
			started[i] = c
			return nil
		})
	}
	err := g.Wait()
	for i, name := range Names() {
		if started[i] != nil {
			l.Clusters[name] = started[i]
		}
	}
	if err != nil {
		return err
	}
	return l.connect(ctx)
}

// connect lets each cluster reach the central DNS at all of its addresses, as an address in a real network is
// reached from everywhere.
func (l *Landscape) connect(ctx context.Context) error {
	for _, name := range Names() {
		c := l.Clusters[name]
		for _, at := range l.Upstreams() {
			if at == c.HostIP {
				continue
			}
			if _, err := c.Exec(ctx, "ip", "route", "add", at.String()+"/32", "via", c.HostIP.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Upstreams are where the central DNS answers the clusters: at this machine's end of each one's cable.
func (l *Landscape) Upstreams() []netip.Addr {
	var at []netip.Addr
	for _, name := range Names() {
		at = append(at, l.Clusters[name].HostIP)
	}
	return at
}

// StartCentral starts etcd with its users, and the central CoreDNS.
func (l *Landscape) StartCentral(ctx context.Context) (err error) {
	if l.etcd, err = l.Etcd(ctx, stack.EtcdConfig{RootPassword: password, NoSync: true, Also: l.Upstreams()}); err != nil {
		return err
	}
	root, err := l.etcd.Client()
	if err != nil {
		return err
	}
	defer root.Close()
	l.config.NameServers = l.Upstreams()
	passwords := map[string]string{}
	for _, role := range l.config.Roles() {
		passwords[role.Name] = password
	}
	if _, err := central.Apply(ctx, root, l.config, passwords); err != nil {
		return err
	}
	if _, err := central.Seed(ctx, root, l.config); err != nil {
		return err
	}
	return l.startCoreDNS(ctx)
}

func (l *Landscape) startCoreDNS(ctx context.Context) error {
	server := central.Server{Port: dnsPort, Etcd: central.Etcd{
		Endpoints: []string{l.etcd.Endpoint}, User: l.config.CoreDNSRole(), PasswordEnv: "ETCD_PASSWORD",
	}}
	for _, at := range l.Upstreams() {
		server.Bind = append(server.Bind, at.String())
	}
	text, err := central.Corefile(l.config, server)
	if err != nil {
		return err
	}
	path := filepath.Join(l.Dir, "central.Corefile")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	program, err := stack.Tool("coredns")
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-conf", path)
	cmd.Env = append(os.Environ(), "ETCD_PASSWORD="+password)
	at := netip.AddrPortFrom(l.Upstreams()[0], dnsPort).String()
	_, err = l.Start(ctx, "central-coredns", func(ctx context.Context) error {
		_, err := stack.Query(ctx, at, Base, "SOA")
		return err
	}, cmd)
	return err
}

// Zone is where a cluster's names stand.
func Zone(name string) string { return name + "." + Base }

// Publish runs external-dns and our webhook for a cluster: each LoadBalancer Service gets a name.
func (l *Landscape) Publish(ctx context.Context, name string) error {
	c := l.Clusters[name]
	config := fmt.Sprintf(`views:
  - name: internal
    zones: [%s]
    ttl: 1m
    backend:
      etcd: {endpoints: [%q], prefix: %s, username: %s, password: %s}
    rules: [{action: keep}]
`, Zone(name), l.etcd.Endpoint, l.config.Path, l.config.ClusterRole(name), password)
	webhook, err := l.Webhook(ctx, stack.WebhookConfig{Name: "webhook-" + name, Program: l.webhook, ConfigYAML: config, Kubeconfig: c.Kubeconfig})
	if err != nil {
		return err
	}
	_, err = l.ExternalDNS(ctx, stack.ExternalDNSConfig{
		Name: "external-dns-" + name, Kubeconfig: c.Kubeconfig, WebhookURL: webhook.API, Owner: name, Sources: []string{"service"},
		ExtraArgs: []string{"--service-type-filter=LoadBalancer", "--fqdn-template={{.Name}}." + Zone(name)},
	})
	return err
}

// Expose makes a LoadBalancer Service with an address, as a cloud would.
func (l *Landscape) Expose(ctx context.Context, name, service, address string) error {
	c := l.Clusters[name]
	manifest := fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: default}, spec: {type: LoadBalancer, ports: [{port: 80}]}}", service)
	if _, err := c.Kubectl(ctx, manifest, "apply", "--filename", "-"); err != nil {
		return err
	}
	_, err := c.Kubectl(ctx, "", "patch", "service", service, "--subresource=status", "--type=merge",
		fmt.Sprintf(`--patch={"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, address))
	return err
}

// Resolve asks a cluster's own DNS, as a pod of it would, and returns the addresses.
func (l *Landscape) Resolve(ctx context.Context, name, host string) ([]string, error) {
	c := l.Clusters[name]
	out, err := c.Exec(ctx, "dig", "+short", "+time=3", "+tries=1", "@"+c.DNSIP.String(), host, "A")
	if err != nil {
		return nil, err
	}
	return strings.Fields(out), nil
}

// ClusterName is a name that every cluster resolves by itself.
const ClusterName = "kubernetes.default.svc." + cluster.Domain

// Corefile is the Corefile of a cluster's DNS as it stands in its ConfigMap.
func (l *Landscape) Corefile(ctx context.Context, name string) (string, error) {
	return l.Clusters[name].Kubectl(ctx, "", "get", "configmap", "coredns", "--namespace=kube-system", "--output=jsonpath={.data.Corefile}")
}

// Forwarding is the DNSForwarding of the landscape.
func (l *Landscape) Forwarding() string {
	var upstreams []string
	for _, at := range l.Upstreams() {
		upstreams = append(upstreams, fmt.Sprintf("%q", at.String()))
	}
	text := fmt.Sprintf(`apiVersion: dns.spokedns.io/v1alpha1
kind: DNSForwarding
metadata: {name: landscape}
spec:
  mode: Apply
  rules:
    - zones: [%s]
      upstreams: [%s]
`, Base, strings.Join(upstreams, ", "))
	if l.Installs {
		text += l.installs()
	}
	return text
}

// StartController makes East known to West and starts corednsconfig there.
func (l *Landscape) StartController(ctx context.Context) error {
	west := l.Clusters[West]
	crd := filepath.Join(stack.Root(), "corednsconfig", "api", "v1alpha1", "dns.spokedns.io_dnsforwardings.yaml")
	if _, err := west.Kubectl(ctx, "", "apply", "--filename", crd); err != nil {
		return err
	}
	if _, err := west.Kubectl(ctx, "", "create", "namespace", Platform); err != nil {
		return err
	}
	kubeconfig, err := l.account(ctx, East)
	if err != nil {
		return err
	}
	if _, err := west.Kubectl(ctx, "", "create", "secret", "generic", East, "--namespace="+Platform, "--from-file=kubeconfig="+kubeconfig); err != nil {
		return err
	}
	if _, err := west.Kubectl(ctx, "", "label", "secret", East, "--namespace="+Platform, "dns.spokedns.io/kubeconfig=true"); err != nil {
		return err
	}
	if l.Installs {
		if err := l.prepareInstalls(ctx); err != nil {
			return err
		}
	}
	return l.run(ctx)
}

// run starts the program and waits until it is ready.
func (l *Landscape) run(ctx context.Context) error {
	port, err := stack.FreePort()
	if err != nil {
		return err
	}
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	l.Controller, err = l.Start(ctx, "corednsconfig", stack.AnswersOK(http.DefaultClient, "http://"+listen+"/readyz"), exec.Command(l.program, "run", "--listen="+listen, "--kubeconfig="+l.Clusters[West].Kubeconfig, "--namespace="+Platform,
		"--source=Local,Kubeconfig", "--discover=2s"))
	return err
}

// Apply makes the DNSForwarding be there.
func (l *Landscape) Apply(ctx context.Context) error {
	_, err := l.Clusters[West].Kubectl(ctx, l.Forwarding(), "apply", "--filename", "-")
	return err
}

// Delete deletes the DNSForwarding and waits until it is taken out of every cluster.
func (l *Landscape) Delete(ctx context.Context, within time.Duration) error {
	_, err := l.Clusters[West].Kubectl(ctx, "", "delete", "dnsforwarding", "landscape", "--timeout="+within.String())
	return err
}

// Ready waits until every cluster resolves the base domain.
func (l *Landscape) Ready(ctx context.Context, within time.Duration) error {
	return stack.Eventually(ctx, within, func(ctx context.Context) error {
		out, err := l.Clusters[West].Kubectl(ctx, "", "get", "dnsforwarding", "landscape", "--output=jsonpath={.status.ready}")
		want := fmt.Sprintf("%d/%d", len(Names()), len(Names()))
		if err == nil && out != want {
			err = fmt.Errorf("%q clusters are ready, want %s", out, want)
		}
		return err
	})
}
