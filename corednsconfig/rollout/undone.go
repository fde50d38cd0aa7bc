package rollout

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// undoneMeanwhile says whether what is being rolled out is not there any more. What others write beside it changes what
// is to be expected of the replicas, and no more.
func (v *visit) undoneMeanwhile(ctx context.Context, f following) (bool, error) {
	if f.removal || v.inPlace(ctx) {
		return false, nil
	}
	if err := v.again(ctx); err != nil {
		v.log.Warn("cannot look at the configuration", "err", err)
		return false, nil
	}
	change, err := v.e.opts.Planner(v.d, v.wish.Forwards)
	if err == nil && len(change.Edits) == 0 {
		v.change = change
		return false, nil
	}
	if err == nil {
		v.change = change
	}
	by := v.undoneBy(ctx)
	v.report.Drifted = true
	v.report.no(Applied, "Undone", "%s undid what was written before the replicas had loaded it", by)
	v.report.no(Loaded, "NotWritten", "what is wanted is not written any more")
	return true, v.countRevert(ctx, by)
}

// inPlace says whether every text that was written last is there as it was written. Only ConfigMaps are looked at.
func (v *visit) inPlace(ctx context.Context) bool {
	for _, e := range v.memory.Entries {
		kind, name, ok := e.object()
		if !ok || kind != "ConfigMap" {
			continue
		}
		cm := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
		if err := v.get(ctx, &cm); err != nil {
			if apierrors.IsNotFound(err) && e.After != nil {
				return false
			}
			continue // not seen is not undone
		}
		if now, there := cm.Data[e.Key]; there != (e.After != nil) || now != string(e.After) {
			return false
		}
	}
	return true
}

// undoneBy names who wrote last where we wrote.
func (v *visit) undoneBy(ctx context.Context) string {
	for _, edit := range v.change.Edits {
		var object metav1.PartialObjectMetadata
		object.SetGroupVersionKind(edit.Ref.GroupVersionKind)
		call, cancel := v.e.within(ctx)
		err := v.a.Get(call, client.ObjectKey{Namespace: edit.Ref.Namespace, Name: edit.Ref.Name}, &object)
		cancel()
		if err != nil {
			continue // perhaps deleted; then the owners found beforehand must do
		}
		if name := lastWriter(object.ManagedFields); name != "" {
			return name
		}
	}
	return strings.TrimSpace(ownersOf(v.change))
}

// lastWriter is the field manager, other than us, who wrote last.
func lastWriter(fields []metav1.ManagedFieldsEntry) string {
	others := slices.DeleteFunc(slices.Clone(fields), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == dialect.FieldOwner || f.Subresource != "" || f.Time == nil
	})
	if len(others) == 0 {
		return ""
	}
	return slices.MaxFunc(others, func(a, b metav1.ManagedFieldsEntry) int { return a.Time.Compare(b.Time.Time) }).Manager
}
