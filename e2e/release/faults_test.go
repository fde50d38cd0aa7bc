package release_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/release"
)

// leastLookups is how often has to be asked while something is done to the cluster.
const leastLookups = 2000

// survives kills what publishes, what answers, and what looks after both.
func (h *house) survives() {
	start := time.Now()
	public, internal := h.ask(h.Public.Addr, shop), h.ask(h.central(), shop, bank)
	for _, one := range []struct {
		what string
		do   func()
	}{
		{"the webhook's pod", func() { h.kill(release.Spoke, h.pod(release.Spoke, "webhook").Name) }},
		{"a member of etcd", func() { h.kill(release.Center, "dns-central-dns-etcd-0") }},
		{"a replica of the central CoreDNS", h.replaceCoreDNS},
		{"containerd and the kubelet", func() {
			h.must(h.Cluster.Restart(h.Context(), cluster.Containerd))
			// The kubelet ends when it comes too early for containerd; what looks after it on a node starts it again.
			h.eventually(func(ctx context.Context) error { return h.Cluster.Restart(ctx, cluster.Kubelet) })
		}},
		{"the API server", func() { h.must(h.Cluster.Restart(h.Context(), cluster.APIServer)) }},
	} {
		began := time.Now()
		one.do()
		for _, namespace := range h.order {
			h.ready(namespace)
		}
		h.Logf("%s: gone and back within %s", one.what, time.Since(began).Round(100*time.Millisecond))
	}
	// All of it works on: what is new is published.
	h.ingress("late", "nginx", "late.example.org", "10.1.0.20")
	h.answers(h.Public.Addr, "late.example.org", "A", hub)
	h.answers(h.central(), "late.example.org", "A", "10.1.0.20")
	h.answers(h.Public.Addr, "admin.example.org", "A") // what is internal stayed it
	h.eventually(h.busy(start))
	h.flawless("BIND", h.stop(public), leastLookups)
	h.flawless("the central CoreDNS", h.stop(internal), leastLookups)
}

// busy waits until enough was asked, two hundred times a second at best.
func (h *house) busy(since time.Time) func(context.Context) error {
	const enough = leastLookups * 10 * time.Millisecond
	return func(context.Context) error {
		if passed := time.Since(since); passed < enough {
			return fmt.Errorf("asked for %s, want %s", passed, enough)
		}
		return nil
	}
}

// replaceCoreDNS deletes one replica of the central CoreDNS, as a drain does.
func (h *house) replaceCoreDNS() {
	h.Helper()
	pods, err := h.api.CoreV1().Pods(release.Center).List(h.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=coredns"})
	h.must(err)
	if len(pods.Items) != 2 {
		h.Fatalf("%d replicas of CoreDNS, want 2", len(pods.Items))
	}
	_, err = h.Kubectl(h.Context(), "delete", "pod", pods.Items[0].Name, "--namespace", release.Center)
	h.must(err)
}

// reloads changes a setting by helm, and takes it back: nobody restarts.
func (h *house) reloads() {
	before := h.pod(release.Spoke, "webhook")
	const other = "203.0.113.20"
	_, err := h.Helm(h.Context(), h.Args("upgrade", h.scenarios[release.Spoke], "--set-json", fmt.Sprintf(`webhook.config.targets.hub.static=[%q]`, other))...)
	h.must(err)
	h.answers(h.Public.Addr, shop, "A", other)
	h.answers(h.central(), shop, "A", "10.1.0.10")
	_, err = h.Helm(h.Context(), "rollback", release.Release, "1", "--namespace", release.Spoke)
	h.must(err)
	h.answers(h.Public.Addr, shop, "A", hub)
	if after := h.pod(release.Spoke, "webhook"); after.UID != before.UID || restarts(after) != restarts(before) {
		h.Errorf("pod %s with %d restarts was %s with %d", after.UID, restarts(after), before.UID, restarts(before))
	}
}

// failsOver kills the ipcontroller that leads.
func (h *house) failsOver() {
	leader := func(ctx context.Context) (string, error) {
		lease, err := h.api.CoordinationV1().Leases(release.Home).Get(ctx, "spokedns-ipcontroller", metav1.GetOptions{})
		if err != nil || lease.Spec.HolderIdentity == nil {
			return "", errors.Join(err, errors.New("nobody leads"))
		}
		return *lease.Spec.HolderIdentity, nil
	}
	state := func(ctx context.Context) (epoch, ipv4 string) {
		at, err := h.api.CoreV1().ConfigMaps(release.Home).Get(ctx, "spokedns-wan-ip", metav1.GetOptions{})
		h.must(err)
		return at.Annotations["wan.spokedns.io/epoch"], at.Data["ipv4"]
	}
	first, err := leader(h.Context())
	h.must(err)
	before, _ := state(h.Context())
	pods, err := h.api.CoreV1().Pods(release.Home).List(h.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=spokedns-ipcontroller"})
	h.must(err)
	var names []string
	for _, pod := range pods.Items {
		if names = append(names, pod.Name); strings.HasPrefix(first, pod.Name) {
			h.kill(release.Home, pod.Name)
		}
	}
	if len(names) != 2 || !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(first, name) }) {
		h.Fatalf("%s leads, pods are %v; want it to be one of two", first, names)
	}
	h.eventually(func(ctx context.Context) error {
		now, err := leader(ctx)
		if err == nil && now == first {
			err = fmt.Errorf("%s leads still", first)
		}
		return err
	})
	h.eventually(func(ctx context.Context) error {
		if epoch, ipv4 := state(ctx); epoch == before || ipv4 != release.SiteAddress {
			return fmt.Errorf("the new leader has not written: epoch %q, before %q, address %q", epoch, before, ipv4)
		}
		return nil
	})
	h.ready(release.Home)
	h.gandiHas(camera, release.SiteAddress)
}
