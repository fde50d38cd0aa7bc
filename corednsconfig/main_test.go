package main

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// in runs the program with nothing of ours in its environment.
func in(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	for _, name := range []string{"NAMESPACE", "POD_NAMESPACE", "KUBECONFIG", "KUBE_CONTEXT"} {
		t.Setenv(name, "")
	}
	var out, logs bytes.Buffer
	err = run(t.Context(), args, &out, &logs)
	return out.String(), err
}

func TestHelp(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--help", "corednsconfig plan --kubeconfig=spoke.kubeconfig"},
		{"run --help", "[NAMESPACE, POD_NAMESPACE]"},
		{"plan --help", "--upstream=ADDRESS"},
		{"lint-etcd --help", "--endpoints=URL"},
		{"central-setup --help", "--passwords=DIRECTORY"},
		{"central-corefile --help", "--config=FILE"},
		{"rights --help", "--dns-namespace"},
		{"--version", "devel"},
	} {
		out, err := in(t, strings.Fields(c.args)...)
		if err != nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v\n%s\nwant %q", c.args, err, out, c.says)
		}
	}
}

// TestBadFlags: what cannot work is named, with its value and what would.
func TestBadFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		says []string
	}{
		{"", []string{"expected one of"}},
		{"run", []string{"--namespace", "want the namespace of the kubeconfig Secrets"}},
		{"run --namespace=dns", []string{"give --kubeconfig"}},
		{"run --namespace=dns --kubeconfig=/nowhere", []string{"kubeconfig: ", "/nowhere"}},
		{"run --namespace=dns --lease-duration=5s", []string{"--renew-deadline: 10s", "--lease-duration (5s)"}},
		{"run --namespace=dns --retry-period=9s", []string{"--retry-period: 9s: want at most half of --renew-deadline, 10s"}},
		{"run --namespace=dns --parallel=0 --drift=1ms", []string{"--parallel: 0: want at least 1", "--drift: 1ms: want at least 1s"}},
		{"run --namespace=dns --source=Clouds", []string{"--source", "Clouds"}},
		{"plan --zone=a.example", []string{"--upstream"}},
		{"plan --zone=a.example --upstream=a --upstream=10.0.0.1:x", []string{`"a": want an IP address`, `"10.0.0.1:x": want`}},
		{"lint-etcd --zone=a.example", []string{"endpoints"}},
		{"central-corefile --config=/nowhere", []string{"central-corefile: ", "/nowhere"}},
		{"nonsense", []string{"nonsense", "--help lists"}},
	} {
		out, err := in(t, strings.Fields(c.args)...)
		if err == nil || out != "" {
			t.Errorf("%s: %v, %s", c.args, err, out)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %q", c.args, err, want)
			}
		}
	}
}

// TestEnvironment: a flag may come from its variable, and one that is set to nothing counts as not set.
func TestEnvironment(t *testing.T) {
	t.Setenv("NAMESPACE", "")
	t.Setenv("POD_NAMESPACE", "of-the-pod")
	t.Setenv("DRIFT", "90s")
	c, command, err := parse([]string{"run"}, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil || command == nil {
		t.Fatal(err)
	}
	if c.Run.Namespace != "of-the-pod" || c.Run.Drift.String() != "1m30s" || len(c.Run.Sources) != len(fleet.AllSources()) {
		t.Errorf("%+v", c.Run)
	}
}

// TestRights: they are narrow, and kubectl can read them.
func TestRights(t *testing.T) {
	out, err := in(t, "rights", "--namespace=dns", "--dns-namespace=kube-system", "--dns-namespace=openshift-dns")
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
	want := "dns ServiceAccount, ClusterRole, ClusterRoleBinding, kube-system Role, kube-system RoleBinding, openshift-dns Role, openshift-dns RoleBinding"
	if got := strings.Join(kinds, ", "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, right := range rights(kubeSystem) {
		if right.Namespace != "" && right.Namespace != kubeSystem {
			t.Errorf("rights in %s, which a cluster may not have", right.Namespace)
		}
		for _, rule := range right.Rules {
			text := rule.String()
			if strings.Contains(text, "*") {
				t.Errorf("everything: %s", text)
			}
			// What reads contents of a namespace reads no more than it names.
			for _, resource := range rule.Resources {
				named := len(rule.ResourceNames) > 0
				reads := strings.Contains(strings.Join(rule.Verbs, " "), "get") || strings.Contains(strings.Join(rule.Verbs, " "), "list")
				if (resource == "secrets" || resource == "configmaps") && reads && !named {
					t.Errorf("all of them: %s", text)
				}
			}
		}
	}
}

// TestNoClouds: what may write to kube-system carries no SDK of a cloud.
func TestNoClouds(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok || len(info.Deps) == 0 {
		t.Fatal("no build information")
	}
	for _, dep := range info.Deps {
		for _, cloud := range []string{"github.com/Azure/", "github.com/AzureAD/", "github.com/aws/", "google.golang.org/api", "cloud.google.com/", "sigs.k8s.io/external-dns", "github.com/coredns/coredns"} {
			if strings.HasPrefix(dep.Path, cloud) {
				t.Errorf("%s is linked", dep.Path)
			}
		}
	}
}

func TestShow(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	good := rollout.Plan{Diff: "--- a/x\n+++ b/x\n", Warnings: []string{"the pods have to be restarted"}}
	good.Dialect = "corefile"
	good.Conditions = []metav1.Condition{condition(rollout.Validated, metav1.ConditionTrue, "Passed", "fine"), condition(rollout.Applied, metav1.ConditionFalse, "NotWritten", "one edit\nor two")}
	var out bytes.Buffer
	if err := show(&out, good); err != nil {
		t.Fatal(err)
	}
	want := "# dialect: corefile\n# validated True: fine\n# applied False: one edit\n#   or two\n# warning: the pods have to be restarted\n--- a/x\n+++ b/x\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	out.Reset()
	bad := rollout.Plan{}
	bad.Conditions = []metav1.Condition{condition(rollout.Validated, metav1.ConditionFalse, "UserZone", "Corefile:3: taken")}
	if err := show(&out, bad); err == nil || err.Error() != "nothing would be written: UserZone: Corefile:3: taken" || out.Len() > 0 {
		t.Errorf("%v, %s", err, &out)
	}
}
