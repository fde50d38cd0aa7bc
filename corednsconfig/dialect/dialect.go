// Package dialect owns how one cluster takes a zone: which object says what its DNS serves, what that object is to become,
// and who else writes it.
//
// It goes by what a cluster can do, not by its brand: the DNS Service leads to its pods, their arguments and mounts to a
// ConfigMap and a key, the Corefile in it to a port, a bind address and import patterns. What cannot be followed to its end
// is not written ([Unsupported]).
//
// The order of use:
//
//	facts, err := dialect.Read(ctx, reader)   // the only look at the cluster
//	d, err := dialect.Detect(facts)           // pure; *Unsupported: report it and write nothing
//	change, err := d.Plan(want)               // pure; want nil: take everything of ours out
//	for _, e := range change.Edits { err = e.Write(ctx, writer) }
//
// A plan belongs to the facts it was made of. After a conflict all three steps are taken again.
package dialect

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// FieldOwner is the name under which everything of ours is written, by update and by server-side apply.
const FieldOwner = "spokedns-corednsconfig"

// Kind says how a cluster takes a zone.
type Kind string

const (
	// Corefile: a block in the Corefile that the pods read (kubeadm, kind, Cluster API, minikube, Talos, MicroShift, …).
	Corefile Kind = "corefile"
	// CustomConfigMap: a key of ours in a ConfigMap that the Corefile imports at top level (AKS, k3s, Gardener, …).
	CustomConfigMap Kind = "custom-configmap"
	// OpenShift: servers in dns.operator.openshift.io/default.
	OpenShift Kind = "openshift"
	// StubDomains: entries of stubDomains in the ConfigMap kube-dns (GKE with kube-dns).
	StubDomains Kind = "stub-domains"
	// HelmChartConfig: servers in the values of the chart that brings CoreDNS (RKE2).
	HelmChartConfig Kind = "helmchartconfig"
	// EKSAddon: the add-on manager of EKS owns the Corefile and puts it back. Nothing can be written in the cluster; the plan
	// has the value for the add-on's configuration, with How Report.
	EKSAddon Kind = "eks-addon"
)

// Dialect is how one cluster takes a zone. Its fields are for those who verify; only Plan knows what is to be written.
type Dialect struct {
	Kind Kind
	// Cluster is what answers at the address of the DNS Service.
	Cluster Server
	// NodeLocal is the cache on every node that pods ask first; nil: there is none. Its block for "." does not go through
	// the cluster DNS, so it needs the zones too; Plan sees to that.
	NodeLocal *Server
	// ClusterDomain is the domain of the cluster's own names, for example "cluster.local".
	ClusterDomain string
	// DNSIPs are all addresses at which this cluster's DNS answers: the Service's, the node-local cache's. An upstream among
	// them is a loop.
	DNSIPs []netip.Addr

	targets  []target
	facts    Facts
	warnings []string
}

// Server is one set of pods that serve DNS.
type Server struct {
	// Namespace and Selector find the pods.
	Namespace string
	Selector  map[string]string
	// Pods as they were read, terminating ones left out; each is a replica that has to load what was written.
	Pods []corev1.Pod
	// Template is the specification the pods run by, for the load gate: image, service account, mounts.
	Template corev1.PodSpec
	// Container is the name of the container that serves DNS.
	Container string
	// Addresses are where clients ask it: the IPs of the Service, or the node-local address.
	Addresses []netip.Addr
	// Source is the ConfigMap and key that hold the Corefile; for kube-dns, those that hold its stub domains.
	Source Source
	// Corefile as it is in Source now. Nil for kube-dns.
	Corefile []byte
	// Process reads the Corefile; its Imports are complete as far as they come from ConfigMaps, else nil.
	Process corefile.Process
	// Site is what the Corefile dictates for a block of ours, with the version that the image's tag gives. Zero for kube-dns.
	Site corefile.Site
	// MetricsPort of a pod serves coredns_… metrics over plain HTTP. 0: they cannot be asked from outside the pod.
	MetricsPort int
	Reload      Reload
}

// Reload is how a Server comes to know of a changed Corefile.
type Reload struct {
	// Watched: the pods notice by themselves. False: the reload plugin is not in the file, or the mount is by subPath and
	// never changes; then it takes a restart of the pods.
	Watched bool
	// Interval between two looks, and the jitter that CoreDNS adds: each look comes after Interval ± Jitter/2. For the
	// node-local cache the time in which it makes its Corefile anew is in Interval.
	Interval, Jitter time.Duration
}

// Source is a key of a ConfigMap.
type Source struct{ Namespace, Name, Key string }

// Unsupported says that a cluster's DNS cannot be given a zone, and that nothing must be written to it.
type Unsupported struct {
	// Reason is fit for a Kubernetes condition Supported=False.
	Reason Reason
	// Text says what was found and what would have been needed.
	Text string
}

func (u *Unsupported) Error() string { return "cluster DNS cannot be given a zone: " + u.Text }

// Reason says why a cluster is not supported.
type Reason string

const (
	// NoClusterDNS: there is no Service for cluster DNS, or nothing stands behind it.
	NoClusterDNS Reason = "NoClusterDNS"
	// UnknownServer: what answers is neither CoreDNS nor kube-dns, or its configuration cannot be followed to a ConfigMap.
	UnknownServer Reason = "UnknownServer"
	// Ambiguous: the pods do not agree on their configuration, as in the middle of a roll-out. It may pass.
	Ambiguous Reason = "Ambiguous"
	// BadCorefile: the Corefile was broken before we came, or has no default block that a block of ours could follow.
	BadCorefile Reason = "BadCorefile"
	// Reconciled: somebody puts the Corefile back and leaves no place for zones of others.
	Reconciled Reason = "Reconciled"
	// Unmanaged: an operator is there and told not to render what is written for it.
	Unmanaged Reason = "Unmanaged"
	// External: names are answered outside the cluster (Cloud DNS for GKE), where a forwarding zone is the way.
	External Reason = "External"
)
