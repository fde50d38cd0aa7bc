package site_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// left writes the ConfigMap as a leader with another clock would have left it.
func (h *home) left(at time.Time, epoch int64) {
	h.Helper()
	found := wanip.Finding{Status: wanip.Verified, Addr: first, DetectedAt: at, VerifiedAt: at, ChangedAt: at}
	cm, err := wanip.Encode(wanip.State{
		IPv4: found, WrittenAt: at, Sequence: 70, Leader: wanip.Leader{Holder: "gone", Node: "node-of-gone", Epoch: epoch},
		History: []wanip.Change{{Sequence: 60, At: at, Family: wanip.IPv4, Addr: third}, {Sequence: 65, At: at, Family: wanip.IPv4, Addr: first}},
	})
	h.must(err)
	cm.Name, cm.Namespace = wanip.DefaultName, h.ns
	_, err = h.client.CoreV1().ConfigMaps(h.ns).Create(h.ctx, cm, metav1.CreateOptions{})
	h.must(err)
}

// The clock of the leader before was wrong, by a lot: its address and its past are gone on from, its times are not,
// and an epoch above that of the Lease does not keep a new leader out.
func TestAClockWasWrong(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"ahead": 48 * time.Hour, "behind": -40 * 365 * 24 * time.Hour, "right": 0} {
		for _, moved := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, moved %t", name, moved), func(t *testing.T) {
				t.Parallel()
				h := newHome(t, stack.SiteConfig{})
				h.left(time.Now().Add(off), 40)
				now := first
				if moved {
					now = second
					h.site.Set(now)
				}
				began := time.Now().Add(-time.Second)
				a := h.replica("a")
				h.writtenBy("a")
				h.publishes(now)
				h.until("new times", func() error {
					s := h.state()
					if d := s.IPv4.DetectedAt; d.Before(began) || d.After(time.Now().Add(time.Second)) {
						return fmt.Errorf("detected at %s", d)
					}
					return nil
				})
				s := h.state()
				want := []wanip.Change{{Sequence: 60, Addr: third}, {Sequence: 65, Addr: first}}
				if moved {
					want = append(want, wanip.Change{Sequence: s.Sequence, Addr: second})
				}
				for i, c := range s.History {
					if len(s.History) != len(want) || c.Addr != want[i].Addr || i < 2 && c.Sequence != want[i].Sequence {
						t.Errorf("history %+v", s.History)
					}
				}
				if s.Sequence <= 70 || s.Epoch <= 40 {
					t.Errorf("sequence %d after 70, epoch %d after 40", s.Sequence, s.Epoch)
				}
				h.until("/raw", func() error {
					raw, err := a.Raw(h.ctx)
					if err == nil && (!raw.IPv4.Usable || raw.IPv4.IP != now.String() || raw.IPv4.Age < 0 || raw.IPv4.Age > 60) {
						err = fmt.Errorf("%+v", raw)
					}
					return err
				})
				h.onlyEver(wanip.IPv4, first, now)
			})
		}
	}
}

// The leader's machine stands still for as long as the Lease lasts and longer, as a frozen virtual machine does, and
// goes on as if nothing had been: what it wants to write then is fenced off.
func TestALeaderIsFrozen(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	a := h.replica("a")
	h.publishes(first)
	b := h.replica("b")
	h.must(a.Signal(syscall.SIGSTOP))
	h.site.Set(second)
	h.writtenBy("b")
	h.publishes(second)
	taken := h.state()
	h.site.Set(third) // it wakes up into a change, which it will want to write
	h.must(a.Signal(syscall.SIGCONT))
	h.publishes(third)
	h.counts(a, is(0), "spokedns_wan_ip_leader")
	h.until("a follows", func() error {
		raw, err := a.Raw(h.ctx)
		if err == nil && (raw.Leader != "b" || raw.IPv4.IP != third.String()) {
			err = fmt.Errorf("%+v", raw)
		}
		return err
	})
	if leading, err := b.Leading(h.ctx); !leading || err != nil {
		t.Errorf("b leads: %t, %v", leading, err)
	}
	after := false
	for _, cm := range h.seen() {
		s, err := wanip.Decode(cm)
		if err != nil {
			t.Errorf("%v", err)
		}
		after = after || s.Holder == "b"
		if after && (s.Holder != "b" || s.Epoch != taken.Epoch) {
			t.Errorf("%s has written with epoch %d, after b's %d", s.Holder, s.Epoch, taken.Epoch)
		}
	}
	h.onlyEver(wanip.IPv4, first, second, third)
}
