package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/e2e/stack"
)

func accessRequests() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "clusters.openmcp.cloud", Version: "v1alpha1", Resource: "accessrequests"}
}

// TestFleet runs the program against three real API servers, a server that never answers and one that is not there:
// every bad cluster is a fact about that one, and in mode Plan nothing is written anywhere.
func TestFleet(t *testing.T) {
	ctx, s, program := t.Context(), stack.ForTest(t), build(t)
	platform := cluster(t, s, "platform", stock("cluster.local"))
	spoke := cluster(t, s, "spoke", stock("cluster.local"))
	mcp := cluster(t, s, "mcp", stock("cluster.local"))
	if err := platform.ApplyCRDs(ctx, definition(), "testdata/clusters.yaml"); err != nil {
		t.Fatal(err)
	}
	l := newListener(t)
	apply(t, platform, `
apiVersion: v1
kind: Namespace
metadata: {name: dns}
---
apiVersion: v1
kind: Namespace
metadata: {name: landscape}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: young, namespace: landscape}
---
apiVersion: clusters.openmcp.cloud/v1alpha1
kind: Cluster
metadata: {name: mcp, namespace: landscape, labels: {stage: live}}
spec: {profile: kind, purposes: [mcp], tenancy: Exclusive}
`)
	good, err := os.ReadFile(spoke.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"spoke":     string(good),
		"malformed": "clusters: [",
		"expired":   replaceUser(string(good), "token: e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln"),
		"program":   replaceUser(string(good), "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never}"),
		"dead":      strings.Replace(string(good), spoke.Config.Host, "https://127.0.0.1:9", 1),
		"hung":      strings.Replace(string(good), spoke.Config.Host, "https://"+l.Addr().String(), 1),
	} {
		if err := platform.Apply(ctx, &corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: name, Labels: map[string]string{v1alpha1.KubeconfigLabel: "true"}},
			StringData: map[string]string{"kubeconfig": text},
		}); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := rightsOf(t, program, platform)
	start(t, s, "corednsconfig", program, kubeconfig)
	grant(t, platform, mcp) // beside it: an AccessRequest has to come first

	before := map[string]map[string]string{}
	clusters := map[string]*stack.APIServer{"spoke": spoke, "mcp": mcp}
	apply(t, platform, landscape("plan", "Plan", "openmcp.cluster", "10.0.0.53"))
	granted(t, platform, mcp)
	for name, api := range clusters {
		before[name] = snapshot(t, api)
	}
	unchanged := func(t *testing.T) {
		t.Helper()
		for name, api := range clusters {
			if diff := cmp.Diff(before[name], snapshot(t, api)); diff != "" {
				t.Errorf("cluster %s was written to (-before +after)\n%s", name, diff)
			}
		}
	}
	failing := map[string]v1alpha1.State{
		"kubeconfig/dns/malformed": v1alpha1.StateUnreachable, "kubeconfig/dns/expired": v1alpha1.StateUnreachable,
		"kubeconfig/dns/program": v1alpha1.StateUnreachable, "kubeconfig/dns/dead": v1alpha1.StateUnreachable,
		"kubeconfig/dns/hung": v1alpha1.StateUnreachable, "clusterapi/landscape/young": v1alpha1.StateUnreachable,
	}
	with := func(state v1alpha1.State) map[string]v1alpha1.State {
		all := map[string]v1alpha1.State{"local": state, "kubeconfig/dns/spoke": state, "openmcp/landscape/mcp": state}
		for name, s := range failing {
			all[name] = s
		}
		return all
	}

	t.Run("plan", func(t *testing.T) {
		f := await(t, platform, "plan", with(v1alpha1.StatePlanned))
		for _, c := range f.Status.Clusters {
			if c.State == v1alpha1.StatePlanned && (!strings.Contains(c.Diff, "+openmcp.cluster:53") || c.Dialect != "corefile") {
				t.Errorf("%s: dialect %s, diff\n%s", c.Name, c.Dialect, c.Diff)
			}
		}
		for cluster, want := range map[string][2]string{
			"kubeconfig/dns/malformed":   {"BadKubeconfig", "Secret dns/malformed, key kubeconfig: "},
			"kubeconfig/dns/expired":     {"Expired", "was valid until 2023-11-14T22:13:20Z"},
			"kubeconfig/dns/program":     {"Unsafe", "exec is set"},
			"kubeconfig/dns/dead":        {"NoConnection", "connection refused"},
			"kubeconfig/dns/hung":        {"Timeout", ""},
			"clusterapi/landscape/young": {"NoKubeconfig", "landscape/young-kubeconfig"},
		} {
			if c := condition(t, f, cluster, v1alpha1.Reachable); c.Status != metav1.ConditionFalse || c.Reason != want[0] || !strings.Contains(c.Message, want[1]) {
				t.Errorf("%s: Reachable is %s, %s: %s; want %v", cluster, c.Status, c.Reason, c.Message, want)
			}
		}
		if s := f.Status; s.Ready != "0/9" || s.Summary.Failed != 6 || s.Summary.Progressing != 3 || s.ObservedGeneration != f.Generation {
			t.Errorf("%+v", s.Summary)
		}
		unchanged(t)
	})
	t.Run("access", func(t *testing.T) {
		u, err := platform.Dynamic.Resource(accessRequests()).Namespace("landscape").Get(ctx, "mcp.spokedns-corednsconfig", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprint(u.Object["spec"]); strings.Contains(text, "cluster-admin") || strings.Contains(text, "[*]") {
			t.Errorf("it asks for more than is needed: %s", text)
		}
	})
	t.Run("refused", func(t *testing.T) { refusals(t, platform, with, unchanged) })
	t.Run("removal", func(t *testing.T) {
		for _, name := range []string{"plan", "applied"} {
			if err := platform.Dynamic.Resource(forwardings()).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"plan", "applied"} {
			if err := stack.Eventually(ctx, time.Minute, func(ctx context.Context) error {
				_, err := platform.Dynamic.Resource(forwardings()).Get(ctx, name, metav1.GetOptions{})
				if apierrors.IsNotFound(err) {
					return nil
				}
				return fmt.Errorf("DNSForwarding %s is still there: %w", name, err)
			}); err != nil {
				t.Error(err)
			}
		}
		unchanged(t)
		if err := stack.Eventually(ctx, time.Minute, func(ctx context.Context) error {
			_, err := platform.Dynamic.Resource(accessRequests()).Namespace("landscape").Get(ctx, "mcp.spokedns-corednsconfig", metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("access is still asked for: %w", err)
		}); err != nil {
			t.Error(err)
		}
	})
}

// refusals are wishes that no cluster can be given, in mode Apply. The clusters have no running pods, so that what is
// not refused for its own sake could not be seen on any replica, and would not be written for that.
func refusals(t *testing.T, platform *stack.APIServer, with func(v1alpha1.State) map[string]v1alpha1.State, unchanged func(*testing.T)) {
	ctx := t.Context()
	apply(t, platform, landscape("applied", "Apply", "openmcp.cluster", "10.0.0.53"))
	everywhere := with(v1alpha1.StateRefused)
	for name := range everywhere {
		everywhere[name] = v1alpha1.StateRefused // the zone is taken in clusters that cannot be reached, too
	}
	f := await(t, platform, "applied", everywhere)
	const says = "zone openmcp.cluster is forwarded by DNSForwarding plan, which is older"
	if c := condition(t, f, "kubeconfig/dns/spoke", "Conflict"); c.Status != metav1.ConditionTrue || c.Reason != "ZoneTaken" || !strings.Contains(c.Message, says) {
		t.Errorf("Conflict is %+v", c)
	}
	if c := meta.FindStatusCondition(f.Status.Conditions, v1alpha1.Accepted); c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, says) {
		t.Errorf("Accepted is %+v", c)
	}
	unchanged(t)

	// One of its own, through the cluster's own DNS.
	apply(t, platform, landscape("applied", "Apply", "other.example", "10.96.0.10"))
	f = await(t, platform, "applied", with(v1alpha1.StateRefused))
	if c := condition(t, f, "openmcp/landscape/mcp", "Validated"); c.Status != metav1.ConditionFalse || c.Reason != "Loop" || !strings.Contains(c.Message, "10.96.0.10") {
		t.Errorf("Validated is %+v", c)
	}
	unchanged(t)

	// A broken Corefile is found without a restart, and said with its line; the plan in the same cluster goes along.
	setDNS(t, platform, stock("cluster.local")+"example.org {\n    forward . 10.0.0.1\n")
	apply(t, platform, landscape("applied", "Apply", "other.example", "10.0.0.54"))
	if err := stack.Eventually(ctx, time.Minute, func(context.Context) error {
		f = forwardingOf(t, platform, "applied")
		for _, c := range f.Status.Clusters {
			if c.Name == "local" && c.State == v1alpha1.StateUnsupported {
				return nil
			}
		}
		return fmt.Errorf("%+v", f.Status.Clusters)
	}); err != nil {
		t.Fatal(err)
	}
	if c := condition(t, f, "local", "Supported"); c.Reason != "BadCorefile" || !strings.Contains(c.Message, "Corefile:22: the block of line 21 is not closed") {
		t.Errorf("Supported is %+v", c)
	}
	unchanged(t)
}

