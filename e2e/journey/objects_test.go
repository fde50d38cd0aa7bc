package journey_test

import (
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/external-dns/apis/v1alpha1"
	"sigs.k8s.io/external-dns/endpoint"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// claimant is an object that asks for host names, in the few words a test needs. Host names are relative
// to the test's zone, "@" being the zone itself; addresses are what a controller wrote to the status.
type claimant interface {
	object(s *site) runtime.Object
}

const (
	hostnameAnnotation = "external-dns.alpha.kubernetes.io/hostname"
	ttlAnnotation      = "external-dns.alpha.kubernetes.io/ttl"
)

// ingress is an Ingress with one rule per host.
type ingress struct {
	name, class string
	hosts, at   []string
	annotations map[string]string
}

func (i ingress) object(s *site) runtime.Object {
	o := &networkingv1.Ingress{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "Ingress"},
		ObjectMeta: s.meta(i.name, i.annotations),
	}
	if i.class != "" {
		o.Spec.IngressClassName = &i.class
	}
	for _, host := range i.hosts {
		o.Spec.Rules = append(o.Spec.Rules, networkingv1.IngressRule{Host: s.name(host)})
	}
	if len(o.Spec.Rules) == 0 {
		o.Spec.DefaultBackend = &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: i.name, Port: networkingv1.ServiceBackendPort{Number: 80}},
		}
	}
	for _, address := range i.at {
		entry := networkingv1.IngressLoadBalancerIngress{IP: address}
		if isHostName(address) {
			entry = networkingv1.IngressLoadBalancerIngress{Hostname: address}
		}
		o.Status.LoadBalancer.Ingress = append(o.Status.LoadBalancer.Ingress, entry)
	}
	return o
}

// ingressClass is an IngressClass of the whole cluster.
type ingressClass struct {
	name      string
	isDefault bool
}

func (c ingressClass) object(*site) runtime.Object {
	o := &networkingv1.IngressClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "IngressClass"},
		ObjectMeta: metav1.ObjectMeta{Name: c.name},
		Spec:       networkingv1.IngressClassSpec{Controller: "example.org/" + c.name},
	}
	if c.isDefault {
		o.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
	}
	return o
}

// service is a LoadBalancer Service; its hosts are asked for by annotation.
type service struct {
	name        string
	hosts, at   []string
	annotations map[string]string
}

func (v service) object(s *site) runtime.Object {
	o := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: s.meta(v.name, v.annotations),
		Spec: corev1.ServiceSpec{
			Type:  corev1.ServiceTypeLoadBalancer,
			Ports: []corev1.ServicePort{{Name: "main", Port: 443, Protocol: corev1.ProtocolTCP}},
		},
	}
	var hosts []string
	for _, host := range v.hosts {
		hosts = append(hosts, s.name(host))
	}
	o.Annotations[hostnameAnnotation] = strings.Join(hosts, ",")
	for _, address := range v.at {
		entry := corev1.LoadBalancerIngress{IP: address}
		if isHostName(address) {
			entry = corev1.LoadBalancerIngress{Hostname: address}
		}
		o.Status.LoadBalancer.Ingress = append(o.Status.LoadBalancer.Ingress, entry)
	}
	return o
}

// gateway is a Gateway with one listener for any host.
type gateway struct {
	name, class string
	at          []string
}

func (g gateway) object(s *site) runtime.Object {
	o := &gatewayv1.Gateway{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "Gateway"},
		ObjectMeta: s.meta(g.name, nil),
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(g.class),
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
	for _, address := range g.at {
		kind := gatewayv1.IPAddressType
		if isHostName(address) {
			kind = gatewayv1.HostnameAddressType
		}
		o.Status.Addresses = append(o.Status.Addresses, gatewayv1.GatewayStatusAddress{Type: &kind, Value: address})
	}
	return o
}

// httpRoute is an HTTPRoute that its Gateway accepted.
type httpRoute struct {
	name, gateway string
	hosts         []string
	annotations   map[string]string
}

func (r httpRoute) object(s *site) runtime.Object {
	parent := gatewayv1.ParentReference{Name: gatewayv1.ObjectName(r.gateway)}
	o := &gatewayv1.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: "HTTPRoute"},
		ObjectMeta: s.meta(r.name, r.annotations),
		Spec:       gatewayv1.HTTPRouteSpec{CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent}}},
		Status: gatewayv1.HTTPRouteStatus{RouteStatus: gatewayv1.RouteStatus{Parents: []gatewayv1.RouteParentStatus{{
			ParentRef:      parent,
			ControllerName: "example.org/gateway",
			Conditions: []metav1.Condition{{
				Type: string(gatewayv1.RouteConditionAccepted), Status: metav1.ConditionTrue, Reason: "Accepted",
				LastTransitionTime: metav1.Unix(1, 0),
			}},
		}}}},
	}
	for _, host := range r.hosts {
		o.Spec.Hostnames = append(o.Spec.Hostnames, gatewayv1.Hostname(s.name(host)))
	}
	return o
}

// dnsEndpoint is external-dns's own kind: records written down.
type dnsEndpoint struct {
	name        string
	records     []*endpoint.Endpoint // names relative to the zone
	annotations map[string]string
}

func (d dnsEndpoint) object(s *site) runtime.Object {
	o := &v1alpha1.DNSEndpoint{
		TypeMeta:   metav1.TypeMeta{APIVersion: "externaldns.k8s.io/v1alpha1", Kind: "DNSEndpoint"},
		ObjectMeta: s.meta(d.name, d.annotations),
	}
	for _, record := range d.records {
		r := *record
		r.DNSName = s.name(r.DNSName)
		o.Spec.Endpoints = append(o.Spec.Endpoints, &r)
	}
	return o
}

func isHostName(address string) bool {
	_, err := netip.ParseAddr(address)
	return err != nil
}
