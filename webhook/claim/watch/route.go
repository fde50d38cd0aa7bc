package watch

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/claim"
)

// routeProtocol is a kind of Route and the listeners it can attach to.
type routeProtocol struct {
	kind      string
	protocols []string
}

func routeProtocols() []routeProtocol {
	return []routeProtocol{
		{"httproute", []string{"HTTP", "HTTPS"}},
		{"grpcroute", []string{"HTTP", "HTTPS"}},
		{"tlsroute", []string{"TLS"}},
		{"tcproute", []string{"TCP", "TLS"}},
		{"udproute", []string{"UDP"}},
	}
}

// route is a Route of the Gateway API. Its hosts are those it shares with the listeners it is attached to.
type route struct {
	of        *claim.Claim // without what the parents add
	protocols []string
	hosts     []string // it asks for; "" takes the listener's
	parents   []parent
}

// parent is a reference to a Gateway or ListenerSet.
type parent struct {
	resource string // id
	key
	section  string
	port     int32
	accepted bool // the Gateway's controller says the Route is attached
}

type rawParent struct {
	Group       string `json:"group"`
	Kind        string `json:"kind"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	SectionName string `json:"sectionName"`
	Port        int32  `json:"port"`
}

// read resolves defaults; ok is false for parents that are no Gateway, a mesh's Service for example.
func (p rawParent) read(namespace string) (out parent, ok bool) {
	out = parent{
		key:     key{intern(cmp.Or(p.Namespace, namespace)), intern(p.Name)},
		section: intern(p.SectionName), port: p.Port,
	}
	switch cmp.Or(p.Group, gatewayGroup) + "/" + cmp.Or(p.Kind, "Gateway") {
	case gatewayGroup + "/Gateway":
		out.resource = gateways
	case gatewayGroup + "/ListenerSet":
		out.resource = listenerSets
	case "gateway.networking.x-k8s.io/XListenerSet":
		out.resource = xListenerSets
	default:
		return parent{}, false
	}
	return out, true
}

func (p routeProtocol) read(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			Hostnames  []string    `json:"hostnames"`
			ParentRefs []rawParent `json:"parentRefs"`
		} `json:"spec"`
		Status struct {
			Parents []struct {
				ParentRef  rawParent  `json:"parentRef"`
				Conditions conditions `json:"conditions"`
			} `json:"parents"`
		} `json:"status"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	m := &in.Metadata
	out := &route{of: r.base(p.kind, m), protocols: p.protocols}
	if !r.ignored(m) {
		out.hosts = r.routeHosts(m, in.Spec.Hostnames)
	}
	for _, ref := range in.Spec.ParentRefs {
		if p, ok := ref.read(m.Namespace); ok {
			out.parents = append(out.parents, p)
		}
	}
	asked := len(out.parents)
	for _, status := range in.Status.Parents {
		p, ok := status.ParentRef.read(m.Namespace)
		named := func(other parent) bool { return other.resource == p.resource && other.key == p.key }
		if ok && status.Conditions.accepted() && slices.ContainsFunc(out.parents[:asked], named) {
			p.accepted = true
			out.parents = append(out.parents, p)
		}
	}
	return in.Metadata, out, nil
}

// routeHosts are the names a Route asks for, as its gateway-hostname-source annotation selects them.
func (r *reader) routeHosts(m *meta, defined []string) []string {
	annotated := r.hostnames(m, "hostname")
	source, _ := r.annotation(m, "gateway-hostname-source")
	switch strings.ToLower(source) {
	case "annotation-only":
		return annotated
	case "defined-hosts-only":
		return defined
	}
	if len(defined) == 0 {
		defined = []string{""}
	}
	return append(defined, annotated...)
}

func (r *route) claim(s *store) *claim.Claim {
	c := *r.of
	perHost := map[string][]string{}
	for _, p := range r.parents {
		a, why := s.attach(p)
		if why != "" {
			c.Unknown = why
		}
		if a == nil {
			continue
		}
		if !slices.Contains(c.GatewayClasses, a.class) {
			c.GatewayClasses = append(c.GatewayClasses, a.class)
		}
		if p.accepted {
			r.attached(p, a, perHost)
		}
	}
	slices.Sort(c.GatewayClasses)
	publish(&c, perHost)
	return &c
}

// attached adds the hosts that the Route serves through one parent.
func (r *route) attached(p parent, a *attachment, perHost map[string][]string) {
	for _, l := range a.listeners {
		if p.section != "" && p.section != l.name || p.port != 0 && p.port != l.port || !r.allowed(&l, a.namespace) {
			continue
		}
		for _, wanted := range r.hosts {
			if shared, ok := overlap(l.hostname, wanted); ok {
				perHost[shared] = merge(perHost[shared], a.targets)
			}
		}
	}
}

// allowed reports whether the listener takes the Route. A namespace selector is taken to allow it: the
// Accepted condition has been decided on it.
func (r *route) allowed(l *listener, namespace string) bool {
	return slices.Contains(r.protocols, l.protocol) &&
		(len(l.kinds) == 0 || slices.Contains(l.kinds, r.of.Kind)) &&
		(l.from == "All" || l.from == "Selector" || l.from == "Same" && namespace == r.of.Namespace)
}

// overlap returns the more specific of two host names of which one covers the other; "" covers all.
func overlap(a, b string) (string, bool) {
	if a == "" {
		return host(b)
	}
	if b == "" {
		return host(a)
	}
	a, okA := host(a)
	b, okB := host(b)
	switch {
	case !okA || !okB:
		return "", false
	case a == b || covers(b, a):
		return a, true
	case covers(a, b):
		return b, true
	}
	return "", false
}

// covers reports whether the name lies below a wildcard.
func covers(wildcard, name string) bool {
	return strings.HasPrefix(wildcard, "*.") && strings.HasSuffix(name, wildcard[1:])
}
