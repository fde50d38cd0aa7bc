package wanip_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

func TestAfterKeepsWhatTheReportDoesNotSay(t *testing.T) {
	old := example().IPv6
	at := noon.Add(time.Minute + 123456789)
	rounded := noon.Add(time.Minute + 123*time.Millisecond)
	report := func(change func(*wanip.Report)) wanip.Report {
		r := wanip.Report{Family: wanip.IPv6, At: at, Status: wanip.Verified, Addr: old.Addr}
		change(&r)
		return r
	}
	other, net := netip.MustParseAddr("2a02::1"), netip.MustParsePrefix("2a02::/48")
	for label, row := range map[string]struct {
		report wanip.Report
		want   func(*wanip.Finding)
	}{
		"a canary": {report(func(*wanip.Report) {}), func(f *wanip.Finding) { f.Status, f.DetectedAt = wanip.Verified, rounded }},
		"a quorum": {report(func(r *wanip.Report) { r.Quorum = true }), func(f *wanip.Finding) {
			f.Status, f.DetectedAt, f.VerifiedAt = wanip.Verified, rounded, rounded
		}},
		"another address": {report(func(r *wanip.Report) { r.Quorum, r.Addr = true, other }), func(f *wanip.Finding) {
			f.Status, f.Addr, f.DetectedAt, f.VerifiedAt, f.ChangedAt, f.Prefix = wanip.Verified, other, rounded, rounded, rounded, netip.Prefix{}
		}},
		"a static one": {
			report(func(r *wanip.Report) { r.Status, r.Addr, r.Prefix, r.Mode = wanip.Static, other, net, wanip.ModeStatic }),
			func(f *wanip.Finding) {
				f.Status, f.Addr, f.DetectedAt, f.VerifiedAt, f.ChangedAt = wanip.Static, other, rounded, rounded, rounded
				f.Prefix, f.Mode = net, wanip.ModeStatic
			},
		},
		"no quorum": {report(func(r *wanip.Report) {
			r.Status, r.Addr = wanip.Ambiguous, netip.Addr{}
			r.Votes = wanip.Votes{Agree: 2, Asked: 5, Sources: []wanip.Source{{Name: "a\xff", Operator: "b", Error: strings.Repeat("é", 200)}}}
		}), func(f *wanip.Finding) {
			f.Status = wanip.Ambiguous
			f.Votes = wanip.Votes{Agree: 2, Asked: 5, Sources: []wanip.Source{{Name: "a?", Operator: "b", Error: strings.Repeat("é", 100)}}}
		}},
	} {
		want := old
		row.want(&want)
		got, err := old.After(row.report)
		if diff := cmp.Diff(want, got, equal()); err != nil || diff != "" {
			t.Errorf("%s: %v %s", label, err, diff)
		}
	}
}

func TestNextLosesNothing(t *testing.T) {
	base := example()
	leader := wanip.Leader{Holder: "b", Epoch: 5}
	none := wanip.Finding{Status: wanip.Holding}
	// A leader that knows nothing yet.
	got := wanip.Next(base, map[wanip.Family]wanip.Finding{wanip.IPv4: none, wanip.IPv6: none}, true, leader, noon.Add(time.Hour))
	want := base
	want.Leader, want.Sequence, want.WrittenAt, want.IPv4.Status = leader, 8, noon.Add(time.Hour), wanip.Holding
	if diff := cmp.Diff(want, got, equal()); diff != "" {
		t.Error(diff)
	}
	// The history is the last of it.
	found := base.IPv4
	for i := range 40 {
		found.Addr = netip.AddrFrom4([4]byte{8, 8, 8, byte(i)})
		got = wanip.Next(got, map[wanip.Family]wanip.Finding{wanip.IPv4: found}, true, leader, noon)
		if last := got.History[len(got.History)-1]; last.Addr != found.Addr || last.Sequence != got.Sequence {
			t.Fatalf("after change %d the last is %+v", i, last)
		}
	}
	if len(got.History) != wanip.HistoryLength || got.History[0].Addr.String() != "8.8.8.8" {
		t.Errorf("%d changes from %v", len(got.History), got.History[0])
	}
	// One base, two futures: they share nothing.
	base.History = append(make([]wanip.Change, 0, 8), base.History...)
	found.Addr = netip.MustParseAddr("9.9.9.9")
	one := wanip.Next(base, map[wanip.Family]wanip.Finding{wanip.IPv4: found}, true, leader, noon)
	found.Addr = netip.MustParseAddr("1.1.1.1")
	two := wanip.Next(base, map[wanip.Family]wanip.Finding{wanip.IPv4: found}, true, leader, noon)
	if one.History[2].Addr.String() != "9.9.9.9" || two.History[2].Addr.String() != "1.1.1.1" || len(base.History) != 2 {
		t.Error("the histories share memory")
	}
}

