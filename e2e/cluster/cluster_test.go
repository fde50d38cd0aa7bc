package cluster

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const probeRef = "localhost/probe:1"

// workload is a Deployment as strict as clusters demand, with a Service inside and a NodePort outside.
const workload = `
apiVersion: v1
kind: Namespace
metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Service
metadata: {name: probe, namespace: strict}
spec: {selector: {app: probe}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: strict}
spec: {type: NodePort, selector: {app: probe}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: probe, namespace: strict}
spec:
  replicas: 2
  selector: {matchLabels: {app: probe}}
  template:
    metadata: {labels: {app: probe}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: probe
        image: ` + probeRef + `
        resources: {limits: {cpu: 500m, memory: 64Mi}}
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// TestClusters starts two clusters at once, uses them, breaks them, and ends them.
func TestClusters(t *testing.T) {
	settings := machineSettings(t)
	image := probeImage(t)
	a, b := startBoth(t, Options{Name: "hub", Images: []Image{image}}, Options{Name: "spoke", Images: []Image{image}})
	t.Run("pods under the restricted standard become ready", func(t *testing.T) { deploys(t, a) })
	t.Run("pods resolve", func(t *testing.T) { resolves(t, a) })
	t.Run("services answer", func(t *testing.T) { servesServices(t, a) })
	t.Run("pods reach servers of this machine", func(t *testing.T) { reachesHost(t, a) })
	t.Run("pods reach nothing else", func(t *testing.T) { reachesNothingElse(t, a, b) })
	t.Run("clusters can be connected", func(t *testing.T) { connects(t, a, b) })
	t.Run("components can be killed and started again", func(t *testing.T) { survives(t, a) })
	t.Run("nothing is left", func(t *testing.T) {
		for _, c := range []*Cluster{a, b} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if left := trace(t, c.node); len(left) > 0 {
				t.Errorf("left of %s: %s", c.Name, strings.Join(left, "\n"))
			}
			if err := c.Close(); err != nil {
				t.Errorf("closing twice: %v", err)
			}
		}
		if diff := cmp.Diff(settings, machineSettings(t)); diff != "" {
			t.Errorf("settings of the machine changed:\n%s", diff)
		}
	})
}

// startBoth starts two clusters at the same time.
func startBoth(t *testing.T, first, second Options) (a, b *Cluster) {
	t.Helper()
	dir, secondUp := t.TempDir(), make(chan error, 1)
	go func() {
		var err error
		b, err = Up(t.Context(), dir, second)
		secondUp <- err
	}()
	var failed error
	wait := sync.OnceFunc(func() { failed = <-secondUp })
	t.Cleanup(func() { // the first may fail to start, and the tests below to close the second
		if wait(); b != nil {
			_ = b.Close()
		}
		if t.Failed() {
			PrintLogs(t.Output(), dir, 30)
		}
	})
	a = Start(t, first)
	if wait(); failed != nil {
		t.Fatal(failed)
	}
	t.Log(b.Summary())
	return a, b
}

func deploys(t *testing.T, c *Cluster) {
	deploy(t, c)
	_, err := c.Kubectl(t.Context(), "", "--namespace", "strict", "run", "lax", "--image", probeRef)
	if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("a pod that asks for more: got %v, want a refusal", err)
	}
	version, err := c.Kubectl(t.Context(), "", "version", "--output", "yaml")
	if err != nil || strings.Count(version, "gitVersion: v1.36.3") != 2 {
		t.Errorf("got %v, %s; want the server and the client to say v1.36.3", err, version)
	}
	for _, command := range [][]string{{"logs", "deployment/coredns"}, {"exec", "deployment/coredns", "--", "/coredns", "-version"}} {
		if out := kubectl(t, c, "", append([]string{"--namespace", "kube-system"}, command...)...); !strings.Contains(out, "CoreDNS-1.15.0") {
			t.Errorf("kubectl %v: got %s", command, out)
		}
	}
}

func deploy(t *testing.T, c *Cluster) {
	t.Helper()
	kubectl(t, c, workload, "apply", "--filename", "-")
	start := time.Now()
	kubectl(t, c, "", "--namespace", "strict", "rollout", "status", "deployment/probe", "--timeout=60s")
	t.Logf("rolled out in %.1fs", time.Since(start).Seconds())
}

func resolves(t *testing.T, c *Cluster) {
	service := strings.TrimSpace(kubectl(t, c, "", "--namespace", "strict", "get", "service", "probe", "--output", "jsonpath={.spec.clusterIP}"))
	for host, want := range map[string]string{
		"kubernetes.default.svc.cluster.local": "10.96.0.1",
		"kubernetes.default":                   "10.96.0.1",
		"probe.strict.svc.cluster.local":       service,
		"probe":                                service,
	} {
		if got := ask(t, c, "/lookup", "host", host); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
}

func servesServices(t *testing.T, c *Cluster) {
	if got := ask(t, c, "/healthz", "", ""); got != "ok" {
		t.Errorf("NodePort from this machine: got %s", got)
	}
	if got := ask(t, c, "/get", "url", "http://probe.strict/healthz"); got != "ok" {
		t.Errorf("ClusterIP from a pod: got %s", got)
	}
	if got := ask(t, c, "/get", "url", "http://"+c.NodeIP.String()+":30080/healthz"); got != "ok" {
		t.Errorf("NodePort from a pod: got %s", got)
	}
	dig, err := c.Exec(t.Context(), "dig", "+short", "@"+c.DNSIP.String(), "-x", "10.96.0.10")
	if err != nil || strings.TrimSpace(dig) != "kube-dns.kube-system.svc.cluster.local." {
		t.Errorf("ClusterIP from the node: got %q, %v", dig, err)
	}
}

func reachesHost(t *testing.T, c *Cluster) {
	listener, err := net.Listen("tcp", net.JoinHostPort(c.HostIP.String(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprint(w, "hello "+from)
	})}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	if got, want := ask(t, c, "/get", "url", "http://"+listener.Addr().String()), "hello "+c.NodeIP.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func reachesNothingElse(t *testing.T, c, other *Cluster) {
	for _, address := range []string{"192.0.2.1", other.NodeIP.String()} {
		status, body := answer(t, c, "/get", "url", "http://"+address+":30080/")
		if status != http.StatusBadGateway || !strings.Contains(body, "no route to host") && !strings.Contains(body, "network is unreachable") {
			t.Errorf("%s: got %d %s, want that there is no route", address, status, body)
		}
	}
}

func connects(t *testing.T, a, b *Cluster) {
	if err := Connect(t.Context(), a, b); err != nil {
		t.Fatal(err)
	}
	deploy(t, b)
	for _, c := range [][2]*Cluster{{a, b}, {b, a}} {
		if got := ask(t, c[0], "/get", "url", "http://"+c[1].NodeIP.String()+":30080/healthz"); got != "ok" {
			t.Errorf("a pod of %s asks the NodePort of %s: got %s", c[0].Name, c[1].Name, got)
		}
	}
}

// survives kills components; pods go on, and after a restart the cluster rolls out again.
func survives(t *testing.T, c *Cluster) {
	for _, component := range []Component{Kubelet, Containerd, APIServer, Etcd, ControllerManager, Scheduler, KubeProxy} {
		if err := c.Kill(component); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, c, "/healthz", "", ""); got != "ok" {
			t.Errorf("without %s the NodePort says %s", component, got)
		}
		if err := c.Kill(component); err != nil {
			t.Errorf("killing %s again: %v", component, err)
		}
		if err := c.Restart(t.Context(), component); err != nil {
			t.Fatal(err)
		}
		if log, err := c.Logs(component); err != nil || log == "" {
			t.Errorf("log of %s: %q, %v", component, log, err)
		}
	}
	eventually(t, "the API server has its storage back", func() error {
		_, err := c.Kubectl(t.Context(), "", "--namespace", "strict", "rollout", "restart", "deployment/probe")
		return err
	})
	kubectl(t, c, "", "--namespace", "strict", "rollout", "status", "deployment/probe", "--timeout=60s")
	if err := c.Kill("kube-apiservre"); err == nil {
		t.Error("a component that is none can be killed")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Hub", "a_b", "-a", "a-", strings.Repeat("a", 64)} {
		_, err := Up(t.Context(), t.TempDir(), Options{Name: name})
		if err == nil || !strings.Contains(err.Error(), "want a DNS label") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestAFailedStartLeavesNothing(t *testing.T) {
	image := Image{Ref: "localhost/gone:1", Files: map[string]string{"/gone": "/does/not/exist"}, Entrypoint: []string{"/gone"}}
	dir := t.TempDir()
	_, err := Up(t.Context(), dir, Options{Images: []Image{image}})
	if err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("got %v, want an error that names the missing file", err)
	}
	n, err := recordedNode(dir)
	if err != nil {
		t.Fatal(err)
	}
	if left := trace(t, n); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func probeImage(t *testing.T) Image {
	t.Helper()
	program, err := Program(t.Context(), t.TempDir(), "./cluster/probe")
	if err != nil {
		t.Fatal(err)
	}
	image, err := Scratch(probeRef, map[string]string{"/probe": program}, []string{"/probe"}, "65532:65532")
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func kubectl(t *testing.T, c *Cluster, stdin string, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask has a pod of the cluster, found by its NodePort, look at the network, and returns what it saw. A Service
// answers some time after its pods are ready, so it asks until it is answered well.
func ask(t *testing.T, c *Cluster, path, parameter, value string) (body string) {
	t.Helper()
	eventually(t, path+" "+value, func() error {
		status, got := answer(t, c, path, parameter, value)
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, got)
		}
		body = got
		return nil
	})
	return body
}

func answer(t *testing.T, c *Cluster, path, parameter, value string) (int, string) {
	t.Helper()
	where := url.URL{Scheme: "http", Host: c.NodeIP.String() + ":30080", Path: path, RawQuery: url.Values{parameter: {value}}.Encode()}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

// machineSettings reads the settings that kubelet, kube-proxy and container runtimes like to change.
func machineSettings(t *testing.T) map[string]string {
	t.Helper()
	settings := map[string]string{
		"vm/overcommit_memory": "", "vm/panic_on_oom": "", "kernel/panic": "", "kernel/panic_on_oops": "", "kernel/hostname": "",
		"net/ipv4/ip_forward": "", "net/netfilter/nf_conntrack_max": "",
	}
	for name := range maps.Keys(settings) {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		settings[name] = string(value)
	}
	return settings
}
