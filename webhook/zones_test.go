package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
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

// What ends before anything was published ends like everything else.
func TestEndWhileWaitingForZones(t *testing.T) {
	front := start(t, "--config="+configFile(t, "views: [{name: public, backend: {chain: {url: \"http://127.0.0.1:1\"}}}]\nkubernetes: {enabled: false}\n"))
	if err := front.stop(t); err != nil {
		t.Error(err)
	}
}
