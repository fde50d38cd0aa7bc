package install

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
)

// Drifted implements releases. The API server itself says what writing an object again would change: it is asked to, as a
// trial. So nothing depends on how a value is spelt, and what others added beside ours is left to them.
func (r *reached) Drifted(ctx context.Context) (string, error) {
	made, err := objects(r.last.Manifest, r.wish.Namespace)
	if err != nil {
		return "", err
	}
	for _, u := range made {
		what := u.GetKind() + " " + u.GetName()
		at, err := r.resource(u)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		live, err := at.Get(ctx, u.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return what + " is gone", nil
		}
		if err != nil {
			return "", err
		}
		owned(u, r.last.Name, r.last.Namespace)
		trial, err := at.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: manager, Force: true, DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		if !same(live, trial) {
			return what + " was changed", nil
		}
	}
	return "", nil
}

// owned puts on an object what Helm puts on it: by it Helm knows its own.
func owned(u *unstructured.Unstructured, name, namespace string) {
	labels, annotations := u.GetLabels(), u.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[managedBy] = "Helm"
	annotations["meta.helm.sh/release-name"], annotations["meta.helm.sh/release-namespace"] = name, namespace
	u.SetLabels(labels)
	u.SetAnnotations(annotations)
}

// same compares two forms of one object, but for what the API server counts with.
func same(a, b *unstructured.Unstructured) bool {
	plain := func(u *unstructured.Unstructured) map[string]any {
		u = u.DeepCopy()
		for _, field := range []string{"managedFields", "resourceVersion", "generation"} {
			unstructured.RemoveNestedField(u.Object, "metadata", field)
		}
		return u.Object
	}
	return equality.Semantic.DeepEqual(plain(a), plain(b))
}

func (r *reached) resource(u *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := u.GroupVersionKind()
	mapping, err := r.getter.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		u.SetNamespace("")
		return r.dynamic.Resource(mapping.Resource), nil
	}
	return r.dynamic.Resource(mapping.Resource).Namespace(u.GetNamespace()), nil
}

// Up implements releases.
func (r *reached) Up(ctx context.Context) (bool, string, error) {
	made, err := objects(r.last.Manifest, r.wish.Namespace)
	if err != nil {
		return false, "", err
	}
	for _, u := range made {
		if u.GetKind() != "Deployment" {
			continue
		}
		d, err := r.kube.AppsV1().Deployments(u.GetNamespace()).Get(ctx, u.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, "", err
		}
		if available(d) {
			continue
		}
		pods, err := r.pods(ctx)
		if err != nil {
			return false, "", err
		}
		return false, "Deployment " + d.Name + " is not up" + ailing(pods), nil
	}
	return true, "", nil
}

func available(d *appsv1.Deployment) bool {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas >= want && s.AvailableReplicas >= want && s.Replicas == s.UpdatedReplicas
}

// ailing says of the first container that does not run why not.
func ailing(pods []corev1.Pod) string {
	for i := range pods {
		status := pods[i].Status
		for _, c := range append(status.InitContainerStatuses, status.ContainerStatuses...) {
			if w := c.State.Waiting; w != nil && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating" {
				return fmt.Sprintf(": container %s: %s %s", c.Name, w.Reason, w.Message)
			}
			if end := c.State.Terminated; end != nil && end.ExitCode != 0 {
				return fmt.Sprintf(": container %s ended with %d: %s", c.Name, end.ExitCode, end.Reason)
			}
		}
		for _, c := range status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				return ": " + c.Message
			}
		}
		for _, c := range append(status.InitContainerStatuses, status.ContainerStatuses...) {
			if c.State.Running != nil && !c.Ready {
				return ": container " + c.Name + " is not ready"
			}
		}
	}
	return ""
}

// pods are those of the release.
func (r *reached) pods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := r.kube.CoreV1().Pods(r.wish.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=spokedns-webhook,app.kubernetes.io/instance=" + r.wish.Release})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// The chart's pods that withdraw have this label, and external-dns counts there how often it had nothing to do.
const (
	drainingPod = v1alpha1.Group + "/drain"
	idleRuns    = "external_dns_controller_no_op_runs_total"
	metricsPort = "7979"
)

// Drained implements releases. A look of external-dns at no source at all that found nothing to delete is the proof: it
// is the one who knows which records are its own.
func (r *reached) Drained(ctx context.Context) (bool, string, error) {
	pods, err := r.pods(ctx)
	if err != nil {
		return false, "", err
	}
	for i := range pods {
		pod := &pods[i]
		if pod.Labels[drainingPod] != "true" || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		text, err := r.kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, metricsPort, "metrics", nil).DoRaw(ctx)
		if err != nil {
			return false, "", fmt.Errorf("metrics of pod %s: %w", pod.Name, err)
		}
		if count(text, idleRuns) > 0 {
			return true, "", nil
		}
		return false, "external-dns still finds records of its own, or cannot read them", nil
	}
	return false, "the pod that withdraws does not run yet" + ailing(pods), nil
}

// count is the value of a metric without labels in Prometheus's text format; 0: it is not there.
func count(text []byte, metric string) float64 {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name != metric {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err == nil {
			return n
		}
	}
	return 0
}
