package dialect_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// found is what of a Dialect a fixture settles.
type found struct {
	Kind    dialect.Kind
	Where   string // the object and key of each edit
	Port    int
	Bind    string
	Version string
	DNS     string // all addresses
	Metrics int
	Node    string // the source of the node-local cache
	Foreign string // those who are known to revert
}

func TestEveryDistributionIsRecognised(t *testing.T) {
	coredns := "Update ConfigMap kube-system/coredns Corefile"
	custom := "Apply ConfigMap kube-system/coredns-custom spokedns.server"
	for name, want := range map[string]found{
		"kubeadm":          {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.12.1", DNS: "10.96.0.10", Metrics: 9153},
		"kind":             {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.11.3", DNS: "10.96.0.10", Metrics: 9153},
		"capi-kcp":         {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.11.1", DNS: "10.128.0.10", Metrics: 9153},
		"minikube":         {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.12.1", DNS: "10.96.0.10", Metrics: 9153},
		"talos":            {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.13.1", DNS: "10.96.0.10", Metrics: 9153, Foreign: "talos"},
		"eks-addon":        {Kind: dialect.EKSAddon, Where: "Report Addon coredns configurationValues", Port: 53, Version: "1.11.4", DNS: "172.20.0.10", Metrics: 9153, Foreign: "eks"},
		"eks-self-managed": {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.9.3", DNS: "172.20.0.10", Metrics: 9153},
		"aks":              {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.12.1", DNS: "10.0.0.10", Metrics: 9153},
		"k3s":              {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.12.3", DNS: "10.43.0.10", Metrics: 9153},
		"rke2": {Kind: dialect.HelmChartConfig, Where: "Apply HelmChartConfig kube-system/rke2-coredns spec.valuesContent",
			Port: 53, Version: "1.12.3", DNS: "10.43.0.10", Metrics: 9153},
		"rke2-adjusted": {Kind: dialect.HelmChartConfig, Where: "Update HelmChartConfig kube-system/rke2-coredns spec.valuesContent",
			Port: 53, Version: "1.12.3", DNS: "10.43.0.10", Metrics: 9153},
		"openshift": {Kind: dialect.OpenShift, Where: "Update DNS default spec.servers", Port: 5353, Version: "unknown", DNS: "172.30.0.10"},
		"microshift": {Kind: dialect.Corefile, Where: "Update ConfigMap openshift-dns/dns-default Corefile", Port: 5353, Version: "unknown",
			DNS: "172.30.0.10", Foreign: "dns operator"},
		"gke-standard": {Kind: dialect.StubDomains, Where: "Update ConfigMap kube-system/kube-dns stubDomains", Version: "unknown", DNS: "34.118.224.10"},
		"gke-standard-nodelocal": {Kind: dialect.StubDomains, Where: "Update ConfigMap kube-system/kube-dns stubDomains", Version: "unknown",
			DNS: "34.118.224.10 34.118.230.1 169.254.20.10", Node: "ConfigMap kube-system/node-local-dns key Corefile"},
		"gardener": {Kind: dialect.CustomConfigMap, Where: custom, Port: 8053, Version: "1.13.1", DNS: "100.64.0.10", Metrics: 9153},
		"gardener-nodelocal": {Kind: dialect.CustomConfigMap, Where: custom, Port: 8053, Version: "1.13.1",
			DNS: "100.64.0.10 100.64.9.9 169.254.20.10", Metrics: 9153, Node: "ConfigMap kube-system/node-local-dns-1a2b3c4d key Corefile"},
		"gardener-nodelocal-old": {Kind: dialect.CustomConfigMap, Where: custom + ", Report ConfigMap kube-system/node-local-dns-1a2b3c4d Corefile",
			Port: 8053, Version: "1.13.1", DNS: "100.64.0.10 100.64.9.9 169.254.20.10", Metrics: 9153,
			Node: "ConfigMap kube-system/node-local-dns-1a2b3c4d key Corefile", Foreign: "gardener-resource-manager"},
		"kubeadm-nodelocal": {Kind: dialect.Corefile, Where: coredns + ", Update ConfigMap kube-system/node-local-dns Corefile", Port: 53, Version: "1.12.1",
			DNS: "10.96.0.10 10.96.77.7 169.254.20.10", Metrics: 9153, Node: "ConfigMap kube-system/node-local-dns key Corefile", Foreign: "addon-manager"},
		"kubeadm-nodelocal-fed": {Kind: dialect.Corefile, Where: coredns, Port: 53, Version: "1.12.1",
			DNS: "10.96.0.10 10.96.77.7 169.254.20.10", Metrics: 9153, Node: "ConfigMap kube-system/node-local-dns key Corefile"},
		"kubespray-nodelocal": {Kind: dialect.Corefile, Where: coredns + ", Update ConfigMap kube-system/nodelocaldns Corefile", Port: 53, Version: "1.11.3",
			DNS: "10.233.0.3 169.254.25.10", Metrics: 9153, Node: "ConfigMap kube-system/nodelocaldns key Corefile"},
		"digitalocean": {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.11.3", DNS: "10.245.0.10", Metrics: 9153},
		"ovh":          {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.11.3", DNS: "10.3.0.10", Metrics: 9153},
		"lke":          {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.11.3", DNS: "10.128.0.10", Metrics: 9153},
		"outscale":     {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.11.1", DNS: "10.92.0.10", Metrics: 9153},
		"scaleway":     {Kind: dialect.CustomConfigMap, Where: custom, Port: 53, Version: "1.12.1", DNS: "10.32.0.10", Metrics: 9153},
		"subpath":      {Kind: dialect.Corefile, Where: coredns, Port: 1053, Version: "1.12.1", DNS: "10.96.0.10", Metrics: 9153},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustDetect(t, cluster(t, name))
			if diff := cmp.Diff(want, describe(t, d)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if d.ClusterDomain != "cluster.local" {
				t.Errorf("cluster domain %q", d.ClusterDomain)
			}
		})
	}
}

func describe(t *testing.T, d *dialect.Dialect) found {
	t.Helper()
	change := mustPlan(t, d, openmcp())
	got := found{
		Kind: d.Kind, Port: d.Cluster.Site.Port, Version: d.Cluster.Site.Version.String(), Metrics: d.Cluster.MetricsPort,
	}
	join := func(to *string, separator, text string) {
		if *to != "" {
			*to += separator
		}
		*to += text
	}
	for _, e := range change.Edits {
		join(&got.Where, ", ", string(e.How)+" "+e.Ref.String()+" "+e.Key)
	}
	for _, b := range d.Cluster.Site.Bind {
		join(&got.Bind, " ", b)
	}
	for _, a := range d.DNSIPs {
		join(&got.DNS, " ", a.String())
	}
	for _, o := range change.Foreign {
		if o.Reverts {
			join(&got.Foreign, ", ", o.Name)
		}
	}
	if d.NodeLocal != nil {
		got.Node = d.NodeLocal.Source.String()
	}
	return got
}

func TestWhatCannotBeFollowedIsNotWritten(t *testing.T) {
	for name, want := range map[string]dialect.Reason{
		"unknown":            dialect.UnknownServer,
		"unknown-hostpath":   dialect.UnknownServer,
		"gke-autopilot":      dialect.External,
		"capi-kcp-upgrading": dialect.Ambiguous,
		"reconciled":         dialect.Reconciled,
		"broken":             dialect.BadCorefile,
		"no-service":         dialect.NoClusterDNS,
	} {
		t.Run(name, func(t *testing.T) {
			d, err := detect(t, cluster(t, name))
			var u *dialect.Unsupported
			if !errors.As(err, &u) {
				t.Fatalf("got %v, %v: want an *Unsupported", d, err)
			}
			if u.Reason != want || d != nil {
				t.Errorf("reason %s (%s), dialect %v: want reason %s and no dialect", u.Reason, u.Text, d, want)
			}
			t.Log(u)
		})
	}
}

func TestReloadIsRead(t *testing.T) {
	d := mustDetect(t, cluster(t, "kubeadm"))
	if r := d.Cluster.Reload; !r.Watched || r.Interval.Seconds() != 30 || r.Jitter.Seconds() != 15 {
		t.Errorf("kubeadm: %+v", r)
	}
	d = mustDetect(t, cluster(t, "subpath"))
	if d.Cluster.Reload.Watched {
		t.Error("subpath: a mount by subPath never changes")
	}
	if change := mustPlan(t, d, openmcp()); len(change.Warnings) == 0 {
		t.Error("subpath: no warning that the pods have to be restarted")
	}
}

// A Candidate is what the pods will read: its hash can be known exactly where the text is.
func TestCandidateCanBeHashed(t *testing.T) {
	for _, name := range []string{"kubeadm", "aks", "k3s", "gardener", "lke", "scaleway"} {
		change := mustPlan(t, mustDetect(t, cluster(t, name)), openmcp())
		file, err := corefile.Parse(change.Cluster.Corefile, change.Cluster.Process)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, sum, err := file.Hash(change.Cluster.Site.Version); err != nil || sum == "" {
			t.Errorf("%s: hash %q, %v", name, sum, err)
		}
	}
}
