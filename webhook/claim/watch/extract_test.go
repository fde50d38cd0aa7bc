package watch_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/claim/watch"
)

// everything serves all kinds.
func everything(t *testing.T) *cluster {
	c := newCluster(t)
	c.serveKinds("/apis/gateway.networking.k8s.io/v1", "gateways", "listenersets", "httproutes", "grpcroutes", "tlsroutes")
	c.serveKinds("/apis/gateway.networking.k8s.io/v1alpha2", "tlsroutes", "tcproutes", "udproutes")
	c.serveKinds("/apis/gateway.networking.x-k8s.io/v1alpha1", "xlistenersets")
	c.serveKinds("/apis/externaldns.k8s.io/v1alpha1", "dnsendpoints")
	c.serveKinds("/apis/networking.istio.io/v1", "gateways", "virtualservices")
	c.serveKinds("/apis/traefik.io/v1alpha1", "ingressroutes", "ingressroutetcps", "ingressrouteudps")
	return c
}

const public = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: infra}
spec:
  gatewayClassName: hub
  allowedListeners: {namespaces: {from: All}}
  listeners:
    - {name: web, hostname: "*.example.org", port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}}
    - {name: own, hostname: own.example.net, port: 80, protocol: HTTP}
    - {name: tls, port: 8443, protocol: TLS, allowedRoutes: {namespaces: {from: All}}}
    - {name: udp, port: 53, protocol: UDP, allowedRoutes: {namespaces: {from: All}}}
    - {name: grpc, hostname: grpc.example.com, port: 50051, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}
status: {addresses: [{value: 10.0.0.2}, {value: "2001:DB8:0::2"}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: internal, namespace: infra, annotations: {external-dns.kubernetes.io/target: "Gw.Example.ORG."}}
spec:
  gatewayClassName: inner
  listeners: [{name: web, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}}]
status: {addresses: [{value: 10.0.0.3}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: set, namespace: shop}
spec:
  parentRef: {name: public, namespace: infra}
  listeners:
    - {name: a, hostname: set.example.org, port: 443, protocol: HTTPS}
    - {name: b, hostname: refused.example.org, port: 443, protocol: HTTPS}
status:
  conditions: [{type: Accepted, status: "True"}]
  listeners: [{name: a, conditions: [{type: Accepted, status: "True"}]}, {name: b, conditions: [{type: Accepted, status: "False"}]}]
`

// attached is a Route's status for its parents, all accepted.
const (
	toPublic   = `{name: public, namespace: infra}`
	toInternal = `{name: internal, namespace: infra}`
)

func route(kind, spec, annotations string, parents ...string) string {
	version := "v1"
	if kind == "TCPRoute" || kind == "UDPRoute" {
		version = "v1alpha2"
	}
	var accepted []string
	for _, p := range parents {
		accepted = append(accepted, `{parentRef: `+p+`, conditions: [{type: Accepted, status: "True"}]}`)
	}
	return `
apiVersion: gateway.networking.k8s.io/` + version + `
kind: ` + kind + `
metadata: {name: r, namespace: shop, annotations: {` + annotations + `}}
spec: {parentRefs: [` + strings.Join(parents, ", ") + `], ` + spec + `}
status: {parents: [` + strings.Join(accepted, ", ") + `]}`
}

func TestClaimsOfEveryKind(t *testing.T) {
	both := []string{"10.0.0.2", "2001:db8::2"}
	for name, c := range map[string]struct {
		objects string
		label   string
		want    claim.Claim // but for Ref and annotations
	}{
		"ingress: rules, tls and annotations of both prefixes": {`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i
  namespace: a
  annotations:
    external-dns.alpha.kubernetes.io/hostname: old.example.org, Old2.example.org.
    external-dns.kubernetes.io/hostname: new.example.org
spec:
  ingressClassName: nginx
  rules: [{host: Rule.example.org}, {http: {}}, {host: "*.wild.example.org"}]
  tls: [{hosts: [tls.example.org, rule.example.org]}]
status: {loadBalancer: {ingress: [{ip: 10.0.0.1, hostname: LB.example.net}, {ip: "2001:0db8::1"}]}}`,
			"ingress/a/i", claim.Claim{
				Hosts:        []string{"*.wild.example.org", "new.example.org", "old.example.org", "old2.example.org", "rule.example.org", "tls.example.org"},
				IngressClass: "nginx", Targets: []string{"10.0.0.1", "2001:db8::1", "lb.example.net"},
			}},
		"ingress: legacy class, target annotation, annotated hosts only": {`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i
  namespace: a
  annotations:
    kubernetes.io/ingress.class: nginx-internal
    external-dns.alpha.kubernetes.io/target: 192.0.2.1,other.example.org
    external-dns.alpha.kubernetes.io/hostname: annotated.example.org
    external-dns.alpha.kubernetes.io/ingress-hostname-source: annotation-only
spec: {rules: [{host: rule.example.org}]}`,
			"ingress/a/i", claim.Claim{
				Hosts: []string{"annotated.example.org"}, IngressClass: "nginx-internal",
				Targets: []string{"192.0.2.1", "other.example.org"},
			}},
		"ingress: the field beats the legacy class, and defined hosts only": {`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i
  namespace: a
  annotations:
    kubernetes.io/ingress.class: old
    external-dns.kubernetes.io/hostname: annotated.example.org
    external-dns.kubernetes.io/ingress-hostname-source: defined-hosts-only
spec: {ingressClassName: new, rules: [{host: rule.example.org}]}`,
			"ingress/a/i", claim.Claim{Hosts: []string{"rule.example.org"}, IngressClass: "new"}},
		"ingress: another controller's, and names DNS cannot hold": {`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: a, annotations: {external-dns.kubernetes.io/controller: other}}
