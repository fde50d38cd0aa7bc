package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// served is a cluster of which this process serves all: the API server, with a certificate and credentials of its own, and
// through its port-forwarding the pods of cluster DNS. It is strict: what it does not know it refuses and remembers.
type served struct {
	url, authority string
	token          string
	api            client.WithWatch // keeps the objects, as strict about their versions as an API server
	reload         time.Duration    // from a change of the Corefile until the replicas read it
	writes         atomic.Int64     // mutating requests so far

	mu       sync.Mutex
	unknown  []string // requests that nobody should make
	file     string   // the Corefile, since changed
	changed  time.Time
	refuses  string // what has it in it the replicas do not load; empty: they load everything
	replicas map[string]*coreDNS
}

const servedAddress = "10.96.0.10"

// newServed starts a cluster made by kubeadm, with two replicas of CoreDNS.
func newServed(t *testing.T, token string, reload time.Duration) *served {
	t.Helper()
	c := &served{token: token, reload: reload, file: stock("cluster.local"), replicas: map[string]*coreDNS{}}
	marks := map[string]string{"k8s-app": "kube-dns"}
	objects := []client.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns", Labels: marks},
			Spec: corev1.ServiceSpec{ClusterIP: servedAddress, ClusterIPs: []string{servedAddress}, Selector: marks, Ports: []corev1.ServicePort{
				{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
			}},
		},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns"}, Data: map[string]string{"Corefile": c.file}},
	}
	for i := range 2 {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns-" + strconv.Itoa(i), UID: uuid.NewUUID(), Labels: marks},
			Spec: corev1.PodSpec{
				ServiceAccountName: "coredns",
				Containers: []corev1.Container{{
					Name: "coredns", Image: "registry.k8s.io/coredns/coredns:v1.12.1", Args: []string{"-conf", corefilePath},
					VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns", ReadOnly: true}},
				}},
				Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "coredns"}, Items: []corev1.KeyToPath{{Key: "Corefile", Path: "Corefile"}},
				}}}},
			},
			Status: running("coredns", time.Now().Add(-time.Hour)),
		}
		objects = append(objects, pod)
		replica, err := startCoreDNS(c.file)
		if err != nil {
			t.Fatal(err)
		}
		c.replicas[pod.Name] = replica
	}
	few := runtime.NewScheme() // the time each write takes grows with what it knows
	if err := corev1.AddToScheme(few); err != nil {
		t.Fatal(err)
	}
	c.api = fake.NewClientBuilder().WithScheme(few).WithObjects(objects...).Build()
	c.url, c.authority = serveTLS(t, c.routes())
	return c
}

// running is the status of a pod whose container runs.
func running(container string, since time.Time) corev1.PodStatus {
	return corev1.PodStatus{
		Phase:      corev1.PodRunning,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: container, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}},
		}},
	}
}

