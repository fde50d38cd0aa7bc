package charts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Kubeconfigs in other people's namespaces are readable only where a source keeps them there.
func TestSecretsAreReadableOnlyForTheirSource(t *testing.T) {
	for source, want := range map[string][]string{
		"Local":      {"dns: get secrets. *"},
		"Kubeconfig": {"dns: get secrets. *", "dns: list secrets. *"},
		"ClusterAPI": {": get secrets. *", "dns: get secrets. *"},
		"OpenMCP":    {": get secrets. *", "dns: get secrets. *"},
	} {
		r := render(t, chartDir(t, "corednsconfig"), "testdata/corednsconfig/least.yaml", "--set", "sources={"+source+"}")
		var got []string
		add := func(namespace string, rules []rbacv1.PolicyRule) {
			for _, right := range flat(rules) {
				if strings.Contains(right, " secrets.") {
					got = append(got, namespace+": "+right)
				}
			}
		}
		for _, role := range all[rbacv1.ClusterRole](r, "ClusterRole") {
			add("", role.Rules)
		}
		for _, role := range all[rbacv1.Role](r, "Role") {
			if role.Namespace != "kube-system" { // where the program keeps its own
				add(role.Namespace, role.Rules)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", source, diff)
		}
	}
}

// The real corednsconfig, with the flags of the release and as its account, leads, looks for clusters in every source,
// and says in the status of a DNSForwarding what it found; nothing is denied.
func TestCorednsconfigLivesWithItsRights(t *testing.T) {
	s := startServer(t)
	s.namespace(namespace)
	r := render(t, chartDir(t, "corednsconfig"), "testdata/corednsconfig/full.yaml", "--set", "discover=1s")
	s.install(r)
	program, err := stack.BuildCorednsconfig(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	args := get[appsv1.Deployment](r, "Deployment", "forwarding").Spec.Template.Spec.Containers[0].Args
	cmd := exec.Command(program, append(args, "--kubeconfig="+s.kubeconfig("forwarding"), fmt.Sprintf("--listen=127.0.0.1:%d", port))...)
	cmd.Env = []string{"POD_NAMESPACE=" + namespace}
	part, err := stack.ForTest(t).Start(t.Context(), "corednsconfig", nil, cmd)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.objects, func(u *unstructured.Unstructured) bool { return u.GetKind() == "DNSForwarding" })
	if err := s.api.Apply(t.Context(), r.objects[i]); err != nil {
		t.Fatal(err)
	}
	kind := schema.GroupVersionResource{Group: "dns.spokedns.io", Version: "v1alpha1", Resource: "dnsforwardings"}
	said := false
	for deadline := time.Now().Add(time.Minute); !said && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		u, err := s.api.Dynamic.Resource(kind).Get(t.Context(), "landscape", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
		said = len(clusters) > 0
	}
	log, err := os.ReadFile(part.Log)
	if err != nil {
		t.Fatal(err)
	}
	if !said {
		t.Errorf("the status of the DNSForwarding names no cluster:\n%s", log)
	}
	if strings.Contains(string(log), "forbidden") {
		t.Errorf("something was denied:\n%s", log)
	}
	scraped, err := stack.Scrape(t.Context(), fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	if err != nil {
		t.Fatal(err)
	}
	known := knownSeries(t)
	for name := range scraped {
		if _, documented := known[name]; strings.HasPrefix(name, "spokedns_") && !documented {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
	if scraped["spokedns_corednsconfig_leader"] == nil || scraped["spokedns_build_info"] == nil {
		t.Error("the program says neither who leads nor its version")
	}
}

// What "corednsconfig rights" prints for a DNSForwarding is what the chart takes, and gives: to the letter.
func TestTheChartGivesTheRightsToInstall(t *testing.T) {
	program, err := stack.BuildCorednsconfig(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	printed := func(flags ...string) string {
		t.Helper()
		page, err := os.ReadFile(filepath.Join(stack.Root(), "docs", "landscape.md"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(page), "## external-dns in every cluster")
		_, rest, _ = strings.Cut(rest, "```yaml\n")
		example, _, _ := strings.Cut(rest, "```")
		out, err := exec.CommandContext(t.Context(), program, append([]string{"rights", "--forwarding=" + valuesFile(t, example)}, flags...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	r := render(t, chartDir(t, "corednsconfig"), "testdata/corednsconfig/least.yaml", "--values", valuesFile(t, printed("--chart-values")))
	theirs := release{t: t}
	for _, u := range parsed(t, printed()).objects {
		if u.GetKind() == "Role" && u.GetNamespace() == "external-dns" {
			theirs.objects = append(theirs.objects, u)
		}
	}
	want := get[rbacv1.Role](theirs, "Role", "spokedns-corednsconfig")
	got := get[rbacv1.Role](r, "Role", "edge-corednsconfig-installs")
	if diff := cmp.Diff(want.Rules, got.Rules); diff != "" || got.Namespace != want.Namespace {
		t.Errorf("in %s: printed -, chart +\n%s", got.Namespace, diff)
	}
	whole := get[rbacv1.ClusterRole](r, "ClusterRole", "dns:edge-corednsconfig:installs")
	if !slices.Contains(flat(whole.Rules), "create namespaces. external-dns") {
		t.Errorf("%q", flat(whole.Rules))
	}
}

func TestTheCorednsconfigChartRefusesWrongValues(t *testing.T) {
	refused(t, "corednsconfig", "testdata/corednsconfig/least.yaml", []wrong{
		{`image.repository=`, "image.repository"},
		{`replicas=0`, "replicas"},
		{`source=["Local"]`, "source"},
		{`sources=[]`, "sources"},
		{`sources=["local"]`, "sources"},
		{`sources=["Local","Local"]`, "sources"},
		{`local.dnsNamespaces=["kube-dns"]`, "dnsNamespaces"},
		{`local.installRights=[{"namespace":"external-dns"}]`, "rules"},
		{`local.installRights=[{"rule":[]}]`, "rule"},
		{`lease=Forwarding`, "lease"},
		{`annotation=`, "annotation"},
		{`removal=false`, "removal"},
		{`removal.patience=600`, "patience"},
		{`discover=30`, "discover"},
		{`resync=often`, "resync"},
		{`parallel=0`, "parallel"},
		{`extraArgs=["source=Local"]`, "extraArgs"},
		{`forwardings=[]`, "forwardings"},
		{`forwardings={"a":"b"}`, "forwardings"},
		{`networkPolicy.egress={}`, "egress"},
		{`podSecurityContext={"runAsRoot":true}`, "runAsRoot"},
	})
}
