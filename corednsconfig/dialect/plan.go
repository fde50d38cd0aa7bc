package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// A target is one object that says what is served.
type target interface {
	plan(want []corefile.Forward) (part, error)
	// serves reports whether the pods have been given the zone.
	serves(zone string) bool
	rights() []Right
}

// A part is what one target adds to a Change.
type part struct {
	edits     []Edit
	candidate *Candidate
	local     bool // it is the node-local cache's
	owners    []Owner
	warnings  []string
}

// Plan says what has to be written so that the zones of want, and no others of ours, are forwarded; want nil takes out
// everything of ours and leaves the bytes that were there before us. It is pure. What it returns has passed
// [corefile.Check]; what the check finds in the text of others, and CoreDNS lives with, is a warning. An error joins one
// *[corefile.Fault] per finding, and then nothing may be written.
func (d *Dialect) Plan(want []corefile.Forward) (Change, error) {
	c := Change{Warnings: slices.Clone(d.warnings)}
	var failed []error
	for _, t := range d.targets {
		p, err := t.plan(want)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		c.Edits = append(c.Edits, p.edits...)
		c.Foreign = append(c.Foreign, p.owners...)
		c.Warnings = append(c.Warnings, p.warnings...)
		if p.local {
			c.NodeLocal = p.candidate
		} else {
			c.Cluster = p.candidate
		}
	}
	if len(failed) > 0 {
		return Change{}, errors.Join(failed...)
	}
	return c, nil
}

// Pending are the zones of want that the configuration the pods have been given does not serve yet, for example because an
// operator or a chart has yet to render it. Read and Detect again, and ask again.
func (d *Dialect) Pending(want []corefile.Forward) []string {
	settled, err := settle(want)
	if err != nil {
		settled = want
	}
	var pending []string
	for _, f := range settled {
		for _, zone := range f.Zones {
			if slices.ContainsFunc(d.targets, func(t target) bool { return !t.serves(zone) }) {
				pending = append(pending, zone)
			}
		}
	}
	return pending
}

// servesZone reports whether the Corefile serves the zone on its own port.
func (s *Server) servesZone(zone string) bool {
	file, err := corefile.Parse(s.Corefile, s.Process)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(file.Blocks(), func(b corefile.Block) bool {
		return slices.Contains(b.Keys, corefile.Key{Zone: zone, Port: s.Site.Port, Transport: "dns"})
	})
}

// settle brings wishes into the form in which they are written: canonical zones, one Forward per list of upstreams, sorted.
// It asks corefile for its text, so that there is one canonical form.
func settle(want []corefile.Forward) ([]corefile.Forward, error) {
	text, err := corefile.Edit(nil, want, corefile.Site{Port: 53})
	if err != nil {
		return nil, err
	}
	file, err := corefile.Parse(text, corefile.Process{})
	if err != nil {
		return nil, err
	}
	var settled []corefile.Forward
	written := blocksOf(text)
	for i, b := range file.Blocks() {
		var f corefile.Forward
		for _, k := range b.Keys {
			f.Zones = append(f.Zones, k.Zone)
		}
		forward, _ := written[i].directive("forward")
		for _, u := range forward.words[2:] {
			f.Upstreams = append(f.Upstreams, upstream(u))
		}
		settled = append(settled, f)
	}
	return settled, nil
}

func upstream(text string) netip.AddrPort {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at
	}
	addr, _ := netip.ParseAddr(text)
	return netip.AddrPortFrom(addr, 53)
}

// upstreamText is an upstream as resolvers write it: without the port if that is 53.
func upstreamText(u netip.AddrPort) string {
	if u.Port() == 53 {
		return u.Addr().String()
	}
	return u.String()
}

// gate is the static check of a Corefile that is to be written. Taking our blocks out is never refused for what others wrote.
func (d *Dialect) gate(text []byte, p corefile.Process, want []corefile.Forward, site corefile.Site, migration bool) (warnings []string, err error) {
	rules := corefile.Rules{
		Want: want, Site: site, ClusterDNS: slices.Clone(d.DNSIPs), ClusterDomain: d.ClusterDomain, Migration: migration,
	}
	for _, pod := range d.Cluster.Pods {
		for _, ip := range pod.Status.PodIPs {
			if a, err := netip.ParseAddr(ip.IP); err == nil && !pod.Spec.HostNetwork {
				rules.ClusterDNS = append(rules.ClusterDNS, a)
			}
		}
	}
	found := corefile.Check(text, p, rules)
	if found != nil && len(corefile.Faults(found)) == 0 {
		return nil, found
	}
	var refused []error
	for _, f := range corefile.Faults(found) {
		if len(want) == 0 || !f.Ours && livesWith(f.Reason) {
			warnings = append(warnings, f.Error())
			continue
		}
		refused = append(refused, f)
	}
	return warnings, errors.Join(refused...)
}

