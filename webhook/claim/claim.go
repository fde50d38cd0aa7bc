// Package claim owns what the webhook knows about the Kubernetes objects that ask for host names.
//
// Endpoints reach the webhook merged over objects and carry the name of only one of them, chosen by
// chance; decisions are therefore taken on all claims of a host. This package is the model; package
// watch fills it from an API server.
package claim

import (
	"cmp"
	"strings"
)

// Ref names a claiming object the way external-dns's "resource" label does.
type Ref struct {
	Kind      string // lower case: "ingress", "service", "httproute", "crd" (a DNSEndpoint), "gateway", "virtualservice", "ingressroute", …
	Namespace string
	Name      string
}

// Kinds are those that package watch knows how to read, as Ref has them.
func Kinds() []string {
	return []string{
		"ingress", "service", "httproute", "grpcroute", "tlsroute", "tcproute", "udproute", "crd",
		"gateway", "virtualservice", "ingressroute", "ingressroutetcp", "ingressrouteudp",
	}
}

// ParseRef reads a "resource" label, "ingress/shop/front" or "node/n1".
func ParseRef(label string) (Ref, bool) {
	kind, rest, _ := strings.Cut(label, "/")
	namespace, name, namespaced := strings.Cut(rest, "/")
	if !namespaced {
		namespace, name = "", rest
	}
	if kind == "" || name == "" || strings.Contains(name, "/") {
		return Ref{}, false
	}
	return Ref{strings.ToLower(kind), namespace, name}, true
}

// Compare orders by kind, namespace and name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(strings.Compare(r.Kind, o.Kind), strings.Compare(r.Namespace, o.Namespace), strings.Compare(r.Name, o.Name))
}

// String is the label form.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name
}

// Claim is one object that asks for host names. It is immutable once published in an index.
type Claim struct {
	Ref
	Hosts          []string          // canonical names it asks for; "*.apps.example.org" is a wildcard
	IngressClass   string            // spec.ingressClassName, else the legacy annotation, else the default class; "" for kinds without one
	GatewayClasses []string          // classes of the Gateways a Route is attached to, sorted
	Labels         map[string]string // the object's labels that rules look at
	Annotations    map[string]string // the object's annotations that rules and overrides look at
	// Targets are the addresses and host names its own status (or target annotation) publishes, canonical
	// and sorted. It is empty where they cannot be told from the object and its gateways alone: headless
	// and NodePort Services. Ask TargetsOf for those of one host.
	Targets []string
	// HostTargets are the targets of each host, for objects that do not publish the same for all of them:
	// a Service with an internal host name, a DNSEndpoint, a Route on several Gateways. Otherwise nil.
	HostTargets map[string][]string
	// Unknown says why the class could not be determined ("gateway infra/public: forbidden"); empty when it could.
	Unknown string
}

// TargetsOf returns what the object publishes for one of its Hosts. The caller does not modify the slice.
func (c *Claim) TargetsOf(host string) []string {
	if c.HostTargets == nil {
		return c.Targets
	}
	return c.HostTargets[host]
}

// Facts answers which claims exist. All methods are pure reads of one state.
type Facts interface {
	// ByHost returns every claim that asks for the canonical host name, by exact name or by a wildcard
	// that covers it, sorted by Ref. The caller does not modify the slice.
	ByHost(host string) []*Claim
	// ByRef returns the claim of that object, or nil.
	ByRef(Ref) *Claim
	// Watched reports whether objects of that kind are known completely. When they should be but cannot
	// (no right, no connection) it returns the reason; for kinds that nobody watches it returns false, "".
	Watched(kind string) (ok bool, reason string)
}
