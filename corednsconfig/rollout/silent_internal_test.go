package rollout

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A cluster whose API server falls silent after the write is given up when the time to converge is over, without a word
// about its DNS; the next Apply takes it up.
func TestFallsSilentAfterTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var silent atomic.Bool
		hang := func(ctx context.Context) error {
			if silent.Load() {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		e := w.engine(Options{Notify: func(_ string, e Event) {
			if e.Reason == EventWritten {
				silent.Store(true)
			}
		}})
		reach := e.client
		e.client = func(cfg *rest.Config) (client.Client, error) {
			c, err := reach(cfg)
			if err != nil {
				return nil, err
			}
			return interceptor.NewClient(c.(client.WithWatch), interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					if err := hang(ctx); err != nil {
						return err
					}
					return c.Get(ctx, key, o, opts...)
				},
				List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
					if err := hang(ctx); err != nil {
						return err
					}
					return c.List(ctx, l, opts...)
				},
			}), nil
		}
		began := time.Now()
		r, err := e.Apply(t.Context(), w.cluster(), w.wish())
		if err != nil {
			t.Fatal(err)
		}
		expectConditions(t, r, map[string]string{Applied: "True", Loaded: "False/Timeout", Resolving: "Unknown", Degraded: "False"})
		if took := time.Since(began); took < defaultConverge || took > defaultConverge+time.Minute {
			t.Errorf("given up after %s, want some more than %s", took, defaultConverge)
		}
		if !ours(w.text()) {
			t.Error("it was taken back, although nobody knows of any harm")
		}
		w.reload() // nobody has asked CoreDNS meanwhile, and so this world has not moved
		time.Sleep(w.lag)
		silent.Store(false)
		if r, err = e.Apply(t.Context(), w.cluster(), w.wish()); err != nil {
			t.Fatal(err)
		}
		expectConditions(t, r, map[string]string{Applied: "True", Loaded: "True", Resolving: "True", Degraded: "False"})
		var memory corev1.Secret
		if err := w.api.Get(t.Context(), client.ObjectKey{Namespace: "kube-system", Name: SecretName}, &memory); err != nil {
			t.Fatal(err)
		}
		if m, err := decodeMemory(memory.Data); err != nil || m.Phase != settled {
			t.Errorf("%+v, %v: want it settled", m, err)
		}
	})
}