func TestDueSaysWhy(t *testing.T) {
	for want, change := range map[string]func(stored, next *wanip.State){
		"": func(_, next *wanip.State) {
			next.Sequence, next.WrittenAt = 8, noon.Add(time.Hour)
			next.IPv4.DetectedAt = next.IPv4.DetectedAt.Add(wanip.Heartbeat - 1)
			next.IPv4.VerifiedAt, next.IPv4.Votes = noon.Add(time.Hour), wanip.Votes{}
			next.IPv6.DetectedAt = next.IPv6.DetectedAt.Add(-wanip.Skew)
		},
		"claim":  func(_, next *wanip.State) { next.Epoch++ },
		"repair": func(stored, _ *wanip.State) { stored.IPv6 = wanip.Finding{Problem: "garbage"} },
		"address": func(_, next *wanip.State) {
			next.IPv6.Addr, next.IPv6.Status = netip.MustParseAddr("2a00:1450:1:2::54"), wanip.Verified
		},
		"status":    func(_, next *wanip.State) { next.IPv4.Status = wanip.Ambiguous },
		"mode":      func(_, next *wanip.State) { next.IPv6.Mode = wanip.ModeEcho },
		"heartbeat": func(_, next *wanip.State) { next.IPv6.DetectedAt = next.IPv6.DetectedAt.Add(wanip.Heartbeat) },
		"cgnat":     func(_, next *wanip.State) { next.BehindCGNAT = false },
	} {
		stored, next := example(), example()
		change(&stored, &next)
		if got := wanip.Due(stored, next); got != want {
			t.Errorf("Due = %q, want %q", got, want)
		}
	}
	stored, next := example(), example()
	stored.IPv4.DetectedAt = noon.Add(time.Hour) // by a clock that was wrong
	if got := wanip.Due(stored, next); got != "heartbeat" {
		t.Errorf("Due = %q after a time in the future", got)
	}
	stored, next = example(), example()
	next.IPv6.Prefix = netip.MustParsePrefix("2a00:1450:1::/48")
	if got := wanip.Due(stored, next); got != "mode" {
		t.Errorf("Due = %q with another prefix", got)
	}
}

// While there is no quorum, who says what is written when it changes; while there is one, with the next heartbeat.
func TestVotesAreDueWithoutAQuorum(t *testing.T) {
	votes := func(addr string, rtt time.Duration, why string) wanip.Votes {
		s := wanip.Source{Name: "op0", Operator: "op0", RTT: rtt, Error: why}
		if addr != "" {
			s.Addr = netip.MustParseAddr(addr)
		}
		return wanip.Votes{Agree: 1, Asked: 5, Sources: []wanip.Source{s}}
	}
	for name, c := range map[string]struct {
		status      wanip.Status
		stored, now wanip.Votes
		want        string
	}{
		"the first":          {wanip.Holding, wanip.Votes{}, votes("", 0, "throttled"), "votes"},
		"another answer":     {wanip.Ambiguous, votes("1.2.3.4", 1, ""), votes("8.8.8.8", 1, ""), "votes"},
		"no answer any more": {wanip.Holding, votes("1.2.3.4", 1, ""), votes("", 0, "timeout"), "votes"},
		"just slower":        {wanip.Holding, votes("1.2.3.4", 1, ""), votes("1.2.3.4", 2, ""), ""},
		"another excuse":     {wanip.Holding, votes("", 1, "port 1"), votes("", 2, "port 2"), ""},
		"with a quorum":      {wanip.Verified, votes("1.2.3.4", 1, ""), votes("8.8.8.8", 1, ""), ""},
	} {
		stored, next := example(), example()
		stored.IPv4.Status, next.IPv4.Status = c.status, c.status
		stored.IPv4.Votes, next.IPv4.Votes = c.stored, c.now
		if got := wanip.Due(stored, next); got != c.want {
			t.Errorf("%s: Due = %q, want %q", name, got, c.want)
		}
	}
}
