package release_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/cluster"
	"github.com/spokedns/spokedns/e2e/release"
	"github.com/spokedns/spokedns/e2e/stack"
)

// forwards lets corednsconfig edit the cluster's own DNS, and its uninstallation take the edit back, while a pod resolves
// names of the cluster.
func (h *house) forwards() {
	kubeconfig, err := os.ReadFile(h.Cluster.Kubeconfig)
	h.must(err)
	h.must(h.Secret(h.Context(), release.Center, "itself", map[string][]byte{"kubeconfig": kubeconfig}))
	_, err = h.Kubectl(h.Context(), "label", "secret", "itself", "--namespace", release.Center, "dns.spokedns.io/kubeconfig=true")
	h.must(err)
	before := h.corefile()
	stop := h.askInPod()

	_, err = h.Helm(h.Context(), h.Args("upgrade", h.scenarios[release.Center], "--set-json", `corednsconfig.forwardings.landscape.mode="Apply"`)...)
	h.must(err)
	h.eventually(func(ctx context.Context) error {
		ready, err := h.Kubectl(ctx, "get", "dnsforwarding", "landscape", "--output=jsonpath={.status.ready}")
		if err == nil && ready != "1/1" {
			err = fmt.Errorf("%q clusters are ready, want 1/1", ready)
		}
		return err
	})
	// The name of one cluster, in the landscape's DNS, by the cluster's own.
	h.eventually(func(ctx context.Context) error {
		out, err := h.Cluster.Exec(ctx, "dig", "+short", "+time=2", "+tries=1", "@"+h.Cluster.DNSIP.String(), bank)
		if err == nil && strings.TrimSpace(out) != "10.2.0.10" {
			err = fmt.Errorf("%s is %q by the cluster's DNS", bank, out)
		}
		return err
	})
	_, err = h.Helm(h.Context(), "uninstall", release.Release, "--namespace", release.Center)
	h.must(err)
	if left, err := h.Kubectl(h.Context(), "get", "dnsforwardings", "--output=name"); err != nil || left != "" {
		h.Errorf("DNSForwardings without their controller: %q, %v", left, err)
	}
	if after := h.corefile(); after != before {
		h.Errorf("the Corefile is\n%s\nwant what it was:\n%s", after, before)
	}
	h.flawless("cluster names in a pod", stop(), leastLookups)
}

func (h *house) corefile() string {
	h.Helper()
	text, err := h.Kubectl(h.Context(), "get", "configmap", "coredns", "--namespace=kube-system", "--output=jsonpath={.data.Corefile}")
	h.must(err)
	return text
}

// askInPod asks for names of the cluster from a pod, until it is stopped.
func (h *house) askInPod() (stop func() tally) {
	h.Helper()
	kubectl, err := stack.Tool("kubectl")
	h.must(err)
	const pod = "asking"
	cmd := exec.CommandContext(h.Context(), kubectl, "--kubeconfig", h.Cluster.Kubeconfig, "run", pod, "--namespace=default", "--image="+lookupsRef,
		"--restart=Never", "--stdin", "--quiet", "--pod-running-timeout=2m", "--",
		h.Cluster.DNSIP.String()+":53", "kubernetes.default.svc."+cluster.Domain, "kube-dns.kube-system.svc."+cluster.Domain)
	in, err := cmd.StdinPipe()
	h.must(err)
	h.must(cmd.Start())
	phase := func(ctx context.Context, want corev1.PodPhase) error {
		now, err := h.api.CoreV1().Pods("default").Get(ctx, pod, metav1.GetOptions{})
		if err == nil && now.Status.Phase != want {
			err = fmt.Errorf("pod %s is %s, want %s", pod, now.Status.Phase, want)
		}
		return err
	}
	h.eventually(func(ctx context.Context) error { return phase(ctx, corev1.PodRunning) })
	return func() tally {
		h.Helper()
		h.must(in.Close())
		_ = cmd.Wait() // what it says stands in the pod's log
		h.eventually(func(ctx context.Context) error { return phase(ctx, corev1.PodSucceeded) })
		text, err := h.Kubectl(h.Context(), "logs", pod, "--namespace=default")
		h.must(err)
		var t tally
		h.must(json.Unmarshal([]byte(text), &t))
		return t
	}
}