spec: {ingressClassName: nginx, rules: [{host: rule.example.org}]}`,
			"ingress/a/i", claim.Claim{IngressClass: "nginx"}},
		"service: load balancer, external and internal host names": {`
apiVersion: v1
kind: Service
metadata:
  name: s
  namespace: a
  annotations:
    external-dns.alpha.kubernetes.io/hostname: out.example.org
    external-dns.alpha.kubernetes.io/internal-hostname: in.example.org
spec: {type: LoadBalancer, clusterIP: 10.96.0.1}
status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}`,
			"service/a/s", claim.Claim{
				Hosts: []string{"in.example.org", "out.example.org"}, Targets: []string{"10.0.0.1", "10.96.0.1"},
				HostTargets: map[string][]string{"in.example.org": {"10.96.0.1"}, "out.example.org": {"10.0.0.1"}},
			}},
		"service: external addresses beat the status": {`
apiVersion: v1
kind: Service
metadata: {name: s, namespace: a, annotations: {external-dns.kubernetes.io/hostname: s.example.org}}
spec: {type: LoadBalancer, externalIPs: [192.0.2.7], selector: {app: x}}
status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}`,
			"service/a/s", claim.Claim{Hosts: []string{"s.example.org"}, Targets: []string{"192.0.2.7"}}},
		"service: external name": {`
apiVersion: v1
kind: Service
metadata: {name: s, namespace: a, annotations: {external-dns.kubernetes.io/hostname: s.example.org}}
spec: {type: ExternalName, externalName: else.example.net}`,
			"service/a/s", claim.Claim{Hosts: []string{"s.example.org"}, Targets: []string{"else.example.net"}}},
		"service: headless ones publish pods": {`
apiVersion: v1
kind: Service
metadata: {name: s, namespace: a, annotations: {external-dns.kubernetes.io/hostname: s.example.org}}
spec: {type: ClusterIP, clusterIP: None}`,
			"service/a/s", claim.Claim{Hosts: []string{"s.example.org"}}},
		"service: without a host name": {`
