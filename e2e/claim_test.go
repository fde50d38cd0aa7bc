package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/claim/watch"
)

// documentedRules are those of the ClusterRole that the documentation tells users to create.
func documentedRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(stack.Root(), "docs", "kubernetes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	manifest, _, ok := strings.Cut(rest, "```")
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte(manifest), &role); err != nil || !ok || len(role.Rules) == 0 {
		t.Fatalf("no ClusterRole in the documentation: %v", err)
	}
	return role.Rules
}

// watchAs runs a watcher with the rights of a new identity.
func watchAs(t *testing.T, api *stack.APIServer, name string, rules []rbacv1.PolicyRule) *watch.Watcher {
	t.Helper()
	kubeconfig, err := api.Identity(t.Context(), name, rules)
	if err != nil {
		t.Fatal(err)
	}
	config, err := stack.ConfigFor(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	w, err := watch.New(watch.Config{
		Client: config, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Poll: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	awaitFact(t, "synced", func() string {
		if err := w.Synced(); err != nil {
			return err.Error()
		}
		return ""
	})
	return w
}

// awaitFact waits until what is wrong is nothing.
func awaitFact(t *testing.T, what string, wrong func() string) {
	t.Helper()
	last := "nothing was seen"
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if last = wrong(); last == "" {
			return
		}
	}
	t.Fatalf("not %s: %s", what, last)
}

// awaitClaim waits until the object claims the hosts with the class and targets, as one line.
func awaitClaim(t *testing.T, w *watch.Watcher, label, want string) {
	t.Helper()
	ref, _ := claim.ParseRef(label)
	awaitFact(t, label+" claiming "+want, func() string {
		c := w.Snapshot().ByRef(ref)
		if c == nil {
			return "there is no claim"
		}
		classes := append([]string{c.IngressClass}, c.GatewayClasses...)
		got := fmt.Sprint(c.Hosts, slices.DeleteFunc(classes, func(s string) bool { return s == "" }), c.Targets) + c.Unknown
		if got != want {
			return "it claims " + got
		}
		return ""
	})
}

func applyManifest(t *testing.T, api *stack.APIServer, manifest string) {
	t.Helper()
	if err := api.ApplyYAML(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
}

const (
	plainIngress = `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain}
spec: {rules: [{host: plain.example.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}
status: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}`

	allKinds = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public}
spec:
  gatewayClassName: hub
  allowedListeners: {namespaces: {from: Same}}
  listeners:
    - {name: web, hostname: "*.example.org", port: 80, protocol: HTTP}
    - {name: tls, port: 8443, protocol: TLS, tls: {mode: Passthrough}}
    - {name: tcp, port: 9000, protocol: TCP}
    - {name: udp, port: 9000, protocol: UDP}
status: {addresses: [{type: IPAddress, value: 10.0.0.2}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: set}
spec: {parentRef: {name: public}, listeners: [{name: a, hostname: set.example.net, port: 81, protocol: HTTP}]}
status:
  conditions: [{type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]
  listeners:
    - name: a
      attachedRoutes: 1
      supportedKinds: [{kind: HTTPRoute}]
      conditions: [{type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]
---
apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: {name: mail}
spec: {endpoints: [{dnsName: mail.example.org, recordType: MX, targets: [10 mx.example.org]}, {dnsName: mx.example.org, recordType: A, targets: [192.0.2.25]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {selector: {istio: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*.mesh.example.org"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec: {hosts: [app.mesh.example.org], gateways: [edge], http: [{route: [{destination: {host: app}}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: gw, annotations: {external-dns.alpha.kubernetes.io/hostname: gw.example.org}}
spec: {type: LoadBalancer, selector: {istio: gw}, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 10.0.0.3}]}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: t, annotations: {external-dns.kubernetes.io/target: 192.0.2.8}}
spec: {routes: [{match: "Host(` + "`t.example.org`" + `)"}]}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRouteTCP
metadata: {name: t}
spec: {routes: [{match: "HostSNI(` + "`tcp.example.org`" + `)"}]}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRouteUDP
metadata: {name: t, annotations: {external-dns.kubernetes.io/hostname: udp.example.org}}
spec: {routes: []}`
)

// gatewayRoute is a Route that its Gateway has accepted.
func gatewayRoute(version, kind, parent, spec string) string {
	rules := "rules: [{backendRefs: [{name: s, port: 80}]}]"
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/%[1]s
kind: %[2]s
metadata: {name: r, annotations: {external-dns.kubernetes.io/hostname: "%[3]s.example.org"}}
spec: {parentRefs: [%[4]s], %[6]s%[5]s}
status:
  parents:
    - parentRef: %[4]s
      controllerName: example.org/controller
      conditions: [{type: Accepted, status: "True", reason: Accepted, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}]`,
		version, kind, strings.ToLower(kind), parent, rules, spec)
}

// acceptedRoutes is a Route of every kind, on the Gateway and ListenerSet among allKinds.
func acceptedRoutes() []string {
	const public = `{name: public}`
	return []string{
		gatewayRoute("v1", "HTTPRoute", `{kind: ListenerSet, name: set, group: gateway.networking.k8s.io}`, "hostnames: [set.example.net], "),
		gatewayRoute("v1", "GRPCRoute", public, "hostnames: [g.example.org], "),
		gatewayRoute("v1", "TLSRoute", public, "hostnames: [t.example.com], "),
		gatewayRoute("v1alpha2", "TCPRoute", public, ""),
		gatewayRoute("v1alpha2", "UDPRoute", public, ""),
	}
}

// installDefinitions installs every CRD that a watcher looks for.
func installDefinitions(t *testing.T, api *stack.APIServer) {
	t.Helper()
	var paths []string
	for _, find := range []func() (string, error){
		func() (string, error) { return stack.GatewayAPICRDs("experimental") },
		stack.DNSEndpointCRD, stack.IstioCRDs, stack.TraefikCRDs,
	} {
		path, err := find()
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	if err := api.ApplyCRDs(t.Context(), paths...); err != nil {
		t.Fatal(err)
	}
}

func TestClaimsFollowARealAPIServer(t *testing.T) {
	api, err := stack.ForTest(t).APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	applyManifest(t, api, plainIngress)
	w := watchAs(t, api, "spokedns-webhook", documentedRules(t))

	t.Run("default class flips", func(t *testing.T) {
		awaitClaim(t, w, "ingress/default/plain", "[plain.example.org] [] [10.0.0.1]")
		const class = `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: NAME, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}
