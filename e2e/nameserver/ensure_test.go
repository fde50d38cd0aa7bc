package nameserver

import (
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

func TestEnsureOnBIND(t *testing.T) {
	ctx := t.Context()
	b := startBIND(t, stack.ForTest(t), stack.BINDConfig{})
	s := open(t, b, v1alpha1.Primary, startSeed(t))
	z := nameserver.ZoneConfig{Zone: "example.org", AllowTransfer: []string{"192.0.2.1", "10.0.0.0/8", "2001:db8::/32"}, AlsoNotify: []string{"127.0.0.1:1", "127.0.0.2"}}

	state, err := s.State(ctx, z.Zone)
	if err != nil || state.Is != nameserver.Absent {
		t.Fatalf("before: %+v, %v; want absent", state, err)
	}
	changed, err := s.Ensure(ctx, z, content(z.Zone, 7, 5))
	if err != nil || !changed {
		t.Fatalf("Ensure: %t, %v; want true, nil", changed, err)
	}
	if state, err = s.State(ctx, z.Zone); err != nil || state.Is != nameserver.Serving || state.SOA.Serial != 7 {
		t.Fatalf("after: %+v, %v; want serving serial 7", state, err)
	}
	if err := stack.EventuallyAnswers(ctx, time.Second, b.Addr, "host4.example.org", "A", "10.0.0.4"); err != nil {
		t.Error(err)
	}
	if changed, err = s.Ensure(ctx, z, never(t)); err != nil || changed {
		t.Errorf("Ensure again: %t, %v; want false, nil", changed, err)
	}
}
