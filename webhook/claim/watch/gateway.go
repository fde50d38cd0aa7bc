package watch

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spokedns/spokedns/webhook/claim"
)

const gatewayGroup = "gateway.networking.k8s.io"

// gateway is a Gateway of the Gateway API.
type gateway struct {
	class     string
	addresses []string // of its status
	override  []string // of its target annotation
	listeners []listener
	from      string // whose ListenerSets it allows: "All", "Same", "Selector", "None"
}

func (*gateway) claim(*store) *claim.Claim { return nil }

// listener is one of a Gateway or of a ListenerSet.
type listener struct {
	name, hostname, protocol string
	port                     int32
	from                     string   // whose Routes it allows
	kinds                    []string // of Routes it allows, lower case; none: all
}

// listenerSet adds listeners to a Gateway.
type listenerSet struct {
	gateway   key
	override  []string
	accepted  bool
	listeners []listener // those accepted
}

func (*listenerSet) claim(*store) *claim.Claim { return nil }

type rawListener struct {
	Name          string `json:"name"`
	Hostname      string `json:"hostname"`
	Protocol      string `json:"protocol"`
	Port          int32  `json:"port"`
	AllowedRoutes struct {
		Namespaces struct {
			From string `json:"from"`
		} `json:"namespaces"`
		Kinds []struct {
			Group string `json:"group"`
			Kind  string `json:"kind"`
		} `json:"kinds"`
	} `json:"allowedRoutes"`
}

func (l *rawListener) read() listener {
	out := listener{
		name: l.Name, hostname: l.Hostname, protocol: intern(l.Protocol), port: l.Port,
		from: intern(cmp.Or(l.AllowedRoutes.Namespaces.From, "Same")),
	}
	for _, k := range l.AllowedRoutes.Kinds {
		kind := "" // of another group: allows none of the Routes known here
		if cmp.Or(k.Group, gatewayGroup) == gatewayGroup {
			kind = intern(strings.ToLower(k.Kind))
		}
		out.kinds = append(out.kinds, kind)
	}
	return out
}

type conditions []struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

func (c conditions) accepted() bool {
	for _, condition := range c {
		if condition.Type == "Accepted" {
			return condition.Status == "True"
		}
	}
	return false
}

func readGateway(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			GatewayClassName string        `json:"gatewayClassName"`
			Listeners        []rawListener `json:"listeners"`
			AllowedListeners struct {
				Namespaces struct {
					From string `json:"from"`
				} `json:"namespaces"`
			} `json:"allowedListeners"`
		} `json:"spec"`
		Status struct {
			Addresses []struct {
				Value string `json:"value"`
			} `json:"addresses"`
		} `json:"status"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	g := &gateway{
		class:    intern(in.Spec.GatewayClassName),
		override: r.targetAnnotation(&in.Metadata),
		from:     intern(cmp.Or(in.Spec.AllowedListeners.Namespaces.From, "None")),
	}
	for _, l := range in.Spec.Listeners {
		g.listeners = append(g.listeners, l.read())
	}
	var addresses []string
	for _, a := range in.Status.Addresses {
		addresses = append(addresses, a.Value)
	}
	g.addresses = targets(addresses...)
	return in.Metadata, g, nil
}

func readListenerSet(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			ParentRef struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"parentRef"`
			Listeners []rawListener `json:"listeners"`
		} `json:"spec"`
		Status struct {
			Conditions conditions `json:"conditions"`
			Listeners  []struct {
				Name       string     `json:"name"`
				Conditions conditions `json:"conditions"`
			} `json:"listeners"`
		} `json:"status"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	set := &listenerSet{
		gateway:  key{intern(cmp.Or(in.Spec.ParentRef.Namespace, in.Metadata.Namespace)), in.Spec.ParentRef.Name},
		override: r.targetAnnotation(&in.Metadata),
		accepted: in.Status.Conditions.accepted(),
	}
	var accepted []string
	for _, l := range in.Status.Listeners {
		if l.Conditions.accepted() {
			accepted = append(accepted, l.Name)
		}
	}
	for _, l := range in.Spec.Listeners {
		if slices.Contains(accepted, l.Name) {
			set.listeners = append(set.listeners, l.read())
		}
	}
	return in.Metadata, set, nil
}

// allows reports whether the Gateway takes listeners from a ListenerSet of that namespace. A selector is
// taken to allow it: the set's Accepted condition, which is asked for too, has been decided on it.
func (g *gateway) allows(own, namespace string) bool {
	return g.from == "All" || g.from == "Selector" || g.from == "Same" && own == namespace
}

// attachment is what a Route attaches to, resolved.
type attachment struct {
	class     string
	namespace string // of the Gateway or ListenerSet, whose Routes are the "Same"
	listeners []listener
	targets   []string
}

// attach resolves a Route's parent. When it cannot be told because an object cannot be read, or has not
// been seen and may yet exist, why says so; a parent that does not exist resolves to nothing.
func (s *store) attach(p parent) (a *attachment, why string) {
	if p.resource == gateways {
		g, why := s.gateway(p.key)
		if g == nil {
			return nil, why
		}
		return &attachment{g.class, p.namespace, g.listeners, either(g.override, g.addresses)}, ""
	}
	set, ok := s.kept[p.resource][p.key].(*listenerSet)
	if !ok {
		return nil, s.missing("listener set", p.resource, p.key)
	}
	g, why := s.gateway(set.gateway)
	if g == nil {
		return nil, why
	}
	a = &attachment{class: g.class, namespace: p.namespace, targets: either(set.override, g.override, g.addresses)}
	if set.accepted && g.allows(set.gateway.namespace, p.namespace) {
		a.listeners = set.listeners
	}
	return a, ""
}

func (s *store) gateway(k key) (*gateway, string) {
	if g, ok := s.kept[gateways][k].(*gateway); ok {
		return g, ""
	}
	return nil, s.missing("gateway", gateways, k)
}

// missing says why an object is not in the store; empty when it does not exist.
func (s *store) missing(what, id string, k key) string {
	why := s.unknown(id)
	switch {
	case s.nowhere[lookup{id, k}], why == "" && s.state[id].State == Absent:
		return ""
	case why == "":
		why = "not seen yet"
	}
	return what + " " + k.String() + ": " + why
}

func either(lists ...[]string) []string {
	for _, list := range lists {
		if len(list) > 0 {
			return list
		}
	}
	return nil
}
