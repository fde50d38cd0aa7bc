package watch

import (
	"maps"

	"github.com/spokedns/spokedns/webhook/claim"
)

// service is one with an address outside the cluster; Istio Gateways publish the addresses of the
// Services that select the same pods.
type service struct {
	of        *claim.Claim
	selector  map[string]string
	addresses []string
}

func (s *service) claim(*store) *claim.Claim { return s.of }

// readService: the hostname annotation publishes the load balancer, internal-hostname the cluster
// address. Headless and NodePort Services publish pods and nodes, which are not watched.
func readService(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			Type         string            `json:"type"`
			ClusterIP    string            `json:"clusterIP"`
			ExternalIPs  []string          `json:"externalIPs"`
			ExternalName string            `json:"externalName"`
			Selector     map[string]string `json:"selector"`
		} `json:"spec"`
		Status loadBalancer `json:"status"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	m := &in.Metadata
	external := targets(in.Spec.ExternalIPs...)
	if len(external) == 0 {
		external = in.Status.targets()
	}
	var public, internal []string
	cluster := targets(in.Spec.ClusterIP)
	if in.Spec.ClusterIP == "None" {
		cluster = nil
	}
	switch in.Spec.Type {
	case "LoadBalancer":
		public, internal = external, cluster
	case "ExternalName":
		if public = targets(in.Spec.ExternalIPs...); len(public) == 0 {
			public = targets(in.Spec.ExternalName)
		}
		internal = public
	case "ClusterIP", "":
		internal = cluster
	}
	if annotated := r.targetAnnotation(m); len(annotated) > 0 {
		public, internal = annotated, annotated
	}
	c := r.base("service", m)
	c.Targets = public
	if !r.ignored(m) {
		perHost := map[string][]string{}
		for _, h := range hosts(r.hostnames(m, "hostname")...) {
			perHost[h] = public
		}
		for _, h := range hosts(r.hostnames(m, "internal-hostname")...) {
			perHost[h] = merge(perHost[h], internal)
		}
		if len(perHost) > 0 {
			publish(c, perHost)
		}
	}
	if len(external) == 0 {
		return in.Metadata, fixed{c}, nil
	}
	return in.Metadata, &service{c, in.Spec.Selector, external}, nil
}

// servicesSelecting returns the addresses of the Services whose selector has every pair of the given one.
func (s *store) servicesSelecting(selector map[string]string) []string {
	var addresses []string
	for _, o := range s.kept[services] {
		service, ok := o.(*service)
		if !ok {
			continue
		}
		if matches(selector, service.selector) {
			addresses = merge(addresses, service.addresses)
		}
	}
	return addresses
}

func matches(wanted, have map[string]string) bool {
	for k := range maps.Keys(wanted) {
		if v, ok := have[k]; !ok || v != wanted[k] {
			return false
		}
	}
	return true
}
