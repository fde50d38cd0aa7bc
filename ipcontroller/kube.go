package main

import (
	"context"
	"net/netip"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// objects is what the modes service and node ask of the cluster.
type objects struct{ core coreclient.CoreV1Interface }

// ServiceAddresses gives the addresses in the status of a Service, of both families.
func (o objects) ServiceAddresses(ctx context.Context, namespace, name string) ([]netip.Addr, error) {
	service, err := o.core.Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, ingress := range service.Status.LoadBalancer.Ingress {
		if a, err := netip.ParseAddr(ingress.IP); err == nil { // else it has a host name
			out = append(out, a)
		}
	}
	return out, nil
}

// NodeAddresses gives the ExternalIP of all nodes, of both families.
func (o objects) NodeAddresses(ctx context.Context) ([]netip.Addr, error) {
	nodes, err := o.core.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for i := range nodes.Items {
		for _, address := range nodes.Items[i].Status.Addresses {
			if a, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeExternalIP {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

// followed are ConfigMaps that remember the UID of the last one, which an Event needs to be found by
// `kubectl describe`.
type followed struct {
	wanip.ConfigMaps
	uid atomic.Value // types.UID
}

func (f *followed) note(cm *corev1.ConfigMap, err error) (*corev1.ConfigMap, error) {
	if err == nil {
		f.uid.Store(cm.UID)
	}
	return cm, err
}

// UID is that of the ConfigMap as it was last seen; empty before.
func (f *followed) UID() types.UID {
	uid, _ := f.uid.Load().(types.UID)
	return uid
}

// Get reads.
func (f *followed) Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.ConfigMap, error) {
	return f.note(f.ConfigMaps.Get(ctx, name, opts))
}

// Create makes.
func (f *followed) Create(ctx context.Context, cm *corev1.ConfigMap, opts metav1.CreateOptions) (*corev1.ConfigMap, error) {
	return f.note(f.ConfigMaps.Create(ctx, cm, opts))
}

// Update writes.
func (f *followed) Update(ctx context.Context, cm *corev1.ConfigMap, opts metav1.UpdateOptions) (*corev1.ConfigMap, error) {
	return f.note(f.ConfigMaps.Update(ctx, cm, opts))
}
