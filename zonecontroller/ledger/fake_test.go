package ledger_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cluster is an API server as far as ConfigMaps and resource versions go. Anything else panics.
type cluster struct {
	client.Client

	mu      sync.Mutex
	objects map[string]*corev1.ConfigMap
	version int
	writes  int
	working int // requests under way
	most    int // of them at once
	// fault, unless it is nil, says what happens to the next write: it is refused, or made and its answer lost.
	fault func() (refused, lost bool)
	// meet is called at the start of each request, to hold it up.
	meet func()
}

func newCluster() *cluster {
	return &cluster{objects: map[string]*corev1.ConfigMap{}, meet: func() {}, fault: func() (bool, bool) { return false, false }}
}

var (
	errRefused = errors.New("the API server is not reached")
	errLost    = errors.New("the answer is lost")
	resource   = schema.GroupResource{Resource: "configmaps"}
)

func (c *cluster) begin() (end func()) {
	c.mu.Lock()
	c.working++
	c.most = max(c.most, c.working)
	c.mu.Unlock()
	c.meet()
	c.mu.Lock()
	return func() { c.working--; c.mu.Unlock() }
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	defer c.begin()()
	held, ok := c.objects[key.String()]
	if !ok {
		return apierrors.NewNotFound(resource, key.Name)
	}
	held.DeepCopyInto(obj.(*corev1.ConfigMap))
	return nil
}

// write stores obj when the check permits.
func (c *cluster) write(obj client.Object, check func(held *corev1.ConfigMap) error) error {
	defer c.begin()()
	key := client.ObjectKeyFromObject(obj).String()
	if err := check(c.objects[key]); err != nil {
		return err
	}
	refused, lost := c.fault()
	if refused {
		return errRefused
	}
	c.version++
	c.writes++
	cm := obj.(*corev1.ConfigMap).DeepCopy()
	cm.ResourceVersion = strconv.Itoa(c.version)
	c.objects[key] = cm
	if lost {
		return errLost
	}
	obj.SetResourceVersion(cm.ResourceVersion)
	return nil
}

func (c *cluster) Create(_ context.Context, obj client.Object, _ ...client.CreateOption) error {
	return c.write(obj, func(held *corev1.ConfigMap) error {
		if held != nil {
			return apierrors.NewAlreadyExists(resource, obj.GetName())
		}
		return nil
	})
}

func (c *cluster) Update(_ context.Context, obj client.Object, _ ...client.UpdateOption) error {
	return c.write(obj, func(held *corev1.ConfigMap) error {
		switch {
		case held == nil:
			return apierrors.NewNotFound(resource, obj.GetName())
		case held.ResourceVersion != obj.GetResourceVersion():
			return apierrors.NewConflict(resource, obj.GetName(), errors.New("another version"))
		}
		return nil
	})
}

func (c *cluster) Delete(_ context.Context, obj client.Object, _ ...client.DeleteOption) error {
	defer c.begin()()
	key := client.ObjectKeyFromObject(obj).String()
	if c.objects[key] == nil {
		return apierrors.NewNotFound(resource, obj.GetName())
	}
	delete(c.objects, key)
	return nil
}

// stored are the names of the ConfigMaps.
func (c *cluster) stored() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, cm := range maps.All(c.objects) {
		names = append(names, cm.Name)
	}
	return names
}
