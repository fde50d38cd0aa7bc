// Package status owns what the controllers show of themselves: probes and metrics.
package status

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
)

// Server answers /metrics, /healthz and /readyz.
type Server struct {
	Address  string // to listen at
	Version  string
	Leader   string // name of the metric that is 1 on the replica that leads
	Registry *prometheus.Registry
	Manager  manager.Manager
	Kind     client.ObjectList // on which everything hangs: ready is who can read it
	Unready  string            // what is said when it cannot
	Log      *slog.Logger
}

// Serve answers until ctx ends; it listens before it returns, which is before anything else starts. A listener that fails
// later ends the program by cancel, and its error is what comes from the channel.
func (s *Server) Serve(ctx context.Context, cancel func()) (<-chan error, error) {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "spokedns_build_info", Help: "Always 1."}, []string{"version"})
	info.WithLabelValues(s.Version).Set(1)
	leader := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: s.Leader, Help: "1 on the replica that leads."}, func() float64 {
		select {
		case <-s.Manager.Elected():
			return 1
		default:
			return 0
		}
	})
	s.Registry.MustRegister(info, leader, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.Log.Info("listening", "address", listener.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.ready(r.Context(), s.Manager.GetAPIReader()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn)}
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

// ready asks for what everything hangs on.
func (s *Server) ready(ctx context.Context, r client.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := r.List(ctx, s.Kind.DeepCopyObject().(client.ObjectList), client.Limit(1)); err != nil {
		return fmt.Errorf("%s: %w", s.Unready, err)
	}
	return nil
}
