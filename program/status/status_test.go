package status_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/spokedns/spokedns/program/status"
)

// replica is as much of a manager as a status needs.
type replica struct {
	manager.Manager
	elected chan struct{}
	err     error // of reading
}

func (r *replica) Elected() <-chan struct{}    { return r.elected }
func (r *replica) GetAPIReader() client.Reader { return reader{r} }

type reader struct{ *replica }

func (r reader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("only lists are asked for")
}
func (r reader) List(context.Context, client.ObjectList, ...client.ListOption) error { return r.err }

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAReplicaShowsWhetherItIsReadyAndLeads(t *testing.T) {
	r := &replica{elected: make(chan struct{})}
	address := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &status.Server{
		Address: address, Version: "v1", Leader: "it_leads", Registry: prometheus.NewRegistry(), Manager: r,
		Kind: &corev1.PodList{}, Unready: "Pods cannot be read", Log: slog.New(slog.DiscardHandler),
	}
	served, err := s.Serve(ctx, cancel)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(path string, code int, text string) {
		t.Helper()
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != code || !strings.Contains(string(body), text) {
			t.Errorf("%s: %d %q, %v; want %d with %q", path, resp.StatusCode, body, err, code, text)
		}
	}
	expect("/healthz", http.StatusOK, "ok")
	expect("/readyz", http.StatusOK, "ok")
	expect("/metrics", http.StatusOK, "it_leads 0")
	expect("/metrics", http.StatusOK, `spokedns_build_info{version="v1"} 1`)
	close(r.elected)
	expect("/metrics", http.StatusOK, "it_leads 1")
	r.err = errors.New("forbidden")
	expect("/readyz", http.StatusServiceUnavailable, "Pods cannot be read: forbidden")

	second := *s
	second.Registry = prometheus.NewRegistry()
	if _, err := second.Serve(ctx, cancel); err == nil || !strings.Contains(err.Error(), "listen: ") {
		t.Errorf("an address in use: %v", err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
