package wanip_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

const name = wanip.DefaultName

func writer(a *apiServer, epoch int64, families ...wanip.Family) *wanip.Writer {
	if len(families) == 0 {
		families = wanip.Families()
	}
	holder := string(rune('a' + epoch))
	return wanip.NewWriter(wanip.WriterConfig{
		ConfigMaps: a, Leader: wanip.Leader{Holder: holder, Node: "node-" + holder, Epoch: epoch},
		Families: families, Logger: slog.New(slog.DiscardHandler),
	})
}

// claimed is a Writer that has claimed.
func claimed(t *testing.T, a *apiServer, epoch int64, families ...wanip.Family) *wanip.Writer {
	t.Helper()
	w := writer(a, epoch, families...)
	if _, err := w.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func quorum(a netip.Addr) wanip.Report {
	return wanip.Report{Family: wanip.FamilyOf(a), At: time.Now(), Status: wanip.Verified, Addr: a, Quorum: true}
}

func canary(a netip.Addr) wanip.Report {
	r := quorum(a)
	r.Quorum = false
	return r
}

func write(t *testing.T, w *wanip.Writer, reports ...wanip.Report) []wanip.Change {
	t.Helper()
	changes, err := w.Write(t.Context(), reports...)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// stands is what is stored, which has to be sound.
func stands(t *testing.T, a *apiServer) wanip.State {
	t.Helper()
	s, err := wanip.Decode(a.stored(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clocked runs a test on a clock of its own.
func clocked(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestFirstLeaderCreatesAndWrites(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		w := writer(a, 0, wanip.IPv4)
		if _, err := w.Write(t.Context(), quorum(v4)); err == nil || len(a.calls) != 0 {
			t.Errorf("before a claim: %v, %v", err, a.calls)
		}
		before, err := w.Claim(t.Context())
		if err != nil || before.Sequence != 0 {
			t.Fatalf("Claim = %+v, %v", before, err)
		}
		s := stands(t, a)
		if s.Holder != "a" || s.IPv4.Status != wanip.Holding || s.IPv6.Managed() || s.Sequence != 1 {
			t.Errorf("after the claim there is %+v", s)
		}
		changes := write(t, w, quorum(v4))
		if len(changes) != 1 || changes[0].Addr != v4 || changes[0].Sequence != 2 {
			t.Errorf("the changes are %+v", changes)
		}
		if r4, r6 := stands(t, a).At(time.Now()); r4.Addr != v4 || r6.Kind != wanip.Absent {
			t.Errorf("IPv4 is %v, IPv6 %v", r4, r6)
		}
		if again := write(t, w, quorum(v4)); len(again) != 0 || len(a.writes) != 2 {
			t.Errorf("the same again: %v and %d writes", again, len(a.writes))
		}
	})
}

func TestOnlyHeartbeatsAreWrittenWhileNothingChanges(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		w := claimed(t, a, 0)
		write(t, w, quorum(v4), quorum(v6))
		a.writes = nil
		for range 120 { // an hour of canaries
			time.Sleep(30 * time.Second)
			write(t, w, canary(v4), canary(v6))
			s := stands(t, a)
			if age := time.Since(s.IPv4.DetectedAt); age >= wanip.Heartbeat {
				t.Fatalf("what stands there is %v old", age)
			}
		}
		if len(a.writes) != 24 {
			t.Errorf("%d writes in an hour, want 24", len(a.writes))
		}
		if s := stands(t, a); s.Sequence != 26 || len(s.History) != 2 || time.Since(s.IPv4.VerifiedAt) != time.Hour {
			t.Errorf("after an hour there is %+v", s)
		}
	})
}

func TestNoReportBlanksAnAddress(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		w := claimed(t, a, 0, wanip.IPv4)
		write(t, w, quorum(v4))
		for _, status := range []wanip.Status{wanip.Holding, wanip.Ambiguous, wanip.Holding} {
			time.Sleep(time.Minute)
			write(t, w, wanip.Report{Family: wanip.IPv4, At: time.Now(), Status: status})
			if s := stands(t, a); s.IPv4.Addr != v4 || s.IPv4.Status != status || time.Since(s.IPv4.DetectedAt) < time.Minute {
				t.Errorf("%s: %+v", status, s.IPv4)
			}
		}
		for want, r := range map[string]wanip.Report{
			"has no address":      {Family: wanip.IPv4, Status: wanip.Verified, Quorum: true},
			"and has no quorum":   canary(netip.MustParseAddr("9.9.9.9")),
			"is private":          quorum(netip.MustParseAddr("10.0.0.1")),
			"is no IPv4 address":  {Family: wanip.IPv4, At: time.Now(), Status: wanip.Verified, Addr: v6, Quorum: true},
			"has the address":     {Family: wanip.IPv4, At: time.Now(), Status: wanip.Holding, Addr: v4},
			`ipv4_status: "Good"`: {Family: wanip.IPv4, At: time.Now(), Status: "Good", Addr: v4},
			"ipv4_status is":      {Family: wanip.IPv4, At: time.Now()},
			"is not managed":      quorum(v6),
			"detected_at is miss": {Family: wanip.IPv4, Status: wanip.Static, Addr: v4},
		} {
			if _, err := w.Write(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
				// Which of several missing times is named is left to chance.
				if want != "detected_at is miss" || err == nil || !strings.Contains(err.Error(), "is missing") {
					t.Errorf("a report that %q: %v", want, err)
				}
			}
		}
		if s := stands(t, a); s.IPv4.Addr != v4 || s.IPv4.Status != wanip.Holding || len(s.History) != 1 {
			t.Errorf("after refused reports there is %+v", s)
		}
	})
}

