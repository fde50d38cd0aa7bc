package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/claim/watch"
)

// listener is a webhook that remembers what external-dns last wanted to publish.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	last []*endpoint.Endpoint
}

func newListener(t *testing.T) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/external.dns.webhook+json;version=1")
		switch r.Method + " " + r.URL.Path {
		case "GET /":
			_ = json.NewEncoder(w).Encode(map[string]any{})
		case "GET /records":
			_ = json.NewEncoder(w).Encode([]any{})
		case "POST /adjustendpoints":
			var wanted []*endpoint.Endpoint
			if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
				t.Errorf("external-dns sent no endpoints: %v", err)
			}
			l.mu.Lock()
			l.last = wanted
			l.mu.Unlock()
			_ = json.NewEncoder(w).Encode(wanted)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// published is what each object publishes: by "resource" label, then host.
type published map[string]map[string][]string

func (p published) add(label, host string, targets []string) {
	if p[label] == nil {
		p[label] = map[string][]string{}
	}
	p[label][host] = append(p[label][host], targets...)
	slices.Sort(p[label][host])
}

func (l *listener) published() published {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := published{}
	for _, e := range l.last {
		if slices.Contains([]string{"A", "AAAA", "CNAME"}, e.RecordType) {
			all.add(e.Labels[endpoint.ResourceLabelKey], e.DNSName, e.Targets)
		}
	}
	return all
}

// claimed is the same as the claims of the objects with these labels say.
func claimed(w *watch.Watcher, labels []string) published {
	facts, all := w.Snapshot(), published{}
	for _, label := range labels {
		ref, _ := claim.ParseRef(label)
		c := facts.ByRef(ref)
		if c == nil {
			continue
		}
		for _, host := range c.Hosts {
			if targets := c.TargetsOf(host); len(targets) > 0 {
				all.add(label, host, targets)
			}
		}
	}
	return all
}

// More objects, of the sort where what is published is not obvious.
const subtleKinds = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: many, annotations: {external-dns.kubernetes.io/hostname: "ann1.many.example.org, ann2.many.example.org."}}
spec:
  ingressClassName: nginx
  rules: [{host: rule.many.example.org}, {host: "*.many.example.org"}]
  tls: [{hosts: [tls.many.example.org], secretName: s}]
  defaultBackend: {service: {name: s, port: {number: 80}}}
