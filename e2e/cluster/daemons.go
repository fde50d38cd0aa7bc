package cluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spokedns/spokedns/e2e/stack"
)

// pki is the path of one of the files writePKI wrote.
func (c *Cluster) pki(file string) string { return filepath.Join(c.Dir, "pki", file) }

// config writes a daemon's configuration file and returns its path.
func (c *Cluster) config(name, content string) (string, error) {
	path := filepath.Join(c.Dir, name)
	return path, os.WriteFile(path, []byte(content), 0o644)
}

// tool starts a daemon that `make tools` built.
func (c *Cluster) tool(ctx context.Context, name Component, ready func(context.Context) error, flags ...string) error {
	program, err := stack.Tool(string(name))
	if err != nil {
		return err
	}
	return c.startDaemon(ctx, name, ready, append([]string{program}, flags...)...)
}

func (c *Cluster) startEtcd(ctx context.Context) error {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	metrics := "http://" + net.JoinHostPort(c.NodeIP.String(), "2381")
	answers := func(ctx context.Context) error { return answersOK(ctx, http.DefaultClient, metrics+"/health") }
	return c.tool(ctx, Etcd, answers, "--data-dir", "/var/lib/etcd", "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
		"--listen-metrics-urls", metrics,
		"--unsafe-no-fsync") // nothing outlives the cluster
}

func (c *Cluster) startAPIServer(ctx context.Context) error {
	return c.tool(ctx, APIServer, c.serves,
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0", "--advertise-address="+c.NodeIP.String(), "--secure-port=6443",
		"--tls-cert-file="+c.pki("apiserver.crt"), "--tls-private-key-file="+c.pki("apiserver.key"),
		"--client-ca-file="+c.pki("ca.crt"), "--cert-dir="+c.pki(""),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range="+c.ServiceCIDR.String(), "--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc."+Domain,
		"--service-account-key-file="+c.pki("sa.pub"), "--service-account-signing-key-file="+c.pki("sa.key"),
		"--kubelet-client-certificate="+c.pki("kubelet-client.crt"), "--kubelet-client-key="+c.pki("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP")
}

func (c *Cluster) startControllerManager(ctx context.Context) error {
	return c.tool(ctx, ControllerManager, c.healthy("https", "10257"),
		"--kubeconfig="+c.kubeconfig(string(ControllerManager)), "--use-service-account-credentials",
		"--service-account-private-key-file="+c.pki("sa.key"), "--root-ca-file="+c.pki("ca.crt"),
		"--cluster-signing-cert-file="+c.pki("ca.crt"), "--cluster-signing-key-file="+c.pki("ca.key"),
		"--leader-elect=false", "--bind-address="+c.NodeIP.String(), "--cert-dir="+c.pki(""))
}

func (c *Cluster) startScheduler(ctx context.Context) error {
	return c.tool(ctx, Scheduler, c.healthy("https", "10259"),
		"--kubeconfig="+c.kubeconfig(string(Scheduler)), "--leader-elect=false", "--bind-address="+c.NodeIP.String(), "--cert-dir="+c.pki(""))
}

// startContainerd starts containerd with the network plugins' configuration: every pod has a cable to the
// node, so that all its traffic passes the node's packet filter, and with it kube-proxy's rules.
func (c *Cluster) startContainerd(ctx context.Context) error {
	_, err := c.config("cni/10-pods.conflist", fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "pods", "plugins": [
 {"type": "ptp", "ipMasq": true, "mtu": 1500,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/var/lib/cni/networks"}},
 {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`, c.PodCIDR))
	if err != nil {
		return err
	}
	// restrict_oom_score_adj: runc may not lower a score without CAP_SYS_RESOURCE, and dies trying.
	// disable_apparmor: loading a profile would change the machine.
	path, err := c.config("containerd.toml", fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  enable_unprivileged_ports = true
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
`, pauseRef, cniDir, filepath.Join(c.Dir, "cni")))
	if err != nil {
		return err
	}
	answers := func(ctx context.Context) error {
		_, err := c.Exec(ctx, "ctr", "--timeout", "2s", "version")
		return err
	}
	program, err := stack.System("containerd", "containerd")
	if err != nil {
		return err
	}
	return c.startDaemon(ctx, Containerd, answers, program, "--config", path)
}

// startKubelet starts the kubelet. Disk pressure is not its business here: what it would delete, images
// above all, could not be fetched again.
func (c *Cluster) startKubelet(ctx context.Context) error {
	resolvConf, err := c.config("resolv.conf", "nameserver "+c.HostIP.String()+"\n")
	if err != nil {
		return err
	}
	path, err := c.config("kubelet.yaml", fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /%s
failSwapOn: false
oomScoreAdj: 0
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
healthzBindAddress: %s
clusterDNS: [%s]
clusterDomain: %s
resolvConf: %q
volumePluginDir: /var/lib/kubelet/volumeplugins
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 0%%, nodefs.inodesFree: 0%%, imagefs.available: 0%%, imagefs.inodesFree: 0%%}
syncFrequency: 10s # how soon a changed ConfigMap reaches a pod's files
fileCheckFrequency: 0s
`, c.node.Cgroup, c.pki("ca.crt"), c.NodeIP, c.DNSIP, Domain, resolvConf))
	if err != nil {
		return err
	}
	return c.tool(ctx, Kubelet, c.healthy("http", "10248"), "--config="+path, "--kubeconfig="+c.kubeconfig(string(Kubelet)),
		"--hostname-override="+c.Name, "--node-ip="+c.NodeIP.String(), "--root-dir=/var/lib/kubelet")
}

// startKubeProxy starts kube-proxy. The connection tracking settings it would change are the machine's.
func (c *Cluster) startKubeProxy(ctx context.Context) error {
	path, err := c.config("kube-proxy.yaml", fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
hostnameOverride: %s
mode: nftables
clusterCIDR: %s
bindAddress: %s
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`, c.kubeconfig(string(KubeProxy)), c.Name, c.PodCIDR, c.NodeIP))
	if err != nil {
		return err
	}
	return c.tool(ctx, KubeProxy, c.healthy("http", "10256"), "--config="+path)
}

// healthy asks the /healthz that a daemon serves on the node's address. Its certificate, if it has one, it
// made itself; nothing secret is said.
func (c *Cluster) healthy(scheme, port string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true,
	}}
	where := scheme + "://" + net.JoinHostPort(c.NodeIP.String(), port) + "/healthz"
	return func(ctx context.Context) error { return answersOK(ctx, client, where) }
}

// answersOK is a readiness check: a GET of the URL answers 200.
func answersOK(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
