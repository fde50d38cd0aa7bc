package central_test

import "strings"

// manifest are the objects of the table, ZONE being the cluster's zone; statuses are what a cluster's
// controllers would have written.
func manifest(zone string) string {
	return strings.NewReplacer("ZONE", zone, "ACCEPTED", accepted).Replace(objects)
}

const accepted = `{type: Accepted, status: "True", reason: Accepted, lastTransitionTime: "2026-01-01T00:00:00Z", message: ""}`

const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: dual}
spec: {ingressClassName: nginx, rules: [{host: web.ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.10}, {ip: "2001:db8::10"}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: v4, annotations: {external-dns.alpha.kubernetes.io/ttl: 20s}}
spec: {ingressClassName: nginx, rules: [{host: v4.ZONE}, {host: second.ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.11}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: v6}
spec: {ingressClassName: nginx, rules: [{host: v6.ZONE}]}
status: {loadBalancer: {ingress: [{ip: "2001:db8::12"}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: private}
spec: {ingressClassName: private, rules: [{host: private.ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.13}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: classless}
spec: {rules: [{host: classless.ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.13}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: ignored, labels: {k8s-gateway.dns/ignore: "true"}}
spec: {ingressClassName: nginx, rules: [{host: ignored.ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.14}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: wildcard}
spec: {ingressClassName: nginx, rules: [{host: "*.apps.ZONE"}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.15}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: apex}
spec: {ingressClassName: nginx, rules: [{host: ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.16}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: cloud}
spec: {ingressClassName: nginx, rules: [{host: cloud.ZONE}]}
status: {loadBalancer: {ingress: [{hostname: lb-1.cloud.example.net}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {namespace: shop, name: contested}
spec: {ingressClassName: nginx, rules: [{host: contested.ZONE}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.18}]}}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: db}
spec: {type: LoadBalancer, ports: [{port: 5432}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.30}, {ip: "2001:db8::30"}]}}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: external}
spec: {type: LoadBalancer, externalIPs: [192.0.2.31], ports: [{port: 5432}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.32}]}}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: named, annotations: {external-dns.alpha.kubernetes.io/hostname: "queue.ZONE,*.queue.ZONE"}}
spec: {type: LoadBalancer, ports: [{port: 5432}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.33}]}}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: old, annotations: {coredns.io/hostname: old.ZONE}}
spec: {type: LoadBalancer, ports: [{port: 5432}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.34}]}}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: echo, labels: {k8s-gateway.dns/resolve-endpoints: "true"}}
spec: {type: ClusterIP, selector: {app: echo}, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: echo-1, labels: {kubernetes.io/service-name: echo, k8s-gateway.dns/resolve-endpoints: "true"}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.5], conditions: {ready: true}}, {addresses: [10.0.0.6], conditions: {ready: false}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: shop, name: edge}
spec:
  gatewayClassName: envoy
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: tls, port: 443, protocol: TLS, tls: {mode: Passthrough}}
status: {addresses: [{type: IPAddress, value: 192.0.2.20}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: shop, name: private}
spec: {gatewayClassName: private, listeners: [{name: http, port: 80, protocol: HTTP}]}
status: {addresses: [{type: IPAddress, value: 192.0.2.21}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {namespace: shop, name: http}
spec: {hostnames: [http.ZONE, own.apps.ZONE], parentRefs: [{name: edge}]}
status: {parents: [{parentRef: {name: edge}, controllerName: example.org/gateway, conditions: [ACCEPTED]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {namespace: shop, name: private}
spec: {hostnames: [route.ZONE], parentRefs: [{name: private}]}
status: {parents: [{parentRef: {name: private}, controllerName: example.org/gateway, conditions: [ACCEPTED]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {namespace: shop, name: grpc}
spec: {hostnames: [grpc.ZONE], parentRefs: [{name: edge}]}
status: {parents: [{parentRef: {name: edge}, controllerName: example.org/gateway, conditions: [ACCEPTED]}]}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {namespace: shop, name: tls}
spec: {hostnames: [tls.ZONE], parentRefs: [{name: edge}], rules: [{backendRefs: [{name: db, port: 5432}]}]}
status: {parents: [{parentRef: {name: edge}, controllerName: example.org/gateway, conditions: [ACCEPTED]}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: quiet-1, labels: {kubernetes.io/service-name: quiet}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.7], conditions: {ready: true}}]
---
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {namespace: shop, name: records}
spec:
  endpoints:
  - {dnsName: one.ZONE, recordType: A, targets: [192.0.2.41]}
  - {dnsName: two.ZONE, recordType: A, targets: [192.0.2.42]}
  - {dnsName: note.ZONE, recordType: TXT, targets: [v=spf1 -all]}
  - {dnsName: contested.ZONE, recordType: A, targets: [192.0.2.48]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.0.2.51}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 192.0.2.52}, {type: ExternalIP, address: 198.51.100.52}]}
`
