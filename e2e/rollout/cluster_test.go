// Package rollout owns the proof that corednsconfig/rollout edits no cluster's DNS to its harm: on real clusters with
// running pods, on a real API server, and with real CoreDNS processes.
package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/stack"
)

const baseDomain = "openmcp.cluster"

// house is a cluster with everything around it.
type house struct {
	*cluster.Cluster
	api      kubernetes.Interface
	rights   *rest.Config // of an account with the documented rights
	upstream *upstream
	lookups  string // path of the program
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{Cluster: cluster.Start(t, cluster.Options{Name: "rollout"})}
	t.Log(h.Summary())
	var err error
	if h.api, err = kubernetes.NewForConfig(h.Config); err != nil {
		t.Fatal(err)
	}
	h.rights = h.account(t)
	// The node's resolver, so that other names are refused at once.
	startUpstream(t, netip.AddrPortFrom(h.HostIP, 53), nil)
	h.upstream = startUpstream(t, netip.AddrPortFrom(h.HostIP, 10053), map[string]string{"app.w1." + baseDomain: "172.18.201.1"})
	if h.lookups, err = cluster.Program(t.Context(), t.TempDir(), "./rollout/lookups"); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) cluster() rollout.Cluster { return rollout.Cluster{Name: h.Name, Config: h.rights} }

func (h *house) wish() rollout.Wish {
	return rollout.Wish{
		Forwards: []corefile.Forward{{Zones: []string{baseDomain}, Upstreams: []netip.AddrPort{h.upstream.addr}}},
		Probe:    []string{"app.w1." + baseDomain},
	}
}

func (h *house) corefile(t *testing.T) string {
	t.Helper()
	cm, err := h.api.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "coredns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cm.Data["Corefile"]
}

func (h *house) setCorefile(t *testing.T, text string) {
	t.Helper()
	maps := h.api.CoreV1().ConfigMaps("kube-system")
	cm, err := maps.Get(t.Context(), "coredns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data["Corefile"] = text
	if _, err := maps.Update(t.Context(), cm, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
}

// asking is a client in the node that asks for cluster names without pause.
type asking struct {
	stop func() (asked int, failed []string, worst time.Duration)
}

func (h *house) ask(t *testing.T) asking {
	t.Helper()
	server := net.JoinHostPort(h.DNSIP.String(), "53")
	cmd := h.Command(t.Context(), h.lookups, server, "kubernetes.default.svc."+cluster.Domain, "kube-dns.kube-system.svc."+cluster.Domain)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return asking{stop: func() (int, []string, time.Duration) {
		in.Close()
		text, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		var tally struct {
			Asked  int
			Failed []string
			Worst  time.Duration
		}
		if err := json.Unmarshal(text, &tally); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return tally.Asked, tally.Failed, tally.Worst
	}}
}

// resolve asks cluster DNS from the node.
func (h *house) resolve(ctx context.Context, name string) (string, error) {
	return h.Exec(ctx, "dig", "+short", "+time=2", "+tries=1", "@"+h.DNSIP.String(), name)
}

// upstream is a DNS server with a few addresses, and a SOA for the base domain.
type upstream struct {
	addr    netip.AddrPort
	servers []*dns.Server
}

func startUpstream(t *testing.T, addr netip.AddrPort, addresses map[string]string) *upstream {
	t.Helper()
	u := &upstream{addr: addr}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, req *dns.Msg) {
		reply := new(dns.Msg).SetReply(req)
		name := req.Question[0].Name
		soa, err := dns.NewRR(baseDomain + ". 30 IN SOA ns. host. 1 7200 1800 86400 30")
		if err != nil {
			panic(err)
		}
		for known, ip := range addresses {
			if dns.Fqdn(known) == name && req.Question[0].Qtype == dns.TypeA {
				rr, err := dns.NewRR(name + " 30 IN A " + ip)
				if err != nil {
					panic(err)
				}
				reply.Answer = append(reply.Answer, rr)
			}
		}
		switch {
		case len(reply.Answer) > 0:
		case name == baseDomain+".":
			reply.Answer = append(reply.Answer, soa)
		default:
			reply.Rcode = dns.RcodeNameError
			reply.Ns = append(reply.Ns, soa)
		}
		_ = w.WriteMsg(reply)
	})
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: addr.String(), Net: network, Handler: handler, NotifyStartedFunc: func() { close(started) }}
		failed := make(chan error, 1)
		go func() { failed <- s.ListenAndServe() }()
		select {
		case <-started:
		case err := <-failed:
			t.Fatalf("DNS server on %s: %v", addr, err)
		}
		u.servers = append(u.servers, s)
	}
	t.Cleanup(u.stop)
	return u
}