func TestLeaderGoesOnFromTheOneBefore(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		old := claimed(t, a, 3)
		write(t, old, quorum(v4), quorum(v6))
		old.SetBehindCGNAT(true)
		write(t, old)
		a.edit(name, func(cm *corev1.ConfigMap) { cm.Labels, cm.Data["note"] = map[string]string{"x": "y"}, "foreign" })

		w := writer(a, 4)
		before, err := w.Claim(t.Context())
		if err != nil || before.IPv4.Addr != v4 || before.Node != "node-d" {
			t.Fatalf("Claim = %+v, %v", before, err)
		}
		s := stands(t, a)
		if s.Epoch != 4 || s.Node != "node-e" || s.IPv4.Addr != v4 || s.IPv6.Addr != v6 || !s.BehindCGNAT || len(s.History) != 2 {
			t.Errorf("after the claim there is %+v", s)
		}
		if cm := a.stored(name); cm.Data["note"] != "foreign" || cm.Labels["x"] != "y" {
			t.Errorf("what others had written is gone: %+v", cm)
		}
		// The new leader finds nothing: the addresses stay.
		write(t, w, wanip.Report{Family: wanip.IPv4, At: time.Now(), Status: wanip.Holding})
		if s := stands(t, a); s.IPv4.Addr != v4 || s.IPv4.Status != wanip.Holding {
			t.Errorf("held, it is %+v", s.IPv4)
		}
		// The old one comes back from a partition.
		writes := len(a.writes)
		_, err = old.Write(t.Context(), quorum(netip.MustParseAddr("9.9.9.9")))
		var fenced *wanip.FencedError
		if !errors.As(err, &fenced) || fenced.Stored.Epoch != 4 || fenced.Own.Epoch != 3 {
			t.Errorf("the old leader gets %v", err)
		}
		calls := len(a.calls)
		if _, err := old.Write(t.Context()); !errors.As(err, &fenced) || len(a.calls) != calls {
			t.Errorf("and then %v, with %d more requests", err, len(a.calls)-calls)
		}
		if err := old.Check(t.Context()); !errors.As(err, &fenced) {
			t.Errorf("and its check %v", err)
		}
		if len(a.writes) != writes {
			t.Error("the old leader has written")
		}
		if _, err := writer(a, 3).Claim(t.Context()); !errors.As(err, &fenced) {
			t.Errorf("a late claim of the old epoch: %v", err)
		}
		if want := "deposed: e on node-e has written with epoch 4, and this is d with epoch 3"; !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	})
}

func TestTwoLeadersOfOneEpochBecomeOne(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		first := claimed(t, a, 1)
		second := wanip.NewWriter(wanip.WriterConfig{
			ConfigMaps: a, Leader: wanip.Leader{Holder: "other", Epoch: 1}, Families: wanip.Families(), Logger: slog.New(slog.DiscardHandler),
		})
		if _, err := second.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		var fenced *wanip.FencedError
		if _, err := first.Write(t.Context(), quorum(v4)); !errors.As(err, &fenced) {
			t.Errorf("the first gets %v", err)
		}
		write(t, second, quorum(v4))
	})
}