apiVersion: v1
kind: Service
metadata: {name: s, namespace: a}
spec: {type: ClusterIP, clusterIP: 10.96.0.9}`,
			"service/a/s", claim.Claim{}},
		"dnsendpoint: every name with its own targets": {`
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: d, namespace: a}
spec:
  endpoints:
    - {dnsName: A.example.org, recordType: A, targets: [192.0.2.1]}
    - {dnsName: a.example.org, recordType: AAAA, targets: ["2001:db8::1"]}
    - {dnsName: c.example.org., recordType: CNAME, targets: [else.example.net.]}
    - {dnsName: mail.example.org, recordType: MX, targets: [10 mx.example.org]}`,
			"crd/a/d", claim.Claim{
				Hosts:   []string{"a.example.org", "c.example.org", "mail.example.org"},
				Targets: []string{"192.0.2.1", "2001:db8::1", "else.example.net"},
				HostTargets: map[string][]string{
					"a.example.org": {"192.0.2.1", "2001:db8::1"}, "c.example.org": {"else.example.net"}, "mail.example.org": nil,
				},
			}},
		"httproute: names it shares with the listeners": {
			public + "---" + route("HTTPRoute", `hostnames: [www.example.org, own.example.net, www.example.com]`, ``, toPublic),
			"httproute/shop/r", claim.Claim{Hosts: []string{"www.example.org"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"httproute: two gateways, two audiences": {
			public + "---" + route("HTTPRoute", `hostnames: [www.example.org, only.example.net]`, ``, toPublic, toInternal),
			"httproute/shop/r", claim.Claim{
				Hosts: []string{"only.example.net", "www.example.org"}, GatewayClasses: []string{"hub", "inner"},
				Targets: []string{"10.0.0.2", "2001:db8::2", "gw.example.org"},
				HostTargets: map[string][]string{
					"only.example.net": {"gw.example.org"}, "www.example.org": {"10.0.0.2", "2001:db8::2", "gw.example.org"},
				},
			}},
		"httproute: one section, no names of its own": {
			public + "---" + route("HTTPRoute", `rules: []`, ``, `{name: public, namespace: infra, sectionName: web}`),
			"httproute/shop/r", claim.Claim{Hosts: []string{"*.example.org"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"httproute: another port": {
			public + "---" + route("HTTPRoute", `hostnames: [www.example.org]`, ``, `{name: public, namespace: infra, port: 80}`),
			"httproute/shop/r", claim.Claim{GatewayClasses: []string{"hub"}}},
		"httproute: annotated names only": {
			public + "---" + route("HTTPRoute", `hostnames: [www.example.org]`,
				`external-dns.kubernetes.io/hostname: x.example.org, external-dns.kubernetes.io/gateway-hostname-source: annotation-only`, toPublic),
			"httproute/shop/r", claim.Claim{Hosts: []string{"x.example.org"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"httproute: a listener set": {
			public + "---" + route("HTTPRoute", `hostnames: [set.example.org, refused.example.org]`, ``, `{kind: ListenerSet, name: set}`),
			"httproute/shop/r", claim.Claim{Hosts: []string{"set.example.org"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"httproute: no such gateway, and a mesh's service": {
			public + "---" + route("HTTPRoute", `hostnames: [www.example.org]`, ``, `{name: nowhere}`, `{group: "core", kind: Service, name: s}`),
			"httproute/shop/r", claim.Claim{Unknown: "gateway shop/nowhere: not seen yet"}},
		"grpcroute: a listener for its kind only": {
			public + "---" + route("GRPCRoute", `hostnames: [grpc.example.com]`, ``, toPublic),
			"grpcroute/shop/r", claim.Claim{Hosts: []string{"grpc.example.com"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"tlsroute": {
			public + "---" + route("TLSRoute", `hostnames: [tls.example.com]`, ``, toPublic),
			"tlsroute/shop/r", claim.Claim{Hosts: []string{"tls.example.com"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"tcproute: names from the annotation": {
			public + "---" + route("TCPRoute", `rules: []`, `external-dns.kubernetes.io/hostname: tcp.example.com`, toPublic),
			"tcproute/shop/r", claim.Claim{Hosts: []string{"tcp.example.com"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"udproute": {
			public + "---" + route("UDPRoute", `rules: []`, `external-dns.kubernetes.io/hostname: udp.example.com`, toPublic),
			"udproute/shop/r", claim.Claim{Hosts: []string{"udp.example.com"}, GatewayClasses: []string{"hub"}, Targets: both}},
		"istio gateway: addresses of the services that select its pods": {`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: a}
spec: {selector: {istio: ingress}, servers: [{hosts: ["*", "ns/one.example.org", two.example.org]}]}
---
apiVersion: v1
kind: Service
metadata: {name: gw, namespace: istio-system}
spec: {type: LoadBalancer, selector: {istio: ingress, app: gw}}
status: {loadBalancer: {ingress: [{ip: 10.0.0.9}]}}`,
			"gateway/a/g", claim.Claim{Hosts: []string{"one.example.org", "two.example.org"}, Targets: []string{"10.0.0.9"}}},
		"istio gateway: addresses of an ingress": {front + `
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: a, annotations: {external-dns.kubernetes.io/ingress: shop/front}}
spec: {servers: [{hosts: [one.example.org]}]}`,
			"gateway/a/g", claim.Claim{Hosts: []string{"one.example.org"}, Targets: []string{"10.0.0.1"}}},
		"virtualservice: only gateways that take the host in": {`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: a}
