package dialect

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// Google's metadata server answers DNS on the nodes of GKE where Cloud DNS serves the cluster.
const metadataServer = "169.254.169.254"

// findNodeLocal finds the cache on the nodes. One that cannot be followed is a warning: the cluster DNS can be written all
// the same, and whether names resolve is seen afterwards.
func (d *Dialect) findNodeLocal() {
	pods := running(d.facts.NodeLocalPods)
	if len(pods) == 0 {
		return
	}
	server, err := serverOf(d.facts, pods)
	if err != nil {
		d.warnings = append(d.warnings, "there is a DNS cache on the nodes, and it cannot be told whether it passes the zones on: "+err.Error())
		return
	}
	server.Selector = map[string]string{appLabel: nodeLocalApp}
	proc, _ := dnsProcess(server.Template)
	local, _ := proc.flag("localip")
	server.Addresses = addresses(append(strings.Split(local, ","), server.Site.Bind...))
	d.NodeLocal = server
}

// cloudDNS finds out whether the cache asks Google's Cloud DNS for the names of the cluster.
func (d *Dialect) cloudDNS() error {
	if d.NodeLocal == nil {
		return nil
	}
	server := d.NodeLocal
	for _, b := range blocksOf(server.Corefile) {
		if f, ok := b.directive("forward"); ok && slices.Contains(f.words, metadataServer) {
			return unsupported(External, "the cache on the nodes (ConfigMap %s/%s) forwards %s to %s: Cloud DNS answers for this cluster; "+
				"make a forwarding zone there", server.Source.Namespace, server.Source.Name, strings.Join(b.keys, " "), metadataServer)
		}
	}
	return nil
}

// chooseNodeLocal decides what the cache on the nodes needs besides the cluster DNS. Its block for "." goes to the upstream
// of the nodes as a rule, past the cluster DNS.
func (d *Dialect) chooseNodeLocal() {
	if d.NodeLocal == nil || d.nodeLocalFed() {
		return
	}
	t := &corefileTarget{dialect: d, server: d.NodeLocal, how: Update, local: true}
	cm := d.facts.configMap(d.NodeLocal.Source.Namespace, d.NodeLocal.Source.Name)
	ref := configMapRef(cm)
	for _, o := range reconcilers(ref, cm) {
		// The addon manager's label is in the manifest that everybody copies, so it proves nothing here.
		if !strings.Contains(o.Evidence, addonModeLabel) {
			t.how = Report
			d.warnings = append(d.warnings, ref.String()+" is put back by "+o.Name+
				", and the cache on the nodes does not pass the zones on to the cluster DNS: its owner has to see to that")
			break
		}
	}
	if cm.Immutable != nil && *cm.Immutable {
		t.how = Report
		d.warnings = append(d.warnings, ref.String()+" is immutable, and the cache on the nodes does not pass the zones on to "+
			"the cluster DNS: its owner has to see to that")
	}
	d.targets = append(d.targets, t)
}

// nodeLocalFed reports whether the zones reach the cache on the nodes without an edit of its own.
func (d *Dialect) nodeLocalFed() bool {
	proc, _ := dnsProcess(d.NodeLocal.Template)
	for _, t := range d.targets {
		switch t := t.(type) {
		case *stubTarget:
			// It makes blocks of the stub domains by itself.
			dir := "/etc/kube-dns"
			if given, ok := proc.flag("kubednscmpath"); ok {
				dir = given
			}
			if slices.ContainsFunc(proc.mounts(), func(m mount) bool { return m.at == path.Clean(dir) && m.configMap == t.source.Name }) {
				return true
			}
		case *customTarget:
			if d.nodeLocalImports(proc, t) {
				d.warnings = append(d.warnings, "the cache on the nodes imports "+t.source.Key+" too; whether on the right port is for its owner to say")
				return true
			}
		}
	}
	return d.nodeLocalPassesOn()
}

// nodeLocalImports: it imports our key, or imports something made of the ConfigMap by another container of the pod.
func (d *Dialect) nodeLocalImports(proc process, t *customTarget) bool {
	mounted := slices.ContainsFunc(d.NodeLocal.Template.Volumes, func(v corev1.Volume) bool {
		return v.ConfigMap != nil && v.ConfigMap.Name == t.source.Name
	})
	file, err := corefile.Parse(d.NodeLocal.Corefile, d.NodeLocal.Process)
	if err != nil || !mounted {
		return false
	}
	for _, p := range file.Imports() {
		if !p.TopLevel {
			continue
		}
		if !proc.covered(path.Dir(p.Pattern)) {
			return true
		}
		for _, m := range proc.mounts() {
			if m.configMap != t.source.Name || m.sub != "" {
				continue
			}
			name := path.Join(m.at, t.source.Key)
			if matched, err := path.Match(p.Pattern, name); err == nil && matched {
				return true
			}
		}
	}
	return false
}

// nodeLocalPassesOn: the block for "." forwards to the cluster DNS and nowhere else.
func (d *Dialect) nodeLocalPassesOn() bool {
	for _, b := range blocksOf(d.fillIn(d.NodeLocal.Corefile)) {
		if !slices.ContainsFunc(b.keys, func(k string) bool { return k == "." || strings.HasPrefix(k, ".:") }) {
			continue
		}
		f, ok := b.directive("forward")
		if !ok || len(f.words) < 3 {
			return false
		}
		return !slices.ContainsFunc(f.words[2:], func(upstream string) bool {
			if at, err := netip.ParseAddrPort(upstream); err == nil {
				return !slices.Contains(d.DNSIPs, at.Addr())
			}
			at, err := netip.ParseAddr(upstream)
			return err != nil || !slices.Contains(d.DNSIPs, at)
		})
	}
	return false
}

// fillIn replaces the variables of the node-local cache as it does itself, so that the text can be judged. It keeps lines.
func (d *Dialect) fillIn(src []byte) []byte {
	proc, _ := dnsProcess(d.NodeLocal.Template)
	local, _ := proc.flag("localip")
	upstream := ""
	if s := d.facts.upstreamService(); s != nil {
		upstream = s.Spec.ClusterIP
	} else if len(d.Cluster.Addresses) > 0 {
		upstream = d.Cluster.Addresses[0].String()
	}
	return []byte(strings.NewReplacer(
		"__PILLAR__LOCAL__DNS__", strings.ReplaceAll(local, ",", " "),
		"__PILLAR__DNS__SERVER__", "",
		"__PILLAR__CLUSTER__DNS__", upstream,
		"__PILLAR__UPSTREAM__SERVERS__", "/etc/resolv.conf",
	).Replace(string(src)))
}
