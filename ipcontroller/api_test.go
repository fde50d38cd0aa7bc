package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/validation"
)

// apiServer keeps Leases, ConfigMaps and Events of one namespace over HTTP, as Kubernetes does: every write has a
// new resourceVersion, a write on an old one is a conflict.
type apiServer struct {
	*httptest.Server
	mu      sync.Mutex
	version int
	objects map[string]map[string]any // by "configmaps/name"
	events  []map[string]any
	writers []string // holders in the ConfigMap, in the order of writes
	changed chan struct{}
	down    bool            // answers 503 to everything
	deaf    map[string]bool // user agents that get no answer
}

func newAPIServer(t *testing.T) *apiServer {
	a := &apiServer{objects: map[string]map[string]any{}, version: 100, changed: make(chan struct{}), deaf: map[string]bool{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() { a.CloseClientConnections(); a.Close() })
	return a
}

func (a *apiServer) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// object is a copy of one, nil if there is none.
func (a *apiServer) object(key string) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return clone(a.objects[key])
}

// put stores an object behind everybody's back.
func (a *apiServer) put(key string, o map[string]any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.store(key, o)
}

func (a *apiServer) remove(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.store(key, nil)
}

func (a *apiServer) store(key string, o map[string]any) {
	a.version++
	if o == nil {
		delete(a.objects, key)
	} else {
		meta := o["metadata"].(map[string]any)
		meta["resourceVersion"], meta["uid"] = strconv.Itoa(a.version), "uid-of-"+key
		a.objects[key] = o
		if strings.HasPrefix(key, "configmaps/") {
			a.writers = append(a.writers, fmt.Sprint(dig(o, "metadata", "annotations", "wan.spokedns.io/holder")))
		}
	}
	close(a.changed)
	a.changed = make(chan struct{})
}

func clone(o map[string]any) (out map[string]any) {
	text, _ := json.Marshal(o)
	_ = json.Unmarshal(text, &out)
	return out
}

// dig follows names into an object; nil when they lead nowhere.
func dig(o any, names ...string) any {
	for _, n := range names {
		m, _ := o.(map[string]any)
		o = m[n]
	}
	return o
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.deaf[r.UserAgent()] {
		a.mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body) // else it is not noticed that the client goes away
		<-r.Context().Done()
		a.mu.Lock()
		return
	}
	if a.down {
		refuse(w, http.StatusServiceUnavailable, "the server is down")
		return
	}
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/dns/")
	kind, name, _ := strings.Cut(rest, "/")
	if name == "" && r.Method == http.MethodGet {
		if r.URL.Query().Get("watch") != "" {
			a.watch(w, r)
			return
		}
		var items []any
		_, name, _ := strings.Cut(r.URL.Query().Get("fieldSelector"), "=")
		if o := a.objects[kind+"/"+name]; o != nil {
			items = append(items, o)
		}
		reply(w, http.StatusOK, map[string]any{"kind": "List", "metadata": map[string]any{"resourceVersion": strconv.Itoa(a.version)}, "items": items})
		return
	}
	var in map[string]any
	if r.Method != http.MethodGet {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			refuse(w, http.StatusBadRequest, err.Error())
			return
		}
	}
	if kind == "events" {
		if wrong := validation.NameIsDNSSubdomain(fmt.Sprint(dig(in, "metadata", "generateName")), true); len(wrong) > 0 {
			refuse(w, http.StatusUnprocessableEntity, "Invalid: "+wrong[0])
			return
		}
		a.events = append(a.events, in)
		reply(w, http.StatusCreated, in)
		return
	}
	key := kind + "/" + name
	if r.Method == http.MethodPost {
		key = kind + "/" + fmt.Sprint(dig(in, "metadata", "name"))
	}
	old := a.objects[key]
	switch {
	case r.Method == http.MethodPost && old != nil:
		refuse(w, http.StatusConflict, "AlreadyExists")
	case r.Method != http.MethodPost && old == nil:
		refuse(w, http.StatusNotFound, "NotFound")
	case r.Method == http.MethodGet:
		reply(w, http.StatusOK, old)
	case r.Method == http.MethodPut && dig(in, "metadata", "resourceVersion") != dig(old, "metadata", "resourceVersion"):
		refuse(w, http.StatusConflict, "Conflict")
	case r.Method == http.MethodPut || r.Method == http.MethodPost:
		a.store(key, in)
		reply(w, map[string]int{http.MethodPost: http.StatusCreated, http.MethodPut: http.StatusOK}[r.Method], in)
	default:
		refuse(w, http.StatusMethodNotAllowed, r.Method)
	}
}

// watch tells of every change of one object, and ends when the API server goes down.
func (a *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	_, rest, _ := strings.Cut(r.URL.Path, "/namespaces/dns/")
	_, name, _ := strings.Cut(r.URL.Query().Get("fieldSelector"), "=")
	key, told := rest+"/"+name, r.URL.Query().Get("resourceVersion")
	w.Header().Set("Content-Type", "application/json")
	w.(http.Flusher).Flush()
	for r.Context().Err() == nil && !a.down {
		if o := a.objects[key]; o != nil && dig(o, "metadata", "resourceVersion") != told {
			told = fmt.Sprint(dig(o, "metadata", "resourceVersion"))
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": o})
		} else if o == nil && told != "" {
			told = ""
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "DELETED", "object": map[string]any{
				"metadata": map[string]any{"name": name, "resourceVersion": strconv.Itoa(a.version)}}})
		}
		w.(http.Flusher).Flush()
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		a.mu.Lock()
	}
}

func reply(w http.ResponseWriter, code int, o any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o)
}

func refuse(w http.ResponseWriter, code int, why string) {
	reason := why
	if code == http.StatusServiceUnavailable {
		reason = "ServiceUnavailable"
	}
	reply(w, code, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": why, "reason": reason, "code": code})
}
