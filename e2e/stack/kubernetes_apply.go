package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// fieldManager is who server-side apply says owns the fields we write.
const fieldManager = "spokedns-e2e"

// Apply creates the objects or changes them to what is given, their status included: with no controller
// running, the caller plays the one that would write it. Objects need apiVersion and kind; those without
// a namespace go to "default".
func (a *APIServer) Apply(ctx context.Context, objects ...runtime.Object) error {
	for _, o := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return err
		}
		u := &unstructured.Unstructured{Object: content}
		if err := a.apply(ctx, u); err != nil {
			return fmt.Errorf("apply %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
		}
	}
	return nil
}

// ApplyYAML is Apply for a manifest of one or more documents.
func (a *APIServer) ApplyYAML(ctx context.Context, manifest string) error {
	objects, err := parseManifest([]byte(manifest))
	if err != nil {
		return err
	}
	for _, u := range objects {
		if err := a.Apply(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes the objects of a manifest at once; what is not there is no error.
func (a *APIServer) Delete(ctx context.Context, manifest string) error {
	objects, err := parseManifest([]byte(manifest))
	if err != nil {
		return err
	}
	for _, u := range objects {
		resource, err := a.resource(u)
		if err != nil {
			return err
		}
		err = resource.Delete(ctx, u.GetName(), metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
		}
	}
	return nil
}

func (a *APIServer) apply(ctx context.Context, u *unstructured.Unstructured) error {
	resource, err := a.resource(u)
	if err != nil {
		return err
	}
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	if _, err := resource.Apply(ctx, u.GetName(), u, options); err != nil {
		return err
	}
	if status, ok := u.Object["status"].(map[string]any); !ok || len(status) == 0 {
		return nil
	}
	// A kind without a status subresource took the status with the object.
	if _, err := resource.ApplyStatus(ctx, u.GetName(), u, options); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("status: %w", err)
	}
	return nil
}

// resource finds where objects like u live; it asks the server again when a kind is not known yet.
func (a *APIServer) resource(u *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := u.GroupVersionKind()
	mapping, err := a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		a.mapper.Reset()
		mapping, err = a.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return a.Dynamic.Resource(mapping.Resource), nil
	}
	namespace := u.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return a.Dynamic.Resource(mapping.Resource).Namespace(namespace), nil
}

func parseManifest(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := documents.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifest document %d: %w", len(objects)+1, err)
		}
		if len(u.Object) > 0 {
			objects = append(objects, u)
		}
	}
}
