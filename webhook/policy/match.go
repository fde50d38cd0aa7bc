package policy

import (
	"net/netip"
	"strings"

	"github.com/spokedns/spokedns/webhook/claim"
)

// tri is the answer to a question whose facts may be missing.
type tri int8

const (
	no tri = iota
	maybe
	yes
)

// match says whether the rule is for the claim behind a, which asks for host. recs are the records of
// the host: their targets stand in where the claim's own are not known.
func (r *rule) match(a *ask, host string, recs []rec) tri {
	c := a.claim
	switch {
	case len(r.kinds) > 0 && !matchAny(r.kinds, c.Kind),
		len(r.namespaces) > 0 && !matchAny(r.namespaces, c.Namespace),
		len(r.hosts) > 0 && !matchAny(r.hosts, host),
		len(r.cidrs) > 0 && !r.matchTargets(a, recs):
		return no
	}
	return min(r.matchClass(a), matchPairs(r.labels, c.Labels, a), matchPairs(r.annotations, c.Annotations, a))
}

// matchClass compares classes. A class that is known to match does so whatever else is not known: a
// route may hang on two Gateways of which one cannot be read.
func (r *rule) matchClass(a *ask) tri {
	result := yes
	ingress, gateway := classes(a.claim.Kind)
	if len(r.ingress) > 0 {
		switch class := a.claim.IngressClass; {
		case class != "" && matchAny(r.ingress, class):
		case a.blind != seeing && ingress:
			result = maybe
		default:
			return no
		}
	}
	if len(r.gateway) > 0 {
		switch {
		case matchAnyOf(r.gateway, a.claim.GatewayClasses):
		case a.blind != seeing && gateway:
			result = min(result, maybe)
		default:
			return no
		}
	}
	return result
}

// classes says which class an object of that kind can have.
func classes(kind string) (ingress, gateway bool) {
	switch kind {
	case "httproute", "grpcroute", "tlsroute", "tcproute", "udproute":
		return false, true
	case "ingress":
		return true, false
	case "service", "crd", "node":
		return false, false
	}
	return true, true
}

func matchAnyOf(globs []glob, values []string) bool {
	for _, v := range values {
		if matchAny(globs, v) {
			return true
		}
	}
	return false
}

func matchPairs(pairs []pair, have map[string]string, a *ask) tri {
	if len(pairs) > 0 && a.blind == blindToObject {
		return maybe
	}
	for _, p := range pairs {
		if v, ok := have[p.key]; !ok || !p.value.match(v) {
			return no
		}
	}
	return yes
}

// matchTargets reports whether one of the addresses that the claim publishes, or may be the reason for,
// lies in one of the ranges.
func (r *rule) matchTargets(a *ask, recs []rec) bool {
	if a.own != nil {
		return r.inRange(a.own) || r.inRange(a.stray)
	}
	for i := range recs {
		if recs[i].address() && r.inRange(recs[i].targets) {
			return true
		}
	}
	return false
}

func (r *rule) inRange(targets []string) bool {
	for _, t := range targets {
		addr, err := netip.ParseAddr(t)
		if err != nil {
			continue // a host name
		}
		for _, p := range r.cidrs {
			if p.Contains(addr) {
				return true
			}
		}
	}
	return false
}

// refIs compares a reference with the "resource" label without building the label.
func refIs(r *claim.Ref, label string) bool {
	kind, rest, _ := strings.Cut(label, "/")
	if r.Namespace != "" {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, r.Namespace+"/"); !ok {
			return false
		}
	}
	return rest == r.Name && strings.EqualFold(kind, r.Kind) // some sources write the kind in capitals
}
