package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestBadFlags: what cannot work is named, with its value and what would.
func TestBadFlags(t *testing.T) {
	for _, name := range []string{"NAMESPACE", "POD_NAMESPACE", "KUBECONFIG", "KUBE_CONTEXT", "POD_IP"} {
		t.Setenv(name, "")
	}
	for _, c := range []struct {
		args string
		says []string
	}{
		{"run", []string{"--namespace", "want the namespace of the ledger"}},
		{"run --namespace=dns", []string{"give --kubeconfig"}},
		{"run --namespace=dns --poll=1ms --probe=1ms --call=0s", []string{"--poll: 1ms: want at least 100ms", "--probe: 1ms: want at least 1s", "--call: 0s"}},
		{"run --namespace=dns --zones=0 --writers=0 --kube-qps=0", []string{"--zones: 0: want at least 1", "--writers: 0", "--kube-qps: 0"}},
		{"run --namespace=dns --transfer-listen=here", []string{`--transfer-listen: "here": want host:port`}},
		{"run --namespace=dns --lease-duration=5s", []string{"--renew-deadline: 10s"}},
	} {
		_, err := in(t, strings.Fields(c.args)...)
		if err == nil {
			t.Errorf("%s: no error", c.args)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %q", c.args, err, want)
			}
		}
	}
}

// TestAdvertise: the address that servers are told has a port, whatever the pod knows of itself.
func TestAdvertise(t *testing.T) {
	for given, want := range map[string]string{"": "", "10.1.2.3": "10.1.2.3:8053", "10.1.2.3:53": "10.1.2.3:53", "fd00::1": "[fd00::1]:8053"} {
		c := runCommand{Namespace: "dns", Listen: ":8053", Advertise: given, QPS: 1, Zones: 1, Writers: 1}
		_ = c.complete() // of the rest
		if c.Advertise != want {
			t.Errorf("%q is told as %q, want %q", given, c.Advertise, want)
		}
	}
}

// TestRights: they are narrow. Secrets are read by name where the servers are, and never listed.
func TestRights(t *testing.T) {
	out, err := in(t, "rights", "--namespace=dns", "--server-namespace=b", "--server-namespace=a", "--server-namespace=a")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, document := range strings.Split(strings.TrimPrefix(out, "---\n"), "---\n") {
		var o struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, strings.TrimSpace(o.Namespace+" "+o.Kind))
	}
	want := "dns ServiceAccount, ClusterRole, ClusterRoleBinding, dns Role, dns RoleBinding, a Role, a RoleBinding, b Role, b RoleBinding"
	if got := strings.Join(kinds, ", "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, rule := range clusterRules() {
		if text := rule.String(); strings.Contains(text, "*") || strings.Contains(text, "secrets") || strings.Contains(text, "configmaps") {
			t.Errorf("in every namespace: %s", text)
		}
	}
	for _, rule := range keyRules() {
		if strings.Join(rule.Verbs, " ") != "get" {
			t.Errorf("Secrets: %s", rule.String())
		}
	}
}
