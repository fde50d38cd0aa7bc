package rollout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// Apply makes the cluster do what is wished, or leaves it as it was: static gate, load gate, write, verification on
// every replica, probes; and back to the last good state if the cluster's own names stop resolving. What is there
// already is not written again, and an Apply that was interrupted is taken up where it was. It takes as long as
// the replicas take to load, at most Options.Converge and then some; it ends early with ctx.
func (e *Engine) Apply(ctx context.Context, c Cluster, w Wish) (Report, error) {
	if len(w.Forwards) == 0 {
		return e.Remove(ctx, c)
	}
	v, err := e.visit(ctx, c, w)
	if err != nil {
		return newReport(), err
	}
	defer v.a.close()
	if ok, err := v.look(ctx); err != nil || !ok {
		return v.report, err
	}
	ok, err := v.plan(w.Forwards)
	if err != nil {
		return v.report, err
	}
	if !ok {
		v.notify(EventRefused, "%s", v.report.Condition(Validated).Message)
		return v.report, nil
	}
	return v.report, v.apply(ctx)
}

func (v *visit) apply(ctx context.Context) error {
	v.judgeApplied()
	old := v.d
	if len(v.change.Edits) == 0 {
		if v.memory.Phase == trying {
			v.log.Info("taking up an interrupted roll-out")
			return v.follow(ctx, following{old: old, written: v.memory.Written})
		}
		if err := v.observe(ctx); err != nil || v.memory.Unanswered == "" {
			return err
		}
		return v.askAsClients(ctx)
	}
	if !v.change.Writable() || v.memory.Rejected.holds(v.wish) || v.memory.GivenWay.holds(v.wish) {
		return v.observe(ctx)
	}
	if wait, err := v.giveWay(ctx); err != nil || wait {
		return err
	}
	before, ok, err := v.baseline(ctx)
	if err != nil || !ok {
		return err
	}
	tested, ok, err := v.tryOut(ctx)
	if err != nil || !ok {
		return err
	}
	if ok, err := v.write(ctx, tested, rejections(before)); err != nil || !ok {
		return err
	}
	v.report.Drifted = false
	v.report.yes(Applied, "Written", "what is wanted is written")
	v.notify(EventWritten, "forwards %s", describe(v.wish.Forwards))
	return v.follow(ctx, following{old: old, before: &before, written: v.memory.Written})
}

