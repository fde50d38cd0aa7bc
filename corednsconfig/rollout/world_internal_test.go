package rollout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// world is a cluster with one CoreDNS, made of a ConfigMap and rules. Its CoreDNS looks at the ConfigMap whenever it is
// asked, as far as lag has passed since the last change.
type world struct {
	t      *testing.T
	api    client.WithWatch
	writes int // mutating calls so far

	// cut is called before a mutating call, and may refuse it.
	cut func(n int) error
	// rejects and breaks say what CoreDNS does not load, and what it loads and then answers no cluster names with.
	rejects, breaks func(text string) bool
	upstreamAway    bool
	lag             time.Duration

	mu      sync.Mutex
	loaded  string
	read    string
	hash    string
	failed  int
	seen    string
	changed time.Time
}

const worldCorefile = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa
    prometheus :9153
    forward . 192.0.2.53
    cache 30
    reload
}
`

func never(string) bool { return false }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, loaded: worldCorefile, read: worldCorefile, seen: worldCorefile, rejects: never, breaks: never, lag: 20 * time.Second}
	meta := metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"}
	labels := map[string]string{"k8s-app": "kube-dns"}
	w.api = fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns", Labels: labels},
			Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.10", ClusterIPs: []string{"10.96.0.10"}, Selector: labels, Ports: []corev1.ServicePort{
				{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
			}},
		},
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"Corefile": worldCorefile}},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns-0", UID: "1", Labels: labels},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{
					Name: "coredns", Image: "registry.k8s.io/coredns/coredns:v1.12.0", Args: []string{"-conf", "/etc/coredns/Corefile"},
					VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns"}},
				}},
				Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "coredns"}, Items: []corev1.KeyToPath{{Key: "Corefile", Path: "Corefile"}},
				}}}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
				Name: "coredns", Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Now().Add(-time.Hour))}},
			}}},
		},
	).Build()
	return w
}

// engine reaches the world instead of a cluster.
func (w *world) engine(opts Options) *Engine {
	w.t.Helper()
	opts.Dial = w.dial
	e, err := New(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	e.client = func(*rest.Config) (client.Client, error) {
		return interceptor.NewClient(w.api, interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if err := w.mutating(ctx); err != nil {
					return err
				}
				return c.Create(ctx, o, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
				if err := w.mutating(ctx); err != nil {
					return err
				}
				return c.Update(ctx, o, opts...)
			},
			Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
				if err := w.mutating(ctx); err != nil {
					return err
				}
				return c.Delete(ctx, o, opts...)
			},
		}), nil
	}
	return e
}

func (w *world) mutating(ctx context.Context) error {
	w.writes++
	if w.cut != nil {
		if err := w.cut(w.writes); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *world) wish() Wish {
	return Wish{Gate: GateOff, Forwards: []corefile.Forward{{Zones: []string{"openmcp.cluster"}, Upstreams: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}}}
}

func (w *world) cluster() Cluster {
	return Cluster{Name: "world", Config: &rest.Config{Host: "http://world"}}
}

func (w *world) text() string {
	w.t.Helper()
	var cm corev1.ConfigMap
	if err := w.api.Get(context.Background(), types.NamespacedName{Namespace: "kube-system", Name: "coredns"}, &cm); err != nil {
		w.t.Fatal(err)
	}
	return cm.Data["Corefile"]
}

func (w *world) edit(text string) {
	w.t.Helper()
	var cm corev1.ConfigMap
	if err := w.api.Get(context.Background(), types.NamespacedName{Namespace: "kube-system", Name: "coredns"}, &cm); err != nil {
		w.t.Fatal(err)
	}
	cm.Data["Corefile"] = text
	if err := w.api.Update(context.Background(), &cm, client.FieldOwner("kubectl-edit")); err != nil {
		w.t.Fatal(err)
	}
}

// reload is what CoreDNS does by itself: it looks at the file, which follows the ConfigMap after a while.
func (w *world) reload() {
	if now := w.text(); now != w.seen {
		w.seen, w.changed = now, time.Now()
	}
	if w.read == w.seen || time.Since(w.changed) < w.lag {
		return
	}
	file, err := corefile.Parse([]byte(w.seen), corefile.Process{Path: "/etc/coredns/Corefile", Imports: map[string][]byte{}, Env: map[string]string{}})
	if err != nil {
		return // a warning in the log, and nothing else
	}
	algorithm, sum, err := file.Hash(corefile.Version{Major: 1, Minor: 12})
	if err != nil {
		w.t.Error(err)
	}
	w.read, w.hash = w.seen, algorithm+`",value="`+sum
	if w.rejects(w.seen) {
		w.failed++
		return
	}
	w.loaded = w.seen
}

func (w *world) dial(_ context.Context, _ Cluster, _ *corev1.Pod, port int) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reload()
	here, there := net.Pipe()
	switch port {
	case 53:
		go w.answer(there)
	case 9153:
		go w.serveFigures(there)
	default:
		return nil, fmt.Errorf("nothing at port %d", port)
	}
	return here, nil
}

func (w *world) answer(conn net.Conn) {
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	req, err := c.ReadMsg()
	if err != nil {
		return
	}
	w.mu.Lock()
	reply := new(dns.Msg).SetReply(req)
	name := req.Question[0].Name
	switch {
	case strings.HasSuffix(name, "cluster.local.") && w.breaks(w.loaded):
		reply.Rcode = dns.RcodeRefused
	case name == "kubernetes.default.svc.cluster.local.":
		reply.Answer = append(reply.Answer, &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(10, 96, 0, 1)})
	case strings.HasSuffix(name, "openmcp.cluster.") && strings.Contains(w.loaded, "openmcp.cluster") && !w.upstreamAway:
	case strings.HasSuffix(name, "openmcp.cluster."):
		reply.Rcode = dns.RcodeServerFailure
	default:
		reply.Rcode = dns.RcodeNameError
	}
	w.mu.Unlock()
	_ = c.WriteMsg(reply)
}

func (w *world) serveFigures(conn net.Conn) {
	defer conn.Close()
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	w.mu.Lock()
	body := fmt.Sprintf("# TYPE coredns_reload_failed_total counter\ncoredns_reload_failed_total %d\n# TYPE coredns_plugin_enabled gauge\n", w.failed)
	zones := []string{"."}
	if strings.Contains(w.loaded, "openmcp.cluster") {
		zones = append(zones, "openmcp.cluster.")
	}
	for _, z := range zones {
		body += fmt.Sprintf("coredns_plugin_enabled{name=\"forward\",server=\"dns://:53\",view=\"\",zone=%q} 1\n", z)
	}
	if w.hash != "" {
		body += fmt.Sprintf("# TYPE coredns_reload_version_info gauge\ncoredns_reload_version_info{hash=\"%s\"} 1\n", w.hash)
	}
	w.mu.Unlock()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}

// errCut is the end of the program, or of the network.
func errCut() error { return errors.New("cut off") }
