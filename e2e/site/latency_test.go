package site_test

import (
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// With the settings as they come: a real change, and the ConfigMap after it. One in which nothing goes wrong takes
// a canary (33 s at most, and jitter) and two rounds 4 s apart.
func TestAChangeWithTheDefaults(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	h.start(stack.IPControllerConfig{Name: "a"})
	h.publishes(first)
	h.site.Set(second)
	changed := time.Now()
	h.publishes(second)
	t.Logf("written %.1f s after the change", time.Since(changed).Seconds())
	h.onlyEver(wanip.IPv4, first, second)
}

// With a router to ask, a change is written within two seconds.
func TestAChangeWithARouter(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{Router: true})
	h.start(stack.IPControllerConfig{Name: "a"})
	h.publishes(first)
	var took []time.Duration
	for i := range 5 {
		time.Sleep(time.Duration(1100+170*i) * time.Millisecond)
		next := second
		if i%2 == 1 {
			next = first
		}
		h.site.Set(next)
		changed := time.Now()
		h.publishes(next)
		took = append(took, time.Since(changed))
	}
	t.Logf("written after %v", took)
	slices.Sort(took)
	if took[2] > 2*time.Second {
		t.Errorf("half of the changes took longer than %s, 2 s are promised", took[2])
	}
	h.onlyEver(wanip.IPv4, first, second)
}

// An hour with nothing to see, sixty times as fast: what is a second there is a minute here. The pace of the
// canaries, which follows from the operators' shares, has to be said, because shares count real hours.
func TestTheQueriesOfAnHour(t *testing.T) {
	t.Parallel()
	h := newHome(t, stack.SiteConfig{})
	h.start(stack.IPControllerConfig{Name: "a", Args: []string{
		"--canary=550ms", // 33 s
		"--audit=15s", "--confirm=100ms", "--per-operator=100000",
	}})
	h.publishes(first)
	before := h.site.Asked()
	time.Sleep(time.Minute)
	all := 0
	for k, n := range h.site.Asked() {
		n -= before[k]
		all += n
		t.Logf("%s: %d queries", h.site.Operator(k), n)
		if n > 28 {
			t.Errorf("%d queries to %s, want at most 28 in an hour", n, h.site.Operator(k))
		}
	}
	t.Logf("%d queries in all", all)
	if all > 140 || all < 70 {
		t.Errorf("%d queries, want at most 140 in an hour, and a watch that watches", all)
	}
}