status: {loadBalancer: {ingress: [{ip: 10.0.1.1}, {ip: "2001:db8::1"}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: annotated
  annotations: {external-dns.kubernetes.io/hostname: annotated.example.org, external-dns.kubernetes.io/ingress-hostname-source: annotation-only, external-dns.kubernetes.io/target: "192.0.2.1"}
spec: {rules: [{host: unannotated.example.org}], defaultBackend: {service: {name: s, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: foreign, annotations: {external-dns.kubernetes.io/controller: other}}
spec: {rules: [{host: foreign.example.org}], defaultBackend: {service: {name: s, port: {number: 80}}}}
status: {loadBalancer: {ingress: [{ip: 10.0.1.2}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: unready}
spec: {rules: [{host: unready.example.org}], defaultBackend: {service: {name: s, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: both, annotations: {external-dns.kubernetes.io/hostname: out.example.org, external-dns.kubernetes.io/internal-hostname: in.example.org}}
spec: {type: LoadBalancer, clusterIP: 10.96.77.7, externalIPs: [192.0.2.7], ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{hostname: lb.example.net}]}}
---
apiVersion: v1
kind: Service
metadata: {name: inner, annotations: {external-dns.kubernetes.io/hostname: no.example.org, external-dns.kubernetes.io/internal-hostname: inner.example.org}}
spec: {type: ClusterIP, clusterIP: 10.96.77.8, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere, annotations: {external-dns.kubernetes.io/hostname: elsewhere.example.org}}
spec: {type: ExternalName, externalName: else.example.net}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: annotated, annotations: {external-dns.kubernetes.io/target: "192.0.2.2"}}
spec: {gatewayClassName: inner, listeners: [{name: l, port: 80, protocol: HTTP}]}
status: {addresses: [{type: IPAddress, value: 10.0.1.9}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: two}
spec: {parentRefs: [{name: public}, {name: annotated}], hostnames: [two.example.org, two.example.com]}
status:
  parents:
    - {parentRef: {name: public}, controllerName: example.org/c, conditions: [{type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]}
    - {parentRef: {name: annotated}, controllerName: example.org/c, conditions: [{type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: refused}
spec: {parentRefs: [{name: public}], hostnames: [refused.example.org]}
status:
  parents:
    - {parentRef: {name: public}, controllerName: example.org/c, conditions: [{type: Accepted, status: "False", reason: Pending, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: behind, annotations: {external-dns.INGRESS.kubernetes.io/ingress: many}}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["default/behind.example.org", "./*.behind.example.org"]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: bare}
spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [bare.example.org]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: split}
spec: {hosts: [app.behind.example.org, other.mesh.example.org, nowhere.example.org], gateways: [edge, default/behind], http: [{route: [{destination: {host: app}}]}]}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: rules, annotations: {external-dns.kubernetes.io/target: 192.0.2.8}}
spec:
  routes:
    - {match: "Host(` + "`r1.example.org`, `r2.example.org`" + `) && PathPrefix(` + "`/a`" + `)"}
    - {match: "HostHeader(` + "`r3.example.org`) || Host(`*`) || HostRegexp(`x.example.org`" + `)"}`

// The law that decisions stand on: what external-dns publishes for an object is what its claim says, host
// by host and address by address.
func TestClaimsAgreeWithExternalDNS(t *testing.T) {
	s := stack.ForTest(t)
	api, err := s.APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	installDefinitions(t, api)
	// external-dns v0.21 reads its "ingress" annotation under the old prefix whatever it is told.
	manifest := strings.NewReplacer("external-dns.alpha.", "external-dns.", "external-dns.INGRESS.", "external-dns.alpha.").Replace(
		strings.Join(append([]string{allKinds, plainIngress, subtleKinds}, acceptedRoutes()...), "\n---"))
	applyManifest(t, api, manifest)
	l := newListener(t)
	_, err = s.ExternalDNS(t.Context(), stack.ExternalDNSConfig{
		Kubeconfig: api.Kubeconfig, WebhookURL: l.URL, Registry: "noop",
		Sources: []string{
			"ingress", "service", "crd", "gateway-httproute", "gateway-grpcroute", "gateway-tlsroute",
			"gateway-tcproute", "gateway-udproute", "istio-gateway", "istio-virtualservice", "traefik-proxy",
		},
		ExtraArgs: []string{"--annotation-prefix=external-dns.kubernetes.io/", "--gateway-listener-sets"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := watchAs(t, api, "spokedns-webhook", documentedRules(t))
	labels := []string{
		"ingress/default/plain", "ingress/default/many", "ingress/default/annotated", "ingress/default/foreign",
		"ingress/default/unready", "service/default/gw", "service/default/both", "service/default/inner",
		"service/default/elsewhere", "crd/default/mail", "httproute/default/r", "httproute/default/two",
		"httproute/default/refused", "grpcroute/default/r", "tlsroute/default/r", "tcproute/default/r",
		"udproute/default/r", "gateway/default/edge", "gateway/default/behind", "gateway/default/bare", "virtualservice/default/app",
		"virtualservice/default/split", "ingressroute/default/t", "ingressroute/default/rules",
		"ingressroutetcp/default/t", "ingressrouteudp/default/t",
	}
	awaitFact(t, "the same", func() string { return cmp.Diff(l.published(), claimed(w, labels)) })
	if n := len(l.published()); n < 18 {
		t.Errorf("external-dns published for %d objects only", n)
	}
}
