package rollout

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

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
