package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/corednsconfig/dialect"
)

// podGate tries configurations in short-lived pods of the cluster, one each.
type podGate struct{}

func (podGate) name() string { return "a pod in the cluster" }

func (podGate) try(ctx context.Context, v *visit, current, candidate trial) (before, after finding, err error) {
	ctx, cancel := context.WithTimeout(ctx, v.e.opts.Trial)
	defer cancel()
	v.sweep(ctx)
	var g errgroup.Group
	g.Go(func() (err error) { before, err = v.tryInPod(ctx, current); return err })
	g.Go(func() (err error) { after, err = v.tryInPod(ctx, candidate); return err })
	return before, after, g.Wait()
}

// tryInPod runs one configuration in a pod, and takes the pod away again.
func (v *visit) tryInPod(ctx context.Context, t trial) (finding, error) {
	pod, files, err := trialPod(v.d.Cluster, v.facts.ConfigMaps, t, "spokedns-trial-"+rand.String(8), 2*v.e.opts.Trial)
	if err != nil {
		return finding{}, err
	}
	if err := v.create(ctx, pod); err != nil {
		return finding{}, err
	}
	defer v.discard(ctx, pod)
	// The pod owns the ConfigMap, which goes with it. Until it is there the kubelet waits.
	files.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}}
	if err := v.create(ctx, files); err != nil {
		return finding{}, err
	}
	if err := v.awaitStart(ctx, pod); err != nil {
		return finding{}, err
	}
	ask := func(ctx context.Context, q question) (answer, error) {
		return v.a.ask(ctx, pod, portOf(v.d.Cluster), q)
	}
	ended := func(ctx context.Context) (string, bool) {
		if err := v.get(ctx, pod); err != nil {
			return "", false
		}
		return lastWords(pod)
	}
	return examineTrial(ctx, t, ask, ended), nil
}

func (v *visit) create(ctx context.Context, object client.Object) error {
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	return v.a.Create(ctx, object, client.FieldOwner(dialect.FieldOwner))
}

func (v *visit) get(ctx context.Context, object client.Object) error {
	ctx, cancel := v.e.within(ctx)
	defer cancel()
	return v.a.Get(ctx, client.ObjectKeyFromObject(object), object)
}

func (v *visit) discard(ctx context.Context, pod *corev1.Pod) {
	ctx, cancel := v.e.within(context.WithoutCancel(ctx))
	defer cancel()
	if err := v.a.Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil && !apierrors.IsNotFound(err) {
		v.log.Warn("a trial pod is left behind; the next trial takes it away", "pod", pod.Name, "err", err)
	}
}

// awaitStart waits until the container has started, or has ended. An error says that the pod cannot run here.
func (v *visit) awaitStart(ctx context.Context, pod *corev1.Pod) error {
	for {
		if err := v.get(ctx, pod); err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
			v.log.Debug("cannot look at the trial pod", "err", err)
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Running != nil || c.State.Terminated != nil {
				return nil
			}
			if w := c.State.Waiting; w != nil && hopeless(w.Reason) {
				return fmt.Errorf("pod %s: %s: %s", pod.Name, w.Reason, w.Message)
			}
		}
		if pod.Status.Phase == corev1.PodFailed {
			return fmt.Errorf("pod %s: %s: %s", pod.Name, pod.Status.Reason, pod.Status.Message)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return errors.New("pod " + pod.Name + " did not start in time: " + unscheduled(pod))
		}
	}
}

func hopeless(reason string) bool {
	switch reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError":
		return true
	}
	return false
}

func unscheduled(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status != corev1.ConditionTrue {
			return c.Message
		}
	}
	return "phase " + string(pod.Status.Phase)
}

// lastWords tells whether a trial's CoreDNS has ended, and what it said.
func lastWords(pod *corev1.Pod) (string, bool) {
	for _, c := range pod.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil {
			return fmt.Sprintf("exit status %d: %s", t.ExitCode, t.Message), true
		}
	}
	return "", false
}

// sweep takes away what a trial that was cut off has left.
func (v *visit) sweep(ctx context.Context) {
	call, cancel := v.e.within(ctx)
	defer cancel()
	var old corev1.PodList
	if err := v.a.List(call, &old, client.InNamespace(v.d.Cluster.Namespace), client.MatchingLabels{trialLabel: "true"}); err != nil {
		return
	}
	for _, p := range old.Items {
		if time.Since(p.CreationTimestamp.Time) > 2*v.e.opts.Trial {
			v.discard(ctx, &p)
		}
	}
}
