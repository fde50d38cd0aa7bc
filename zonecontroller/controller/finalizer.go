package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// patchFinalizers gives this very object other finalizers than the ones it was read with. If they are others by now it
// fails; what else changed meanwhile, as the status that is written at the same time, does not matter.
func (c *Controller) patchFinalizers(ctx context.Context, o client.Object, finalizers []string) error {
	type op struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	ops := []op{{"test", "/metadata/uid", o.GetUID()}}
	if had := o.GetFinalizers(); len(had) > 0 {
		ops = append(ops, op{"test", "/metadata/finalizers", had}, op{"replace", "/metadata/finalizers", finalizers})
	} else {
		ops = append(ops, op{"test", "/metadata/finalizers", nil}, op{"add", "/metadata/finalizers", finalizers})
	}
	text, err := json.Marshal(ops)
	if err != nil {
		return err
	}
	copied, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T cannot be patched", o)
	}
	if err := c.client.Patch(ctx, copied, client.RawPatch(types.JSONPatchType, text)); err != nil {
		return fmt.Errorf("finalizers of %s: %w", keyOf(o), err)
	}
	return nil
}

// letGo takes our finalizer off, for there is nothing left to be done.
func (c *Controller) letGo(ctx context.Context, o client.Object) error {
	if !controllerutil.ContainsFinalizer(o, v1alpha1.Finalizer) {
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(o.GetFinalizers()), func(f string) bool { return f == v1alpha1.Finalizer })
	return client.IgnoreNotFound(c.patchFinalizers(ctx, o, rest))
}
