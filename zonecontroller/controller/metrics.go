package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// Metrics counts. No label has more values than the tables here. A nil one counts nothing.
type Metrics struct {
	reconciles *prometheus.CounterVec // result
	duration   prometheus.Histogram   //
	changes    *prometheus.CounterVec // operation, result
	heals      prometheus.Counter     //
	orphans    prometheus.Counter     //
	polls      *prometheus.CounterVec // answer
	statuses   *prometheus.CounterVec // object, result
	places     *prometheus.Desc       // state
	zones      *prometheus.Desc       //
	records    *prometheus.Desc       // ready
	ledger     *prometheus.Desc       //
	memory     *memory
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	const prefix = "spokedns_zone_"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prefix+name, help, labels, nil)
	}
	m := &Metrics{
		reconciles: counter("reconcile_total", "Times a zone was gone through, by result: ok, incomplete or error.", "result"),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + "reconcile_duration_seconds", Help: "Time to go through a zone.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30}}),
		changes:  counter("dns_changes_total", "RRsets changed on a server, by operation (create, update, delete) and result (ok, refused, failed).", "operation", "result"),
		heals:    prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "heals_total", Help: "Times a server that had lost a zone or its content got it back."}),
		orphans:  prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "orphaned_total", Help: "Times a server was given up that could not be reached for a removal."}),
		polls:    counter("polls_total", "Questions for the serial of a zone, by answer: served, notServed, denied or unreachable.", "answer"),
		statuses: counter("status_writes_total", "Statuses written, by object (zone, record, server) and result (ok, error).", "object", "result"),
		places:   desc("servers", "Zones on servers, by the state of the zone there.", "state"),
		zones:    desc("zones", "DNSZones known."),
		records:  desc("records", "DNSRecords by whether they are answered as they are written: true or false.", "ready"),
		ledger:   desc("ledger_rrsets", "RRsets published, as the ledger has them."),
	}
	r.MustRegister(m.reconciles, m.duration, m.changes, m.heals, m.orphans, m.polls, m.statuses, m)
	return m
}

// watch has the gauges count what is known of the zones.
func (m *Metrics) watch(known *memory) {
	if m != nil {
		m.memory = known
	}
}

// Describe is for prometheus.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.places, m.zones, m.records, m.ledger} {
		descs <- d
	}
}

// Collect is for prometheus.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	if m.memory == nil {
		return
	}
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	f := m.memory.figures()
	for _, state := range []v1alpha1.ZoneState{v1alpha1.Pending, v1alpha1.Provisioned, v1alpha1.Serving, v1alpha1.Failed, v1alpha1.Leaving} {
		gauge(m.places, f.places[state], string(state))
	}
	gauge(m.zones, f.zones)
	gauge(m.records, f.ready, "true")
	gauge(m.records, f.all-f.ready, "false")
	gauge(m.ledger, f.ledger)
}

// figures are sums over all zones.
type figures struct {
	zones, ready, all, ledger int
	places                    map[v1alpha1.ZoneState]int
}

func (m *memory) figures() figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := figures{zones: len(m.views), places: map[v1alpha1.ZoneState]int{}}
	for _, v := range m.views {
		f.ready += v.ready
		f.all += v.all
		f.ledger += v.ledger
		for _, g := range v.places {
			f.places[g.state]++
		}
	}
	return f
}

func (m *Metrics) reconciled(took time.Duration, failed, incomplete bool) {
	if m == nil {
		return
	}
	result := "ok"
	switch {
	case failed:
		result = "error"
	case incomplete:
		result = "incomplete"
	}
	m.reconciles.WithLabelValues(result).Inc()
	m.duration.Observe(took.Seconds())
}

// changed counts the changes of one Apply.
func (m *Metrics) changed(changes []backend.Change, refused map[backend.Key]error, err error) {
	if m == nil {
		return
	}
	for _, c := range changes {
		operation, result := "update", "ok"
		switch {
		case c.Old == nil:
			operation = "create"
		case c.New == nil:
			operation = "delete"
		}
		switch {
		case refused[c.Key()] != nil:
			result = "refused"
		case err != nil:
			result = "failed"
		}
		m.changes.WithLabelValues(operation, result).Inc()
	}
}

func (m *Metrics) healed() {
	if m != nil {
		m.heals.Inc()
	}
}

func (m *Metrics) orphaned() {
	if m != nil {
		m.orphans.Inc()
	}
}

func (m *Metrics) polled(a answer) {
	if m != nil {
		m.polls.WithLabelValues(string(a)).Inc()
	}
}

func (m *Metrics) wroteStatus(k kind, err error) {
	if m == nil {
		return
	}
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.statuses.WithLabelValues(string(k), result).Inc()
}