func apply(t *testing.T, api *stack.APIServer, manifest string) {
	t.Helper()
	if err := api.ApplyYAML(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
}

func landscape(name, mode, zone, upstream string) string {
	return fmt.Sprintf(`
apiVersion: dns.spokedns.io/v1alpha1
kind: DNSForwarding
metadata: {name: %s}
spec: {mode: %s, rules: [{zones: [%s], upstreams: [%s]}]}
`, name, mode, zone, upstream)
}

// replaceUser gives a kubeconfig other credentials.
func replaceUser(kubeconfig, user string) string {
	before, _, _ := strings.Cut(kubeconfig, "users:")
	return before + "users: [{name: admin, user: {" + user + "}}]\n"
}

// newListener is a server that takes connections and says nothing.
func newListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l
}

// grant plays openMCP: it gives an account in the cluster what the AccessRequest asks for, and nothing else, and writes
// its kubeconfig into a Secret.
func grant(t *testing.T, platform, mcp *stack.APIServer) {
	t.Helper()
	go func() {
		ctx := t.Context()
		err := stack.Eventually(ctx, time.Minute, func(ctx context.Context) error {
			u, err := platform.Dynamic.Resource(accessRequests()).Namespace("landscape").Get(ctx, "mcp.spokedns-corednsconfig", metav1.GetOptions{})
			if err != nil {
				return err
			}
			return grantOne(ctx, platform, mcp, u)
		})
		if err != nil && ctx.Err() == nil {
			t.Errorf("grant: %v", err)
		}
	}()
}

