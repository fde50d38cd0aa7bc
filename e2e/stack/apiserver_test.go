package stack_test

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/spokedns/spokedns/e2e/stack"
)

var (
	services  = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	ingresses = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
)

func TestAPIServerKnowsEveryDefinitionAndAppliesObjectsWithStatus(t *testing.T) {
	ctx := t.Context()
	api, err := stack.ForTest(t).APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
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
	if err := api.ApplyCRDs(ctx, paths...); err != nil {
		t.Fatal(err)
	}
	err = api.ApplyYAML(ctx, `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, ports: [{port: 80}]}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: web}
spec: {routes: []}
`)
	if err != nil {
		t.Fatal(err)
	}
	u, err := api.Dynamic.Resource(services).Namespace("default").Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status, _ := u.Object["status"].(map[string]any)
	lb, _ := status["loadBalancer"].(map[string]any)
	if ingress, _ := lb["ingress"].([]any); len(ingress) != 1 {
		t.Errorf("status is %v, want one load balancer address", u.Object["status"])
	}
}

func TestAPIServerIdentityMayDoOnlyWhatItsRulesSay(t *testing.T) {
	ctx := t.Context()
	api, err := stack.ForTest(t).APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	path, err := api.Identity(ctx, "reader", []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := stack.ConfigFor(path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Resource(services).List(ctx, metav1.ListOptions{}); err != nil {
		t.Errorf("list of services: %v, want it allowed", err)
	}
	if _, err := client.Resource(ingresses).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list of ingresses: %v, want it forbidden", err)
	}
}
