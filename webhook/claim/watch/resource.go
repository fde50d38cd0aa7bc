package watch

import (
	"net/url"
	"slices"

	"github.com/spokedns/spokedns/listwatch"
	"github.com/spokedns/spokedns/webhook/claim"
)

// decode reads one object.
type decode = listwatch.Decode

// resource is one kind of API object that is watched.
type resource struct {
	kind     string   // of its claims, as external-dns's "resource" label has it; "" when it only tells about others
	group    string   // "" is the core group
	versions []string // the first one served is used
	plural   string
	read     func(r *reader, read decode) (meta, object, error)
	affects  []string // ids of resources whose claims depend on this one's objects
}

const (
	ingresses            = "ingresses.networking.k8s.io"
	ingressClasses       = "ingressclasses.networking.k8s.io"
	services             = "services"
	gateways             = "gateways.gateway.networking.k8s.io"
	listenerSets         = "listenersets.gateway.networking.k8s.io"
	xListenerSets        = "xlistenersets.gateway.networking.x-k8s.io"
	istioGateways        = "gateways.networking.istio.io"
	istioVirtualServices = "virtualservices.networking.istio.io"
)

// resources lists what is watched. It is a function because its entries refer to the readers.
func resources() []*resource {
	const (
		networking = "networking.k8s.io"
		gatewayAPI = "gateway.networking.k8s.io"
		istio      = "networking.istio.io"
		traefik    = "traefik.io"
	)
	istioVersions := []string{"v1", "v1beta1", "v1alpha3"}
	all := []*resource{
		{group: networking, versions: []string{"v1"}, plural: "ingressclasses", read: readIngressClass, affects: []string{ingresses}},
		{kind: "ingress", group: networking, versions: []string{"v1"}, plural: "ingresses", read: readIngress, affects: []string{istioGateways, istioVirtualServices}},
		{kind: "service", versions: []string{"v1"}, plural: "services", read: readService, affects: []string{istioGateways, istioVirtualServices}},
		{kind: "crd", group: "externaldns.k8s.io", versions: []string{"v1alpha1"}, plural: "dnsendpoints", read: readDNSEndpoint},
		{kind: "gateway", group: istio, versions: istioVersions, plural: "gateways", read: readIstioGateway, affects: []string{istioVirtualServices}},
		{kind: "virtualservice", group: istio, versions: istioVersions, plural: "virtualservices", read: readVirtualService},
		{kind: "ingressroute", group: traefik, versions: []string{"v1alpha1"}, plural: "ingressroutes", read: readIngressRoute("ingressroute")},
		{kind: "ingressroutetcp", group: traefik, versions: []string{"v1alpha1"}, plural: "ingressroutetcps", read: readIngressRoute("ingressroutetcp")},
		{kind: "ingressrouteudp", group: traefik, versions: []string{"v1alpha1"}, plural: "ingressrouteudps", read: readIngressRoute("ingressrouteudp")},
	}
	var routes []string
	for _, p := range routeProtocols() {
		r := &resource{
			kind: p.kind, group: gatewayAPI, versions: []string{"v1", "v1beta1", "v1alpha3", "v1alpha2"},
			plural: p.kind + "s", read: p.read,
		}
		routes = append(routes, r.id())
		all = append(all, r)
	}
	return append(all,
		&resource{group: gatewayAPI, versions: []string{"v1", "v1beta1"}, plural: "gateways", read: readGateway, affects: routes},
		&resource{group: gatewayAPI, versions: []string{"v1"}, plural: "listenersets", read: readListenerSet, affects: routes},
		&resource{group: "gateway.networking.x-k8s.io", versions: []string{"v1alpha1"}, plural: "xlistenersets", read: readListenerSet, affects: routes},
	)
}

// followed are the resources of the kinds, and those that say something about them, directly or through others; nil
// kinds are all.
func followed(all []*resource, kinds []string) []*resource {
	if kinds == nil {
		return all
	}
	wanted := map[string]bool{}
	for found := true; found; {
		found = false
		for _, r := range all {
			helps := slices.ContainsFunc(r.affects, func(id string) bool { return wanted[id] })
			if !wanted[r.id()] && (helps || slices.Contains(kinds, r.kind)) {
				wanted[r.id()], found = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r *resource) bool { return !wanted[r.id()] })
}

// id is the name RBAC and CRDs use, "ingresses.networking.k8s.io".
func (r *resource) id() string {
	if r.group == "" {
		return r.plural
	}
	return r.plural + "." + r.group
}

// groupPath is where the API server describes and serves a version of the resource's group.
func (r *resource) groupPath(version string) string {
	if r.group == "" {
		return "/api/" + version
	}
	return "/apis/" + r.group + "/" + version
}

// path is the collection in all namespaces.
func (r *resource) path(version string) string { return r.groupPath(version) + "/" + r.plural }

// objectPath is one object.
func (r *resource) objectPath(version string, k key) string {
	if k.namespace == "" {
		return r.path(version) + "/" + url.PathEscape(k.name)
	}
	return r.groupPath(version) + "/namespaces/" + url.PathEscape(k.namespace) + "/" + r.plural + "/" + url.PathEscape(k.name)
}

// key names an object among those of its resource.
type key struct{ namespace, name string }

func (k key) String() string {
	if k.namespace == "" {
		return k.name
	}
	return k.namespace + "/" + k.name
}

func (r *resource) ref(k key) claim.Ref {
	return claim.Ref{Kind: r.kind, Namespace: k.namespace, Name: k.name}
}
