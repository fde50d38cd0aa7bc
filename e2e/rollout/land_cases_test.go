package rollout

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coredns/corefile-migration/migration"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/rollout"
	"github.com/spokedns/spokedns/e2e/stack"
)

// TestLand goes through the life of a cluster: others write, restart, migrate and revert beside us.
func TestLand(t *testing.T) {
	l := newLand(t)
	t.Run("what is wished is written, loaded and resolves", l.appliesAndRemoves)
	t.Run("upstreams that are away lead to no edit", l.outage)
	t.Run("CoreDNS started again runs the same", l.startedAgain)
	t.Run("a roll-out that was cut off is taken up", l.takenUp)
	t.Run("a migration that drops comments leads to no second block", l.migrated)
	t.Run("an owner who keeps reverting is given way", l.reverted)
	t.Run("the load gate has a CoreDNS of ours where pods cannot run", l.processGate)
	t.Run("the original is back in the end", l.removed)
}

func (l *land) appliesAndRemoves(t *testing.T) {
	e := l.engine(t, rollout.Options{})
	r := l.apply(t, e, l.wish())
	t.Log(show(r))
	want(t, r, good())
	if r.Converged == 0 || r.LoadedReplicas != 1 || !strings.HasPrefix(r.Hash, "sha512:") {
		t.Error("want one replica loaded, with a hash and a time")
	}
	if r = l.apply(t, e, l.wish()); r.Changed {
		t.Error("the second Apply changed something")
	}
	want(t, r, good())
	r, err := e.Remove(t.Context(), l.cluster())
	if err != nil {
		t.Fatal(err)
	}
	want(t, r, map[string]string{rollout.Applied: "False/Removed", rollout.Loaded: "True", rollout.Degraded: "False"})
	if got := l.corefile(t); got != l.original {
		t.Errorf("want the original, got\n%s", got)
	}
	if _, err := l.api.CoreV1().Secrets("kube-system").Get(t.Context(), rollout.SecretName, metav1.GetOptions{}); err == nil {
		t.Error("the memory is still there")
	}
}

