package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// apiServer answers like an API server that has nothing but what handle adds.
func apiServer(t *testing.T, handle func(mux *http.ServeMux)) (kubeconfig string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","code":404,"message":"the server could not find the requested resource"}`)
	})
	handle(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c",
		"clusters":[{"name":"c","cluster":{"server":%q}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],
		"users":[{"name":"u","user":{"token":"t"}}]}`, server.URL)
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func TestRefusedConfigurationIsAnEvent(t *testing.T) {
	t.Setenv("POD_NAME", "external-dns-0")
	t.Setenv("POD_NAMESPACE", "dns")
	type event struct {
		Type, Reason, Message string
		InvolvedObject        struct{ Kind, Namespace, Name string }
	}
	got := make(chan event, 10)
	kubeconfig := apiServer(t, func(mux *http.ServeMux) {
		mux.HandleFunc("POST /api/v1/namespaces/dns/events", func(w http.ResponseWriter, r *http.Request) {
			var e event
			if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusCreated)
			got <- e
		})
	})
	path := configFile(t, strings.Replace(hub("203.0.113.10"), "kubernetes: {enabled: false}\n", "", 1))
	r := start(t, "--config="+path, "--kubeconfig="+kubeconfig)
	replace(t, path, "views: []\n")
	eventually(t, "an Event is written", func() bool { return len(got) > 0 })
	want := event{Type: "Warning", Reason: "ConfigurationRefused", Message: path + ":1:1: views: want at least one view"}
	want.InvolvedObject.Kind, want.InvolvedObject.Namespace, want.InvolvedObject.Name = "Pod", "dns", "external-dns-0"
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestEventsAreNotNeeded(t *testing.T) {
	t.Setenv("POD_NAME", "external-dns-0")
	t.Setenv("POD_NAMESPACE", "dns")
	kubeconfig := apiServer(t, func(mux *http.ServeMux) {
		mux.HandleFunc("POST /api/v1/namespaces/dns/events", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `events is forbidden`, http.StatusForbidden)
		})
	})
	path := configFile(t, strings.Replace(hub("203.0.113.10"), "kubernetes: {enabled: false}\n", "log: {level: debug}\n", 1))
	r := start(t, "--config="+path, "--kubeconfig="+kubeconfig)
	replace(t, path, "views: []\n")
	eventually(t, "the missing right is noted", func() bool { return strings.Contains(r.log.String(), "events is forbidden") })
	if strings.Contains(r.log.String(), "panic") {
		t.Error("it hurt")
	}
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestListensBeforeItIsReady: while the API server does not say what exists, the program answers, says
// why it is not ready, and publishes nothing.
func TestListensBeforeItIsReady(t *testing.T) {
	release := make(chan struct{})
	kubeconfig := apiServer(t, func(mux *http.ServeMux) {
		mux.HandleFunc("GET /apis/networking.k8s.io/v1", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			w.WriteHeader(http.StatusNotFound)
		})
	})
	r := start(t, "--zone=example.org", "--backend=memory", "--custom-ip=203.0.113.10", "--kubeconfig="+kubeconfig)
	if status, body := get(t, "http://"+r.operations+"/healthz"); status != http.StatusOK {
		t.Errorf("not alive: %d %s", status, body)
	}
	if status, body := get(t, "http://"+r.operations+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "ingresses.networking.k8s.io: not read yet") {
		t.Errorf("readiness: %d %s", status, body)
	}
	if status, body := get(t, "http://"+r.protocol+"/"); status != http.StatusOK || body != `{"include":["example.org"]}` {
		t.Errorf("negotiation: %d %s", status, body)
	}
	if status, body := r.adjust(t); status != http.StatusServiceUnavailable {
		t.Errorf("adjust: %d %s, want 503: nothing may be decided yet", status, body)
	}
	close(release)
	eventually(t, "it is ready", func() bool {
		status, _ := get(t, "http://"+r.operations+"/readyz")
		return status == http.StatusOK
	})
	if err := r.stop(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}
