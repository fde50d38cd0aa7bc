package dialect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Read looks at a cluster with the rights of [ReadRights]. An object or a kind that is not there is a fact; a right that is
// missing is a *[Forbidden] naming it; any other error says what could not be read. No list goes beyond the namespaces of
// cluster DNS, and neither ConfigMaps nor Secrets are listed.
//
// The reader should not be a cached one: a cache would list and watch what is only asked for by name here.
func Read(ctx context.Context, r client.Reader) (Facts, error) {
	rd := &reader{ctx: ctx, Reader: r}
	var f Facts
	f.Services = rd.services(systemNamespace)
	// A namespace that is not there cannot grant rights either, so it is asked for by name first.
	if f.Service() == nil && rd.get(&corev1.Namespace{}, "", openshiftNamespace, "", "namespaces") {
		f.Services = append(f.Services, rd.services(openshiftNamespace)...)
	}
	service := f.Service()
	if service == nil || rd.err != nil {
		return f, rd.err
	}
	f.Pods = rd.pods(service.Namespace, service.Spec.Selector)
	f.NodeLocalPods = rd.pods(systemNamespace, map[string]string{appLabel: nodeLocalApp})
	rd.configMaps(&f, f.Pods, false)
	rd.configMaps(&f, f.NodeLocalPods, true)
	if service.Namespace == openshiftNamespace {
		f.DNSOperator = rd.object(dnsKind(), "", "default", "dnses")
	}
	for _, m := range f.ConfigMaps {
		release := m.Annotations[helmReleaseAnnotation]
		if release == "" || f.HelmChart != nil {
			continue
		}
		if f.HelmChart = rd.object(helmChartKind(), m.Namespace, release, "helmcharts"); f.HelmChart != nil {
			f.HelmChartConfig = rd.object(helmChartConfigKind(), m.Namespace, release, "helmchartconfigs")
		}
	}
	return f, rd.err
}

// A cache on the nodes has a pod on each; they are read in pages.
const podPage = 250

const helmReleaseAnnotation = "meta.helm.sh/release-name"

func dnsKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "operator.openshift.io", Version: "v1", Kind: "DNS"}
}

func helmChartKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "helm.cattle.io", Version: "v1", Kind: "HelmChart"}
}

func helmChartConfigKind() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "helm.cattle.io", Version: "v1", Kind: "HelmChartConfig"}
}

// Forbidden says which right is missing.
type Forbidden struct {
	// Right is what would have to be granted.
	Right Right
	// Err is the answer of the API server.
	Err error
}

func (f *Forbidden) Error() string {
	r := f.Right.Rules[0]
	where := "in the cluster"
	if f.Right.Namespace != "" {
		where = "in namespace " + f.Right.Namespace
	}
	what := r.Resources[0]
	if r.APIGroups[0] != "" {
		what += "." + r.APIGroups[0]
	}
	if len(r.ResourceNames) > 0 {
		what += " " + r.ResourceNames[0]
	}
	return fmt.Sprintf("the right to %s %s %s is missing: %v", strings.Join(r.Verbs, ", "), what, where, f.Err)
}

func (f *Forbidden) Unwrap() error { return f.Err }

// reader reads until the first error.
type reader struct {
	client.Reader
	ctx context.Context
	err error
}

func (r *reader) services(namespace string) []corev1.Service {
	var list corev1.ServiceList
	r.list(&list, "services", client.InNamespace(namespace))
	return slices.DeleteFunc(list.Items, func(s corev1.Service) bool {
		return s.Name != serviceName && s.Name != openshiftService && s.Labels[appLabel] != clusterDNSApp
	})
}

func (r *reader) pods(namespace string, selector map[string]string) []corev1.Pod {
	if len(selector) == 0 {
		return nil
	}
	var pods []corev1.Pod
	for next := ""; ; {
		var list corev1.PodList
		r.list(&list, "pods", client.InNamespace(namespace), client.MatchingLabels(selector), client.Limit(podPage), client.Continue(next))
		for _, p := range list.Items {
			// Half of a pod, and nothing that is asked for.
			p.ManagedFields, p.Annotations = nil, nil
			pods = append(pods, p)
		}
		if next = list.Continue; next == "" || r.err != nil {
			return pods
		}
	}
}

// configMaps reads what the pods mount. Some who run a cache on the nodes name its ConfigMap after its content, so that the
// right to read it cannot be granted beforehand; that is a fact and no error.
func (r *reader) configMaps(f *Facts, pods []corev1.Pod, nodeLocal bool) {
	asked := map[string]bool{}
	for _, p := range pods {
		for _, name := range mountedConfigMaps(p) {
			full := p.Namespace + "/" + name
			if asked[full] || f.configMap(p.Namespace, name) != nil {
				continue
			}
			asked[full] = true
			var m corev1.ConfigMap
			if r.get(&m, p.Namespace, name, "", "configmaps") {
				f.ConfigMaps = append(f.ConfigMaps, m)
			}
			var forbidden *Forbidden
			if nodeLocal && errors.As(r.err, &forbidden) && !slices.Contains(knownConfigMaps(), name) {
				f.Hidden, r.err = append(f.Hidden, full), nil
			}
		}
	}
}

func (r *reader) object(kind schema.GroupVersionKind, namespace, name, resource string) *unstructured.Unstructured {
	var u unstructured.Unstructured
	u.SetGroupVersionKind(kind)
	if !r.get(&u, namespace, name, kind.Group, resource) {
		return nil
	}
	return &u
}

func (r *reader) get(o client.Object, namespace, name, group, resource string) bool {
	if r.err != nil {
		return false
	}
	err := r.Get(r.ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false
	}
	r.fail(err, namespace, rule([]string{"get"}, group, resource, name))
	return err == nil
}

func (r *reader) list(l client.ObjectList, resource string, opts ...client.ListOption) {
	if r.err != nil {
		return
	}
	options := (&client.ListOptions{}).ApplyOptions(opts)
	r.fail(r.List(r.ctx, l, opts...), options.Namespace, rule([]string{"list"}, "", resource))
}

func (r *reader) fail(err error, namespace string, needed rbacv1.PolicyRule) {
	switch {
	case err == nil:
	case apierrors.IsForbidden(err):
		r.err = &Forbidden{Right: Right{Namespace: namespace, Rules: []rbacv1.PolicyRule{needed}}, Err: err}
	default:
		what := strings.Join(append([]string{needed.Resources[0]}, needed.ResourceNames...), " ")
		r.err = fmt.Errorf("read %s in namespace %q: %w", what, namespace, err)
	}
}
