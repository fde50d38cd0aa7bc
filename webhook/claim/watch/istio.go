package watch

import (
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/claim"
)

// istioGateway is Istio's own Gateway: it names hosts, and selects the pods that serve them.
type istioGateway struct {
	of       *claim.Claim // without targets, unless an annotation gives them
	servers  []string     // hosts as written, "namespace/host"
	ingress  key          // whose addresses are published; zero: those of the selected pods' Services
	selector map[string]string
}

func readIstioGateway(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			Selector map[string]string `json:"selector"`
			Servers  []struct {
				Hosts []string `json:"hosts"`
			} `json:"servers"`
		} `json:"spec"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	m := &in.Metadata
	g := &istioGateway{of: r.base("gateway", m), selector: in.Spec.Selector}
	g.of.Targets = r.targetAnnotation(m)
	if v, _ := r.annotation(m, "ingress"); v != "" {
		g.ingress = reference(v, m.Namespace)
	}
	for _, server := range in.Spec.Servers {
		g.servers = append(g.servers, server.Hosts...)
	}
	if !r.ignored(m) {
		g.of.Hosts = hosts(append(withoutNamespaces(g.servers), r.hostnames(m, "hostname")...)...)
	}
	return in.Metadata, g, nil
}

func (g *istioGateway) claim(s *store) *claim.Claim {
	c := *g.of
	c.Targets = g.targets(s)
	return &c
}

func (g *istioGateway) targets(s *store) []string {
	if len(g.of.Targets) > 0 {
		return g.of.Targets
	}
	if g.ingress != (key{}) {
		if c := s.index.Get(claim.Ref{Kind: "ingress", Namespace: g.ingress.namespace, Name: g.ingress.name}); c != nil {
			return c.Targets
		}
		return nil
	}
	return s.servicesSelecting(g.selector)
}

// virtualService routes hosts that Istio Gateways take in.
type virtualService struct {
	of       *claim.Claim // with targets only where an annotation gives them
	hosts    []string
	gateways []key
	exportTo []string
}

func readVirtualService(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			Hosts    []string `json:"hosts"`
			Gateways []string `json:"gateways"`
			ExportTo []string `json:"exportTo"`
		} `json:"spec"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	m := &in.Metadata
	v := &virtualService{of: r.base("virtualservice", m), exportTo: in.Spec.ExportTo}
	v.of.Targets = r.targetAnnotation(m)
	if !r.ignored(m) {
		v.hosts = hosts(append(withoutNamespaces(in.Spec.Hosts), r.hostnames(m, "hostname")...)...)
	}
	for _, g := range in.Spec.Gateways {
		if g != "" && g != "mesh" { // the sidecars, which take in nothing from outside
			v.gateways = append(v.gateways, reference(g, m.Namespace))
		}
	}
	return in.Metadata, v, nil
}

func (v *virtualService) claim(s *store) *claim.Claim {
	c := *v.of
	if len(v.of.Targets) > 0 {
		c.Hosts = v.hosts
		return &c
	}
	perHost := make(map[string][]string, len(v.hosts))
	for _, h := range v.hosts {
		var published []string
		for _, k := range v.gateways {
			if g, ok := s.kept[istioGateways][k].(*istioGateway); ok && v.bound(g, h) {
				published = merge(published, g.targets(s))
			}
		}
		perHost[h] = published
	}
	publish(&c, perHost)
	if why := s.unknown(istioGateways); why != "" && len(v.gateways) > 0 {
		c.Unknown = "gateway " + v.gateways[0].String() + ": " + why
	}
	return &c
}

// bound reports whether the Gateway takes in the host for this VirtualService: the one is exported to
// the other's namespace, and a server of the other names the host for the one's namespace.
func (v *virtualService) bound(g *istioGateway, host string) bool {
	own, theirs := v.of.Namespace, g.of.Namespace
	exported := func(to string) bool { return to == "*" || to == theirs || to == "." && theirs == own }
	if len(v.exportTo) > 0 && !slices.ContainsFunc(v.exportTo, exported) {
		return false
	}
	return slices.ContainsFunc(g.servers, func(server string) bool {
		namespace, name, ok := strings.Cut(server, "/")
		if !ok {
			namespace, name = "*", server
		}
		return (namespace == "*" || namespace == own || namespace == "." && own == theirs) &&
			(name == "*" || name == host || covers(name, host))
	})
}

// withoutNamespaces drops the "namespace/" before hosts, and the host "*", which is no name.
func withoutNamespaces(written []string) []string {
	var names []string
	for _, h := range written {
		if _, name, ok := strings.Cut(h, "/"); ok {
			h = name
		}
		if h != "*" {
			names = append(names, h)
		}
	}
	return names
}

// reference reads "namespace/name" or "name".
func reference(s, namespace string) key {
	if ns, name, ok := strings.Cut(s, "/"); ok {
		return key{ns, name}
	}
	return key{namespace, s}
}