func TestFamilyNoLongerConfiguredBecomesUnmanaged(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		write(t, claimed(t, a, 0), quorum(v4), quorum(v6))
		claimed(t, a, 1, wanip.IPv4)
		if s := stands(t, a); s.IPv6.Managed() || s.IPv4.Addr != v4 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWriteSurvivesWhatTheServerDoes(t *testing.T) {
	next := netip.MustParseAddr("9.9.9.9")
	for label, row := range map[string]struct {
		faults []fault
		fails  bool // the call whose faults they are; the one after never does
		writes int  // that reached the server
	}{
		"nothing":                        {nil, false, 1},
		"overtaken":                      {[]fault{overtook}, false, 1},
		"overtaken again and again":      {[]fault{overtook, none, overtook, none, overtook, none, overtook, none, overtook}, false, 1},
		"overtaken once too often":       {[]fault{overtook, none, overtook, none, overtook, none, overtook, none, overtook, none, overtook}, true, 1},
		"refused":                        {[]fault{refused}, true, 1},
		"no reply":                       {[]fault{hangs}, true, 1},
		"a lost reply":                   {[]fault{lost}, true, 1},
		"overtaken, then unreadable":     {[]fault{overtook, refused}, true, 1},
		"overtaken, then the reply lost": {[]fault{overtook, none, lost}, true, 1},
	} {
		t.Run(label, func(t *testing.T) {
			clocked(t, func(t *testing.T) {
				a := newAPIServer()
				w := claimed(t, a, 0, wanip.IPv4)
				write(t, w, quorum(v4))
				a.writes, a.faults = nil, row.faults
				changes, err := w.Write(t.Context(), quorum(next))
				if (err != nil) != row.fails {
					t.Fatalf("Write = %v", err)
				}
				if err != nil {
					changes = write(t, w)
				}
				if len(changes) != 1 || changes[0].Addr != next {
					t.Errorf("the changes are %+v", changes)
				}
				s := stands(t, a)
				if s.IPv4.Addr != next || s.Sequence != 3 || len(s.History) != 2 || len(a.writes) != row.writes {
					t.Errorf("after %d writes there is %+v", len(a.writes), s)
				}
				if more := write(t, w); len(more) != 0 || len(a.writes) != row.writes {
					t.Errorf("nothing is left to write, and yet %v and %d writes", more, len(a.writes))
				}
			})
		})
	}
}

func TestClaimSurvivesALostReply(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		write(t, claimed(t, a, 0), quorum(v4), quorum(v6))
		w := writer(a, 1)
		a.faults = []fault{none, lost}
		if _, err := w.Claim(t.Context()); err == nil {
			t.Fatal("the reply was not lost")
		}
		before, err := w.Claim(t.Context())
		if err != nil || before.Node != "node-a" || before.IPv4.Addr != v4 {
			t.Errorf("Claim = %+v, %v; want what the leader before left", before, err)
		}
		if s := stands(t, a); s.Sequence != 3 || s.Epoch != 1 {
			t.Errorf("there is %+v", s)
		}
	})
}

func TestClaimOfAMissingConfigMapSurvivesALostReply(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		w := writer(a, 1)
		a.faults = []fault{none, lost}
		_, first := w.Claim(t.Context())
		before, err := w.Claim(t.Context())
		if first == nil || err != nil || before.Sequence != 0 || stands(t, a).Sequence != 1 {
			t.Errorf("Claim = %v, then %+v, %v", first, before, err)
		}
	})
}

func TestClaimOfWhatAnotherHasJustCreated(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		a.faults = []fault{none, overtook}
		claimed(t, a, 1)
		if cm := a.stored(name); cm.UID != "foreign" || stands(t, a).Holder != "b" {
			t.Errorf("there is %+v", cm)
		}
	})
}

func TestConflictsEndWithTheContext(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := newAPIServer()
		w := claimed(t, a, 0, wanip.IPv4)
		a.faults = []fault{overtook, none, overtook, none, overtook}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		if _, err := w.Write(ctx, quorum(v4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
	})
}

func TestWriteWithoutANamespaceSaysSo(t *testing.T) {
	clocked(t, func(t *testing.T) {
		a := &nowhere{apiServer: newAPIServer()}
		w := wanip.NewWriter(wanip.WriterConfig{ConfigMaps: a, Leader: wanip.Leader{Holder: "a"}, Logger: slog.New(slog.DiscardHandler)})
		if _, err := w.Claim(t.Context()); !apierrors.IsNotFound(err) || a.creates != 1 {
			t.Errorf("Claim = %v after %d attempts", err, a.creates)
		}
	})
}
