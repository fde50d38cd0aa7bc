package charts_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// The right to read DNSZones comes with a view that takes zones from them, is the documented one, and does not come
// without.
func TestRightsFollowZonesFrom(t *testing.T) {
	rights := func(args ...string) []string {
		r := render(t, chartDir(t, "webhook"), "testdata/webhook/least.yaml", args...)
		return flat(get[rbacv1.ClusterRole](r, "ClusterRole", "dns:edge-webhook").Rules)
	}
	before := rights()
	want := append(flat(documented(t, "kubernetes.md", "spokedns-webhook-zones")), before...)
	slices.Sort(want)
	for _, from := range []string{"{}", `{"selector":{"matchLabels":{"audience":"public"}}}`} {
		if diff := cmp.Diff(want, rights("--set-json", "config.views[0].zonesFrom="+from)); diff != "" {
			t.Errorf("zonesFrom %s: want -, got +:\n%s", from, diff)
		}
	}
	if diff := cmp.Diff(before, rights("--set-json", "config.views[0].zonesFrom=null")); diff != "" {
		t.Errorf("without zonesFrom: want -, got +:\n%s", diff)
	}
}
