package rollout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
	"github.com/spokedns/spokedns/e2e/stack"
)

// land is a real API server and a real CoreDNS. The test plays the kubelet: it copies the ConfigMap to the file that
// CoreDNS watches, and starts CoreDNS again when its pod was deleted.
type land struct {
	t        *testing.T // what it lives with
	server   *stack.APIServer
	api      kubernetes.Interface
	stack    *stack.Stack
	dir      string // what the pod mounts
	port     int
	metrics  int
	upstream *upstream
	original string

	mu      sync.Mutex
	coredns *stack.Part
	starts  int
}

const landCorefile = `# kept by hand
.:PORT {
    bind 127.0.0.1
    errors
    kubernetes cluster.local {
        kubeconfig KUBECONFIG
    }
    prometheus 127.0.0.1:METRICS
    forward . 127.0.0.1:9
    cache 30
    reload 2s 1s
}
`

func newLand(t *testing.T) *land {
	t.Helper()
	s := stack.ForTest(t)
	l := &land{t: t, stack: s, dir: filepath.Join(t.TempDir(), "config")}
	var err error
	if l.server, err = s.APIServer(t.Context(), stack.APIServerConfig{}); err != nil {
		t.Fatal(err)
	}
	if l.api, err = kubernetes.NewForConfig(l.server.Config); err != nil {
		t.Fatal(err)
	}
	l.port, l.metrics = freePort(t), freePort(t)
	l.upstream = startUpstream(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(freePort(t))), //nolint:gosec // a port
		map[string]string{"app.w1." + baseDomain: "172.18.201.1"})
	l.original = strings.NewReplacer("PORT", strconv.Itoa(l.port), "METRICS", strconv.Itoa(l.metrics), "KUBECONFIG", l.server.Kubeconfig).
		Replace(landCorefile)
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l.install(t)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); l.kubelet(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	err = stack.Eventually(t.Context(), time.Minute, func(ctx context.Context) error {
		p, err := l.api.CoreV1().Pods("kube-system").Get(ctx, "coredns-0", metav1.GetOptions{})
		if err == nil && p.Status.Phase != corev1.PodRunning {
			err = errors.New(string(p.Status.Phase))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// install makes what an installer makes.
func (l *land) install(t *testing.T) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"}
	dns := metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns", Labels: map[string]string{"k8s-app": "kube-dns"}}
	core := l.api.CoreV1()
	_, err := core.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, err = core.Services("kube-system").Create(t.Context(), &corev1.Service{ObjectMeta: dns, Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.10", Selector: dns.Labels,
		Ports: []corev1.ServicePort{{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP}},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = core.ServiceAccounts("kube-system").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = core.ConfigMaps("kube-system").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"Corefile": l.original}},
		metav1.CreateOptions{FieldManager: "kubeadm"})
	if err != nil {
		t.Fatal(err)
	}
	l.createPod(t.Context())
}

func (l *land) createPod(ctx context.Context) {
	controlled := true
	_, _ = l.api.CoreV1().Pods("kube-system").Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kube-system", Name: "coredns-0", Labels: map[string]string{"k8s-app": "kube-dns"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "coredns", UID: "1", Controller: &controlled}},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "coredns",
			Containers: []corev1.Container{{
				Name: "coredns", Image: "registry.k8s.io/coredns/coredns:v1.15.0", Args: []string{"-conf", filepath.Join(l.dir, "Corefile")},
				VolumeMounts: []corev1.VolumeMount{{Name: "config-volume", MountPath: l.dir, ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{{Name: "config-volume", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "coredns"}, Items: []corev1.KeyToPath{{Key: "Corefile", Path: "Corefile"}},
			}}}},
		},
	}, metav1.CreateOptions{})
}