spec: {hosts: [one.example.org, two.example.net], gateways: [mesh, g, other/closed]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: a, annotations: {external-dns.kubernetes.io/target: 192.0.2.1}}
spec: {servers: [{hosts: ["*.example.org"]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: closed, namespace: other, annotations: {external-dns.kubernetes.io/target: 192.0.2.2}}
spec: {servers: [{hosts: ["./*"]}]}`,
			"virtualservice/a/v", claim.Claim{
				Hosts: []string{"one.example.org", "two.example.net"}, Targets: []string{"192.0.2.1"},
				HostTargets: map[string][]string{"one.example.org": {"192.0.2.1"}, "two.example.net": nil},
			}},
		"ingressroute: hosts in rules": {`
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: t, namespace: a, annotations: {external-dns.alpha.kubernetes.io/target: 192.0.2.1}}
spec:
  routes:
    - match: "Host(` + "`One.example.org`, `two.example.org`" + `) && PathPrefix(` + "`/Host`" + `) || Host( ` + "`three.example.org`" + `)"
    - match: "HostRegexp(` + "`.+`" + `) || HostHeader(` + "`four.example.org`" + `) || Host(` + "`*`" + `)"`,
			"ingressroute/a/t", claim.Claim{
				Hosts:   []string{"four.example.org", "one.example.org", "three.example.org", "two.example.org"},
				Targets: []string{"192.0.2.1"},
			}},
		"ingressroutetcp: names of TLS": {`
apiVersion: traefik.io/v1alpha1
kind: IngressRouteTCP
metadata: {name: t, namespace: a}
spec: {routes: [{match: "HostSNI(` + "`*`) || HostSNI(`tcp.example.org`" + `)"}]}`,
			"ingressroutetcp/a/t", claim.Claim{Hosts: []string{"tcp.example.org"}}},
		"ingressrouteudp: names from the annotation": {`
apiVersion: traefik.io/v1alpha1
kind: IngressRouteUDP
metadata: {name: t, namespace: a, annotations: {external-dns.alpha.kubernetes.io/hostname: udp.example.org}}
spec: {routes: [{services: []}]}`,
			"ingressrouteudp/a/t", claim.Claim{Hosts: []string{"udp.example.org"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := everything(t)
			cluster.apply(t, strings.TrimSuffix(strings.ReplaceAll(c.objects, "\n\n---", "\n---"), "\n"))
			w := start(t, cluster, watch.Keep{})
			c.want.Ref, _ = claim.ParseRef(c.label)
			eventually(t, "as wanted", func() string {
				got := claimed(w, c.label)
				if got == nil {
					return "there is no claim"
				}
				bare := *got
				bare.Annotations = nil
				return cmp.Diff(c.want, bare)
			})
			for _, h := range c.want.Hosts {
				found := func(other *claim.Claim) bool { return other.Ref == c.want.Ref }
				if claims := w.Snapshot().ByHost(h); !slices.ContainsFunc(claims, found) {
					t.Errorf("ByHost(%s) does not find %s", h, c.want.Ref)
				}
			}
		})
	}
}

func TestOnlyWantedMetadataIsKept(t *testing.T) {
	c := newCluster(t)
	c.apply(t, `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: i
  namespace: a
  labels: {team: web, pod: x}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: long
    kubernetes.io/ingress.class: nginx
    external-dns.kubernetes.io/webhook-view: public
    external-dns.alpha.kubernetes.io/ttl: "60"
    hub-dns-operator.io/record-type: A
    example.org/zone: dmz
    example.org/other: x
spec: {}`)
	w := start(t, c, watch.Keep{
		Label:      func(k string) bool { return k == "team" },
		Annotation: func(k string) bool { return k == "example.org/zone" },
	})
	got := claimed(w, "ingress/a/i")
	want := &claim.Claim{
		Ref:          claim.Ref{Kind: "ingress", Namespace: "a", Name: "i"},
		IngressClass: "nginx",
		Labels:       map[string]string{"team": "web"},
		Annotations: map[string]string{
			"kubernetes.io/ingress.class":             "nginx",
			"external-dns.kubernetes.io/webhook-view": "public",
			"external-dns.alpha.kubernetes.io/ttl":    "60",
			"hub-dns-operator.io/record-type":         "A",
			"example.org/zone":                        "dmz",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the claim differs (-want +got):\n%s", diff)
	}
}

func TestObjectNotOfItsFormStopsNoOther(t *testing.T) {
	c := everything(t)
	c.apply(t, front+`
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: broken, namespace: a}
spec: {routes: none}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: whole, namespace: a}
spec: {routes: [{match: "Host(`+"`x.example.org`"+`)"}]}`)
	w := start(t, c, watch.Keep{})
	if got := claimed(w, "ingressroute/a/broken"); got == nil || !strings.Contains(got.Unknown, "unreadable") {
		t.Errorf("the broken object's claim is %+v, want one that says it is unreadable", got)
	}
	hostsOf(t, w, "ingressroute/a/whole", "x.example.org")
	hostsOf(t, w, "ingress/shop/front", "shop.example.org")
}
