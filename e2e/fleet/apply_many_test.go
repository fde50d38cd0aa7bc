package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/e2e/stack"
)

const (
	hungAt    = 117
	refusedAt = 42
	// faultyAt is in the second step, which ends with the 21st cluster.
	faultyAt   = 7
	secondStep = 21

	first, second = "10.0.0.53", "10.0.1.53" // upstreams of the rules
)

// many is a platform with corednsconfig and 200 clusters.
type many struct {
	platform *stack.APIServer
	part     *stack.Part
	clusters map[int]*served // those that answer
	took     time.Duration   // until all of them were ready; 0: they are not
}

func newMany(t *testing.T, s *stack.Stack, name, program string, bad map[int]string) *many {
	t.Helper()
	platform, err := s.APIServer(t.Context(), stack.APIServerConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if err := platform.ApplyCRDs(t.Context(), definition()); err != nil {
		t.Fatal(err)
	}
	apply(t, platform, "apiVersion: v1\nkind: Namespace\nmetadata: {name: dns}\n")
	m := &many{platform: platform, clusters: map[int]*served{}}
	var authority string
	for i := range clusters {
		if bad[i] == "" {
			c := newServed(t, fmt.Sprintf("of-%d", i), time.Second)
			m.clusters[i], authority = c, c.authority
			makeKnown(t, platform, i, c.url, c.authority)
		}
	}
	for i, at := range bad {
		makeKnown(t, platform, i, at, authority)
	}
	m.part, _ = start(t, s, "corednsconfig-"+name, program, platform.Kubeconfig, "--source=Kubeconfig", "--call=10s", "--discover=30s", "--log-level=info")
	return m
}

func (m *many) wish(t *testing.T, upstream string) {
	t.Helper()
	apply(t, m.platform, landscape("landscape", "Apply", "openmcp.cluster", upstream))
}

// await waits until the status is as it should be.
func (m *many) await(t *testing.T, want func(f *v1alpha1.DNSForwarding) error) *v1alpha1.DNSForwarding {
	t.Helper()
	var f *v1alpha1.DNSForwarding
	if err := stack.Eventually(t.Context(), 8*time.Minute, func(context.Context) error {
		time.Sleep(250 * time.Millisecond) // the status is large
		f = forwardingOf(t, m.platform, "landscape")
		return want(f)
	}); err != nil {
		t.Fatalf("%v\n%s: %+v", err, f.Status.Stage, f.Status.Summary)
	}
	return f
}

// recordOf is the record of a cluster by its number.
func recordOf(f *v1alpha1.DNSForwarding, i int) v1alpha1.ClusterStatus {
	for _, c := range f.Status.Clusters {
		if c.Name == idOf(i) {
			return c
		}
	}
	return v1alpha1.ClusterStatus{}
}

func idOf(i int) string { return fmt.Sprintf("kubeconfig/dns/c%03d", i) }

// TestTwoHundredApplied has the program bring a forward to 200 clusters in all steps, in two landscapes at the same time: in
// one all clusters are well, in the other one accepts connections and never answers, and one refuses them. Then, in the
// second, a change that one cluster does not load stops there, and goes on when somebody says so.
func TestTwoHundredApplied(t *testing.T) {
	s, program := stack.ForTest(t), build(t)
	well := newMany(t, s, "well", program, nil)
	ill := newMany(t, s, "ill", program, map[int]string{hungAt: "https://" + newListener(t).Addr().String(), refusedAt: "https://127.0.0.1:9"})
	converge(t, map[string]*many{"well": well, "ill": ill})
	t.Logf("%d clusters in three steps, 50 at a time: all well, converged within %s; one hung and one refusing, the other %d converged within %s",
		clusters, well.took.Round(100*time.Millisecond), len(ill.clusters), ill.took.Round(100*time.Millisecond))

	f := ill.await(t, func(f *v1alpha1.DNSForwarding) error {
		if recordOf(f, hungAt).State != v1alpha1.StateUnreachable || recordOf(f, refusedAt).State != v1alpha1.StateUnreachable {
			return fmt.Errorf("the hung one is %s, the other %s", recordOf(f, hungAt).State, recordOf(f, refusedAt).State)
		}
		return nil
	})
	for i, reason := range map[int]string{hungAt: "Timeout", refusedAt: "NoConnection"} {
		if c := condition(t, f, idOf(i), v1alpha1.Reachable); c.Status != metav1.ConditionFalse || c.Reason != reason {
			t.Errorf("cluster %d: %+v, want %s", i, c, reason)
		}
	}
	t.Run("a cluster that does not load it", func(t *testing.T) { stopsAndGoesOn(t, ill) })
	for name, m := range map[string]*many{"well": well, "ill": ill} {
		peak := peakOf(t, m.part)
		t.Logf("%s: peak of memory %d MiB", name, peak>>20)
		if peak > mostBytes {
			t.Errorf("%s: it took %d MiB, want at most %d", name, peak>>20, mostBytes>>20)
		}
	}
}

// converge has landscapes reach the first rules, and checks each cluster.
func converge(t *testing.T, all map[string]*many) {
	t.Helper()
	rise := time.Now()
	for _, m := range all {
		m.wish(t, first)
	}
	if err := stack.Eventually(t.Context(), 8*time.Minute, func(context.Context) error {
		time.Sleep(250 * time.Millisecond)
		for name, m := range all {
			if m.took != 0 {
				continue
			}
			f := forwardingOf(t, m.platform, "landscape")
			if int(f.Status.Summary.Ready) == len(m.clusters) {
				m.took = time.Since(rise)
				continue
			}
			return errors.Join(m.clusters[0].misused(), fmt.Errorf("%s: %s, %+v", name, f.Status.Stage, f.Status.Summary))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, m := range all {
		for i, c := range m.clusters {
			if err := c.proper(t); err != nil {
				t.Errorf("%s: cluster %d: %v", name, i, err)
			}
			if !strings.Contains(c.corefile(), "forward . "+first) {
				t.Errorf("%s: cluster %d:\n%s", name, i, c.corefile())
			}
		}
	}
}

// stopsAndGoesOn changes the rules. A cluster of the second step passes the load gate and then does not load them.
func stopsAndGoesOn(t *testing.T, m *many) {
	faulty := m.clusters[faultyAt]
	faulty.refuse(second)
	before, writes := map[int]string{}, map[int]int64{}
	for i, c := range m.clusters {
		before[i], writes[i] = c.corefile(), c.writes.Load()
	}
	began := time.Now()
	m.wish(t, second)
	f := m.await(t, func(f *v1alpha1.DNSForwarding) error {
		for i := range secondStep {
			want := v1alpha1.StateReady
			if i == faultyAt {
				want = v1alpha1.StateRolledBack
			}
			if r := recordOf(f, i); r.State != want || r.Revision != f.Status.Revision {
				return fmt.Errorf("cluster %d is %s, want %s", i, r.State, want)
			}
		}
		return nil
	})
	t.Logf("halted, and what was under way finished, within %s", time.Since(began).Round(100*time.Millisecond))
	halted := meta.FindStatusCondition(f.Status.Conditions, v1alpha1.Halted)
	if f.Status.Stage != v1alpha1.StageHalted || halted == nil || halted.Status != metav1.ConditionTrue || !strings.Contains(halted.Message, idOf(faultyAt)) {
		t.Errorf("stage %s, %+v: want it halted, and cluster %s named", f.Status.Stage, halted, idOf(faultyAt))
	}
	for i, c := range m.clusters {
		switch {
		case i < secondStep && i != faultyAt:
			if !strings.Contains(c.corefile(), "forward . "+second) {
				t.Errorf("cluster %d:\n%s", i, c.corefile())
			}
		case c.corefile() != before[i]:
			t.Errorf("cluster %d is not as it was:\n%s", i, c.corefile())
		case i != faultyAt && c.writes.Load() != writes[i]:
			t.Errorf("%d requests wrote to cluster %d, whose turn it was not", c.writes.Load()-writes[i], i)
		}
	}

	faulty.refuse("")
	text := []byte(`{"metadata":{"annotations":{"` + v1alpha1.RetryAnnotation + `":"healed"}}}`)
	if _, err := m.platform.Dynamic.Resource(forwardings()).Patch(t.Context(), "landscape", types.MergePatchType, text, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	m.await(t, func(f *v1alpha1.DNSForwarding) error {
		moved := 0
		for i, c := range m.clusters {
			if i >= secondStep && strings.Contains(c.corefile(), "forward . "+second) {
				moved++
			}
		}
		if r := recordOf(f, faultyAt); r.State != v1alpha1.StateReady || f.Status.Stage != v1alpha1.StageRest || moved == 0 {
			return fmt.Errorf("%s: cluster %d is %s, %d of the last step have the new rules", f.Status.Stage, faultyAt, r.State, moved)
		}
		return nil
	})
}
