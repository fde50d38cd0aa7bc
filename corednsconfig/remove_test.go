package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// held are DNSForwardings that a controller has put its finalizer on.
func held(t *testing.T, names ...string) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme)
	for _, name := range names {
		f := &v1alpha1.DNSForwarding{}
		f.Name, f.Finalizers = name, []string{v1alpha1.Finalizer}
		f.Status.Clusters = []v1alpha1.ClusterStatus{{Name: "local/local"}}
		b = b.WithObjects(f)
	}
	return b.Build()
}

func TestRemoveWaitsUntilTheControllerLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := held(t, "one", "two", "other")
		s := streams{stdout: io.Discard, log: slog.New(slog.DiscardHandler)}
		start := time.Now()
		go func() {
			time.Sleep(30 * time.Second)
			for _, name := range []string{"one", "two"} {
				var f v1alpha1.DNSForwarding
				if err := api.Get(context.Background(), client.ObjectKey{Name: name}, &f); err != nil || f.DeletionTimestamp == nil {
					t.Errorf("%s: %v, deleted %v", name, err, f.DeletionTimestamp)
				}
				f.Finalizers = nil
				if err := api.Update(context.Background(), &f); err != nil {
					t.Error(err)
				}
			}
		}()
		if err := (removeCommand{Names: []string{"one", "two", "gone"}, Patience: time.Minute}).remove(t.Context(), api, s); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 30*time.Second {
			t.Errorf("it ended after %s, before they were gone", took)
		}
		var other v1alpha1.DNSForwarding
		if err := api.Get(t.Context(), client.ObjectKey{Name: "other"}, &other); err != nil || other.DeletionTimestamp != nil {
			t.Errorf("another one: %v, deleted %v", err, other.DeletionTimestamp)
		}
	})
}

func TestRemoveSaysWhatIsLeftWhenNobodyTakesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := streams{stdout: io.Discard, log: slog.New(slog.DiscardHandler)}
		err := (removeCommand{Names: []string{"one"}, Patience: time.Minute}).remove(t.Context(), held(t, "one"), s)
		if err == nil || !strings.Contains(err.Error(), "not taken back within 1m0s: one in 1 clusters; is the controller running?") {
			t.Error(err)
		}
	})
}