func (l *land) outage(t *testing.T) {
	e := l.engine(t, rollout.Options{})
	want(t, l.apply(t, e, l.wish()), good())
	before := l.corefile(t)
	l.upstream.stop()
	// What is cached outlives the upstream; a name that was not asked for does not.
	w := l.wish()
	w.Probe = []string{"other.w1." + baseDomain}
	r, err := e.Check(t.Context(), l.cluster(), w)
	if err != nil {
		t.Fatal(err)
	}
	want(t, r, map[string]string{rollout.Resolving: "False/UpstreamsFailing", rollout.Degraded: "False", rollout.Applied: "True", rollout.Loaded: "True"})
	if r = l.apply(t, e, w); r.Changed || r.RolledBack != "" || l.corefile(t) != before {
		t.Errorf("the outage led to an edit: %s", show(r))
	}
	l.upstream = startUpstream(l.t, l.upstream.addr, map[string]string{"app.w1." + baseDomain: "172.18.201.1", "other.w1." + baseDomain: "172.18.201.2"})
	err = stack.Eventually(t.Context(), 30*time.Second, func(ctx context.Context) error {
		r, err := e.Check(ctx, l.cluster(), w)
		if err == nil && !r.Is(rollout.Resolving) {
			err = errors.New(r.Condition(rollout.Resolving).Message)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (l *land) startedAgain(t *testing.T) {
	e := l.engine(t, rollout.Options{})
	want(t, l.apply(t, e, l.wish()), good())
	l.end() // a crash: the same pod, another process, and no reload since
	err := stack.Eventually(t.Context(), 30*time.Second, func(ctx context.Context) error {
		r, err := e.Check(ctx, l.cluster(), l.wish())
		if err == nil && (!r.Is(rollout.Loaded) || !r.Is(rollout.Resolving)) {
			err = errors.New(show(r))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (l *land) takenUp(t *testing.T) {
	w := l.wish()
	w.Forwards[0].Zones = append(w.Forwards[0].Zones, "second.example")
	ctx, stop := context.WithCancel(t.Context())
	e := l.engine(t, rollout.Options{Notify: onWritten(stop)})
	if r, err := e.Apply(ctx, l.cluster(), w); !errors.Is(err, context.Canceled) {
		t.Fatalf("want it cut off, got %v\n%s", err, show(r))
	}
	var reasons []rollout.EventReason
	e = l.engine(t, rollout.Options{Notify: func(_ string, e rollout.Event) { reasons = append(reasons, e.Reason) }})
	r := l.apply(t, e, w)
	want(t, r, good())
	if r.Changed || len(reasons) != 1 || reasons[0] != rollout.EventLoaded {
		t.Errorf("want the roll-out followed to its end and nothing written, got changed %t and %v", r.Changed, reasons)
	}
}

func (l *land) migrated(t *testing.T) {
	e := l.engine(t, rollout.Options{})
	want(t, l.apply(t, e, l.wish()), good())
	migrated, err := migration.Migrate("1.8.6", "1.12.1", l.corefile(t), true)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(migrated, "#") {
		t.Fatal("the migration keeps comments; there is nothing to prove")
	}
	l.write(t, "kubeadm", migrated)
	if r := l.apply(t, e, l.wish()); r.Changed || !r.Is(rollout.Applied) {
		t.Errorf("want the block without its mark taken for ours: %s", show(r))
	}
	err = stack.Eventually(t.Context(), 30*time.Second, func(ctx context.Context) error {
		r, err := e.Check(ctx, l.cluster(), l.wish())
		if err == nil && (!r.Is(rollout.Loaded) || !r.Is(rollout.Resolving)) {
			err = errors.New(show(r))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n := strings.Count(l.corefile(t), baseDomain+":"); n != 1 {
		t.Errorf("want one block, got %d:\n%s", n, l.corefile(t))
	}
	if _, err := e.Remove(t.Context(), l.cluster()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(l.corefile(t), baseDomain) {
		t.Errorf("something of ours is left:\n%s", l.corefile(t))
	}
	l.write(t, "kubeadm", l.original)
}

func (l *land) reverted(t *testing.T) {
	var conflicts int
	opts := rollout.Options{Notify: func(_ string, e rollout.Event) {
		if e.Reason == rollout.EventConflict {
			conflicts++
		}
	}}
	want(t, l.apply(t, l.engine(t, opts), l.wish()), good())
	for range 2 {
		l.write(t, "addon-manager", l.original)
		r := l.apply(t, l.engine(t, opts), l.wish()) // a new engine each time: it has to remember
		want(t, r, good())
	}
	l.write(t, "addon-manager", l.original)
	r := l.apply(t, l.engine(t, opts), l.wish())
	t.Log(r.Condition(rollout.Conflict).Message)
	want(t, r, map[string]string{rollout.Conflict: "True", rollout.Applied: "False/GivenWay", rollout.Degraded: "False"})
	if r.Changed || l.corefile(t) != l.original || !strings.Contains(r.Condition(rollout.Conflict).Message, "addon-manager") || conflicts != 1 {
		t.Errorf("want it left alone and named, once: %d conflicts, %s", conflicts, show(r))
	}
	if r = l.apply(t, l.engine(t, opts), l.wish()); r.Changed || !r.Is(rollout.Conflict) || conflicts != 1 {
		t.Errorf("want it left alone still: %s", show(r))
	}
	w := l.wish()
	w.Attempt = "the add-on manager was told"
	want(t, l.apply(t, l.engine(t, opts), w), good())
}

func (l *land) processGate(t *testing.T) {
	program, err := stack.Tool("coredns")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.engine(t, rollout.Options{}).Remove(t.Context(), l.cluster()); err != nil {
		t.Fatal(err)
	}
	w := l.wish()
	w.Gate = rollout.GateRequire
	e := l.engine(t, rollout.Options{Command: []string{program}, Planner: faulty(refused), Trial: 5 * time.Second})
	r := l.apply(t, e, w)
	want(t, r, map[string]string{rollout.Validated: "False/LoadGate", rollout.Applied: "False/Refused"})
	t.Log(r.Condition(rollout.Validated).Message)
	if !strings.Contains(r.Condition(rollout.Validated).Message, "no-such-policy") || l.corefile(t) != l.original {
		t.Errorf("want it refused in CoreDNS's own words, and nothing written: %s", show(r))
	}
	e = l.engine(t, rollout.Options{Command: []string{program}, Trial: 5 * time.Second})
	r = l.apply(t, e, w)
	want(t, r, good())
	want(t, r, map[string]string{rollout.Validated: "True/LoadGate"})
}

func (l *land) removed(t *testing.T) {
	if _, err := l.engine(t, rollout.Options{}).Remove(t.Context(), l.cluster()); err != nil {
		t.Fatal(err)
	}
	if got := l.corefile(t); got != l.original {
		t.Errorf("want the original, got\n%s", got)
	}
}
