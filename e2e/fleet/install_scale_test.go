package fleet

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/install"
)

// TestFiftyInstallAtOnce: as many as the controller works on at a time, by default, are installed together, each in a
// namespace of its own of one API server, within the memory that all of it may take.
func TestFiftyInstallAtOnce(t *testing.T) {
	b := newBench(t)
	const atOnce = 50
	ended := make(chan struct{})
	var peak uint64
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse+m.StackInuse)
			}
		}
	})
	began := time.Now()
	var all sync.WaitGroup
	for i := range atOnce {
		w := wished(t, "west")
		w.Namespace, w.Secrets = fmt.Sprintf("external-dns-%02d", i), []v1alpha1.SecretCopy{{Source: "etcd-of-spokes", Target: "etcd"}}
		all.Go(func() {
			for _, want := range []install.Step{install.DoNothing, install.Install} { // the namespace first
				r, err := b.engine.Step(t.Context(), install.Cluster{Name: w.Namespace, Config: b.api.Config}, w)
				if err != nil || r.State != install.Installing || r.Did != want {
					t.Errorf("%s: %+v, %v", w.Namespace, r, err)
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	close(ended)
	watch.Wait()
	t.Logf("%d installed at once within %s; peak of memory %d MiB", atOnce, took.Round(100*time.Millisecond), peak>>20)
	if peak > mostBytes {
		t.Errorf("it took %d MiB, want at most %d", peak>>20, mostBytes>>20)
	}
}