// routes are all that the API server answers.
func (c *served) routes() http.Handler {
	const list = "/api/v1/namespaces/kube-system/{resource}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, r *http.Request) {
		reply(w, r, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"}, Versions: []string{"v1"}}, nil)
	})
	mux.HandleFunc("GET /apis", func(w http.ResponseWriter, r *http.Request) {
		reply(w, r, metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}, nil)
	})
	mux.HandleFunc("GET /api/v1", c.resources)
	for pattern, handle := range map[string]func(*http.Request, client.Object, client.ObjectList) (any, error){
		"GET " + list: c.list, "POST " + list: c.create,
		"GET " + list + "/{name}": c.get, "PUT " + list + "/{name}": c.update, "DELETE " + list + "/{name}": c.remove,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			object, objects := kindOf(r.PathValue("resource"))
			if object == nil || !known(r.URL.Query()) {
				c.strange(w, r)
				return
			}
			if r.Method != http.MethodGet {
				c.writes.Add(1)
			}
			object.SetNamespace("kube-system")
			object.SetName(r.PathValue("name"))
			answer, err := handle(r, object, objects)
			reply(w, r, answer, err)
		})
	}
	mux.HandleFunc("POST "+list+"/{name}/portforward", c.forward)
	mux.HandleFunc("/", c.strange)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+c.token {
			reply(w, r, nil, apierrors.NewUnauthorized("these are the credentials of another cluster"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// known says whether a query asks for nothing that would have to be understood.
func known(q url.Values) bool {
	for key := range q {
		if !slices.Contains([]string{"labelSelector", "limit", "fieldManager", "timeout"}, key) {
			return false
		}
	}
	return true
}

// strange refuses a request, and has the test know of it.
func (c *served) strange(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.unknown = append(c.unknown, r.Method+" "+r.URL.String())
	c.mu.Unlock()
	http.Error(w, "this cluster knows nothing of that", http.StatusNotImplemented)
}

func (c *served) resources(w http.ResponseWriter, r *http.Request) {
	all := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "v1"}
	for resource, kind := range map[string]string{"services": "Service", "pods": "Pod", "configmaps": "ConfigMap", "secrets": "Secret"} {
		all.APIResources = append(all.APIResources, metav1.APIResource{
			Name: resource, Kind: kind, Namespaced: true, Verbs: metav1.Verbs{"create", "delete", "get", "list", "update"},
		})
	}
	reply(w, r, all, nil)
}

func kindOf(resource string) (client.Object, client.ObjectList) {
	switch resource {
	case "services":
		return &corev1.Service{}, &corev1.ServiceList{}
	case "pods":
		return &corev1.Pod{}, &corev1.PodList{}
	case "configmaps":
		return &corev1.ConfigMap{}, &corev1.ConfigMapList{}
	case "secrets":
		return &corev1.Secret{}, &corev1.SecretList{}
	}
	return nil, nil
}

func (c *served) list(r *http.Request, _ client.Object, list client.ObjectList) (any, error) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return list, c.api.List(r.Context(), list, client.InNamespace("kube-system"), client.MatchingLabelsSelector{Selector: selector})
}

func (c *served) get(r *http.Request, o client.Object, _ client.ObjectList) (any, error) {
	return o, c.api.Get(r.Context(), client.ObjectKeyFromObject(o), o)
}

// create also plays what would start a pod.
func (c *served) create(r *http.Request, o client.Object, _ client.ObjectList) (any, error) {
	if err := sent(r, o); err != nil {
		return nil, err
	}
	o.SetUID(uuid.NewUUID())
	o.SetCreationTimestamp(metav1.Now())
	if err := c.api.Create(r.Context(), o); err != nil {
		return nil, err
	}
	if pod, ok := o.(*corev1.Pod); ok {
		pod.Status = running(pod.Spec.Containers[0].Name, time.Now())
		return pod, c.api.Status().Update(r.Context(), pod)
	}
	return o, nil
}

// update also plays the kubelet: what is in the ConfigMap gets to the pods.
func (c *served) update(r *http.Request, o client.Object, _ client.ObjectList) (any, error) {
	if err := sent(r, o); err != nil {
		return nil, err
	}
	if err := c.api.Update(r.Context(), o); err != nil {
		return nil, err
	}
	if m, ok := o.(*corev1.ConfigMap); ok && m.Name == "coredns" {
		c.mu.Lock()
		defer c.mu.Unlock()
		if m.Data["Corefile"] != c.file {
			c.file, c.changed = m.Data["Corefile"], time.Now()
		}
	}
	return o, nil
}

// remove also plays the garbage collector: a ConfigMap goes with the pod that owns it.
func (c *served) remove(r *http.Request, o client.Object, _ client.ObjectList) (any, error) {
	var how metav1.DeleteOptions
	if err := sent(r, &how); err != nil {
		return nil, err
	}
	if err := c.api.Get(r.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		return nil, err
	}
	if err := c.api.Delete(r.Context(), o, &client.DeleteOptions{Preconditions: how.Preconditions}); err != nil {
		return nil, err
	}
	var left corev1.ConfigMapList
	if err := c.api.List(r.Context(), &left); err != nil {
		return nil, err
	}
	for _, m := range left.Items {
		if len(m.OwnerReferences) == 1 && m.OwnerReferences[0].UID == o.GetUID() {
			if err := c.api.Delete(r.Context(), &m); err != nil {
				return nil, err
			}
		}
	}
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}, nil
}

// sent reads the body of a request, as JSON or protobuf. None leaves the object as it is.
func sent(r *http.Request, into runtime.Object) error {
	text, err := io.ReadAll(r.Body)
	if err != nil || len(text) == 0 {
		return err
	}
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, into); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return nil
}

func reply(w http.ResponseWriter, r *http.Request, answer any, err error) {
	code := http.StatusOK
	if r.Method == http.MethodPost {
		code = http.StatusCreated
	}
	if o, ok := answer.(client.Object); ok && err == nil {
		kinds, _, kerr := scheme.Scheme.ObjectKinds(o)
		if err = kerr; err == nil {
			o.GetObjectKind().SetGroupVersionKind(kinds[0])
		}
	}
	if err != nil {
		var known apierrors.APIStatus
		status := apierrors.NewInternalError(err).Status()
		if errors.As(err, &known) {
			status = known.Status()
		}
		status.Kind, status.APIVersion = "Status", "v1"
		answer, code = status, int(status.Code)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer)
}

// corefile is what stands in the ConfigMap.
func (c *served) corefile() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file
}

// misused says what was asked of the cluster that it does not know.
func (c *served) misused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unknown) > 0 {
		return fmt.Errorf("requests that it does not know: %v", c.unknown)
	}
	return nil
}

// proper says what is in the cluster or was asked of it that should not have been.
func (c *served) proper(t *testing.T) error {
	t.Helper()
	if err := c.misused(); err != nil {
		return err
	}
	var pods corev1.PodList
	var files corev1.ConfigMapList
	var secrets corev1.SecretList
	if err := errors.Join(c.api.List(t.Context(), &pods), c.api.List(t.Context(), &files), c.api.List(t.Context(), &secrets)); err != nil {
		return err
	}
	if len(pods.Items) != 2 || len(files.Items) != 1 || len(secrets.Items) > 1 {
		return fmt.Errorf("%d pods, %d ConfigMaps, %d Secrets: want 2, 1, at most 1", len(pods.Items), len(files.Items), len(secrets.Items))
	}
	return nil
}

// refuse has the replicas load nothing any more that has the text in it; empty: they load everything.
func (c *served) refuse(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuses = text
}
