// Package ledger_test owns the proof that the ledger of zonecontroller keeps its word on a real API server.
package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/ledger"
)

const namespace = "default"

func hosts(from, to int) []backend.Key {
	keys := make([]backend.Key, 0, to-from)
	for i := from; i < to; i++ {
		keys = append(keys, backend.Key{Name: fmt.Sprintf("host%05d.example.org", i), Type: "A"})
	}
	return keys
}

func TestLedgerOnAnAPIServer(t *testing.T) {
	t.Parallel()
	a, err := stack.ForTest(t).APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(a.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a zone", func(t *testing.T) { aZone(t, c) })
	t.Run("two leaders", func(t *testing.T) { twoLeaders(t, c) })
	t.Run("corrupt", func(t *testing.T) { corrupt(t, c) })
	t.Run("figures", func(t *testing.T) { figures(t, c) })
}

// found is what another process finds.
func found(t *testing.T, c client.Client, zone types.UID) []backend.Key {
	t.Helper()
	l := ledger.New(c, namespace)
	if err := l.Load(t.Context(), zone); err != nil {
		t.Fatal(err)
	}
	return l.Keys(zone)
}

func stored(t *testing.T, c client.Client, zone types.UID) []corev1.ConfigMap {
	t.Helper()
	var list corev1.ConfigMapList
	if err := c.List(t.Context(), &list, client.InNamespace(namespace), client.MatchingLabels{ledger.LabelZone: string(zone)}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func aZone(t *testing.T, c client.Client) {
	const zone = types.UID("6a1c7b5e-0000-4000-8000-000000000001")
	l := ledger.New(c, namespace)
	if err := l.Add(t.Context(), zone, hosts(0, 300)); err != nil {
		t.Fatal(err)
	}
	if got := found(t, c, zone); !slices.Equal(got, hosts(0, 300)) {
		t.Errorf("%d of 300 keys are found", len(got))
	}
	if err := l.Strike(t.Context(), zone, hosts(1, 300)); err != nil {
		t.Fatal(err)
	}
	if got := found(t, c, zone); !slices.Equal(got, hosts(0, 1)) {
		t.Errorf("%d keys are found, want one", len(got))
	}
	if n := len(stored(t, c, zone)); n != 16 {
		t.Errorf("%d ConfigMaps, want 16", n)
	}
	if err := l.Drop(t.Context(), zone); err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, c, zone)) + len(found(t, c, zone)); n != 0 {
		t.Errorf("%d ConfigMaps and keys are left", n)
	}
}

// twoLeaders add to one zone at the same time, and nothing of either is lost.
func twoLeaders(t *testing.T, c client.Client) {
	const zone = types.UID("6a1c7b5e-0000-4000-8000-000000000002")
	var all sync.WaitGroup
	errs := make([]error, 2)
	for n := range errs {
		all.Go(func() {
			l := ledger.New(c, namespace)
			for i := n * 200; i < (n+1)*200; i += 20 {
				errs[n] = errors.Join(errs[n], l.Add(t.Context(), zone, hosts(i, i+20)))
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := found(t, c, zone); !slices.Equal(got, hosts(0, 400)) {
		t.Errorf("%d of 400 keys are found", len(got))
	}
	old, successor := ledger.New(c, namespace), ledger.New(c, namespace)
	if err := errors.Join(old.Load(t.Context(), zone), successor.Add(t.Context(), zone, hosts(400, 500))); err != nil {
		t.Fatal(err)
	}
	var changed *ledger.Changed
	if err := old.Strike(t.Context(), zone, hosts(0, 400)); !errors.As(err, &changed) {
		t.Errorf("a strike over what a successor wrote: %v", err)
	}
	if got := found(t, c, zone); !slices.Equal(got, hosts(0, 500)) {
		t.Errorf("%d of 500 keys are found after it", len(got))
	}
}

func corrupt(t *testing.T, c client.Client) {
	const zone = types.UID("6a1c7b5e-0000-4000-8000-000000000003")
	if err := ledger.New(c, namespace).Add(t.Context(), zone, hosts(0, 300)); err != nil {
		t.Fatal(err)
	}
	cm := stored(t, c, zone)[3]
	for k, v := range cm.BinaryData {
		cm.BinaryData[k] = v[:len(v)/2]
	}
	if err := c.Update(t.Context(), &cm); err != nil {
		t.Fatal(err)
	}
	l := ledger.New(c, namespace)
	for _, err := range []error{l.Load(t.Context(), zone), l.Add(t.Context(), zone, hosts(300, 301))} {
		if err == nil || !strings.Contains(err.Error(), namespace+"/"+cm.Name) {
			t.Errorf("the error does not name ConfigMap %s: %v", cm.Name, err)
		}
	}
}

// figures are logged: how long it takes to write down and to read again.
func figures(t *testing.T, c client.Client) {
	for _, n := range []int{1, 1000, 10_000} {
		zone := types.UID(fmt.Sprintf("6a1c7b5e-0000-4000-8000-%012d", n+100))
		l := ledger.New(c, namespace)
		if err := l.Load(t.Context(), zone); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := l.Add(t.Context(), zone, hosts(0, n)); err != nil {
			t.Fatal(err)
		}
		added := time.Since(began)
		began = time.Now()
		if len(found(t, c, zone)) != n {
			t.Errorf("not all of %d keys are found", n)
		}
		loaded := time.Since(began)
		size := 0
		for _, cm := range stored(t, c, zone) {
			for _, v := range cm.BinaryData {
				size += len(v)
			}
		}
		began = time.Now()
		if err := l.Strike(t.Context(), zone, hosts(0, n)); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d keys: added in %s, loaded in %s, struck out in %s, %d bytes", n, added, loaded, time.Since(began), size)
	}
}