func describe(forwards []corefile.Forward) string {
	var parts []string
	for _, f := range forwards {
		part := strings.Join(f.Zones, " ") + " →"
		for _, u := range f.Upstreams {
			part += " " + u.String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// giveWay notices that somebody undid our write, and says whether to leave it at that.
func (v *visit) giveWay(ctx context.Context) (bool, error) {
	if v.memory.Phase != settled || !same(v.memory.Good, v.wish.Forwards) || !v.undone() {
		return false, nil
	}
	if v.memory.GivenWay != nil {
		return false, nil // it is known who did, and somebody wants it tried again
	}
	by := v.undoneBy(ctx)
	if err := v.countRevert(ctx, by); err != nil {
		return false, err
	}
	if v.memory.GivenWay != nil {
		return true, v.observe(ctx)
	}
	v.notify(EventRepaired, "%s undid what was written; writing it again", by)
	return false, nil
}

// countRevert remembers that somebody undid our write, and whether they are given way from now on.
func (v *visit) countRevert(ctx context.Context, by string) error {
	now := time.Now()
	if !v.memory.reverted(now, by) {
		return v.remember(ctx)
	}
	why := fmt.Sprintf("%s undid our write %d times within %s; it is left alone until the wish or the attempt changes",
		strings.Join(v.memory.by(), ", "), len(v.memory.Reverts), revertWindow)
	v.memory.GivenWay = &refusal{Wish: v.wish.Forwards, Attempt: v.wish.Attempt, Why: why, At: now}
	v.memory.Reverts = nil
	if err := v.remember(ctx); err != nil {
		return err
	}
	v.judgeApplied()
	v.notify(EventConflict, "%s", why)
	return nil
}

// undone: what we wrote is not what is there any more.
func (v *visit) undone() bool {
	for _, edit := range v.change.Edits {
		for _, e := range v.memory.Entries {
			if e.is(edit) && !equal(e.After, edit.Before) {
				return true
			}
		}
	}
	return false
}

// baseline looks at the replicas before anything is written. False: the cluster's names do not resolve as it is, so that
// nobody could tell whose fault it would be afterwards.
func (v *visit) baseline(ctx context.Context) (survey, bool, error) {
	all := servers(v.d, v.d, v.change, sinceWritten(time.Now()))
	var s survey
	for try := range failures {
		if try > 0 {
			if err := pause(ctx, time.Second); err != nil {
				return s, false, err
			}
		}
		var err error
		if s, err = v.survey(ctx, all); err != nil {
			return s, false, err
		}
		if (watch{}).see(s.At, s.Probes).answering() {
			return s, true, nil
		}
	}
	why := "no replica could be asked"
	for _, p := range s.Probes {
		if p.Why != "" {
			why = p.Why
		}
	}
	if len(v.d.Cluster.Site.Bind) > 0 {
		why += fmt.Sprintf(" (it is bound to %s, and asked at the loopback address of its pod)", strings.Join(v.d.Cluster.Site.Bind, " "))
	}
	v.report.yes(Degraded, "ClusterDNSBroken", "the cluster's own names do not resolve, before anything was written: %s", why)
	v.report.no(Applied, "ClusterDNSBroken", "nothing is written while the cluster's own names do not resolve: %s", why)
	v.notify(EventRefused, "the cluster's own names do not resolve as it is: %s", why)
	return s, false, nil
}

// maxTries is how often a write is planned anew because others wrote at the same time.
const maxTries = 5

// write remembers and writes the change. A conflict is met with a plan made of what is there then. False: the report
// says why nothing of it is there.
func (v *visit) write(ctx context.Context, tested bool, rejections map[string]float64) (bool, error) {
	var err error
	for try := range maxTries {
		if try > 0 {
			if err := pause(ctx, backoff(try)); err != nil {
				return false, err
			}
			site := v.d.Cluster.Site
			if err := v.again(ctx); err != nil {
				return false, err
			}
			if ok, err := v.plan(v.wish.Forwards); err != nil || !ok {
				return false, err
			}
			tested = tested && sameSite(site, v.d.Cluster.Site)
		}
		if len(v.change.Edits) == 0 {
			return true, nil
		}
		v.memory.begin(time.Now(), v.wish, v.change.Edits, tested, rejections)
		if err = v.remember(ctx); err == nil {
			err = v.send(ctx, v.change.Edits)
		}
		switch {
		case err == nil:
			v.report.Changed = true
			return true, nil
		case fieldConflict(err):
			v.report.yes(Conflict, "FieldOwner", "%v", err)
			v.report.no(Applied, "Conflict", "%v", err)
			v.notify(EventConflict, "%v", err)
			return false, nil
		case apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err):
			if rerr := v.recall(ctx); rerr != nil {
				return false, rerr
			}
			continue
		default:
			v.report.no(Applied, reasonOf(err), "%v", err)
			return false, err
		}
	}
	v.report.no(Applied, "Busy", "others wrote at the same time, %d times in a row: %v", maxTries, err)
	return false, err
}

// send writes edits.
func (v *visit) send(ctx context.Context, edits []dialect.Edit) error {
	for _, edit := range edits {
		call, cancel := v.e.within(ctx)
		err := edit.Write(call, v.a)
		cancel()
		if err != nil {
			return err
		}
		v.report.Changed = true
	}
	return nil
}

// backoff is 50 ms, 100 ms, 200 ms … with as much again by chance.
func backoff(try int) time.Duration {
	base := 50 * time.Millisecond << (try - 1)
	return base + rand.N(base)
}

func sameSite(a, b corefile.Site) bool {
	return a.Port == b.Port && a.Prometheus == b.Prometheus && a.Version == b.Version && strings.Join(a.Bind, " ") == strings.Join(b.Bind, " ")
}

// fieldConflict: another field manager owns what server-side apply was to write.
func fieldConflict(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			return true
		}
	}
	return false
}

func reasonOf(err error) string {
	if r := apierrors.ReasonForError(err); r != metav1.StatusReasonUnknown {
		return string(r)
	}
	return "WriteFailed"
}
