package release_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/pki"
	"github.com/spokedns/spokedns/e2e/release"
	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
)

// soon is how long a test waits for what takes a few seconds on an idle machine.
const soon = 2 * time.Minute

const lookupsRef = "localhost/lookups:1"

// house is a house and what the tests know of it.
type house struct {
	*testing.T
	*release.House
	api       kubernetes.Interface
	fake      *ganditest.Server
	lookups   string // path of the program
	scenarios map[string]release.Scenario
	order     []string // of the scenarios
}

func (h *house) on(t *testing.T) *house {
	copied := *h
	copied.T = t
	return &copied
}

// TestCharts installs every scenario that needs no cloud into one cluster, uses it, breaks it, and takes it away.
func TestCharts(t *testing.T) {
	h := newHouse(t)
	for _, part := range []struct {
		name string
		do   func(*house)
	}{
		{"every pod of every scenario becomes ready", (*house).installs},
		{"names appear in BIND, CoreDNS and Gandi", (*house).publishes},
		{"nobody may do more than is granted", (*house).denies},
		{"no lookup fails while parts are killed", (*house).survives},
		{"the ConfigMap is put into use, and rolled back", (*house).reloads},
		{"another replica leads when the leader is gone", (*house).failsOver},
		{"what is wrong is named", (*house).refuses},
		{"cluster names resolve while the cluster's DNS is edited, and edited back by the uninstallation", (*house).forwards},
		{"nothing is left", (*house).uninstalls},
		{"the README's commands work", (*house).readme},
	} {
		began := time.Now()
		if !t.Run(part.name, func(t *testing.T) { part.do(h.on(t)) }) {
			h.describe()
			return // the next ones build on it
		}
		t.Logf("%s: %s", part.name, time.Since(began).Round(time.Second))
	}
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, House: release.New(t.TempDir()), scenarios: map[string]release.Scenario{}}
	t.Cleanup(h.Close)
	h.must(h.Build(t.Context()))
	var err error
	h.lookups, err = cluster.Program(t.Context(), t.TempDir(), "./rollout/lookups")
	h.must(err)
	asking, err := cluster.Scratch(lookupsRef, map[string]string{"/lookups": h.lookups}, []string{"/lookups"}, "65532:65532")
	h.must(err)
	h.must(h.StartCluster(t.Context(), asking))
	t.Log(h.Cluster.Summary())
	h.must(h.StartServers(t.Context()))
	h.api, err = kubernetes.NewForConfig(h.Cluster.Config)
	h.must(err)
	for _, s := range h.Scenarios(h.gandi()) {
		h.scenarios[s.Namespace], h.order = s, append(h.order, s.Namespace)
	}
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// gandi serves a stand-in for Gandi where pods reach it, and gives its URL and the authority of its certificate.
func (h *house) gandi() (at string, authority []byte) {
	h.Helper()
	var err error
	h.fake, err = ganditest.New(ganditest.Options{Domains: []string{"example.org"}, Token: release.GandiToken})
	h.must(err)
	h.Cleanup(func() { _ = h.fake.Close() })
	ca, err := pki.New("outside", pki.PerTest)
	h.must(err)
	host := h.Cluster.HostIP.String()
	pair, err := ca.Issue(pki.Subject{Name: "gandi", Hosts: []string{host}})
	h.must(err)
	certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
	h.must(err)
	server := httptest.NewUnstartedServer(h.fake)
	h.must(server.Listener.Close())
	server.Listener, err = (&net.ListenConfig{}).Listen(h.Context(), "tcp", host+":0")
	h.must(err)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	h.Cleanup(server.Close)
	return server.URL, ca.PEM
}

// eventually fails the test when the check does not succeed in time.
func (h *house) eventually(check func(ctx context.Context) error) {
	h.Helper()
	h.must(stack.Eventually(h.Context(), soon, check))
}

// answers waits until the server answers with these values.
func (h *house) answers(server, name, typ string, values ...string) {
	h.Helper()
	if err := stack.EventuallyAnswers(h.Context(), soon, server, name, typ, values...); err != nil {
		h.Error(err)
	}
}

// ready waits until every pod in the namespace is.
func (h *house) ready(namespace string) {
	h.Helper()
	h.eventually(func(ctx context.Context) error { return h.unready(ctx, namespace) })
}

// unready says which pods of a namespace are not ready or not there, nil if all are and there is one.
func (h *house) unready(ctx context.Context, namespace string) error {
	deployments, err := h.api.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	sets, err := h.api.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	want := 0
	for _, d := range deployments.Items {
		want += int(*d.Spec.Replicas)
	}
	for _, s := range sets.Items {
		want += int(*s.Spec.Replicas)
	}
	pods, err := h.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := 0
	var missing []string
	for _, pod := range pods.Items {
		switch {
		case pod.Status.Phase == corev1.PodSucceeded:
		case isReady(pod):
			ready++
		default:
			missing = append(missing, pod.Name)
		}
	}
	if ready == 0 || ready != want || len(missing) > 0 {
		return fmt.Errorf("%d of %d pods in %s are ready, not ready: %s", ready, want, namespace, strings.Join(missing, ", "))
	}
	return nil
}

func isReady(pod corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// pod is the only pod of the component in the namespace.
func (h *house) pod(namespace, component string) corev1.Pod {
	h.Helper()
	pods, err := h.api.CoreV1().Pods(namespace).List(h.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=spokedns-" + component})
	h.must(err)
	if len(pods.Items) != 1 {
		h.Fatalf("%d pods of %s in %s, want 1", len(pods.Items), component, namespace)
	}
	return pods.Items[0]
}

// kill deletes a pod without giving it time to end, and waits until another one is there.
func (h *house) kill(namespace, pod string) {
	h.Helper()
	none := int64(0)
	before, err := h.api.CoreV1().Pods(namespace).Get(h.Context(), pod, metav1.GetOptions{})
	h.must(err)
	h.must(h.api.CoreV1().Pods(namespace).Delete(h.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: &none}))
	h.eventually(func(ctx context.Context) error {
		now, err := h.api.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && now.UID != before.UID:
			return nil
		case err == nil:
			err = fmt.Errorf("pod %s/%s is still there", namespace, pod)
		}
		return err
	})
}

// describe shows what is in the cluster, after a failure.
func (h *house) describe() {
	ctx := context.WithoutCancel(h.Context())
	for _, args := range [][]string{
		{"get", "pods", "--all-namespaces", "--output=wide"}, {"get", "events", "--all-namespaces", "--field-selector=type!=Normal"},
	} {
		out, err := h.Kubectl(ctx, args...)
		h.Log(out, err)
	}
	for _, namespace := range h.order {
		out, _ := h.Kubectl(ctx, "logs", "--namespace", namespace, "--selector=app.kubernetes.io/instance="+release.Release,
			"--all-containers", "--prefix", "--tail=4", "--max-log-requests=30")
		h.Log(out)
	}
}
