package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spokedns/spokedns/webhook/config"
)

// drain is how long calls under way may take to end after SIGTERM: as long as external-dns waits for one.
const drain = 15 * time.Second

// front is what the program listens on: the protocol for external-dns, and operations for people,
// probes and Prometheus.
type front struct {
	protocol, operations net.Listener
	log                  *slog.Logger
}

// listen binds both addresses, so that nothing is missed while the rest of the program comes up.
func listen(ctx context.Context, s config.Server, log *slog.Logger) (*front, error) {
	var lc net.ListenConfig
	protocol, err := lc.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for external-dns: %w", err)
	}
	if s.TLS.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(s.TLS.CertFile, s.TLS.KeyFile); err != nil {
			return nil, errors.Join(fmt.Errorf("server.tls: %w", err), protocol.Close())
		}
		protocol = tls.NewListener(protocol, &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				cert, err := tls.LoadX509KeyPair(s.TLS.CertFile, s.TLS.KeyFile) // read anew: certificates are renewed
				return &cert, err
			},
		})
	}
	operations, err := lc.Listen(ctx, "tcp", s.MetricsListen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for metrics and probes: %w", err), protocol.Close())
	}
	if a, ok := protocol.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() && s.BasicAuth.PasswordFile == "" {
		log.Warn("whoever reaches the protocol's address can change the zones; listen on 127.0.0.1, or ask for a password", "address", a.String())
	}
	log.Info("listening", "protocol", protocol.Addr().String(), "operations", operations.Addr().String())
	return &front{protocol, operations, log}, nil
}

// close gives the addresses back when nothing is going to be served.
func (f *front) close() error { return errors.Join(f.protocol.Close(), f.operations.Close()) }

// serve answers until ctx ends, lets calls under way end, and returns. Operations are served to the last.
func (f *front) serve(ctx context.Context, protocol, operations http.Handler) error {
	api := &http.Server{Handler: protocol, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelWarn)}
	ops := &http.Server{Handler: operations, ReadHeaderTimeout: 5 * time.Second, ErrorLog: api.ErrorLog}
	failed := make(chan error, 2)
	go func() { failed <- api.Serve(f.protocol) }()
	go func() { failed <- ops.Serve(f.operations) }()
	defer ops.Close()
	select {
	case err := <-failed:
		return errors.Join(err, api.Close())
	case <-ctx.Done():
	}
	f.log.Info("ending: no new calls are taken, those under way end first")
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := api.Shutdown(end); err != nil {
		f.log.Warn("calls were cut off", "after", drain, "error", err)
		return api.Close()
	}
	return nil
}

// operationsHandler serves metrics, probes, and for people the list of zones. ready says why the program cannot do its
// work yet.
func operationsHandler(metrics prometheus.Gatherer, ready func() error, zones func(io.Writer) error) http.Handler {
	r := chi.NewRouter()
	r.Handle("/metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	r.Get("/zones", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = zones(w) // who asked has hung up
	})
	return r
}

// password reads a password file; an empty path is no password.
func password(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("server.basicAuth.passwordFile: %w", err)
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("server.basicAuth.passwordFile: %s is empty", path)
	}
	return secret, nil
}
