package charts_test

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

func TestTheIPControllersRightsAreTheDocumentedOnes(t *testing.T) {
	r := render(t, chartDir(t, "ipcontroller"), "testdata/ipcontroller/least.yaml")
	role := get[rbacv1.Role](r, "Role", "edge-ipcontroller")
	if diff := cmp.Diff(flat(documented(t, "wan-ip.md", "spokedns-ipcontroller")), flat(role.Rules)); diff != "" || role.Namespace != namespace {
		t.Errorf("in %s: documented -, chart +:\n%s", role.Namespace, diff)
	}
	if n := len(all[rbacv1.Role](r, "Role")) + len(all[rbacv1.ClusterRole](r, "ClusterRole")); n != 1 {
		t.Errorf("%d roles; want the one, by default nothing else is read", n)
	}
	full := render(t, chartDir(t, "ipcontroller"), "testdata/ipcontroller/full.yaml")
	service := get[rbacv1.Role](full, "Role", "site-nginx")
	if diff := cmp.Diff([]string{"get services. nginx"}, flat(service.Rules)); diff != "" || service.Namespace != "ingress" {
		t.Errorf("in %s:\n%s", service.Namespace, diff)
	}
	node := get[rbacv1.ClusterRole](full, "ClusterRole", "dns:site")
	if diff := cmp.Diff([]string{"list nodes. *"}, flat(node.Rules)); diff != "" {
		t.Error(diff)
	}
}

func TestReplicasOfTheIPControllerKeepApart(t *testing.T) {
	r := render(t, chartDir(t, "ipcontroller"), "testdata/ipcontroller/least.yaml")
	d := get[appsv1.Deployment](r, "Deployment", "edge-ipcontroller")
	apart := d.Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	if *d.Spec.Replicas != 2 || len(apart) != 1 {
		t.Fatalf("%d replicas, %v", *d.Spec.Replicas, apart)
	}
	if diff := cmp.Diff(d.Spec.Selector.MatchLabels, apart[0].PodAffinityTerm.LabelSelector.MatchLabels); diff != "" {
		t.Errorf("replicas keep apart from others than replicas: %s", diff)
	}
}

// The real ipcontroller, started with the flags of the release and as its account, finds the addresses in a
// Service's status and at a node, and writes them.
func TestTheIPControllerWritesWithItsRights(t *testing.T) {
	s := startServer(t)
	s.namespace(namespace)
	r := render(t, chartDir(t, "ipcontroller"), "testdata/ipcontroller/full.yaml", "--set", "router=")
	s.install(r)
	const ipv4, ipv6 = "193.0.14.129", "2001:7fd::1"
	if err := s.api.ApplyYAML(t.Context(), fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: nginx, namespace: ingress}
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: %s}]}}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
status: {addresses: [{type: ExternalIP, address: "%s"}]}
`, ipv4, ipv6)); err != nil {
		t.Fatal(err)
	}
	parts := stack.ForTest(t)
	program, err := stack.BuildIPController(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	args := get[appsv1.Deployment](r, "Deployment", "site").Spec.Template.Spec.Containers[0].Args
	cmd := exec.Command(program, append(args, "--kubeconfig="+s.kubeconfig("wan"), fmt.Sprintf("--listen=127.0.0.1:%d", port))...)
	cmd.Env = []string{"POD_NAMESPACE=" + namespace, "POD_NAME=site-0", "NODE_NAME=node-1"}
	if _, err := parts.Start(t.Context(), "ipcontroller", nil, cmd); err != nil {
		t.Fatal(err)
	}
	var cm *corev1.ConfigMap
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		cm, err = s.client.CoreV1().ConfigMaps(namespace).Get(t.Context(), "wan", metav1.GetOptions{})
		if err == nil && cm.Data["ipv4"] == ipv4 && cm.Data["ipv6"] == ipv6 {
			return
		}
	}
	t.Errorf("ConfigMap: %v, %v; want %s and %s", cm.Data, err, ipv4, ipv6)
}

func TestTheIPControllerChartRefusesWrongValues(t *testing.T) {
	refused(t, "ipcontroller", "testdata/ipcontroller/least.yaml", []wrong{
		{`replica=3`, "replica"},
		{`replicas=0`, "replicas"},
		{`replicas="two"`, "replicas"},
		{`configmap=a`, "configmap"},
		{`configMap=Wan_IP`, "configMap"},
		{`lease=`, "lease"},
		{`image.repository=`, "image.repository"},
		{`image.pullPolicy=always`, "pullPolicy"},
		{`ipv4.mode=stun`, "mode"},
		{`ipv4.mode=prefix`, "mode"},
		{`ipv4.mode=off`, "ipv4.mode"},
		{`ipv4.mode=interface`, "hostNetwork"},
		{`ipv4.mode=service`, "ipv4.service"},
		{`ipv4.service=nginx`, "service"},
		{`ipv4.address=example.org`, "address"},
		{`ipv4.sources=["https://a.example.org"]`, "sources"},
		{`ipv4.sources="a=https://a.example.org"`, "sources"},
		{`ipv4.hostId=::53`, "hostId"},
		{`ipv6.address=192.0.2.1`, "address"},
		{`ipv6.mode=prefix`, "ipv6.hostId"},
		{`ipv6.hostId=53`, "hostId"},
		{`ipv6.prefixBits=128`, "prefixBits"},
		{`need=0`, "need"},
		{`router=192.168.0.1`, "router"},
		{`hostNetwork="true"`, "hostNetwork"},
		{`extraArgs=["need=2"]`, "extraArgs"},
		{`logLevel=warning`, "logLevel"},
		{`service.port=0`, "port"},
		{`service.type=LoadBalancer`, "type"},
		{`resources={"limit":{}}`, "limit"},
		{`networkPolicy.egress.apiServerPorts=[]`, "apiServerPorts"},
		{`prometheusRule.runbookURL=x`, "runbookURL"},
	})
}
