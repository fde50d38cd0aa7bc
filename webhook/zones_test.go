package main

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/config"
)

// A view that names no zones publishes into those of the webhook behind it, which may come up later.
func TestZonesOfTheWebhookBehind(t *testing.T) {
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := reserved.Addr().String()
	if err := reserved.Close(); err != nil {
		t.Fatal(err)
	}
	front := start(t, "--config="+configFile(t, "views: [{name: public, backend: {chain: {url: \"http://"+address+"\"}}}]\nkubernetes: {enabled: false}\n"))
	if status, body := get(t, "http://"+front.operations+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "which zones") {
		t.Errorf("ready is %d %s before the webhook behind it is up", status, body)
	}
	if status, _ := get(t, "http://"+front.protocol+"/"); status != http.StatusServiceUnavailable {
		t.Errorf("negotiation is answered with %d before the zones are known", status)
	}
	start(t, "--listen="+address, "--backend=memory", "--zone=example.org,example.net", "--no-kubernetes")
	eventually(t, "it is ready", func() bool {
		status, _ := get(t, "http://"+front.operations+"/readyz")
		return status == http.StatusOK
	})
	if status, body := get(t, "http://"+front.protocol+"/"); status != http.StatusOK || body != `{"include":["example.net","example.org"]}` {
		t.Errorf("the domain filter is %d %s", status, body)
	}
	if err := front.stop(t); err != nil {
		t.Error(err)
	}
}

func TestCheckOfAViewThatLearnsItsZones(t *testing.T) {
	got, err := ask(t, "--check", "--config="+configFile(t, "views: [{name: public, backend: {chain: {url: \"http://127.0.0.1:1\"}}}]\n"))
	if err != nil || !strings.Contains(got, "view public publishes the zones its backend names to chain") {
		t.Errorf("got %v\n%s", err, got)
	}
}

// What ends before anything was published ends like everything else.
func TestEndWhileWaitingForZones(t *testing.T) {
	front := start(t, "--config="+configFile(t, "views: [{name: public, backend: {chain: {url: \"http://127.0.0.1:1\"}}}]\nkubernetes: {enabled: false}\n"))
	if err := front.stop(t); err != nil {
		t.Error(err)
	}
}

// While the first configuration waits for a service, a changed file may come into use, even while we wait
// for our turn to try again. The first one must not take its place.
func TestTheFirstConfigurationIsNotPutOverANewerOne(t *testing.T) {
	read := func(text string) *config.File {
		f, err := config.Decode("test.yaml", []byte(text), kinds())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, newer := read(hub("203.0.113.1")), read(hub("203.0.113.2"))
	w, err := newWebhook(&invocation{}, first, slog.New(slog.DiscardHandler), new(slog.LevelVar))
	if err != nil {
		t.Fatal(err)
	}
	w.life = t.Context()
	t.Cleanup(w.close)
	if err := w.use(t.Context(), newer, false); err != nil {
		t.Fatal(err)
	}
	if err := w.useIfNone(t.Context(), first); err != nil {
		t.Error(err)
	}
	if w.file != newer {
		t.Errorf("in use is %v, want the newer one", w.file.Targets)
	}
}

// DNSZones are read from the API server: a configuration that wants them without it is wrong, and says where.
func TestZonesFromObjectsNeedTheCluster(t *testing.T) {
	f, err := config.Decode("test.yaml", []byte("views:\n- {name: a, zones: [example.org], backend: {memory: {}}}\n- {name: b, zonesFrom: {}, backend: {etcd: {endpoints: ['http://127.0.0.1:1']}}}\nkubernetes: {enabled: false}\n"), kinds())
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWebhook(&invocation{}, f, slog.New(slog.DiscardHandler), new(slog.LevelVar))
	if err != nil {
		t.Fatal(err)
	}
	w.life = t.Context()
	t.Cleanup(w.close)
	if err := w.use(t.Context(), f, false); err == nil || !strings.Contains(err.Error(), "views[1].zonesFrom: want kubernetes.enabled") {
		t.Errorf("used with error %v", err)
	}
}
