package charts_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/corednsconfig/central"
)

// The chart's Corefile is the one that corednsconfig renders for the file beside it, which the Job reads.
func TestTheCentralCorefileIsTheProgramsOwn(t *testing.T) {
	for _, values := range cases(t, "central-dns") {
		t.Run(filepath.Base(values), func(t *testing.T) {
			for _, cm := range all[corev1.ConfigMap](render(t, chartDir(t, "central-dns"), values), "ConfigMap") {
				if cm.Data["Corefile"] == "" && strings.HasSuffix(cm.Name, "-dashboard") {
					continue
				}
				config, err := central.Parse([]byte(cm.Data["central.yaml"]))
				if err != nil {
					t.Fatalf("%v\n%s", err, cm.Data["central.yaml"])
				}
				want, err := central.Corefile(config.Landscape, config.Server)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, cm.Data["Corefile"]); diff != "" {
					t.Errorf("program -, chart +:\n%s", diff)
				}
			}
		})
	}
}

func TestTheCentralDNSIsAskedOnPort53OverBoth(t *testing.T) {
	r := render(t, chartDir(t, "central-dns"), "testdata/central-dns/full.yaml")
	service := get[corev1.Service](r, "Service", "center")
	var ports []string
	for _, p := range service.Spec.Ports {
		ports = append(ports, string(p.Protocol)+" "+p.TargetPort.StrVal)
		if p.Port != 53 {
			t.Errorf("port %d", p.Port)
		}
	}
	if diff := cmp.Diff([]string{"UDP dns", "TCP dns-tcp"}, ports); diff != "" {
		t.Error(diff)
	}
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer || service.Spec.LoadBalancerIP != "192.0.2.53" {
		t.Errorf("%s at %q", service.Spec.Type, service.Spec.LoadBalancerIP)
	}
	if n := *get[appsv1.Deployment](r, "Deployment", "center").Spec.Replicas; n != 3 {
		t.Errorf("%d replicas", n)
	}
}

// Nobody gets into etcd without a certificate, and the members know each other's names.
func TestTheCentralEtcdAsksForCertificates(t *testing.T) {
	r := render(t, chartDir(t, "central-dns"), "testdata/central-dns/least.yaml")
	args := get[appsv1.StatefulSet](r, "StatefulSet", "edge-central-dns-etcd").Spec.Template.Spec.Containers[0].Args
	flags := map[string]bool{}
	for _, a := range args {
		flags[a] = true
	}
	const member = "edge-central-dns-etcd-0=https://edge-central-dns-etcd-0.edge-central-dns-etcd-members.dns.svc:2380," +
		"edge-central-dns-etcd-1=https://edge-central-dns-etcd-1.edge-central-dns-etcd-members.dns.svc:2380," +
		"edge-central-dns-etcd-2=https://edge-central-dns-etcd-2.edge-central-dns-etcd-members.dns.svc:2380"
	for _, want := range []string{"--client-cert-auth", "--peer-client-cert-auth", "--trusted-ca-file=/etc/etcd-tls/ca.crt", "--initial-cluster=" + member} {
		if !flags[want] {
			t.Errorf("no %s in %q", want, args)
		}
	}
	job := get[batchv1.Job](r, "Job", "edge-central-dns-setup")
	if hook := job.Annotations["helm.sh/hook"]; hook != "post-install,post-upgrade" {
		t.Errorf("the Job runs at %q", hook)
	}
}

func TestTheCentralDNSChartRefusesWrongValues(t *testing.T) {
	refused(t, "central-dns", "testdata/central-dns/least.yaml", []wrong{
		{`landscape.zone=a.example`, "zone"},
		{`landscape.zones=[]`, "landscape.zones"},
		{`landscape.zones=["Openmcp.cluster"]`, "zones"},
		{`landscape.zones=["openmcp.cluster."]`, "zones"},
		{`landscape.zones=["a.example","a.example"]`, "zones"},
		{`landscape.path=/a/b`, "path"},
		{`landscape.path=skydns`, "path"},
		{`landscape.clusters=["workload01"]`, "clusters"},
		{`landscape.clusters=[{"zones":["a.example"]}]`, "name"},
		{`landscape.clusters=[{"name":"work.load"}]`, "name"},
		{`landscape.nameServers=["ns1.example.org"]`, "nameServers"},
		{`server.maxTTL=30s`, "maxTTL"},
		{`server.maxTTLSeconds=0`, "maxTTLSeconds"},
		{`server.staleForSeconds=90000`, "staleForSeconds"},
		{`server.upstreams=["dns.example.org"]`, "upstreams"},
		{`coredns.replicas=0`, "replicas"},
		{`coredns.image.repository=`, "repository"},
		{`service.type=Loadbalancer`, "type"},
		{`service.loadBalancerIP=dns.example.org`, "loadBalancerIP"},
		{`service.loadBalancerSourceRanges=["10.0.0.0"]`, "loadBalancerSourceRanges"},
		{`service.externalTrafficPolicy=local`, "externalTrafficPolicy"},
		{`etcd.endpoints=["http://etcd:2379"]`, "endpoints"},
		{`etcd.endpoints=["https://etcd"]`, "endpoints"},
		{`etcd.replicas=2`, "replicas"},
		{`etcd.storage={"size":"8Gi"}`, "size"},
		{`etcd.quotaBytes=2Gi`, "quotaBytes"},
		{`tls.certManager.enabled=true`, "tls.certManager.issuerRef.name"},
		{`tls.certManager.issuerRef.kind=issuer`, "kind"},
		{`tls.certManager.duration=90d`, "duration"},
		{`tls.secret=a`, "secret"},
		{`setup.image.repository=`, "setup.image.repository"},
		{`setup.passwords=a`, "passwords"},
		{`networkPolicy.etcdClients=[{"cidr":"10.0.0.0/8"}]`, "cidr"},
		{`prometheusRule.enabled="on"`, "enabled"},
	})
}
