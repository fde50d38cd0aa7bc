package dialect

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Write sends the edit to the cluster. A state other than the one the plan was made of comes back as an error for which
// apierrors.IsConflict or, for an object that has gone, apierrors.IsNotFound is true: read, detect and plan again. An edit
// of How Report is an error.
func (e Edit) Write(ctx context.Context, w client.Writer) error {
	switch e.How {
	case Update:
		return e.wrap(w.Update(ctx, e.Object.DeepCopy(), client.FieldOwner(FieldOwner)))
	case Apply:
		return e.wrap(w.Apply(ctx, client.ApplyConfigurationFromUnstructured(e.Object.DeepCopy()), client.FieldOwner(FieldOwner)))
	case Delete:
		var u unstructured.Unstructured
		u.SetGroupVersionKind(e.Ref.GroupVersionKind)
		u.SetNamespace(e.Ref.Namespace)
		u.SetName(e.Ref.Name)
		version := e.ResourceVersion
		return e.wrap(w.Delete(ctx, &u, client.Preconditions(metav1.Preconditions{ResourceVersion: &version})))
	case Report:
	}
	return fmt.Errorf("%s %s: only its owner can change it, so it is not written (%q)", e.Ref, e.Key, e.How)
}

func (e Edit) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s %s: %w", e.Ref, e.Key, err)
}
