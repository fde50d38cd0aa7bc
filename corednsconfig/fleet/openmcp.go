package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// The API of openMCP, as far as it is used here.
const (
	openMCPGroup   = "clusters.openmcp.cloud"
	operation      = "openmcp.cloud/operation"     // annotation of a Cluster
	dnsOperation   = "dns.openmcp.cloud/operation" // the same, for DNS only; it wins
	phaseGranted   = "Granted"
	phaseDenied    = "Denied"
	requestSuffix  = ".spokedns-corednsconfig"
	managedBy      = "app.kubernetes.io/managed-by"
	manager        = "spokedns-corednsconfig"
	wishAnnotation = v1alpha1.Group + "/access" // digest of the rights an AccessRequest was written with
)

// openMCP are the Clusters of openMCP. Access to one is asked for by an AccessRequest with just the rights that are
// needed, and read from the Secret that it names once it is granted.
func (f *Fleet) openMCP(ctx context.Context, wanted func(Cluster) bool) ([]Cluster, error) {
	objects, err := f.objects(ctx, schema.GroupKind{Group: openMCPGroup, Kind: "Cluster"})
	if err != nil {
		return nil, err
	}
	return each(objects, func(u *unstructured.Unstructured) Cluster {
		c := f.ofObject(v1alpha1.OpenMCP, u)
		purposes, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "purposes")
		for _, purpose := range purposes {
			if label := v1alpha1.PurposeLabelPrefix + purpose; len(validation.IsQualifiedName(label)) == 0 {
				c.Labels[label] = "true"
			}
		}
		annotations := u.GetAnnotations()
		does, ok := annotations[dnsOperation]
		if !ok {
			does = annotations[operation]
		}
		if does == "ignore" {
			return c.reachedBy(nil, &Unusable{Ignored, fmt.Sprintf("annotation %s or %s says ignore", dnsOperation, operation)})
		}
		return f.access(ctx, c, wanted(c))
	}), nil
}

// access brings the cluster's AccessRequest up to date and follows it to a kubeconfig.
func (f *Fleet) access(ctx context.Context, c Cluster, wanted bool) Cluster {
	request := &unstructured.Unstructured{}
	request.SetGroupVersionKind(c.object.gvk.GroupVersion().WithKind("AccessRequest"))
	key := client.ObjectKey{Namespace: c.Namespace, Name: c.Name + requestSuffix}
	fail := func(reason Reason, err error) Cluster {
		return c.reachedBy(nil, &Unusable{reason, fmt.Sprintf("AccessRequest %s: %s", key, firstLine(err))})
	}
	err := f.opts.Client.Get(ctx, key, request)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return fail(AccessPending, err)
	}
	if !wanted {
		if !missing && request.GetLabels()[managedBy] == manager && request.GetDeletionTimestamp() == nil {
			if err := f.opts.Client.Delete(ctx, request); client.IgnoreNotFound(err) != nil {
				return fail(NotRequested, err)
			}
		}
		return c.reachedBy(nil, &Unusable{NotRequested, "no DNSForwarding selects the cluster, so no access to it was requested"})
	}
	if !missing && request.GetLabels()[managedBy] != manager {
		return fail(AccessDenied, fmt.Errorf("it is there without the label %s=%s: somebody else's, which is left alone", managedBy, manager))
	}
	rights, known := f.opts.Rights, true
	if f.opts.More != nil {
		var more []Right
		more, known = f.opts.More(c)
		rights = slices.Concat(rights, more)
	}
	wish, digest, err := f.request(c, rights)
	if err != nil {
		return fail(AccessPending, err)
	}
	if missing || known && request.GetAnnotations()[wishAnnotation] != digest {
		if err := f.opts.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(wish), client.FieldOwner(manager), client.ForceOwnership); err != nil {
			return fail(AccessPending, err)
		}
		request = wish
	}
	return f.granted(ctx, c, request, fail)
}

// granted follows an AccessRequest to its Secret.
func (f *Fleet) granted(ctx context.Context, c Cluster, request *unstructured.Unstructured, fail func(Reason, error) Cluster) Cluster {
	phase, _, _ := unstructured.NestedString(request.Object, "status", "phase")
	switch phase {
	case phaseGranted:
	case phaseDenied:
		return fail(AccessDenied, errors.New("phase Denied: "+messages(request)))
	default:
		return fail(AccessPending, fmt.Errorf("phase %q, waiting for Granted", phase))
	}
	name, _, _ := unstructured.NestedString(request.Object, "status", "secretRef", "name")
	namespace, _, _ := unstructured.NestedString(request.Object, "status", "secretRef", "namespace")
	if name == "" {
		return fail(AccessPending, errors.New("phase Granted, but status.secretRef.name is empty"))
	}
	if namespace == "" {
		namespace = request.GetNamespace()
	}
	return c.reachedBy(f.secret(ctx, namespace, name, "kubeconfig"))
}

// messages of conditions that are not True.
func messages(u *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["status"] != "True" && c["message"] != nil {
			return fmt.Sprint(c["message"])
		}
	}
	return "no condition says why"
}

// request is the AccessRequest that is wanted, and a digest of its spec.
func (f *Fleet) request(c Cluster, rights []Right) (*unstructured.Unstructured, string, error) {
	var permissions []any
	for _, right := range rights {
		permission := map[string]any{}
		if right.Namespace != "" {
			permission["namespace"] = right.Namespace
		}
		var rules []any
		for _, rule := range right.Rules {
			r, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&rule)
			if err != nil {
				return nil, "", err
			}
			rules = append(rules, r)
		}
		permission["rules"] = rules
		permissions = append(permissions, permission)
	}
	spec := map[string]any{
		"clusterRef": map[string]any{"name": c.Name, "namespace": c.Namespace},
		"token":      map[string]any{"permissions": permissions},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:8])
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(c.object.gvk.GroupVersion().WithKind("AccessRequest"))
	u.SetNamespace(c.Namespace)
	u.SetName(c.Name + requestSuffix)
	u.SetLabels(map[string]string{managedBy: manager})
	u.SetAnnotations(map[string]string{wishAnnotation: digest})
	// With the Cluster the request goes, and with it the account and its rights.
	u.SetOwnerReferences([]metav1.OwnerReference{{
		APIVersion: c.object.gvk.GroupVersion().String(), Kind: c.object.gvk.Kind, Name: c.Name, UID: c.object.uid,
	}})
	return u, digest, nil
}

// each makes clusters of objects, some at a time: every one takes a request or two.
func each(objects []*unstructured.Unstructured, cluster func(*unstructured.Unstructured) Cluster) []Cluster {
	const atOnce = 16
	out := make([]Cluster, len(objects))
	slots := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i, u := range objects {
		slots <- struct{}{}
		wait.Go(func() { out[i] = cluster(u); <-slots })
	}
	wait.Wait()
	return out
}
