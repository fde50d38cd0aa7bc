package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// recovery bounds the wait for the cluster's names after a rollback.
const recovery = 60 * time.Second

// rollBack puts the last good state back, and starts the replicas again that do not answer: they would read the restored
// file only when the kubelet and CoreDNS next look.
func (v *visit) rollBack(ctx context.Context, c course, why string) error {
	detected := time.Now()
	v.report.RolledBack = why
	v.log.Warn("taking it back", "why", why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*recovery) // half-way is the worst place to stop
	defer cancel()
	if err := v.restore(ctx); err != nil {
		v.report.yes(Degraded, "RollbackFailed", "what was written could not be taken back: %v", err)
		v.report.no(Applied, "RollbackFailed", "%v", err)
		v.notify(EventRolledBack, "could not be taken back (%s): %v", why, err)
		return err
	}
	v.report.Changed = true
	v.report.no(Applied, "RolledBack", "taken back: %s", why)
	v.report.no(Validated, "RolledBack", "%s", why)
	v.memory.fell(detected, why)
	if err := v.remember(ctx); err != nil {
		return err
	}
	v.notify(EventRolledBack, "taken back: %s", why)
	return v.recover(ctx, c, detected)
}

// recover waits for the cluster's names to resolve again on every replica that knew them.
func (v *visit) recover(ctx context.Context, c course, detected time.Time) error {
	all := servers(v.d, v.d, dialect.Change{}, sinceWritten(detected))
	deadline := detected.Add(recovery)
	names := c.Names
	for restarted := false; ; {
		s, err := v.survey(ctx, all)
		if err != nil {
			return err
		}
		failing := badly(names, s)
		if len(failing) == 0 && (watch{}).see(s.At, s.Probes).answering() {
			v.report.Restored = s.At.Sub(detected)
			v.report.no(Degraded, "Recovered", "the cluster's own names resolve again, %s after that was taken back",
				v.report.Restored.Round(time.Millisecond))
			return nil
		}
		if s.At.After(deadline) {
			v.report.yes(Degraded, "ClusterDNSBroken", "the last good state is back, and the cluster's own names still do not resolve")
			return nil
		}
		if !restarted {
			restarted = true
			v.restart(ctx, s, failing)
		}
		if err := pause(ctx, roundEvery/4); err != nil {
			return err
		}
	}
}

// badly are the replicas that knew the cluster's names once and do not answer now.
func badly(names watch, s survey) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Probes)) {
		if p := s.Probes[name]; !p.OK && (names.good[name] || p.Why != "") {
			all = append(all, name)
		}
	}
	return all
}

// restart deletes replicas that do not answer; their controller makes new ones, which read the restored file.
func (v *visit) restart(ctx context.Context, s survey, names []string) {
	for _, r := range s.Replicas {
		if r.server.domain == "" || !slices.Contains(names, r.pod.Name) || len(r.pod.OwnerReferences) == 0 {
			continue
		}
		v.log.Warn("starting a replica again that does not answer", "pod", r.pod.Name)
		call, cancel := v.e.within(ctx)
		err := v.a.Delete(call, &corev1.Pod{ObjectMeta: r.pod.ObjectMeta}, client.Preconditions{UID: &r.pod.UID})
		cancel()
		if err != nil {
			v.log.Warn("cannot start it again", "pod", r.pod.Name, "err", err)
		}
	}
}

// restore puts back what was there before the last write: exactly, where nobody wrote since; else by taking our part out of
// what is there now.
func (v *visit) restore(ctx context.Context) error {
	var err error
	for try := range maxTries {
		if try > 0 {
			if err := pause(ctx, backoff(try)); err != nil {
				return err
			}
		}
		var u *dialect.Unsupported // the pods may be away
		if err = v.restoreOnce(ctx); err == nil || !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && !errors.As(err, &u) {
			return err
		}
	}
	return err
}

func (v *visit) restoreOnce(ctx context.Context) error {
	exact := map[int]bool{}
	for i, e := range v.memory.Entries {
		ok, err := v.putBack(ctx, e)
		if err != nil {
			return err
		}
		exact[i] = ok
	}
	if !slices.Contains(slices.Collect(maps.Values(exact)), false) {
		return nil
	}
	if err := v.again(ctx); err != nil {
		return err
	}
	change, err := v.e.opts.Planner(v.d, v.memory.Good)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", v.name, err)
	}
	for _, edit := range change.Edits {
		if i := slices.IndexFunc(v.memory.Entries, func(e entry) bool { return e.is(edit) }); i >= 0 && exact[i] {
			continue
		}
		if err := v.send(ctx, []dialect.Edit{edit}); err != nil {
			return err
		}
	}
	return nil
}

// putBack restores one text exactly if it still is what we wrote. False: it is another, or not of a ConfigMap that we
// update as a whole.
func (v *visit) putBack(ctx context.Context, e entry) (bool, error) {
	kind, name, ok := e.object()
	if !ok || kind != "ConfigMap" || e.How != dialect.Update {
		return false, nil
	}
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	var cm corev1.ConfigMap
	if err := v.a.Get(ctx, name, &cm); err != nil {
		return false, fmt.Errorf("cluster %s: %s: %w", v.name, e.Object, err)
	}
	now, there := cm.Data[e.Key]
	switch {
	case there && e.Before != nil && now == string(e.Before):
		return true, nil
	case there != (e.After != nil) || now != string(e.After):
		return false, nil
	case e.Before == nil:
		delete(cm.Data, e.Key)
	default:
		if cm.Data == nil {
			cm.Data = map[string]string{}
		}
		cm.Data[e.Key] = string(e.Before)
	}
	if err := v.a.Update(ctx, &cm, client.FieldOwner(dialect.FieldOwner)); err != nil {
		return false, fmt.Errorf("cluster %s: %s: %w", v.name, e.Object, err)
	}
	return true, nil
}

// object is what an entry's Object names.
func (e entry) object() (kind string, name types.NamespacedName, ok bool) {
	var full string
	if n, err := fmt.Sscanf(e.Object, "%s %s", &kind, &full); err != nil || n != 2 {
		return "", name, false
	}
	for i := range full {
		if full[i] == '/' {
			return kind, types.NamespacedName{Namespace: full[:i], Name: full[i+1:]}, true
		}
	}
	return kind, types.NamespacedName{Name: full}, true
}
