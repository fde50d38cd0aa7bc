package dialect

import (
	"encoding/json"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Marks that those who manage add-ons leave on what they manage.
const (
	addonModeLabel       = "addonmanager.kubernetes.io/mode"
	k3sOwnerAnnotation   = "objectset.rio.cattle.io/owner-gvk"
	k3sNameAnnotation    = "objectset.rio.cattle.io/owner-name"
	gardenerLabel        = "resources.gardener.cloud/managed-by"
	gardenerIgnore       = "resources.gardener.cloud/ignore"
	openshiftOwningLabel = "dns.operator.openshift.io/owning-dns"
	eksManager           = "eks"
)

// reconcilers are those who are known to put the whole object back, soon or whenever they start.
func reconcilers(ref Ref, o metav1.Object) []Owner {
	var all []Owner
	add := func(name, evidence string) {
		all = append(all, Owner{Ref: ref, Name: name, Reverts: true, Evidence: evidence})
	}
	if o.GetLabels()[addonModeLabel] == "Reconcile" {
		add("addon-manager", "label "+addonModeLabel+"=Reconcile")
	}
	if kind := o.GetAnnotations()[k3sOwnerAnnotation]; strings.HasPrefix(kind, "k3s.cattle.io/") {
		add("k3s add-on "+o.GetAnnotations()[k3sNameAnnotation], "annotation "+k3sOwnerAnnotation)
	}
	if o.GetLabels()[gardenerLabel] != "" && o.GetAnnotations()[gardenerIgnore] != "true" {
		add("gardener-resource-manager", "label "+gardenerLabel)
	}
	return all
}

// owners are all others who write a field of the object. The path is in the notation of managedFields, for example "f:data",
// "f:Corefile".
func owners(ref Ref, o metav1.Object, path ...string) []Owner {
	all := reconcilers(ref, o)
	if release := o.GetAnnotations()[helmReleaseAnnotation]; release != "" {
		all = append(all, Owner{Ref: ref, Name: "helm release " + release, Reverts: true, Evidence: "annotation " + helmReleaseAnnotation})
	}
	if dns := o.GetLabels()[openshiftOwningLabel]; dns != "" {
		all = append(all, Owner{Ref: ref, Name: "dns operator", Reverts: true, Evidence: "label " + openshiftOwningLabel + "=" + dns})
	}
	for _, m := range o.GetManagedFields() {
		if m.Manager == FieldOwner || !owns(m, path) {
			continue
		}
		all = append(all, Owner{
			Ref: ref, Name: m.Manager,
			// Who applies, applies again.
			Reverts:  m.Operation == metav1.ManagedFieldsOperationApply,
			Evidence: "managedFields, operation " + string(m.Operation),
		})
	}
	return all
}

// owns reports whether the entry has the field itself, or the whole that it is part of.
func owns(m metav1.ManagedFieldsEntry, path []string) bool {
	if m.FieldsV1 == nil || m.Subresource != "" {
		return false
	}
	var fields map[string]any
	if json.Unmarshal(m.FieldsV1.Raw, &fields) != nil {
		return false
	}
	for i, name := range path {
		next, ok := fields[name].(map[string]any)
		if !ok {
			return i > 0 && len(fields) == 0
		}
		fields = next
	}
	return true
}

// appliedByUs: nobody has written the field but we, by apply. Only then an apply cannot meet a conflict.
func appliedByUs(o metav1.Object, path ...string) bool {
	for _, m := range o.GetManagedFields() {
		ours := m.Manager == FieldOwner && m.Operation == metav1.ManagedFieldsOperationApply
		if !ours && owns(m, path) {
			return false
		}
	}
	return true
}

// createdAnnotation is on objects that were not there before us, and on no others.
const createdAnnotation = "dns.spokedns.io/created"

// oursAlone: we created the object, and nobody else has written it since.
func oursAlone(o metav1.Object) bool {
	for _, m := range o.GetManagedFields() {
		if m.Manager != FieldOwner {
			return false
		}
	}
	return len(o.GetManagedFields()) > 0 && o.GetAnnotations()[createdAnnotation] != ""
}

// isEKSAddon: the add-on manager of EKS applies the Corefile.
func isEKSAddon(o metav1.Object, key string) bool {
	for _, m := range o.GetManagedFields() {
		if m.Manager == eksManager && m.Operation == metav1.ManagedFieldsOperationApply && owns(m, []string{"f:data", "f:" + key}) {
			return true
		}
	}
	return false
}