// livesWith: a finding in the text of others that may be due to plugins we do not know; it has loaded before.
func livesWith(r corefile.Reason) bool {
	switch r {
	case corefile.Plugin, corefile.Option, corefile.Migration, corefile.Loop, corefile.Upstream, corefile.Zone:
		return true
	}
	return false
}

// inFile gives faults the name of the file they are in, if they have none.
func inFile(err error, name string) error {
	if err == nil {
		return nil
	}
	faults := corefile.Faults(err)
	if len(faults) == 0 {
		return fmt.Errorf("%s: %w", name, err)
	}
	named := make([]error, len(faults))
	for i, f := range faults {
		f := *f
		if f.File == "" {
			f.File = name
		}
		named[i] = &f
	}
	return errors.Join(named...)
}

func configMapRef(cm *corev1.ConfigMap) Ref {
	return Ref{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ConfigMap"), Namespace: cm.Namespace, Name: cm.Name}
}

func (s Source) ref() Ref {
	return Ref{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ConfigMap"), Namespace: s.Namespace, Name: s.Name}
}

// String is "ConfigMap kube-system/coredns key Corefile".
func (s Source) String() string { return s.ref().String() + " key " + s.Key }

// withKey is the whole ConfigMap with the key set; text nil: without it.
func withKey(cm *corev1.ConfigMap, key string, text []byte) (*unstructured.Unstructured, error) {
	next := cm.DeepCopy()
	next.TypeMeta.SetGroupVersionKind(configMapRef(cm).GroupVersionKind)
	if text == nil {
		delete(next.Data, key)
	} else {
		if next.Data == nil {
			next.Data = map[string]string{}
		}
		next.Data[key] = string(text)
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(next)
	return &unstructured.Unstructured{Object: object}, err
}

// bare is an object with its name and nothing else, for server-side apply.
func (r Ref) bare() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(r.GroupVersionKind)
	u.SetNamespace(r.Namespace)
	u.SetName(r.Name)
	return u
}

// created is bare for an object that is not there yet.
func (r Ref) created() *unstructured.Unstructured {
	u := r.bare()
	u.SetAnnotations(map[string]string{createdAnnotation: "true"})
	return u
}

// A corefileTarget is a Corefile into which blocks of ours go: the cluster DNS's, or the node-local cache's.
type corefileTarget struct {
	dialect *Dialect
	server  *Server
	how     How // Update or Report
	local   bool
}

func (t *corefileTarget) serves(zone string) bool { return t.server.servesZone(zone) }

func (t *corefileTarget) rights() []Right {
	if t.how == Report {
		return nil
	}
	return []Right{updateConfigMaps(t.server.Source.Namespace, t.server.Source.Name)}
}

func (t *corefileTarget) plan(want []corefile.Forward) (part, error) {
	s := t.server
	next, err := corefile.Edit(s.Corefile, want, s.Site)
	if err != nil {
		return part{}, t.named(err)
	}
	p := part{local: t.local, candidate: &Candidate{Corefile: next, Process: s.Process, Site: s.Site, Derived: t.local}}
	read, site := next, s.Site
	if t.local {
		read, site = t.dialect.fillIn(next), corefile.Site{Port: s.Site.Port}
		p.candidate.Corefile = read
	}
	if p.warnings, err = t.dialect.gate(read, s.Process, want, site, !t.local); err != nil {
		return part{}, t.named(err)
	}
	cm := t.dialect.facts.configMap(s.Source.Namespace, s.Source.Name)
	p.owners = owners(s.Source.ref(), cm, "f:data", "f:"+s.Source.Key)
	if bytes.Equal(next, s.Corefile) {
		return p, nil
	}
	e := Edit{Ref: s.Source.ref(), Key: s.Source.Key, Before: s.Corefile, After: next, ResourceVersion: cm.ResourceVersion, How: t.how}
	if t.how == Update {
		if e.Object, err = withKey(cm, s.Source.Key, next); err != nil {
			return part{}, err
		}
	}
	if !s.Reload.Watched {
		p.warnings = append(p.warnings, s.Source.String()+": the pods do not notice a change by themselves (no reload plugin, or mounted by subPath); restart them")
	}
	if t.dialect.Kind == EKSAddon && !t.local {
		if e, err = addonEdit(e); err != nil {
			return part{}, err
		}
		p.warnings = append(p.warnings, addonWarning(e))
	}
	p.edits = []Edit{e}
	return p, nil
}

func (t *corefileTarget) named(err error) error {
	if t.local {
		return inFile(err, t.server.Source.String())
	}
	return err
}

// mapsWith is files with one more, or without it if content is nil.
func mapsWith(files map[string][]byte, name string, content []byte) map[string][]byte {
	next := maps.Clone(files)
	if next == nil {
		next = map[string][]byte{}
	}
	if content == nil {
		delete(next, name)
	} else {
		next[name] = content
	}
	return next
}
