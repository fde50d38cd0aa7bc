package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/webhook/config"
)

// cluster says how to reach the API server; nil when it shall not be used.
func cluster(k config.Kubernetes) (*rest.Config, error) {
	if !k.Enabled {
		return nil, nil
	}
	cfg, err := program.Kubernetes{Kubeconfig: k.Kubeconfig, Context: k.Context}.Config("spokedns-webhook/" + program.Version(version))
	if errors.Is(err, program.ErrNoCluster) {
		return nil, fmt.Errorf("%w, or --no-kubernetes to decide by what external-dns says alone", err)
	}
	return cfg, err
}

// eventTimeout is how long writing an Event may take; nothing waits for it.
const eventTimeout = 10 * time.Second

// The types of Events.
const (
	eventNormal  = "Normal"
	eventWarning = "Warning"
)

// event writes a Kubernetes Event on the program's own pod, so that `kubectl describe pod` shows what the log
// says. It needs POD_NAME, POD_NAMESPACE and the right to create Events; without them the log has to do. It
// returns at once.
func (w *webhook) event(ctx context.Context, typ, reason, message string) {
	pod, namespace := os.Getenv("POD_NAME"), os.Getenv("POD_NAMESPACE")
	if w.cluster == nil || pod == "" || namespace == "" {
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventTimeout)
		defer cancel()
		if err := postEvent(ctx, w.cluster, pod, namespace, typ, reason, message); err != nil {
			w.log.Debug("no Kubernetes Event could be written", "error", err)
		}
	}()
}

func postEvent(ctx context.Context, cfg *rest.Config, pod, namespace, typ, reason, message string) error {
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return err
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return err
	}
	const most = 1024 // bytes of an Event's message that the API server takes
	if len(message) > most {
		message = message[:most-3] + "..."
	}
	now := time.Now().UTC().Format(time.RFC3339)
	body, err := json.Marshal(map[string]any{
		"apiVersion":     "v1",
		"kind":           "Event",
		"metadata":       map[string]string{"generateName": pod + ".", "namespace": namespace},
		"involvedObject": map[string]string{"apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": namespace},
		"source":         map[string]string{"component": "spokedns-webhook"},
		"type":           typ, "reason": reason, "message": message,
		"firstTimestamp": now, "lastTimestamp": now, "count": 1,
	})
	if err != nil {
		return err
	}
	url := base.JoinPath("api", "v1", "namespaces", namespace, "events").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusCreated {
		return nil
	}
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(answer))
}
