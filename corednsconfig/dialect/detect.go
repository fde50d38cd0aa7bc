package dialect

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// Detect finds how the cluster takes a zone. It is pure. The error is an *[Unsupported].
func Detect(f Facts) (*Dialect, error) {
	service := f.Service()
	if service == nil {
		return nil, unsupported(NoClusterDNS, "no Service for DNS: want %s/%s, or one with label %s=%s in %s, or %s/%s",
			systemNamespace, serviceName, appLabel, clusterDNSApp, systemNamespace, openshiftNamespace, openshiftService)
	}
	if len(service.Spec.Selector) == 0 {
		return nil, unsupported(External, "Service %s/%s selects no pods: names are answered elsewhere", service.Namespace, service.Name)
	}
	d := &Dialect{facts: f}
	d.findNodeLocal()
	if err := d.cloudDNS(); err != nil {
		return nil, err
	}
	pods := running(f.Pods)
	if len(pods) == 0 {
		return nil, unsupported(NoClusterDNS, "no pods behind Service %s/%s", service.Namespace, service.Name)
	}
	server, err := serverOf(f, pods)
	if err != nil {
		return nil, err
	}
	server.Selector = service.Spec.Selector
	server.Addresses = clusterIPs(service)
	d.Cluster = *server
	d.DNSIPs = unique(d.Cluster.Addresses, clusterIPs(f.upstreamService()))
	if d.NodeLocal != nil {
		d.DNSIPs = unique(d.DNSIPs, d.NodeLocal.Addresses)
	}
	if err := d.choose(); err != nil {
		return nil, err
	}
	d.chooseNodeLocal()
	return d, nil
}

func unique(lists ...[]netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, a := range slices.Concat(lists...) {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// choose decides where the zone goes in the cluster DNS itself.
func (d *Dialect) choose() error {
	if proc, _ := dnsProcess(d.Cluster.Template); proc.isKubeDNS() {
		return d.chooseStubDomains(proc)
	}
	file, err := corefile.Parse(d.Cluster.Corefile, d.Cluster.Process)
	if err != nil {
		return badCorefile(d.Cluster.Source, err)
	}
	if domains := file.ClusterDomains(); len(domains) > 0 {
		d.ClusterDomain = domains[0]
	}
	cm := d.facts.configMap(d.Cluster.Source.Namespace, d.Cluster.Source.Name)
	custom, ok := d.findCustom(file)
	switch {
	case d.facts.DNSOperator != nil:
		return d.chooseOpenShift(d.facts.DNSOperator)
	case ok:
		d.Kind = CustomConfigMap
		d.targets = append(d.targets, custom)
	case isEKSAddon(cm, d.Cluster.Source.Key):
		d.Kind = EKSAddon
		d.targets = append(d.targets, &corefileTarget{dialect: d, server: &d.Cluster, how: Report})
	case d.isChart(cm):
		d.Kind = HelmChartConfig
		d.targets = append(d.targets, &helmTarget{dialect: d, name: d.facts.HelmChart.GetName(), namespace: d.facts.HelmChart.GetNamespace()})
	case len(reconcilers(configMapRef(cm), cm)) > 0:
		owner := reconcilers(configMapRef(cm), cm)[0]
		return unsupported(Reconciled, "%s is put back by %s (%s) and imports nothing at top level that a ConfigMap could bring",
			configMapRef(cm), owner.Name, owner.Evidence)
	case cm.Immutable != nil && *cm.Immutable:
		return unsupported(Reconciled, "%s is immutable: somebody replaces it by another at every change", configMapRef(cm))
	default:
		d.Kind = Corefile
		d.targets = append(d.targets, &corefileTarget{dialect: d, server: &d.Cluster, how: Update})
	}
	return nil
}

func (d *Dialect) isChart(cm *corev1.ConfigMap) bool {
	return d.facts.HelmChart != nil && cm.Annotations[helmReleaseAnnotation] == d.facts.HelmChart.GetName()
}

func (d *Dialect) chooseStubDomains(proc process) error {
	dir, _ := proc.flag("config-dir")
	domain, _ := proc.flag("domain")
	d.ClusterDomain = strings.Trim(domain, ".")
	for _, m := range proc.mounts() {
		if m.at == path.Clean(dir) && m.sub == "" && m.items == nil {
			d.Kind = StubDomains
			d.Cluster.Source = Source{d.Cluster.Namespace, m.configMap, stubDomainsKey}
			d.Cluster.Reload = Reload{Watched: true, Interval: kubeDNSPeriod}
			d.targets = append(d.targets, &stubTarget{dialect: d, source: d.Cluster.Source})
			return nil
		}
	}
	return unsupported(UnknownServer, "kube-dns takes its settings from %s, which is not a ConfigMap", dir)
}

func (d *Dialect) chooseOpenShift(operator *unstructured.Unstructured) error {
	if state, _, _ := unstructured.NestedString(operator.Object, "spec", "managementState"); state == "Unmanaged" {
		return unsupported(Unmanaged, "DNS %s has spec.managementState Unmanaged: the operator does not render what is written there", operator.GetName())
	}
	d.Kind = OpenShift
	d.targets = append(d.targets, &openshiftTarget{dialect: d, dns: operator})
	return nil
}

// findCustom looks for a place of our own: an import at top level with a wildcard, into which a ConfigMap is mounted as a
// whole.
func (d *Dialect) findCustom(file *corefile.File) (*customTarget, bool) {
	proc, _ := dnsProcess(d.Cluster.Template)
	imports := file.Imports()
	for _, p := range imports {
		if !p.TopLevel || p.File != "" {
			continue
		}
		dir, glob := path.Split(p.Pattern)
		if strings.Count(glob, "*") != 1 || strings.ContainsAny(dir, "*?[") {
			continue
		}
		key := strings.Replace(glob, "*", ownKey, 1)
		name := path.Join(dir, key)
		if matched, err := path.Match(glob, key); err != nil || !matched || takenElsewhere(imports, p, name) {
			continue
		}
		for _, m := range proc.mounts() {
			if found, ok := m.key(name); ok && found == key && m.sub == "" && m.items == nil &&
				m.configMap != d.Cluster.Source.Name {
				return &customTarget{dialect: d, source: Source{d.Cluster.Namespace, m.configMap, key}, file: name}, true
			}
		}
	}
	return nil, false
}

// ownKey stands for us in the names of keys, where the import has its wildcard.
const ownKey = "spokedns"

// takenElsewhere: the same file would also be imported into a block.
func takenElsewhere(imports []corefile.ImportPattern, chosen corefile.ImportPattern, name string) bool {
	return slices.ContainsFunc(imports, func(p corefile.ImportPattern) bool {
		matched, err := path.Match(p.Pattern, name)
		return p != chosen && (matched || err != nil)
	})
}
