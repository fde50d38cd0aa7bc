package fleet

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/e2e/stack"
)

// TestLeader: of two replicas one works. When it is killed the other goes on from what stands in the status.
func TestLeader(t *testing.T) {
	ctx, s, program := t.Context(), stack.ForTest(t), build(t)
	api := cluster(t, s, "platform", stock("cluster.local"))
	if err := api.ApplyCRDs(ctx, definition()); err != nil {
		t.Fatal(err)
	}
	apply(t, api, "apiVersion: v1\nkind: Namespace\nmetadata: {name: dns}\n")
	kubeconfig := rightsOf(t, program, api)
	flags := []string{"--source=Local", "--lease-duration=3s", "--renew-deadline=2s", "--retry-period=500ms"}
	first, firstURL := start(t, s, "first", program, kubeconfig, flags...)
	leads := func(url string, want float64) {
		t.Helper()
		if err := stack.Eventually(ctx, time.Minute, func(ctx context.Context) error {
			m, err := stack.Scrape(ctx, url+"/metrics")
			if err == nil && m.Sum("spokedns_corednsconfig_leader") != want {
				err = fmt.Errorf("spokedns_corednsconfig_leader is %v, want %v", m.Sum("spokedns_corednsconfig_leader"), want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	leads(firstURL, 1)
	_, secondURL := start(t, s, "second", program, kubeconfig, flags...)
	leads(secondURL, 0)
	apply(t, api, landscape("landscape", "Plan", "openmcp.cluster", "10.0.0.53"))
	await(t, api, "landscape", map[string]v1alpha1.State{"local": v1alpha1.StatePlanned})

	killed := time.Now()
	first.Kill()
	leads(secondURL, 1)
	apply(t, api, landscape("another", "Plan", "other.example", "10.0.0.53"))
	await(t, api, "another", map[string]v1alpha1.State{"local": v1alpha1.StatePlanned})
	await(t, api, "landscape", map[string]v1alpha1.State{"local": v1alpha1.StatePlanned})
	t.Logf("%s after the leader was killed the other had planned for what is new", time.Since(killed).Round(100*time.Millisecond))
	m, err := stack.Scrape(ctx, secondURL+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if n := m.Sum("spokedns_corednsconfig_clusters"); n != 2 {
		t.Errorf("spokedns_corednsconfig_clusters adds up to %v, want one cluster for each of two DNSForwardings", n)
	}
}
