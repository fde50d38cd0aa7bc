package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// secrets are the clusters of labelled kubeconfig Secrets.
func (f *Fleet) secrets(ctx context.Context) ([]Cluster, error) {
	var list corev1.SecretList
	err := f.opts.Client.List(ctx, &list, client.InNamespace(f.opts.Namespace), client.MatchingLabels{v1alpha1.KubeconfigLabel: "true"})
	if err != nil {
		return nil, err
	}
	var out []Cluster
	for i := range list.Items {
		s := &list.Items[i]
		if s.DeletionTimestamp != nil {
			continue
		}
		cfg, unusable := f.kubeconfig(s, "kubeconfig", "value", "config")
		out = append(out, f.cluster(v1alpha1.Kubeconfig, s.Namespace, s.Name, s.Labels).reachedBy(cfg, unusable))
	}
	return out, nil
}

// kubeconfig is what stands in a Secret under the first of the keys that it has.
func (f *Fleet) kubeconfig(s *corev1.Secret, keys ...string) (*rest.Config, *Unusable) {
	for _, key := range keys {
		if raw, ok := s.Data[key]; ok {
			cfg, unusable := Parse(raw, f.opts.Now())
			if unusable != nil {
				unusable.Text = fmt.Sprintf("Secret %s/%s, key %s: %s", s.Namespace, s.Name, key, unusable.Text)
			}
			return cfg, unusable
		}
	}
	return nil, &Unusable{NoKubeconfig, fmt.Sprintf("Secret %s/%s has the keys [%s]: want %s",
		s.Namespace, s.Name, strings.Join(slices.Sorted(maps.Keys(s.Data)), ", "), strings.Join(keys, " or "))}
}

// secret reads one Secret with a kubeconfig. Not being able to read it is a fact about this cluster.
func (f *Fleet) secret(ctx context.Context, namespace, name string, keys ...string) (*rest.Config, *Unusable) {
	var s corev1.Secret
	if err := f.opts.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &s); err != nil {
		return nil, &Unusable{NoKubeconfig, fmt.Sprintf("Secret %s/%s: %s", namespace, name, firstLine(err))}
	}
	return f.kubeconfig(&s, keys...)
}

// clusterAPI are the Clusters of Cluster API, each with the Secret its control plane writes.
func (f *Fleet) clusterAPI(ctx context.Context) ([]Cluster, error) {
	objects, err := f.objects(ctx, schema.GroupKind{Group: "cluster.x-k8s.io", Kind: "Cluster"})
	if err != nil {
		return nil, err
	}
	return each(objects, func(u *unstructured.Unstructured) Cluster {
		c := f.ofObject(v1alpha1.ClusterAPI, u)
		return c.reachedBy(f.secret(ctx, c.Namespace, c.Name+"-kubeconfig", "value"))
	}), nil
}

// objects of a kind, in the version that the server prefers. A kind that is not installed has none. Those that are being
// deleted are left out: their clusters go away with everything in them.
func (f *Fleet) objects(ctx context.Context, kind schema.GroupKind) ([]*unstructured.Unstructured, error) {
	mapping, err := f.opts.Client.RESTMapper().RESTMapping(kind)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(mapping.GroupVersionKind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := f.opts.Client.List(ctx, list); err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for i := range list.Items {
		if u := &list.Items[i]; u.GetDeletionTimestamp() == nil {
			out = append(out, u)
		}
	}
	return out, nil
}

// ofObject is the cluster that a Cluster object stands for.
func (f *Fleet) ofObject(source v1alpha1.Source, u *unstructured.Unstructured) Cluster {
	c := f.cluster(source, u.GetNamespace(), u.GetName(), u.GetLabels())
	c.HasObject, c.object = true, objectRef{gvk: u.GroupVersionKind(), uid: u.GetUID()}
	c.BaseDomain = u.GetAnnotations()[f.opts.Annotation]
	return c
}

// Annotate writes the base domain on the object that stands for the cluster; an empty one takes it away. It does nothing
// for a cluster without such an object, and for an object that is no longer the same.
func (f *Fleet) Annotate(ctx context.Context, c Cluster, domain string) error {
	if !c.HasObject {
		return nil
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(c.object.gvk)
	err := f.opts.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: c.Name}, u)
	if apierrors.IsNotFound(err) || err == nil && u.GetUID() != c.object.uid {
		return nil
	}
	if err != nil {
		return fmt.Errorf("annotate cluster %s: %w", c.ID, err)
	}
	before := u.DeepCopy()
	annotations := u.GetAnnotations()
	if annotations[f.opts.Annotation] == domain {
		return nil
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	if annotations[f.opts.Annotation] = domain; domain == "" {
		delete(annotations, f.opts.Annotation)
	}
	u.SetAnnotations(annotations)
	if err := f.opts.Client.Patch(ctx, u, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("annotate cluster %s: %w", c.ID, err)
	}
	return nil
}
