package wanip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

var (
	_ wanip.ConfigMaps = typed.ConfigMapInterface(nil)
	_ wanip.ConfigMaps = (*apiServer)(nil)
)

// fault is what happens to one request of the Writer.
type fault int

const (
	none     fault = iota
	refused        // it never arrives
	lost           // it is done, and the reply is lost
	hangs          // no reply comes until the context ends
	overtook       // another writer is faster
)

// apiServer has the ConfigMaps of one namespace, and treats them as Kubernetes does: every write has a new
// resourceVersion, a write on an old one is a conflict, one that changes nothing is none.
type apiServer struct {
	mu      sync.Mutex
	objects map[string]*corev1.ConfigMap
	version int
	history []event       // of all that happened, for watches
	changed chan struct{} // closed and replaced when something happens

	faults  []fault // of the Writer's next requests
	calls   []string
	writes  []*corev1.ConfigMap
	meddler func(*corev1.ConfigMap) // what the faster writer does

	// For readers, who come over HTTP.
	forbidden  bool
	forgotten  int    // watches from before this version are told 410 Gone
	mute       bool   // watches hear nothing and do not end
	portal     string // what somebody else answers instead
	portalType string
	slow       time.Duration // before every answer
	cut        chan struct{} // closed and replaced: watches end in the middle
	requests   []string
}

type event struct {
	version int
	kind    string
	object  *corev1.ConfigMap
}

func newAPIServer() *apiServer {
	return &apiServer{
		objects: map[string]*corev1.ConfigMap{}, version: 100, changed: make(chan struct{}), cut: make(chan struct{}),
		meddler: func(cm *corev1.ConfigMap) {
			cm.Data = maps.Clone(cm.Data)
			if cm.Data == nil {
				cm.Data = map[string]string{}
			}
			cm.Data["foreign"] += "x"
		},
	}
}

func resource() schema.GroupResource { return schema.GroupResource{Resource: "configmaps"} }

// happen stores a new version of an object and tells the watches.
func (a *apiServer) happen(kind string, cm *corev1.ConfigMap) *corev1.ConfigMap {
	a.version++
	cm = cm.DeepCopy()
	cm.ResourceVersion = strconv.Itoa(a.version)
	if kind == "DELETED" {
		delete(a.objects, cm.Name)
	} else {
		a.objects[cm.Name] = cm
	}
	a.history = append(a.history, event{a.version, kind, cm})
	close(a.changed)
	a.changed = make(chan struct{})
	return cm.DeepCopy()
}

// request is the part all requests of a Writer share. It returns what to do to the reply.
func (a *apiServer) request(ctx context.Context, call, name string) (after error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	a.calls = append(a.calls, call)
	var f fault
	if len(a.faults) > 0 {
		f, a.faults = a.faults[0], a.faults[1:]
	}
	switch f {
	case refused:
		return nil, errors.New("connection refused")
	case lost:
		return errors.New("connection reset by peer"), nil
	case hangs:
		a.mu.Unlock()
		<-ctx.Done()
		a.mu.Lock()
		return nil, ctx.Err()
	case overtook:
		if cm, ok := a.objects[name]; ok {
			cm = cm.DeepCopy()
			a.meddler(cm)
			a.happen("MODIFIED", cm)
		} else {
			a.happen("ADDED", &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "foreign"}})
		}
	}
	return nil, nil
}

func (a *apiServer) Get(ctx context.Context, name string, _ metav1.GetOptions) (*corev1.ConfigMap, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if after, err := a.request(ctx, "get", name); err != nil || after != nil {
		return nil, errors.Join(after, err)
	}
	cm, ok := a.objects[name]
	if !ok {
		return nil, apierrors.NewNotFound(resource(), name)
	}
	return cm.DeepCopy(), nil
}

func (a *apiServer) Create(ctx context.Context, cm *corev1.ConfigMap, _ metav1.CreateOptions) (*corev1.ConfigMap, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	after, err := a.request(ctx, "create", cm.Name)
	if err != nil {
		return nil, err
	}
	if cm.ResourceVersion != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if _, ok := a.objects[cm.Name]; ok {
		return nil, apierrors.NewAlreadyExists(resource(), cm.Name)
	}
	cm = cm.DeepCopy()
	cm.UID = types.UID(fmt.Sprint("uid-", a.version))
	a.writes = append(a.writes, cm)
	cm = a.happen("ADDED", cm)
	if after != nil {
		return nil, after
	}
	return cm, nil
}

func (a *apiServer) Update(ctx context.Context, cm *corev1.ConfigMap, _ metav1.UpdateOptions) (*corev1.ConfigMap, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	after, err := a.request(ctx, "update", cm.Name)
	if err != nil {
		return nil, err
	}
	stored, ok := a.objects[cm.Name]
	switch {
	case !ok:
		return nil, apierrors.NewNotFound(resource(), cm.Name)
	case cm.UID != "" && cm.UID != stored.UID, cm.ResourceVersion != "" && cm.ResourceVersion != stored.ResourceVersion:
		return nil, apierrors.NewConflict(resource(), cm.Name, errors.New("the object has been modified"))
	case stored.Immutable != nil && *stored.Immutable:
		return nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, cm.Name, nil)
	}
	a.writes = append(a.writes, cm.DeepCopy())
	if !maps.Equal(cm.Data, stored.Data) || !maps.Equal(cm.Annotations, stored.Annotations) {
		stored = a.happen("MODIFIED", cm)
	}
	if after != nil {
		return nil, after
	}
	return stored.DeepCopy(), nil
}

