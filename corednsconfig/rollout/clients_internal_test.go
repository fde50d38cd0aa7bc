package rollout

import (
	"net/netip"
	"testing"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

func TestWhatClientsMiss(t *testing.T) {
	addr, ok, bad := netip.MustParseAddr("10.96.0.10"), probe{OK: true}, probe{Why: "SERVFAIL"}
	for _, tt := range []struct {
		finding
		want string
	}{
		{finding{Said: "no such image"}, ""}, // says nothing about the address
		{finding{Loaded: true, Cluster: ok, Negative: bad, Forwarded: ok}, ""},
		{finding{Loaded: true, Cluster: bad, Forwarded: ok}, "10.96.0.10 does not answer the cluster's own names: SERVFAIL"},
		{finding{Loaded: true, Cluster: ok, Forwarded: bad}, "10.96.0.10 does not answer what is forwarded: SERVFAIL"},
	} {
		if got := unanswered(addr, tt.finding); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.finding, got, tt.want)
		}
	}
}

func TestAClientHandsEverythingOn(t *testing.T) {
	for _, addr := range []string{"10.96.0.10", "fd00::a", "169.254.20.10"} {
		v := &visit{d: &dialect.Dialect{}, wish: Wish{Forwards: []corefile.Forward{{Zones: []string{"openmcp.cluster"}}}}}
		v.d.Cluster.Site.Port = 1053
		c := v.clientOf(netip.MustParseAddr(addr))
		file, err := corefile.Parse(c.Corefile, c.Process)
		if err != nil {
			t.Fatalf("%s: %v\n%s", addr, err, c.Corefile)
		}
		blocks := file.Blocks()
		if len(blocks) != 1 || len(blocks[0].Keys) != 1 || canonicalZone(blocks[0].Keys[0].Zone) != "." || c.Forwarded == nil || c.Domain != fallbackDomain {
			t.Errorf("%s: %+v", addr, blocks)
		}
	}
}

func TestClientsThatFailAreToldAndForgotten(t *testing.T) {
	v := &visit{report: newReport(), memory: &memory{Unanswered: "10.96.0.10 does not answer"}}
	v.report.yes(Resolving, "Resolving", "answered")
	v.judgeClients()
	if c := v.report.Condition(Resolving); c.Reason != clientsFailing || v.report.Is(Resolving) {
		t.Fatalf("%+v", c)
	}
	v.memory.Unanswered = ""
	v.judgeClients()
	if !v.report.Is(Resolving) {
		t.Errorf("%+v", v.report.Condition(Resolving))
	}
	v.memory.Unanswered, v.wish.Gate = "as it was once", GateOff
	v.judgeClients()
	if !v.report.Is(Resolving) {
		t.Errorf("what nobody wants tried any more is held against it: %+v", v.report.Condition(Resolving))
	}
}
