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

	mu     sync.Mutex
	counts calls
	now    int // in flight
	most   int
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
	m.service.ServeHTTP(w, r)
	m.mu.Lock()
	m.now--
	m.mu.Unlock()
}

// reset starts a new count.
func (m *meter) reset(latency time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latency, m.counts, m.most = latency, calls{}, 0
}

// seen is what was counted, and how many requests were in flight at most.
func (m *meter) seen() (calls, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts), m.most
}

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
