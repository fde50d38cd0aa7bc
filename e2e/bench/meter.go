package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// meter counts the requests to a service and makes each of them take as long as one over a distance.
type meter struct {
	service http.Handler
	latency time.Duration

	mu      sync.Mutex
	counts  calls
	now     int // in flight
	most    int
	tooMuch int // requests that were throttled
}

// calls are requests by HTTP method.
type calls map[string]int

// ServeHTTP implements http.Handler.
func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.counts[r.Method]++
	m.now++
	m.most = max(m.most, m.now)
	latency := m.latency
	m.mu.Unlock()
	time.Sleep(latency)
	answer := &statusWriter{ResponseWriter: w}
	m.service.ServeHTTP(answer, r)
	m.mu.Lock()
	m.now--
	if answer.status == http.StatusTooManyRequests {
		m.tooMuch++
	}
	m.mu.Unlock()
}

// reset starts a new count.
func (m *meter) reset(latency time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latency, m.counts, m.most, m.tooMuch = latency, calls{}, 0, 0
}

// seen is what was counted, how many requests were in flight at most, and how many were throttled.
func (m *meter) seen() (counts calls, inFlight, throttled int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts), m.most, m.tooMuch
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writes is the number of requests that change something.
func (c calls) writes() int { return c.total() - c[http.MethodGet] }

func (c calls) total() int {
	n := 0
	for _, count := range c {
		n += count
	}
	return n
}

// String is "20001 calls (GET 1, PUT 20000)".
func (c calls) String() string {
	var by []string
	for _, method := range slices.Sorted(maps.Keys(c)) {
		by = append(by, fmt.Sprintf("%s %d", method, c[method]))
	}
	return fmt.Sprintf("%d calls (%s)", c.total(), strings.Join(by, ", "))
}