spec: {controller: example.org/controller}`
		nginx, other := strings.Replace(class, "NAME", "nginx", 1), strings.Replace(class, "NAME", "other", 1)
		applyManifest(t, api, nginx)
		awaitClaim(t, w, "ingress/default/plain", "[plain.example.org] [nginx] [10.0.0.1]")
		applyManifest(t, api, strings.Replace(nginx, `"true"`, `"false"`, 1))
		applyManifest(t, api, other)
		awaitClaim(t, w, "ingress/default/plain", "[plain.example.org] [other] [10.0.0.1]")
		if err := api.Delete(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		awaitClaim(t, w, "ingress/default/plain", "[plain.example.org] [] [10.0.0.1]")
	})

	t.Run("definitions appear later", func(t *testing.T) {
		if complete, reason := w.Snapshot().Watched("httproute"); complete || reason != "" {
			t.Errorf("Watched(httproute) = %v, %q before there is such a kind", complete, reason)
		}
		installDefinitions(t, api)
		for _, kind := range []string{
			"ingress", "service", "httproute", "grpcroute", "tlsroute", "tcproute", "udproute", "crd",
			"gateway", "virtualservice", "ingressroute", "ingressroutetcp", "ingressrouteudp",
		} {
			awaitFact(t, kind+" watched", func() string {
				if complete, reason := w.Snapshot().Watched(kind); !complete {
					return "it is not, " + reason
				}
				return ""
			})
		}
	})

	everything := allKinds + "\n---" + strings.Join(acceptedRoutes(), "\n---")

	t.Run("all kinds", func(t *testing.T) {
		applyManifest(t, api, everything)
		for label, want := range map[string]string{
			"httproute/default/r":        "[set.example.net] [hub] [10.0.0.2]",
			"grpcroute/default/r":        "[g.example.org grpcroute.example.org] [hub] [10.0.0.2]",
			"tlsroute/default/r":         "[t.example.com tlsroute.example.org] [hub] [10.0.0.2]",
			"tcproute/default/r":         "[tcproute.example.org] [hub] [10.0.0.2]",
			"udproute/default/r":         "[udproute.example.org] [hub] [10.0.0.2]",
			"crd/default/mail":           "[mail.example.org mx.example.org] [] [192.0.2.25]",
			"gateway/default/edge":       "[*.mesh.example.org] [] [10.0.0.3]",
			"virtualservice/default/app": "[app.mesh.example.org] [] [10.0.0.3]",
			"service/default/gw":         "[gw.example.org] [] [10.0.0.3]",
			"ingressroute/default/t":     "[t.example.org] [] [192.0.2.8]",
			"ingressroutetcp/default/t":  "[tcp.example.org] [] []",
			"ingressrouteudp/default/t":  "[udp.example.org] [] []",
		} {
			awaitClaim(t, w, label, want)
		}
	})

	t.Run("a right is missing", func(t *testing.T) {
		rules := slices.DeleteFunc(documentedRules(t), func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Resources, "services")
		})
		limited := watchAs(t, api, "limited", rules)
		awaitClaim(t, limited, "httproute/default/r", "[set.example.net] [hub] [10.0.0.2]")
		complete, reason := limited.Snapshot().Watched("service")
		if complete || !strings.Contains(reason, `User "limited" cannot list resource "services"`) {
			t.Errorf("Watched(service) = %v, %q; want the missing right", complete, reason)
		}
		if _, err := api.Identity(t.Context(), "limited", documentedRules(t)); err != nil {
			t.Fatal(err)
		}
		awaitClaim(t, limited, "service/default/gw", "[gw.example.org] [] [10.0.0.3]")
	})

	t.Run("looked up live", func(t *testing.T) {
		refs := make([]claim.Ref, 50)
		for i := range refs {
			refs[i] = claim.Ref{Kind: "ingress", Namespace: "default", Name: fmt.Sprintf("burst-%d", i)}
			applyManifest(t, api, strings.NewReplacer("name: plain", "name: "+refs[i].Name, "plain.example", refs[i].Name+".example").Replace(plainIngress))
			if err := w.Resolve(t.Context(), refs[i:i+1]); err != nil {
				t.Fatal(err)
			}
			if w.Snapshot().ByRef(refs[i]) == nil {
				t.Fatalf("%s is not known right after its creation", refs[i])
			}
		}
	})

	t.Run("deleted", func(t *testing.T) {
		if err := api.Delete(t.Context(), everything+"\n---"+plainIngress); err != nil {
			t.Fatal(err)
		}
		awaitFact(t, "gone", func() string {
			facts := w.Snapshot()
			for _, host := range []string{
				"plain.example.org", "set.example.net", "mail.example.org", "app.mesh.example.org", "gw.example.org", "t.example.org",
			} {
				if claims := facts.ByHost(host); len(claims) > 0 {
					return host + " is claimed by " + claims[0].String()
				}
			}
			return ""
		})
	})
}
