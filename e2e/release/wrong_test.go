package release_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/release"
)

func restarts(pod corev1.Pod) (n int32) {
	for _, c := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		n += c.RestartCount
	}
	return n
}

// refuses does what goes wrong in real life.
func (h *house) refuses() {
	h.missingSecret()
	h.wrongView()
	says := func(err error, out string, words ...string) {
		h.Helper()
		for _, w := range words {
			if text := fmt.Sprint(out, err); !strings.Contains(text, w) {
				h.Errorf("want it to say %q:\n%s", w, text)
			}
		}
	}
	spoke := h.scenarios[release.Spoke]

	// Alerts without the Prometheus operator: nothing is changed, and the kinds are named.
	out, err := h.Helm(h.Context(), h.Args("upgrade", spoke, "--values", filepath.Join(h.Charts, "spokedns", "values-production.yaml"))...)
	if err == nil {
		h.Error("helm upgraded without the operator's definitions")
	}
	says(err, out, "PrometheusRule", "ServiceMonitor")

	// A source whose kinds are not there: helm warns.
	out, err = h.Helm(h.Context(), h.Args("upgrade", spoke, "--dry-run=server", "--set-json", `webhook.externalDNS.sources=["ingress","gateway-httproute"]`)...)
	h.must(err)
	says(nil, out, "WARNING", "gateway-httproute (gateway.networking.k8s.io/v1)")
	out, err = h.Helm(h.Context(), h.Args("upgrade", spoke, "--dry-run=server")...)
	h.must(err)
	if strings.Contains(out, "WARNING") {
		h.Errorf("a warning without a reason:\n%s", out)
	}

	// A Kubernetes that is too old.
	for _, s := range h.scenarios {
		out, err = h.Helm(h.Context(), h.Args("template", s, "--kube-version", "v1.28.9")...)
		if err == nil {
			h.Errorf("%s is rendered for Kubernetes 1.28", s.Example)
		}
		says(err, out, "kubeVersion", "1.29")
	}
}

// missingSecret installs before the Secret is there: the pod says which one it waits for, and goes on when it comes.
func (h *house) missingSecret() {
	const namespace = "early"
	s := h.scenarios[release.OnPremises]
	s.Namespace = namespace
	h.must(h.Namespace(h.Context(), namespace))
	_, err := h.Helm(h.Context(), h.Args("install", s, "--set", "webhook.config.dryRun=true")...)
	h.must(err)
	h.event(namespace, "FailedMount", `secret "tsig" not found`)
	for _, name := range []string{"tsig", "dns-ca"} {
		from, err := h.api.CoreV1().Secrets(release.OnPremises).Get(h.Context(), name, metav1.GetOptions{})
		h.must(err)
		h.must(h.Secret(h.Context(), namespace, name, from.Data))
	}
	h.ready(namespace)
	_, err = h.Helm(h.Context(), "uninstall", release.Release, "--namespace", namespace)
	h.must(err)
}

// wrongView gives a view a name that none may have: the webhook says so, and goes on with what it had.
func (h *house) wrongView() {
	before := h.pod(release.Spoke, "webhook")
	_, err := h.Helm(h.Context(), h.Args("upgrade", h.scenarios[release.Spoke], "--set-json", `webhook.config.views[0].name="Public View"`)...)
	h.must(err)
	h.event(release.Spoke, "ConfigurationRefused", `views[0].name`, `Public View`, "lower-case")
	h.answers(h.Public.Addr, shop, "A", hub)
	_, err = h.Helm(h.Context(), "rollback", release.Release, "--namespace", release.Spoke)
	h.must(err)
	if after := h.pod(release.Spoke, "webhook"); !isReady(after) || after.UID != before.UID || restarts(after) != restarts(before) {
		h.Errorf("pod %s was disturbed", after.Name)
	}
}

// event waits for a warning about a pod that says these words.
func (h *house) event(namespace, reason string, words ...string) {
	h.Helper()
	h.eventually(func(ctx context.Context) error {
		events, err := h.api.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Pod,type=Warning,reason=" + reason})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			missing := false
			for _, w := range words {
				missing = missing || !strings.Contains(e.Message, w)
			}
			if !missing {
				return nil
			}
		}
		return fmt.Errorf("no event %s in %s says %q: %v", reason, namespace, words, events.Items)
	})
}
