package install

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// Namespace implements surroundings.
func (r *reached) Namespace(ctx context.Context) (bool, string, error) {
	ns, err := r.kube.CoreV1().Namespaces().Get(ctx, r.wish.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, "", nil
	case err != nil:
		return false, "", err
	case ns.DeletionTimestamp != nil:
		return false, "namespace " + ns.Name + " is being deleted", nil
	}
	return true, "", nil
}

// MakeNamespace implements surroundings. It is applied, not created: the right to do that can name it.
func (r *reached) MakeNamespace(ctx context.Context) error {
	ns := corev1apply.Namespace(r.wish.Namespace).WithLabels(map[string]string{managedBy: manager})
	_, err := r.kube.CoreV1().Namespaces().Apply(ctx, ns, metav1.ApplyOptions{FieldManager: manager})
	return err
}

// RemoveNamespace implements surroundings.
func (r *reached) RemoveNamespace(ctx context.Context) (string, error) {
	ns, err := r.kube.CoreV1().Namespaces().Get(ctx, r.wish.Namespace, metav1.GetOptions{})
	if err != nil {
		return "", client.IgnoreNotFound(err)
	}
	if ns.Labels[managedBy] != manager {
		return "corednsconfig did not make it", nil
	}
	others, err := r.others(ctx)
	if others != "" || err != nil {
		return others, err
	}
	err = r.kube.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID, ResourceVersion: &ns.ResourceVersion}})
	return "", client.IgnoreNotFound(err)
}

// others names something in the namespace that is neither ours nor what every namespace has. Roles do not count: they do
// nothing by themselves, and among them are those by which we have our rights.
func (r *reached) others(ctx context.Context) (string, error) {
	lists, err := r.getter.finder.ServerPreferredNamespacedResources()
	if err != nil { // a part of the API that does not answer, which nobody can wait for
		return "what is in it cannot be seen: " + err.Error(), nil //nolint:nilerr // the namespace stays
	}
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, lists) {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return "", err
		}
		for _, resource := range list.APIResources {
			found, err := r.dynamic.Resource(gv.WithResource(resource.Name)).Namespace(r.wish.Namespace).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue
			}
			if err != nil {
				return "", fmt.Errorf("list %s: %w", resource.Name, err)
			}
			for i := range found.Items {
				if !r.ours(&found.Items[i]) {
					return fmt.Sprintf("%s %s is in it", found.Items[i].GetKind(), found.Items[i].GetName()), nil
				}
			}
		}
	}
	return "", nil
}

// ours says whether an object goes with the release, with its owner, or with any namespace.
func (r *reached) ours(u *unstructured.Unstructured) bool {
	switch kind, name := u.GetKind(), u.GetName(); {
	case u.GetDeletionTimestamp() != nil || len(u.GetOwnerReferences()) > 0:
		return true
	case kind == "ServiceAccount" && name == "default", kind == "Event", kind == "Endpoints", kind == "Role", kind == "RoleBinding":
		return true
	case kind == "ConfigMap":
		return slices.Contains([]string{"kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt"}, name)
	case kind == "Secret":
		return u.GetAnnotations()[corev1.ServiceAccountNameKey] == "default"
	}
	return false
}

// Copy implements surroundings.
func (r *reached) Copy(ctx context.Context, secrets []v1alpha1.SecretCopy) (Reason, string, error) {
	for _, s := range secrets {
		source := &corev1.Secret{}
		err := r.opts.Platform.Get(ctx, client.ObjectKey{Namespace: r.opts.Namespace, Name: s.Source}, source)
		if apierrors.IsNotFound(err) {
			return SecretMissing, fmt.Sprintf("Secret %s is to be copied and is not in namespace %s", s.Source, r.opts.Namespace), nil
		}
		if err != nil {
			return "", "", fmt.Errorf("read Secret %s: %w", s.Source, err)
		}
		if why := secretive(source); why != "" {
			return SecretRefused, fmt.Sprintf("Secret %s is not copied: %s", s.Source, why), nil
		}
		if reason, why, err := r.copy(ctx, source, s.Target); reason != "" || err != nil {
			return reason, why, err
		}
	}
	return "", "", nil
}

// secretive says why a Secret does not leave the platform: with a cluster's kubeconfig another one could be taken over.
func secretive(s *corev1.Secret) string {
	switch {
	case s.Labels[v1alpha1.KubeconfigLabel] != "":
		return "it is the kubeconfig of a cluster"
	case s.Type == corev1.SecretTypeServiceAccountToken, s.Type == "helm.sh/release.v1":
		return "it is of type " + string(s.Type)
	}
	return ""
}

// copy brings one copy up to date. Nothing is written over that is not ours.
func (r *reached) copy(ctx context.Context, source *corev1.Secret, target string) (Reason, string, error) {
	at := r.kube.CoreV1().Secrets(r.wish.Namespace)
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.wish.Namespace, Name: target, Labels: map[string]string{managedBy: manager, copyLabel: r.wish.Release}},
		Type:       source.Type, Data: source.Data,
	}
	have, err := at.Get(ctx, target, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = at.Create(ctx, want, metav1.CreateOptions{})
		return "", "", err
	}
	if err != nil {
		return "", "", err
	}
	if have.Labels[copyLabel] != r.wish.Release || have.Labels[managedBy] != manager {
		return SecretTaken, fmt.Sprintf("Secret %s/%s is there and not a copy of this release: want another target, or it taken away", r.wish.Namespace, target), nil
	}
	if have.Type == want.Type && maps.EqualFunc(have.Data, want.Data, bytes.Equal) {
		return "", "", nil
	}
	if have.Type != want.Type || have.Immutable != nil && *have.Immutable { // neither can be changed in place
		gone := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &have.UID}}
		if err := at.Delete(ctx, target, gone); client.IgnoreNotFound(err) != nil {
			return "", "", err
		}
		_, err = at.Create(ctx, want, metav1.CreateOptions{})
		return "", "", err
	}
	have.Data = want.Data
	_, err = at.Update(ctx, have, metav1.UpdateOptions{})
	return "", "", err
}

// Forget implements surroundings.
func (r *reached) Forget(ctx context.Context, secrets []v1alpha1.SecretCopy) error {
	at := r.kube.CoreV1().Secrets(r.wish.Namespace)
	copies, err := at.List(ctx, metav1.ListOptions{LabelSelector: managedBy + "=" + manager + "," + copyLabel + "=" + r.wish.Release})
	if err != nil {
		return err
	}
	for i := range copies.Items {
		s := &copies.Items[i]
		if slices.ContainsFunc(secrets, func(c v1alpha1.SecretCopy) bool { return c.Target == s.Name }) {
			continue
		}
		if err := at.Delete(ctx, s.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &s.UID}}); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