func grantOne(ctx context.Context, platform, mcp *stack.APIServer, u *unstructured.Unstructured) error {
	var spec struct {
		Token struct {
			Permissions []struct {
				Namespace string              `json:"namespace"`
				Rules     []rbacv1.PolicyRule `json:"rules"`
			} `json:"permissions"`
		} `json:"token"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object["spec"].(map[string]any), &spec); err != nil {
		return err
	}
	kind := func(k string) metav1.TypeMeta {
		return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: k}
	}
	const account = "spokedns"
	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "default", Name: account}}
	objects := []runtime.Object{&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: "default"}}}
	for i, p := range spec.Token.Permissions {
		at := metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", account, i), Namespace: p.Namespace}
		if p.Namespace == "" {
			objects = append(objects, &rbacv1.ClusterRole{TypeMeta: kind("ClusterRole"), ObjectMeta: at, Rules: p.Rules},
				&rbacv1.ClusterRoleBinding{TypeMeta: kind("ClusterRoleBinding"), ObjectMeta: at, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: at.Name}})
			continue
		}
		objects = append(objects, &rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: at, Rules: p.Rules},
			&rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: at, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: at.Name}})
	}
	if err := mcp.Apply(ctx, objects...); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(mcp.Config)
	if err != nil {
		return err
	}
	token, err := client.CoreV1().ServiceAccounts("default").CreateToken(ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(mcp.Kubeconfig)
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "landscape", Name: "mcp.kubeconfig"},
		StringData: map[string]string{"kubeconfig": replaceUser(string(text), "token: "+token.Status.Token)},
	}
	if err := platform.Apply(ctx, secret); err != nil {
		return err
	}
	u.SetManagedFields(nil)
	_ = unstructured.SetNestedField(u.Object, "Granted", "status", "phase")
	_ = unstructured.SetNestedField(u.Object, "mcp.kubeconfig", "status", "secretRef", "name")
	_, err = platform.Dynamic.Resource(accessRequests()).Namespace("landscape").UpdateStatus(ctx, u, metav1.UpdateOptions{})
	return err
}

// granted waits until that is done, so that the cluster is at rest.
func granted(t *testing.T, platform, _ *stack.APIServer) {
	t.Helper()
	err := stack.Eventually(t.Context(), time.Minute, func(ctx context.Context) error {
		u, err := platform.Dynamic.Resource(accessRequests()).Namespace("landscape").Get(ctx, "mcp.spokedns-corednsconfig", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase != "Granted" {
			return fmt.Errorf("phase %q", phase)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
