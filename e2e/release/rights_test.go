package release_test

import (
	"strings"

	"github.com/spokedns/spokedns/e2e/release"
)

// denies asks the API server what the accounts of the releases may do: what they need, and nothing that would hurt.
func (h *house) denies() {
	for account, questions := range map[string]map[string]bool{
		release.Spoke + ":dns-webhook": {
			"list ingresses.networking.k8s.io --all-namespaces":   true,
			"watch services --all-namespaces":                     true,
			"create events --namespace spoke":                     true,
			"update ingresses.networking.k8s.io --all-namespaces": false,
			"patch services/bank --namespace default":             false,
			"get secrets/tsig --namespace spoke":                  false,
			"list secrets --all-namespaces":                       false,
			"get configmaps/dns-webhook --namespace spoke":        false,
			"create pods --namespace spoke":                       false,
			"get configmaps/coredns --namespace kube-system":      false,
			"create pods/exec --namespace center":                 false,
		},
		release.Home + ":dns-webhook": {
			"watch configmaps/spokedns-wan-ip --namespace home":  true,
			"update configmaps/spokedns-wan-ip --namespace home": false,
			"get configmaps/other --namespace home":              false,
		},
		release.Home + ":dns-ipcontroller": {
			"update configmaps/spokedns-wan-ip --namespace home":               true,
			"update leases.coordination.k8s.io/spokedns-ipcontroller -n home":  true,
			"update configmaps/dns-webhook --namespace home":                   false,
			"delete configmaps/spokedns-wan-ip --namespace home":               false,
			"update configmaps/spokedns-wan-ip --namespace center":             false,
			"update leases.coordination.k8s.io/spokedns-corednsconfig -n home": false,
			"list ingresses.networking.k8s.io --all-namespaces":                false,
			"list secrets --namespace home":                                    false,
			"list nodes":                                                       false,
		},
		release.Center + ":dns-corednsconfig": {
			"list secrets --namespace center":                   true,
			"patch dnsforwardings.dns.spokedns.io/landscape":    true,
			"list secrets --namespace kube-system":              false,
			"get secrets/tsig --namespace spoke":                false,
			"update configmaps/coredns --namespace kube-system": false, // its kubeconfigs may, it may not
			"delete pods --namespace kube-system":               false,
			"create dnsforwardings.dns.spokedns.io":             false,
			"delete dnsforwardings.dns.spokedns.io/landscape":   true, // by its uninstallation
			"delete dnsforwardings.dns.spokedns.io/other":       false,
		},
	} {
		for question, want := range questions {
			args := append([]string{"auth", "can-i", "--as=system:serviceaccount:" + account}, strings.Fields(question)...)
			out, err := h.Kubectl(h.Context(), args...)
			if answer := strings.TrimSpace(out); answer != map[bool]string{true: "yes", false: "no"}[want] {
				h.Errorf("may %s %s? %q, %v", account, question, answer, err)
			}
		}
	}
}