// kubelet keeps the file and the process as the API server has them.
func (l *land) kubelet(ctx context.Context) {
	running := current{}
	for ctx.Err() == nil {
		_ = l.sync(ctx, &running)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// current is the pod whose process runs.
type current struct{ uid string }

func (l *land) sync(ctx context.Context, running *current) error {
	cm, err := l.api.CoreV1().ConfigMaps("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil {
		return err
	}
	file := filepath.Join(l.dir, "Corefile")
	if now, _ := os.ReadFile(file); string(now) != cm.Data["Corefile"] {
		if err := os.WriteFile(file+".new", []byte(cm.Data["Corefile"]), 0o600); err != nil {
			return err
		}
		if err := os.Rename(file+".new", file); err != nil {
			return err
		}
	}
	pod, err := l.api.CoreV1().Pods("kube-system").Get(ctx, "coredns-0", metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		l.end()
		l.createPod(ctx)
		return nil
	case err != nil:
		return err
	case pod.DeletionTimestamp != nil:
		l.end()
		now := int64(0)
		return l.api.CoreV1().Pods("kube-system").Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	case running.uid == string(pod.UID) && l.alive():
		return nil
	}
	restarts := int32(0)
	if running.uid == string(pod.UID) && len(pod.Status.ContainerStatuses) > 0 {
		restarts = pod.Status.ContainerStatuses[0].RestartCount + 1
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	running.uid = string(pod.UID)
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: "10.244.0.2",
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "coredns", Ready: true, RestartCount: restarts, Image: "registry.k8s.io/coredns/coredns:v1.15.0", ImageID: "x",
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}},
	}
	_, err = l.api.CoreV1().Pods("kube-system").UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

func (l *land) start(ctx context.Context) error {
	program, err := stack.Tool("coredns")
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts++
	ready := func(ctx context.Context) error {
		_, err := stack.Query(ctx, l.addr(), "kubernetes.default.svc.cluster.local", "A")
		return err
	}
	l.coredns, err = l.stack.Start(ctx, fmt.Sprintf("coredns-%d", l.starts), ready, exec.Command(program, "-conf", filepath.Join(l.dir, "Corefile")))
	return err
}

func (l *land) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.coredns != nil {
		l.coredns.Kill()
		l.coredns = nil
	}
}

func (l *land) alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.coredns == nil {
		return false
	}
	select {
	case <-l.coredns.Done():
		return false
	default:
		return true
	}
}

func (l *land) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)) }

func (l *land) cluster() rollout.Cluster {
	return rollout.Cluster{Name: "land", Config: l.server.Config}
}

func (l *land) wish() rollout.Wish {
	return rollout.Wish{
		Forwards: []corefile.Forward{{Zones: []string{baseDomain}, Upstreams: []netip.AddrPort{l.upstream.addr}}},
		Probe:    []string{"app.w1." + baseDomain},
		Gate:     rollout.GateOff,
	}
}

// dial stands in for port-forwarding, which needs a kubelet.
func (l *land) dial(ctx context.Context, _ rollout.Cluster, _ *corev1.Pod, port int) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}

func (l *land) engine(t *testing.T, opts rollout.Options) *rollout.Engine {
	opts.Dial = l.dial
	return newEngine(t, opts)
}

func (l *land) corefile(t *testing.T) string {
	t.Helper()
	cm, err := l.api.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "coredns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cm.Data["Corefile"]
}

// write replaces the Corefile, as another owner does.
func (l *land) write(t *testing.T, owner, text string) {
	t.Helper()
	maps := l.api.CoreV1().ConfigMaps("kube-system")
	cm, err := maps.Get(t.Context(), "coredns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data["Corefile"] = text
	if _, err := maps.Update(t.Context(), cm, metav1.UpdateOptions{FieldManager: owner}); err != nil {
		t.Fatal(err)
	}
}

func (l *land) apply(t *testing.T, e *rollout.Engine, w rollout.Wish) rollout.Report {
	t.Helper()
	r, err := e.Apply(t.Context(), l.cluster(), w)
	if err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
	return r
}

// good is what a whole roll-out reports.
func good() map[string]string {
	return map[string]string{
		rollout.Detected: "True", rollout.Supported: "True", rollout.Validated: "True", rollout.Applied: "True",
		rollout.Loaded: "True", rollout.Resolving: "True", rollout.Conflict: "False", rollout.Degraded: "False",
	}
}
