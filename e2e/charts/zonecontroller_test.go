package charts_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Keys of servers are read where the servers are, and nowhere else.
func TestKeysAreReadWhereServersAre(t *testing.T) {
	for values, want := range map[string][]string{
		"least": {"dns: get secrets. *"},
		"full":  {"bind: get secrets. *", "knot: get secrets. *"},
	} {
		r := render(t, chartDir(t, "zonecontroller"), "testdata/zonecontroller/"+values+".yaml")
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
			add(role.Namespace, role.Rules)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", values, diff)
		}
	}
}

// The real zonecontroller, with the flags of the release and as its account, leads; nothing is denied, and everything it
// says in metrics is documented.
func TestZonecontrollerLivesWithItsRights(t *testing.T) {
	s := startServer(t)
	s.namespace(namespace)
	if err := s.api.ApplyCRDs(t.Context(), chartDir(t, "zonecontroller")+"/crds"); err != nil {
		t.Fatal(err)
	}
	r := render(t, chartDir(t, "zonecontroller"), "testdata/zonecontroller/least.yaml")
	s.install(r)
	program, err := stack.BuildZonecontroller(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	var args []string
	for _, a := range get[appsv1.Deployment](r, "Deployment", "edge-zonecontroller").Spec.Template.Spec.Containers[0].Args {
		args = append(args, strings.Replace(a, ":8053", "127.0.0.1"+ports[1], 1))
	}
	cmd := exec.Command(program, append(args, "--kubeconfig="+s.kubeconfig("edge-zonecontroller"), "--listen=127.0.0.1"+ports[0])...)
	cmd.Env = []string{"POD_NAMESPACE=" + namespace, "POD_IP=127.0.0.1"}
	part, err := stack.ForTest(t).Start(t.Context(), "zonecontroller", nil, cmd)
	if err != nil {
		t.Fatal(err)
	}
	var scraped stack.Metrics
	for deadline := time.Now().Add(2 * time.Minute); scraped.Sum("spokedns_zone_leader") != 1 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		scraped, err = stack.Scrape(t.Context(), fmt.Sprintf("http://127.0.0.1%s/metrics", ports[0]))
	}
	log, readErr := os.ReadFile(part.Log)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if err != nil || scraped.Sum("spokedns_zone_leader") != 1 {
		t.Fatalf("it does not lead: %v\n%s", err, log)
	}
	if strings.Contains(string(log), "forbidden") {
		t.Errorf("something was denied:\n%s", log)
	}
	known := knownSeries(t)
	for name := range scraped {
		if _, documented := known[name]; strings.HasPrefix(name, "spokedns_") && !documented {
			t.Errorf("docs/metrics.md does not explain %s", name)
		}
	}
}

func TestTheZonecontrollerChartRefusesWrongValues(t *testing.T) {
	refused(t, "zonecontroller", "testdata/zonecontroller/least.yaml", []wrong{
		{`image.repository=`, "image.repository"},
		{`replicas=0`, "replicas"},
		{`serverNamespace=["bind"]`, "serverNamespace"},
		{`serverNamespaces=["Bind"]`, "serverNamespaces"},
		{`serverNamespaces="bind"`, "serverNamespaces"},
		{`lease=Zones`, "lease"},
		{`parallel=0`, "parallel"},
		{`poll=2`, "poll"},
		{`probe=often`, "probe"},
		{`transfer.port=70000`, "port"},
		{`transfer.listen=":53"`, "listen"},
		{`hostNetwork="yes"`, "hostNetwork"},
		{`extraArgs=["zones=1"]`, "extraArgs"},
		{`networkPolicy.serversFrom=[{"cidr":"10.0.0.0/8"}]`, "cidr"},
		{`dashboard.label={}`, "label"},
		{`prometheusRule.runbookURL=x`, "runbookURL"},
	})
}
