package rollout

import (
	"context"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/spokedns/spokedns/corednsconfig/corefile"
)

// Remove takes out what Apply put in, byte for byte where nobody edited since, and forgets the cluster. Content of
// ours that was altered is not ours any more: it stays, and Applied says so (status Unknown, reason Altered). Without
// anything of ours in the cluster it does nothing. No gate stands in its way, and nothing is rolled back: what is there
// afterwards is what was there before.
func (e *Engine) Remove(ctx context.Context, c Cluster) (Report, error) {
	v, err := e.visit(ctx, c, Wish{})
	if err != nil {
		return newReport(), err
	}
	defer v.a.close()
	if ok, err := v.look(ctx); err != nil || !ok {
		return v.report, err
	}
	return v.report, v.remove(ctx)
}

func (v *visit) remove(ctx context.Context) error {
	old := v.d
	ok, err := v.takeOut(ctx)
	if err != nil || !ok {
		return err
	}
	if !v.report.Changed {
		v.report.no(Applied, Removed, "nothing of ours is there")
		return v.forget(ctx)
	}
	v.report.no(Applied, Removed, "what was ours is taken out")
	v.notify(EventWritten, "forwards taken out")
	if err := v.follow(ctx, following{old: old, written: time.Now(), removal: true}); err != nil {
		return err
	}
	return v.forget(ctx)
}

// takeOut writes the configuration without us. False: the report says why not.
func (v *visit) takeOut(ctx context.Context) (bool, error) {
	var err error
	for try := range maxTries {
		if try > 0 {
			if err := pause(ctx, backoff(try)); err != nil {
				return false, err
			}
			if err := v.again(ctx); err != nil {
				return false, err
			}
		}
		change, err2 := v.e.opts.Planner(v.d, nil)
		if err2 != nil {
			return false, v.kept(err2)
		}
		v.change = change
		if len(change.Edits) == 0 {
			return true, nil
		}
		if !change.Writable() {
			v.report.no(Applied, "OwnerOnly", "only the owner can take it out: %s", ownersOf(change))
			return false, nil
		}
		if err = v.send(ctx, change.Edits); err == nil {
			return true, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			v.report.unknown(Applied, reasonOf(err), "%v", err)
			return false, err
		}
	}
	v.report.unknown(Applied, "Busy", "others wrote at the same time, %d times in a row: %v", maxTries, err)
	return false, err
}

// kept reports what cannot be taken out because it cannot be told from what is not ours.
func (v *visit) kept(err error) error {
	faults := corefile.Faults(err)
	if len(faults) == 0 {
		return err
	}
	var lines []string
	for _, f := range faults {
		lines = append(lines, f.Error())
	}
	v.report.unknown(Applied, string(faults[0].Reason), "%s", strings.Join(lines, "\n"))
	return nil
}
