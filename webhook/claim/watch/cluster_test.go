package watch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"k8s.io/client-go/rest"
)

// cluster is an API server with as much of the protocol as a watcher uses.
type cluster struct {
	server *httptest.Server

	mu        sync.Mutex
	served    map[string][]string // plurals by group path, "/apis/networking.k8s.io/v1"
	objects   map[string]map[string]any
	history   []change
	forbidden map[string]bool // collections
	changed   chan struct{}   // closed and replaced at every change
	gone      map[string]bool // collections whose next watch is refused: the history is forgotten
	requests  []string        // "GET path" of single objects
	mute      bool            // watches hear of nothing
}

type change struct {
	collection, kind string
	object           map[string]any
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{
		served: map[string][]string{
			"/api/v1":                    {"services"},
			"/apis/networking.k8s.io/v1": {"ingresses", "ingressclasses"},
		},
		objects: map[string]map[string]any{}, forbidden: map[string]bool{}, gone: map[string]bool{}, changed: make(chan struct{}),
	}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.stop)
	return c
}

// stop ends the server without waiting for its watches.
func (c *cluster) stop() {
	_ = c.server.Listener.Close()
	c.server.CloseClientConnections()
}

func (c *cluster) config() *rest.Config { return &rest.Config{Host: c.server.URL} }

// do changes the cluster and wakes the watches.
func (c *cluster) do(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// serveKinds adds resources to a group version, as a CRD does.
func (c *cluster) serveKinds(path string, plurals ...string) {
	c.do(func() { c.served[path] = append(c.served[path], plurals...) })
}

// apply stores the objects of a YAML stream in the collections of their kinds.
func (c *cluster) apply(t *testing.T, manifests string) {
	t.Helper()
	for _, o := range parse(t, manifests) {
		c.do(func() {
			collection, name := place(o)
			kind := "MODIFIED"
			if _, ok := c.objects[collection][name]; !ok {
				kind = "ADDED"
			}
			if c.objects[collection] == nil {
				c.objects[collection] = map[string]any{}
			}
			c.record(collection, kind, o)
			c.objects[collection][name] = o
		})
	}
}

func (c *cluster) remove(t *testing.T, manifests string) {
	t.Helper()
	for _, o := range parse(t, manifests) {
		c.do(func() {
			collection, name := place(o)
			delete(c.objects[collection], name)
			c.record(collection, "DELETED", o)
		})
	}
}

func (c *cluster) record(collection, kind string, o map[string]any) {
	c.history = append(c.history, change{collection, kind, o})
	o["metadata"].(map[string]any)["resourceVersion"] = fmt.Sprint(len(c.history))
}

func parse(t *testing.T, manifests string) (objects []map[string]any) {
	t.Helper()
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		objects = append(objects, o)
	}
	return objects
}

// place is the collection of an object and its key there.
func place(o map[string]any) (collection, name string) {
	version := o["apiVersion"].(string)
	path := "/apis/" + version
	if version == "v1" {
		path = "/api/v1"
	}
	plural := strings.ToLower(o["kind"].(string))
	plural += "s"
	if strings.HasSuffix(plural, "ss") {
		plural = plural[:len(plural)-1] + "es"
	}
	m := o["metadata"].(map[string]any)
	namespace, _ := m["namespace"].(string)
	return path + "/" + plural, namespace + "/" + m["name"].(string)
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	plurals, isGroup := c.served[r.URL.Path]
	c.mu.Unlock()
	if isGroup {
		var list struct {
			Resources []map[string]string `json:"resources"`
		}
		for _, p := range plurals {
			list.Resources = append(list.Resources, map[string]string{"name": p})
		}
		answer(w, list)
		return
	}
	collection, object := split(r.URL.Path)
	c.mu.Lock()
	forbidden, gone := c.forbidden[collection], c.gone[collection]
	at := strings.LastIndex(collection, "/")
	known := slices.Contains(c.served[collection[:at]], collection[at+1:])
	c.mu.Unlock()
	switch {
	case forbidden:
		refuse(w, http.StatusForbidden, collection+" is forbidden")
	case !known:
		refuse(w, http.StatusNotFound, "the server could not find the requested resource")
	case object != "":
		c.get(w, collection, object)
	case r.URL.Query().Get("watch") == "":
		c.list(w, r, collection)
	case gone:
		c.mu.Lock()
		delete(c.gone, collection)
		c.mu.Unlock()
		refuse(w, http.StatusGone, "too old resource version")
	default:
		c.watch(w, r, collection)
	}
}

// split takes "/apis/g/v/namespaces/ns/plural/name" apart.
func split(path string) (collection, object string) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	prefix := 3
	if parts[0] == "api" {
		prefix = 2
	}
	if len(parts) < prefix {
		return path, ""
	}
	head, rest := "/"+strings.Join(parts[:prefix], "/"), parts[prefix:]
	switch {
	case len(rest) == 4 && rest[0] == "namespaces":
		return head + "/" + rest[2], rest[1] + "/" + rest[3]
	case len(rest) == 2:
		return head + "/" + rest[0], "/" + rest[1]
	}
	return path, ""
}

func (c *cluster) get(w http.ResponseWriter, collection, object string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, collection+" "+object)
	if o, ok := c.objects[collection][object]; ok {
		answer(w, o)
		return
	}
	refuse(w, http.StatusNotFound, object+" not found")
}

// list pages by name, two objects at a time whatever the limit.
func (c *cluster) list(w http.ResponseWriter, r *http.Request, collection string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.objects[collection] {
		if name > r.URL.Query().Get("continue") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	meta := map[string]string{"resourceVersion": fmt.Sprint(len(c.history))}
	if len(names) > 2 {
		names = names[:2]
		meta["continue"] = names[1]
	}
	items := []any{}
	for _, name := range names {
		items = append(items, c.objects[collection][name])
	}
	answer(w, map[string]any{"metadata": meta, "items": items})
}

func (c *cluster) watch(w http.ResponseWriter, r *http.Request, collection string) {
	next, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	for {
		_ = flush.Flush()
		c.mu.Lock()
		var events []change
		if !c.mute {
			events, next = c.history[next:], len(c.history)
		}
		changed := c.changed
		c.mu.Unlock()
		for _, e := range events {
			if e.collection == collection {
				answer(w, map[string]any{"type": e.kind, "object": e.object})
			}
		}
		_ = flush.Flush()
		if len(events) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	answer(w, map[string]any{"kind": "Status", "message": message, "code": code})
}
