package main

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// The cloud's addresses are private ones: those of the spoke's load balancers behind the hub.
const (
	ingressAddress  = "10.20.0.10"
	internalAddress = "10.20.0.11"
	gatewayAddress  = "10.20.0.20"
	serviceAddress  = "10.20.0.30"
	serviceAddress6 = "fd00:20::30"
)

// cloud plays the controllers of a spoke: whatever asks for a load balancer gets its address in the
// status, also what is created while the demo runs.
type cloud struct{ objects dynamic.Interface }

// run fills in statuses until ctx ends. It looks every 200 ms, which is quick enough for a demo and
// needs no informers.
func (c cloud) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.look(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// look fills in the statuses that are missing now.
func (c cloud) look(ctx context.Context) {
	for _, kind := range []struct {
		resource schema.GroupVersionResource
		status   func(*unstructured.Unstructured) map[string]any
	}{
		{schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}, ingressStatus},
		{schema.GroupVersionResource{Version: "v1", Resource: "services"}, serviceStatus},
		{schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}, gatewayStatus},
		{schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}, routeStatus},
	} {
		c.fill(ctx, kind.resource, kind.status)
	}
}

// fill writes the status of the objects that lack it; what fails is tried again at the next look.
func (c cloud) fill(ctx context.Context, resource schema.GroupVersionResource, status func(*unstructured.Unstructured) map[string]any) {
	list, err := c.objects.Resource(resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for i := range list.Items {
		o := &list.Items[i]
		want := status(o)
		if want == nil {
			continue
		}
		o.Object["status"] = want
		_, _ = c.objects.Resource(resource).Namespace(o.GetNamespace()).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	}
}

func ingressStatus(o *unstructured.Unstructured) map[string]any {
	if has(o, "status", "loadBalancer", "ingress") {
		return nil
	}
	address := ingressAddress
	if class, _, _ := unstructured.NestedString(o.Object, "spec", "ingressClassName"); class == "nginx-internal" {
		address = internalAddress
	}
	return map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": address}}}}
}

func serviceStatus(o *unstructured.Unstructured) map[string]any {
	if kind, _, _ := unstructured.NestedString(o.Object, "spec", "type"); kind != "LoadBalancer" || has(o, "status", "loadBalancer", "ingress") {
		return nil
	}
	return map[string]any{"loadBalancer": map[string]any{"ingress": []any{
		map[string]any{"ip": serviceAddress, "ipMode": "VIP"}, map[string]any{"ip": serviceAddress6, "ipMode": "VIP"},
	}}}
}

func gatewayStatus(o *unstructured.Unstructured) map[string]any {
	if has(o, "status", "addresses") {
		return nil
	}
	return map[string]any{"addresses": []any{map[string]any{"type": "IPAddress", "value": gatewayAddress}}}
}

func routeStatus(o *unstructured.Unstructured) map[string]any {
	if has(o, "status", "parents") {
		return nil
	}
	refs, _, _ := unstructured.NestedSlice(o.Object, "spec", "parentRefs")
	var parents []any
	for _, ref := range refs {
		parents = append(parents, map[string]any{
			"parentRef":      runtime.DeepCopyJSONValue(ref),
			"controllerName": "example.org/cloud",
			"conditions": []any{map[string]any{
				"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
				"observedGeneration": o.GetGeneration(), "lastTransitionTime": o.GetCreationTimestamp().UTC().Format(time.RFC3339),
			}},
		})
	}
	if parents == nil {
		return nil
	}
	return map[string]any{"parents": parents}
}

func has(o *unstructured.Unstructured, path ...string) bool {
	list, found, _ := unstructured.NestedSlice(o.Object, path...)
	return found && len(list) > 0
}
