package wanip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// detector is the reader's own detection.
type detector struct {
	takes time.Duration
	busy  atomic.Int32

	mu      sync.Mutex
	answers map[wanip.Family]string // an address; else there is no quorum
	asked   []string
	start   time.Time
}

func (d *detector) detect(ctx context.Context, f wanip.Family) (netip.Addr, error) {
	if d.busy.Add(1) > 1 {
		panic("two at a time")
	}
	defer d.busy.Add(-1)
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf("%v at %v", f, time.Since(d.start)))
	answer := d.answers[f]
	d.mu.Unlock()
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
		return netip.Addr{}, ctx.Err()
	}
	a, err := netip.ParseAddr(answer)
	if err != nil {
		return a, errors.New("no quorum")
	}
	return a, nil
}

// since returns what was asked, and begins anew.
func (d *detector) since() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := d.asked
	d.asked, d.start = nil, time.Now()
	return asked
}

func (d *detector) answer(f wanip.Family, address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = map[wanip.Family]string{f: address}
}

func TestFallbackIsAskedOnlyWhileThereIsNothingToBelieve(t *testing.T) {
	d := &detector{takes: 2 * time.Second, answers: map[wanip.Family]string{wanip.IPv4: v4.String()}}
	atSite(t, func(c *wanip.ReaderConfig) { c.Fallback = d.detect }, func(s *site) {
		d.since()
		s.fresh(v4, wanip.Finding{})
	}, func(t *testing.T, s *site) {
		s.heartbeats(20 * time.Minute)
		if asked := d.since(); len(asked) != 0 {
			t.Errorf("asked %v, while there was no need", asked)
		}
		s.remove(name)
		time.Sleep(wanip.StaleAfter - wanip.Heartbeat)
		s.expect(t, "deleted", wanip.Known, wanip.FromMemory, "there is no ConfigMap")
		time.Sleep(10 * time.Second)
		s.expect(t, "stale", wanip.Known, wanip.FromFallback, "there is no ConfigMap")
		d.since()
		time.Sleep(20 * time.Minute)
		asked := d.since()
		if len(asked) != 3 || slices.ContainsFunc(asked, func(s string) bool { return !strings.HasPrefix(s, "ipv4 ") }) {
			t.Errorf("in 20 minutes asked %v, want every five minutes, for IPv4", asked)
		}
		s.expect(t, "20 minutes later", wanip.Known, wanip.FromFallback, "there is no ConfigMap")
		d.answer(wanip.IPv4, "")
		time.Sleep(20 * time.Minute)
		s.expect(t, "without a quorum", wanip.Unknown, "", "; detecting it here failed: no quorum")
		s.fresh(v4, wanip.Finding{})
		s.expect(t, "with a ConfigMap again", wanip.Known, wanip.FromConfigMap, "")
		s.expectUntouched(t)
	})
}

// expectUntouched: a reader has nothing to do with writing.
func (s *site) expectUntouched(t *testing.T) {
	t.Helper()
	if len(s.calls) != 0 || len(s.writes) != 0 {
		t.Errorf("the reader made the requests %v", s.calls)
	}
}

func TestFallbackIsNotBelievedBlindly(t *testing.T) {
	for answer, why := range map[string]string{
		"192.168.1.1":      "detecting it here failed: 192.168.1.1 is private (RFC 1918)",
		"2a00::1":          "detecting it here failed: 2a00::1 is no IPv4 address",
		"::ffff:8.9.10.11": "mapped into IPv6",
	} {
		d := &detector{answers: map[wanip.Family]string{wanip.IPv4: answer}}
		atSite(t, func(c *wanip.ReaderConfig) { c.Fallback = d.detect }, nil, func(t *testing.T, s *site) {
			time.Sleep(time.Minute)
			s.expect(t, answer, wanip.Unknown, "", why)
		})
	}
}

func TestFallbackHasATimeLimitAndWaitsForTheFirstAnswer(t *testing.T) {
	d := &detector{takes: time.Hour}
	families := func(c *wanip.ReaderConfig) { c.Fallback, c.FallbackFamilies = d.detect, wanip.Families() }
	atSite(t, families, func(s *site) { d.since(); s.line.setDown(true) }, func(t *testing.T, s *site) {
		time.Sleep(29 * time.Second)
		if d.busy.Load() != 0 {
			t.Error("asked before the server had its time")
		}
		time.Sleep(3 * time.Minute)
		s.expect(t, "down", wanip.Unknown, "", "connection refused; detecting it here failed: context deadline exceeded")
		if got := fmt.Sprint(d.since()); got != "[ipv4 at 30s ipv6 at 1m30s]" {
			t.Errorf("asked %s", got)
		}
	})
}