// edit is kubectl edit.
func (a *apiServer) edit(name string, f func(*corev1.ConfigMap)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	cm := a.objects[name].DeepCopy()
	f(cm)
	a.happen("MODIFIED", cm)
}

// put stores an object, whether or not there is one.
func (a *apiServer) put(name string, cm *corev1.ConfigMap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	cm = cm.DeepCopy()
	cm.Name = name
	kind := "ADDED"
	if _, ok := a.objects[name]; ok {
		kind = "MODIFIED"
	}
	a.happen(kind, cm)
}

// remove is kubectl delete.
func (a *apiServer) remove(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cm, ok := a.objects[name]; ok {
		a.happen("DELETED", cm)
	}
}

func (a *apiServer) stored(name string) *corev1.ConfigMap {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[name].DeepCopy()
}

// do changes how the server behaves.
func (a *apiServer) do(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// disconnect ends every watch in the middle.
func (a *apiServer) disconnect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.cut)
	a.cut = make(chan struct{})
}

// ServeHTTP lists and watches, for whoever may do so with one name only.
func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	slow := a.slow
	a.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-r.Context().Done():
	}
	a.mu.Lock()
	if r.Context().Err() != nil {
		return
	}
	q := r.URL.Query()
	name, named := strings.CutPrefix(q.Get("fieldSelector"), "metadata.name=")
	verb := "list"
	if q.Get("watch") != "" {
		verb = "watch"
	}
	a.requests = append(a.requests, verb)
	switch {
	case a.portal != "":
		w.Header().Set("Content-Type", a.portalType)
		_, _ = w.Write([]byte(a.portal))
	case r.URL.Path != "/api/v1/namespaces/dns/configmaps" || r.Method != http.MethodGet:
		refuse(w, http.StatusNotFound, "the server could not find the requested resource")
	case !named || a.forbidden: // a Role restricted by resourceNames allows a list of that name, and no other
		refuse(w, http.StatusForbidden, `configmaps is forbidden: User "webhook" cannot `+verb+" resource")
	case verb == "list":
		a.list(w, name)
	default:
		a.watch(w, r, name)
	}
}

func (a *apiServer) list(w http.ResponseWriter, name string) {
	items := []*corev1.ConfigMap{}
	if cm, ok := a.objects[name]; ok {
		items = append(items, cm)
	}
	w.Header().Set("Content-Type", "application/json")
	answer(w, map[string]any{
		"kind": "ConfigMapList", "metadata": map[string]string{"resourceVersion": strconv.Itoa(a.version)}, "items": items,
	})
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, name string) {
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	seconds, err2 := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	if err != nil || err2 != nil {
		refuse(w, http.StatusBadRequest, fmt.Sprint(err, err2))
		return
	}
	if from < a.forgotten {
		refuse(w, http.StatusGone, "too old resource version")
		return
	}
	flush := http.NewResponseController(w)
	end, bookmark := time.NewTimer(time.Duration(seconds)*time.Second), time.NewTicker(time.Minute)
	defer end.Stop()
	defer bookmark.Stop()
	cut := a.cut
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for {
		if from < a.forgotten {
			answer(w, map[string]any{"type": "ERROR", "object": map[string]any{"kind": "Status", "code": 410, "message": "too old resource version"}})
			return
		}
		for _, e := range a.history {
			if e.version > from && !a.mute && e.object.Name == name {
				answer(w, map[string]any{"type": e.kind, "object": e.object})
			}
		}
		if !a.mute {
			from = a.version
		}
		_ = flush.Flush()
		changed := a.changed
		a.mu.Unlock()
		var done, mark bool
		select {
		case <-changed:
		case <-bookmark.C:
			mark = true
		case <-cut:
			a.mu.Lock()
			panic(http.ErrAbortHandler)
		case <-end.C:
			done = true
		case <-r.Context().Done():
			a.mu.Lock()
			return
		}
		a.mu.Lock()
		if a.mute {
			continue
		}
		if mark && from == a.version { // else it would skip what has happened
			answer(w, map[string]any{"type": "BOOKMARK", "object": map[string]any{"metadata": map[string]string{"resourceVersion": strconv.Itoa(from)}}})
		}
		if done {
			return
		}
	}
}

func answer(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func refuse(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	answer(w, map[string]any{"kind": "Status", "message": message, "code": code})
}

// nowhere is a namespace that does not exist.
type nowhere struct {
	*apiServer
	creates int
}

func (n *nowhere) Create(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error) {
	n.creates++
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "dns")
}
