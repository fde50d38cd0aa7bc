package dialect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// Facts that differ from a fixture in one thing, and what that changes.
func TestVariants(t *testing.T) {
	pod := func(change func(*corev1.Pod)) func(*dialect.Facts) {
		return func(f *dialect.Facts) { change(&f.Pods[0]) }
	}
	container := func(change func(*corev1.Container)) func(*dialect.Facts) {
		return func(f *dialect.Facts) {
			for i := range f.Pods {
				change(&f.Pods[i].Spec.Containers[0])
			}
		}
	}
	kind := func(k dialect.Kind) func(*testing.T, *dialect.Dialect) {
		return func(t *testing.T, d *dialect.Dialect) {
			if d.Kind != k {
				t.Errorf("kind %s, want %s", d.Kind, k)
			}
		}
	}
	for name, test := range map[string]struct {
		fixture string
		change  func(*dialect.Facts)
		reason  dialect.Reason // "": supported
		check   func(*testing.T, *dialect.Dialect)
	}{
		"one image follows another": {"kubeadm", pod(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.k8s.io/coredns/coredns:v1.9.3" }), "",
			func(t *testing.T, d *dialect.Dialect) {
				if v := d.Cluster.Site.Version.String(); v != "1.9.3" || len(d.Cluster.Pods) != 2 {
					t.Errorf("version %s of %d pods: want the older of two", v, len(d.Cluster.Pods))
				}
			}},
		"a pod that ends does not count": {"capi-kcp-upgrading", pod(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }), "",
			func(t *testing.T, d *dialect.Dialect) {
				if d.Cluster.Source.Key != "Corefile" || len(d.Cluster.Pods) != 1 {
					t.Errorf("%v, %d pods", d.Cluster.Source, len(d.Cluster.Pods))
				}
			}},
		"all pods have failed": {"kubeadm", func(f *dialect.Facts) {
			for i := range f.Pods {
				f.Pods[i].Status.Phase = corev1.PodFailed
			}
		}, dialect.NoClusterDNS, nil},
		"several Services": {"kubeadm", func(f *dialect.Facts) {
			other := f.Services[0]
			other.Name, other.Spec.ClusterIP = "aaa-dns", "10.96.9.9"
			headless := f.Services[0]
			headless.Name, headless.Spec.ClusterIP = "aa-headless", corev1.ClusterIPNone
			f.Services = []corev1.Service{headless, other, f.Services[0]}
		}, "", func(t *testing.T, d *dialect.Dialect) {
			if d.Cluster.Addresses[0].String() != "10.96.0.10" {
				t.Errorf("%v: want those of kube-dns", d.Cluster.Addresses)
			}
		}},
		"answered elsewhere": {"kubeadm", func(f *dialect.Facts) { f.Services[0].Spec.Selector = nil }, dialect.External, nil},
		"no DNS port":        {"kubeadm", func(f *dialect.Facts) { f.Services[0].Spec.Ports = f.Services[0].Spec.Ports[:0] }, dialect.NoClusterDNS, nil},
		"two families": {"kubeadm", func(f *dialect.Facts) { f.Services[0].Spec.ClusterIPs = []string{"10.96.0.10", "fd00:10:96::a"} }, "",
			func(t *testing.T, d *dialect.Dialect) {
				if len(d.DNSIPs) != 2 {
					t.Errorf("%v", d.DNSIPs)
				}
			}},
		"the operator is told to keep off": {"openshift", func(f *dialect.Facts) {
			_ = unstructured.SetNestedField(f.DNSOperator.Object, "Unmanaged", "spec", "managementState")
		}, dialect.Unmanaged, nil},
		"immutable": {"kubeadm", func(f *dialect.Facts) {
			yes := true
			f.ConfigMaps[0].Immutable = &yes
		}, dialect.Reconciled, nil},
		"no -conf": {"kubeadm", container(func(c *corev1.Container) { c.Args, c.WorkingDir = nil, "/etc/coredns" }), "", kind(dialect.Corefile)},
		"a path from a variable": {"kubeadm", container(func(c *corev1.Container) { c.Args = []string{"-conf", "$(COREFILE)"} }),
			dialect.UnknownServer, nil},
		"a port that is none":    {"kubeadm", container(func(c *corev1.Container) { c.Args = append(c.Args, "-dns.port=x") }), dialect.UnknownServer, nil},
		"another file":           {"kubeadm", container(func(c *corev1.Container) { c.Args = []string{"-conf", "/etc/coredns/other"} }), dialect.UnknownServer, nil},
		"the ConfigMap is gone":  {"kubeadm", func(f *dialect.Facts) { f.ConfigMaps = nil }, dialect.UnknownServer, nil},
		"the key is gone":        {"kubeadm", func(f *dialect.Facts) { delete(f.ConfigMaps[0].Data, "Corefile") }, dialect.BadCorefile, nil},
		"no default block":       {"kubeadm", func(f *dialect.Facts) { f.ConfigMaps[0].Data["Corefile"] = "a.example {\n    errors\n}\n" }, dialect.BadCorefile, nil},
		"nothing in it":          {"kubeadm", func(f *dialect.Facts) { f.ConfigMaps[0].Data["Corefile"] = "" }, dialect.BadCorefile, nil},
		"kube-dns from the disk": {"gke-standard", container(func(c *corev1.Container) { c.Args = []string{"--domain=cluster.local.", "--config-dir=/elsewhere"} }), dialect.UnknownServer, nil},
		"import of a file that is not there": {"ovh", func(f *dialect.Facts) {
			f.ConfigMaps[0].Data["Corefile"] = strings.ReplaceAll(f.ConfigMaps[0].Data["Corefile"], "*.server", "all.server")
		}, dialect.BadCorefile, nil},
		"one pattern for both imports": {"ovh", func(f *dialect.Facts) {
			f.ConfigMaps[0].Data["Corefile"] = strings.ReplaceAll(f.ConfigMaps[0].Data["Corefile"], "*.override", "*")
		}, "", kind(dialect.Corefile)},
		"an import from an image": {"kubeadm", func(f *dialect.Facts) { f.ConfigMaps[0].Data["Corefile"] += "import /opt/*.conf\n" }, "",
			func(t *testing.T, d *dialect.Dialect) {
				if d.Kind != dialect.Corefile || d.Cluster.Process.Imports != nil {
					t.Errorf("kind %s, imports %v: want them unknown", d.Kind, d.Cluster.Process.Imports)
				}
			}},
		"reload at intervals of its own": {"kubeadm", func(f *dialect.Facts) {
			f.ConfigMaps[0].Data["Corefile"] = strings.Replace(f.ConfigMaps[0].Data["Corefile"], "reload\n", "reload 10s 8s\n", 1)
		}, "", func(t *testing.T, d *dialect.Dialect) {
			if d.Cluster.Reload != (dialect.Reload{Watched: true, Interval: 10 * time.Second, Jitter: 5 * time.Second}) {
				t.Errorf("%+v", d.Cluster.Reload)
			}
		}},
		"no reload": {"kubeadm", func(f *dialect.Facts) {
			f.ConfigMaps[0].Data["Corefile"] = strings.Replace(f.ConfigMaps[0].Data["Corefile"], "    reload\n", "", 1)
		}, "", func(t *testing.T, d *dialect.Dialect) {
			if d.Cluster.Reload.Watched || len(mustPlan(t, d, openmcp()).Warnings) != 1 {
				t.Errorf("%+v, warnings %q", d.Cluster.Reload, mustPlan(t, d, openmcp()).Warnings)
			}
		}},
		"a cache on the nodes that cannot be followed": {"kubeadm-nodelocal", func(f *dialect.Facts) {
			for i := range f.NodeLocalPods {
				f.NodeLocalPods[i].Spec.Volumes = nil
			}
		}, "", func(t *testing.T, d *dialect.Dialect) {
			change := mustPlan(t, d, openmcp())
			if d.NodeLocal != nil || len(change.Edits) != 1 || len(change.Warnings) != 1 {
				t.Errorf("node-local %v, warnings %q, edits\n%s", d.NodeLocal, change.Warnings, show(change))
			}
		}},
		"a chart whose CoreDNS listens elsewhere": {"rke2", func(f *dialect.Facts) {
			f.ConfigMaps[0].Data["Corefile"] = strings.Replace(f.ConfigMaps[0].Data["Corefile"], ".:53", ".:1053", 1)
		}, "", func(t *testing.T, d *dialect.Dialect) {
			if change, err := d.Plan(openmcp()); err == nil || len(change.Edits) > 0 {
				t.Errorf("planned, though the chart's Service would be lost:\n%s", show(change))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			facts, err := dialect.Read(context.Background(), cluster(t, test.fixture))
			if err != nil {
				t.Fatal(err)
			}
			test.change(&facts)
			d, err := dialect.Detect(facts)
			var u *dialect.Unsupported
			switch {
			case test.reason == "" && err != nil:
				t.Fatal(err)
			case test.reason == "":
				test.check(t, d)
			case !errors.As(err, &u) || u.Reason != test.reason:
				t.Errorf("got %v: want reason %s", err, test.reason)
			default:
				t.Log(u)
			}
		})
	}
}
