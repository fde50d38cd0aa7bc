package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// serve answers probes and Prometheus until ctx ends; it is there before anything else starts. A listener that fails
// ends the program, and its error is what comes from the channel.
func (c *runCommand) serve(ctx context.Context, cancel func(), m manager.Manager, registry *prometheus.Registry, log *slog.Logger) (<-chan error, error) {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "spokedns_build_info", Help: "Always 1."}, []string{"version"})
	info.WithLabelValues(program.Version(version)).Set(1)
	leader := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "spokedns_zone_leader", Help: "1 on the replica that leads."}, func() float64 {
		select {
		case <-m.Elected():
			return 1
		default:
			return 0
		}
	})
	registry.MustRegister(info, leader, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", c.Operations)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	log.Info("listening", "address", listener.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context(), m.GetAPIReader()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	served := make(chan error, 1)
	go func() {
		err := server.Serve(listener)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		served <- err
		cancel()
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return served, nil
}

// ready asks for what everything hangs on: that the objects can be read.
func ready(ctx context.Context, r client.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := r.List(ctx, &v1alpha1.DNSZoneList{}, client.Limit(1)); err != nil {
		return fmt.Errorf("DNSZones cannot be read: %w", err)
	}
	return nil
}
