package detect_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// Every report of a day full of trouble is one the contract takes, and what the contract keeps of them is the
// address that the Detector has.
func TestReportsAreWhatTheContractTakes(t *testing.T) {
	w, ops := newWorld(5)
	w.failing = 0.05
	ops[3].says = always(there4)
	p := plan(ops)
	p.Router = w.router(always("100.64.1.1"))
	run(t, w, p, detect.Start{}, func(*detect.Detector) {
		time.Sleep(time.Hour)
		w.cutOff(true)
		time.Sleep(time.Hour)
		w.cutOff(false)
		w.set("5.9.10.11")
		time.Sleep(time.Hour)
	})
	var f wanip.Finding
	quorums := 0
	for _, r := range w.reports {
		out := r.WAN()
		next, err := f.After(out)
		if err != nil {
			t.Fatalf("%s: %v: %+v", r.At, err, out)
		}
		f = next
		if f.Addr != r.Addr || f.Status != r.Status {
			t.Fatalf("%s: the contract keeps %v (%s), the report says %v (%s)", r.At, f.Addr, f.Status, r.Addr, r.Status)
		}
		if out.Quorum {
			quorums++
			if len(out.Votes.Sources) < 4 || out.Votes.Asked < 4 || out.Votes.Agree < 3 {
				t.Errorf("%s: votes %+v", r.At, out.Votes)
			}
		}
	}
	if f.Addr != addr("5.9.10.11") || quorums < 5 || !w.last().Behind(detect.BehindCGNAT) || w.last().Behind(detect.BehindProxy) {
		t.Errorf("in the end %+v after %d quorums, %v", f, quorums, w.last().Findings)
	}
}

func TestTheFallbackOfAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, ops := newWorld(5)
		ask := detect.Fallback(detect.New(plan(ops), nil))
		if a, err := ask(t.Context(), detect.IPv4); err != nil || a != addr(here4) {
			t.Errorf("got %v, %v", a, err)
		}
		if a, err := ask(t.Context(), detect.IPv6); err == nil || a.IsValid() {
			t.Errorf("a family nobody detects: %v, %v", a, err)
		}
		for _, f := range ops[:2] {
			f.says = always(there4)
		}
		if a, err := ask(t.Context(), detect.IPv4); err == nil || a.IsValid() {
			t.Errorf("two conspire: %v, %v", a, err)
		}
	})
}

func TestThePrefixIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := detect.Config{}
		c.IPv4.Mode = detect.ModeOff
		c.IPv6 = detect.FamilyConfig{Mode: detect.ModePrefix, HostID: "::53", PrefixBits: 60}
		plans, err := c.Plans(nil)
		if err != nil || len(plans) != 1 || len(plans[0].Sources) != 5 {
			t.Fatal(plans, err)
		}
		p := plans[0]
		// Five machines of one network, as it were: temporary addresses of the same prefix agree.
		for i, s := range p.Sources {
			seen := netip.MustParsePrefix("2606:2800:21f:cb00::/60").Addr().As16()
			seen[15] = byte(i + 1)
			p.Sources[i] = &detect.HostID{Source: &detect.Static{ID: s.Identity(), Addr: netip.AddrFrom16(seen)}, Bits: 60, Host: addr("::53")}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var last wanip.Report
		go detect.New(p, nil).Run(ctx, detect.Start{}, func(r detect.Report) { last = r.WAN() })
		time.Sleep(6 * time.Second)
		cancel()
		synctest.Wait()
		if last.Status != wanip.Verified || last.Addr != addr("2606:2800:21f:cb00::53") || last.Mode != wanip.ModePrefixHostID || last.Prefix.String() != "2606:2800:21f:cb00::/60" {
			t.Errorf("got %+v", last)
		}
	})
}
