package rollout

import (
	"context"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// access is one cluster as this package reaches it: its API server, and through it the ports of its pods.
type access struct {
	client.Client
	// dial opens a TCP connection to a port of a pod. An error for which errors.Is(err, syscall.ECONNREFUSED) says
	// that the pod was reached and does not listen; any other says nothing about the pod.
	dial func(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error)
	// close ends what dial keeps open.
	close func()
}

// open prepares the way to a cluster; it makes no call yet.
func (e *Engine) open(c Cluster) (*access, error) {
	if c.Config == nil {
		return nil, fmt.Errorf("cluster %s: no client configuration", c.Name)
	}
	cfg := rest.CopyConfig(c.Config)
	cfg.Timeout = e.opts.Call
	if cfg.QPS == 0 {
		cfg.QPS, cfg.Burst = 50, 100 // a round asks every replica
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = dialect.FieldOwner
	}
	api, err := e.client(cfg)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	if e.opts.Dial != nil {
		dial := func(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error) {
			return e.opts.Dial(ctx, c, pod, port)
		}
		return &access{Client: api, dial: dial, close: func() {}}, nil
	}
	tunnels, err := newTunnels(cfg, e.room)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	return &access{Client: api, dial: tunnels.dial, close: tunnels.close}, nil
}

func newClient(cfg *rest.Config) (client.Client, error) {
	return client.New(cfg, client.Options{Scheme: scheme.Scheme})
}

// within bounds one request.
func (e *Engine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, e.opts.Call)
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
