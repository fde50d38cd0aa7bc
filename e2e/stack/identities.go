package stack

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
)

// ExternalDNSIdentity makes the user external-dns runs as, with the rights its own documentation asks
// for, and returns the path of its kubeconfig file.
func (a *APIServer) ExternalDNSIdentity(ctx context.Context) (string, error) {
	read := []string{"get", "list", "watch"}
	return a.Identity(ctx, "external-dns", []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "pods", "nodes", "namespaces"}, Verbs: read},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses"}, Verbs: read},
		{APIGroups: []string{"gateway.networking.k8s.io"}, Resources: []string{"*"}, Verbs: read},
		{APIGroups: []string{"externaldns.k8s.io"}, Resources: []string{"dnsendpoints"}, Verbs: read},
		{APIGroups: []string{"externaldns.k8s.io"}, Resources: []string{"dnsendpoints/status"}, Verbs: []string{"*"}},
	})
}

// WebhookIdentity makes the user our webhook runs as: it reads what can claim a name, and may do nothing else
// but what is given besides. It returns the path of its kubeconfig file.
func (a *APIServer) WebhookIdentity(ctx context.Context, besides ...rbacv1.PolicyRule) (string, error) {
	read := []string{"get", "list", "watch"}
	return a.Identity(ctx, "spokedns-webhook", append([]rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: read},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
		{APIGroups: []string{"gateway.networking.k8s.io"}, Verbs: read, Resources: []string{
			"gateways", "listenersets", "httproutes", "grpcroutes", "tlsroutes", "tcproutes", "udproutes",
		}},
		{APIGroups: []string{"externaldns.k8s.io"}, Resources: []string{"dnsendpoints"}, Verbs: read},
	}, besides...))
}
