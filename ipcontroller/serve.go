package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler serves what people, probes and Prometheus ask. All replicas answer, with what they read.
func (p *controller) handler() http.Handler {
	endpoints := map[string]http.Handler{
		"/":        http.HandlerFunc(p.page),
		"/raw":     http.HandlerFunc(p.raw),
		"/metrics": promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}),
		"/healthz": http.HandlerFunc(healthy),
		"/readyz":  http.HandlerFunc(p.ready),
	}
	mux := http.NewServeMux() // answers HEAD as GET, and other methods by what is allowed
	for path, handler := range endpoints {
		pattern := path
		if path == "/" {
			pattern = "/{$}" // nothing below it
		}
		mux.Handle("GET "+pattern, handler)
	}
	return p.metrics.measured(mux, func(path string) bool { return endpoints[path] != nil })
}

func healthy(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

func (p *controller) ready(w http.ResponseWriter, _ *http.Request) {
	if err := p.election.ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// measured counts the answers of a handler. Labels stay few, whatever is asked for: endpoints that are not
// known, and methods that no endpoint has, are "other".
func (m *metrics) measured(next http.Handler, known func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, endpoint, start := "other", "other", time.Now()
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			method = r.Method
		}
		if known(r.URL.Path) {
			endpoint = r.URL.Path
		}
		w.Header().Set("Cache-Control", "no-store") // all of it is of this moment
		w.Header().Set("X-Content-Type-Options", "nosniff")
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		m.requests.WithLabelValues(method, endpoint, strconv.Itoa(answer.status)).Inc()
		m.answering.WithLabelValues(method, endpoint).Observe(time.Since(start).Seconds())
	})
}

// answer is a ResponseWriter that remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
