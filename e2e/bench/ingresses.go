package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/spokedns/spokedns/e2e/stack"
)

// ingresses are Ingress objects in a real API server, one host each, numbered from 0.
type ingresses struct {
	client kubernetes.Interface
	zone   string
	n      int

	mu        sync.Mutex
	addresses map[int]string // as last written to the status
}

func (i *ingresses) host(k int) string { return fmt.Sprintf("app%06d.%s", k, i.zone) }

// grow makes it n objects, with a load balancer's address each unless bare.
func (i *ingresses) grow(ctx context.Context, n int, bare bool) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for k := i.n; k < n; k++ {
		g.Go(func() error {
			class := "nginx"
			_, err := i.client.NetworkingV1().Ingresses("default").Create(ctx, &networkingv1.Ingress{
				ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("app%06d", k)},
				Spec: networkingv1.IngressSpec{
					IngressClassName: &class,
					DefaultBackend:   &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "app", Port: networkingv1.ServiceBackendPort{Number: 80}}},
					Rules:            []networkingv1.IngressRule{{Host: i.host(k)}},
				},
			}, metav1.CreateOptions{})
			if err != nil || bare {
				return err
			}
			return i.setAddress(ctx, k, fmt.Sprintf("10.%d.%d.%d", k>>16, k>>8&255, k&255))
		})
	}
	i.n = n
	return g.Wait()
}

// setAddress writes the status as an ingress controller would.
func (i *ingresses) setAddress(ctx context.Context, k int, address string) error {
	patch := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q}]}}}`, address)
	i.mu.Lock()
	i.addresses[k] = address
	i.mu.Unlock()
	_, err := i.client.NetworkingV1().Ingresses("default").Patch(ctx, fmt.Sprintf("app%06d", k), types.MergePatchType,
		[]byte(patch), metav1.PatchOptions{}, "status")
	return err
}

// settled waits until every host is answered with its address, and says how long that took since start.
func (i *ingresses) settled(ctx context.Context, addr string, start time.Time) (time.Duration, error) {
	for k, address := range i.addresses {
		if err := answers(ctx, addr, i.host(k), address); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// latency changes the status of one Ingress after the other and measures each time until the server at
// addr answers with the new address. It pauses for a random part of pause in between, so that no period
// of the machinery hides.
func (i *ingresses) latency(ctx context.Context, addr string, times int, pause time.Duration) (samples, error) {
	var all samples
	for t := range times {
		k := rand.IntN(i.n)
		address := fmt.Sprintf("192.0.2.%d", rand.IntN(250)+1)
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(pause)))):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		took, err := clock(func() error {
			if err := i.setAddress(ctx, k, address); err != nil {
				return err
			}
			return answers(ctx, addr, i.host(k), address)
		})
		if err != nil {
			return nil, fmt.Errorf("change %d: %w", t+1, err)
		}
		all = append(all, took)
	}
	return all, nil
}

// answers waits until the server answers the name with this address alone.
func answers(ctx context.Context, addr, name, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		got, err := stack.Query(ctx, addr, name, "A")
		if err == nil && len(got) == 1 && got[0] == address {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s answers %s with %v (%w), want %s", addr, name, got, err, address)
		case <-time.After(2 * time.Millisecond):
		}
	}
}