func (u *upstream) stop() {
	for _, s := range u.servers {
		_ = s.Shutdown()
	}
	u.servers = nil
}

// newEngine logs to the test.
func newEngine(t *testing.T, opts rollout.Options) *rollout.Engine {
	t.Helper()
	opts.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	e, err := rollout.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func show(r rollout.Report) string {
	text := fmt.Sprintf("dialect %s, hash %.16s…, %d of %d replicas, RTT %s, changed %t, drifted %t, rolled back %q, converged %s, restored %s",
		r.Dialect, r.Hash, r.LoadedReplicas, r.Replicas, r.RTT, r.Changed, r.Drifted, r.RolledBack, r.Converged, r.Restored)
	for _, c := range r.Conditions {
		text += fmt.Sprintf("\n  %-9s %-7s %-18s %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}

// want fails the test unless the conditions have the given status, or status and reason ("False/RolledBack").
func want(t *testing.T, r rollout.Report, conditions map[string]string) {
	t.Helper()
	for kind, expected := range conditions {
		c := r.Condition(kind)
		if got := string(c.Status); got != expected && got+"/"+c.Reason != expected {
			t.Errorf("%s: got %s/%s (%s), want %s", kind, got, c.Reason, c.Message, expected)
		}
	}
	if t.Failed() {
		t.Log(show(r))
	}
}

// TestCluster rolls out to a cluster with two replicas of CoreDNS and the stock reload interval.
func TestCluster(t *testing.T) {
	h := newHouse(t)
	t.Run("a good edit and its removal go unnoticed", h.goodEdit)
	t.Run("the load gate refuses", h.loadGateRefuses)
	t.Run("takes back", h.rollsBack)
	t.Run("a Service that leads nowhere", h.clientsFail)
	t.Run("a key of our own where the Corefile imports one", h.customKey)
}

func (h *house) goodEdit(t *testing.T) {
	original := h.corefile(t)
	e := newEngine(t, rollout.Options{})
	p, err := e.Plan(t.Context(), h.cluster(), h.wish())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("plan: %s\n%s", show(p.Report), p.Diff)
	asking := h.ask(t)
	start := time.Now()
	r, err := e.Apply(t.Context(), h.cluster(), h.wish())
	if err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
	t.Logf("Apply took %s: %s", time.Since(start).Round(time.Millisecond), show(r))
	want(t, r, map[string]string{
		rollout.Detected: "True", rollout.Supported: "True", rollout.Validated: "True/LoadGate", rollout.Applied: "True",
		rollout.Loaded: "True", rollout.Resolving: "True", rollout.Conflict: "False", rollout.Degraded: "False",
	})
	if got, err := h.resolve(t.Context(), "app.w1."+baseDomain); err != nil || got != "172.18.201.1\n" {
		t.Errorf("app.w1.%s: %q, %v", baseDomain, got, err)
	}
	if r, err = e.Check(t.Context(), h.cluster(), h.wish()); err != nil {
		t.Fatal(err)
	}
	want(t, r, map[string]string{rollout.Applied: "True", rollout.Loaded: "True", rollout.Resolving: "True", rollout.Degraded: "False"})
	start = time.Now()
	if r, err = e.Remove(t.Context(), h.cluster()); err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
	t.Logf("Remove took %s: %s", time.Since(start).Round(time.Millisecond), show(r))
	want(t, r, map[string]string{rollout.Applied: "False/Removed", rollout.Loaded: "True", rollout.Degraded: "False"})
	asked, failed, worst := asking.stop()
	t.Logf("%d lookups of cluster names during Apply and Remove, %d failed, slowest %s", asked, len(failed), worst)
	if asked < 2000 || len(failed) > 0 {
		t.Errorf("want at least 2000 lookups and none failed: %v", failed)
	}
	if got := h.corefile(t); got != original {
		t.Errorf("the original is not back:\n%s", got)
	}
}

// clientsFail is a cluster whose replicas answer, while the address that its pods ask does not.
func (h *house) clientsFail(t *testing.T) {
	port := func(target string) {
		t.Helper()
		patch := `[{"op":"replace","path":"/spec/ports/0/targetPort","value":` + target + `}]`
		if _, err := h.Kubectl(t.Context(), "", "--namespace", "kube-system", "patch", "service", "kube-dns", "--type=json", "--patch", patch); err != nil {
			t.Fatal(err)
		}
	}
	e := newEngine(t, rollout.Options{Notify: onWritten(h.hurry)})
	port("5399")
	defer port("53")
	r, err := e.Apply(t.Context(), h.cluster(), h.wish())
	if err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
	t.Log(show(r))
	want(t, r, map[string]string{rollout.Applied: "True", rollout.Loaded: "True", rollout.Resolving: "False/ClientsFailing", rollout.Degraded: "False"})
	if r, err = e.Check(t.Context(), h.cluster(), h.wish()); err != nil {
		t.Fatal(err)
	}
	want(t, r, map[string]string{rollout.Resolving: "False/ClientsFailing"})
	port("53")
	err = stack.Eventually(t.Context(), time.Minute, func(context.Context) error {
		if r, err = e.Apply(t.Context(), h.cluster(), h.wish()); err == nil && !r.Is(rollout.Resolving) {
			err = errors.New(r.Condition(rollout.Resolving).Message)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if r, err = e.Remove(t.Context(), h.cluster()); err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
}

// customKey is a cluster whose owner keeps the Corefile and imports what others add.
func (h *house) customKey(t *testing.T) {
	h.setCorefile(t, strings.Replace(h.corefile(t), "    reload\n", "    reload 5s 1s\n", 1)+"import /etc/coredns/custom/*.server\n")
	original := h.corefile(t)
	patch := `{"spec":{"template":{"spec":{
		"volumes":[{"name":"custom","configMap":{"name":"coredns-custom","optional":true}}],
		"containers":[{"name":"coredns","volumeMounts":[{"name":"custom","mountPath":"/etc/coredns/custom","readOnly":true}]}]}}}}`
	if _, err := h.Kubectl(t.Context(), "", "--namespace", "kube-system", "patch", "deployment", "coredns", "--patch", patch); err != nil {
		t.Fatal(err)
	}
	if err := h.settles(t); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, rollout.Options{Notify: onWritten(h.hurry)})
	asking := h.ask(t)
	r, err := e.Apply(t.Context(), h.cluster(), h.wish())
	if err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
	t.Log(show(r))
	want(t, r, map[string]string{
		rollout.Supported: "True/custom-configmap", rollout.Validated: "True/LoadGate", rollout.Applied: "True",
		rollout.Loaded: "True", rollout.Resolving: "True", rollout.Conflict: "False", rollout.Degraded: "False",
	})
	if h.corefile(t) != original {
		t.Error("the owner's Corefile was touched")
	}
	if r, err = e.Remove(t.Context(), h.cluster()); err != nil {
		t.Fatalf("%v\n%s", err, show(r))
	}
	want(t, r, map[string]string{rollout.Applied: "False/Removed", rollout.Loaded: "True", rollout.Degraded: "False"})
	asked, failed, worst := asking.stop()
	t.Logf("%d lookups, %d failed, slowest %s", asked, len(failed), worst)
	if len(failed) > 0 {
		t.Errorf("lookups failed: %v", failed)
	}
	cm, err := h.api.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "coredns-custom", metav1.GetOptions{})
	if err == nil && len(cm.Data) > 0 || err != nil && !apierrors.IsNotFound(err) {
		t.Errorf("left behind: %v, %v", cm.Data, err)
	}
}
