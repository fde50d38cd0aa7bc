package site_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// The API server is dead for a minute, and the address changes meanwhile. Nobody ends, nobody leads for longer
// than a lease, what was known is still shown, and the change is written when the server is back.
func TestTheAPIServerIsAwayForAMinute(t *testing.T) {
	t.Parallel()
	p := shared(t)
	own := stack.ForTest(t)
	in, err := startCluster(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	h := newHomeIn(t, in, p.program, stack.SiteConfig{})
	replicas := []*stack.IPController{h.replica("a")}
	h.publishes(first)
	replicas = append(replicas, h.replica("b"))
	h.until("b follows", func() error {
		raw, err := replicas[1].Raw(h.ctx)
		if err == nil && raw.IPv4.IP != first.String() {
			err = fmt.Errorf("%+v", raw)
		}
		return err
	})
	before := h.state()

	h.api.Kill()
	died := time.Now()
	h.site.Set(second)
	h.counts(replicas[0], is(0), "spokedns_wan_ip_leader")
	t.Logf("the leader stopped to lead %.1f s after the API server died", time.Since(died).Seconds())
	for time.Since(died) < time.Minute {
		for _, r := range replicas {
			raw, err := r.Raw(h.ctx)
			if err != nil || !raw.IPv4.Usable || raw.IPv4.IP != first.String() {
				t.Fatalf("%s shows %+v, %v", r.Name, raw, err)
			}
			select {
			case <-r.Done():
				t.Fatalf("%s has ended", r.Name)
			default:
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	h.until("it says what is wrong", func() error {
		raw, err := replicas[0].Raw(h.ctx)
		if err == nil && raw.Problem == "" {
			err = fmt.Errorf("%+v", raw)
		}
		return err
	})

	h.must(h.api.Restart(h.ctx, own))
	back := time.Now()
	h.record() // the old watch has ended
	h.publishes(second)
	t.Logf("the change was written %.1f s after the API server was back", time.Since(back).Seconds())
	after := h.state()
	if after.Epoch <= before.Epoch || after.Sequence <= before.Sequence {
		t.Errorf("epoch %d after %d, sequence %d after %d", after.Epoch, before.Epoch, after.Sequence, before.Sequence)
	}
	if n := len(after.History); n != 2 || after.History[0].Addr != first || after.History[1].Addr != second {
		t.Errorf("history %+v", after.History)
	}
	for _, r := range replicas {
		h.until(r.Name+" shows it", func() error {
			raw, err := r.Raw(h.ctx)
			if err == nil && (!raw.IPv4.Usable || raw.IPv4.IP != second.String() || raw.Problem != "") {
				err = fmt.Errorf("%+v", raw)
			}
			return err
		})
		select {
		case <-r.Done():
			t.Errorf("%s has ended", r.Name)
		default:
		}
	}
	h.onlyEver(wanip.IPv4, first, second)
}

// A replica that starts while the API server is away says so, and gets on when it is back.
func TestAStartWithoutAnAPIServer(t *testing.T) {
	t.Parallel()
	p := shared(t)
	own := stack.ForTest(t)
	in, err := startCluster(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	h := newHomeIn(t, in, p.program, stack.SiteConfig{})
	h.api.Kill()
	a := h.start(stack.IPControllerConfig{Name: "a", Args: quick(), Unready: true})
	h.until("it says that it cannot", func() error {
		if a.Ready(h.ctx) == nil {
			return errorText("it says that it is ready")
		}
		raw, err := a.Raw(h.ctx)
		if err == nil && (raw.IPv4.Usable || raw.Problem == "") {
			err = fmt.Errorf("%+v", raw)
		}
		return err
	})
	h.must(h.api.Restart(h.ctx, own))
	h.publishes(first)
	h.must(stack.Eventually(h.ctx, soon, func(ctx context.Context) error { return a.Ready(ctx) }))
}
