package view

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

// Metrics are what the webhook counts; docs/metrics.md explains each. They outlive the Providers that
// follow each other when the configuration changes.
type Metrics struct {
	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	operations      *prometheus.CounterVec
	duration        *prometheus.HistogramVec
	errors          *prometheus.CounterVec
	api             *prometheus.CounterVec
	apiDuration     *prometheus.HistogramVec
	records         *prometheus.GaugeVec
	zones           *prometheus.GaugeVec
	changes         *prometheus.CounterVec
	decisions       *prometheus.GaugeVec
	refusedNow      *prometheus.GaugeVec
	repeated        *prometheus.CounterVec
	deletesStopped  *prometheus.CounterVec
	success         *prometheus.GaugeVec
	failovers       *prometheus.CounterVec
	failover        *prometheus.HistogramVec
	left            *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "spokedns", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "spokedns", Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "spokedns", Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}
	return &Metrics{
		requests:        counter("requests_total", "Calls of external-dns, by call and status.", "call", "code"),
		requestDuration: histogram("request_duration_seconds", "Time to answer a call of external-dns.", "call"),
		operations:      counter("backend_operations_total", "Lists and applies of a zone, by result.", "view", "backend", "zone", "operation", "result"),
		duration:        histogram("backend_operation_duration_seconds", "Time of one list or apply of a zone.", "view", "backend", "operation"),
		errors:          counter("errors_total", "Failures of backends, by kind.", "view", "zone", "operation", "kind"),
		api:             counter("api_requests_total", "Requests to the APIs of DNS services, repeated ones included, by result.", "view", "backend", "operation", "result"),
		apiDuration:     histogram("api_request_duration_seconds", "Time of one such request.", "view", "backend", "operation"),
		records:         gauge("records", "RRsets in a zone at the last list.", "view", "zone"),
		zones:           gauge("zones", "Zones of a view at the last list, where DNSZones bring some, by what becomes of them.", "view", "state"),
		changes:         counter("changes_total", "Changes asked for, by what became of them.", "view", "zone", "op", "result"),
		decisions:       gauge("decisions", "Host names at the last adjust, by what was decided.", "view", "action"),
		refusedNow:      gauge("endpoints_refused", "Endpoints at the last adjust that their view cannot publish.", "view", "reason"),
		repeated:        counter("repeated_changes_total", "Changes that were made before and asked for again at least twice in a row.", "view", "zone"),
		deletesStopped:  counter("deletions_refused_total", "Deletions refused because there were too many at once.", "view", "zone"),
		failovers:       counter("failovers_total", "Times that names were to be moved to a site's new address at once, by what became of it.", "result"),
		failover:        histogram("failover_duration_seconds", "Time of moving the names to a site's new address."),
		left:            gauge("failover_records_left", "Records that carried a former address at the last move and were left to external-dns, because they are not known to be its own."),
		success:         gauge("last_success_timestamp_seconds", "When an operation last succeeded, in Unix time.", "operation"),
	}
}

// Request counts an answered call; it is what extdns.Options.Observe wants.
func (m *Metrics) Request(call string, status int, took time.Duration) {
	m.requests.WithLabelValues(call, strconv.Itoa(status)).Inc()
	m.requestDuration.WithLabelValues(call).Observe(took.Seconds())
}

// API returns what the backend of a view tells of each request to its service.
func (m *Metrics) API(view, backendName string) apicall.Observer {
	return func(operation string, result apicall.Result, took time.Duration) {
		m.api.WithLabelValues(view, backendName, operation, string(result)).Inc()
		m.apiDuration.WithLabelValues(view, backendName, operation).Observe(took.Seconds())
	}
}

// backend counts one list or apply of a zone.
func (m *Metrics) backend(v *View, zone, operation string, took time.Duration, err error) {
	result := "success"
	if err != nil {
		result = "error"
		for _, e := range backend.Errors(err) {
			m.errors.WithLabelValues(v.Name, zone, operation, e.Kind.String()).Inc()
		}
	}
	m.operations.WithLabelValues(v.Name, v.BackendName, zone, operation, result).Inc()
	m.duration.WithLabelValues(v.Name, v.BackendName, operation).Observe(took.Seconds())
}

// failedOver counts one time that names were to be moved.
func (m *Metrics) failedOver(moved Moved, took time.Duration, err error) {
	m.left.WithLabelValues().Set(float64(moved.Left))
	switch {
	case moved.Put:
		m.failovers.WithLabelValues("put_off").Inc()
		return
	case err != nil:
		m.failovers.WithLabelValues("error").Inc()
	case moved.Records == 0:
		return
	default:
		m.failovers.WithLabelValues("success").Inc()
	}
	m.failover.WithLabelValues().Observe(took.Seconds())
}

// ended notes the time of a success.
func (m *Metrics) ended(operation string, err error) {
	if err == nil {
		m.success.WithLabelValues(operation).SetToCurrentTime()
	}
}

// decided replaces the number of decisions by view and action.
func (m *Metrics) decided(counts map[[2]string]int) { replace(m.decisions, counts) }

// refused replaces the number of refused endpoints by view and reason.
func (m *Metrics) refused(counts map[[2]string]int) { replace(m.refusedNow, counts) }

// zoned replaces the number of zones by view and state.
func (m *Metrics) zoned(views []*View, z *zoning) {
	counts := map[[2]string]int{}
	for _, v := range views {
		for _, state := range []string{zonePublished, zoneWaiting, zoneRefused} {
			counts[[2]string{v.Name, state}] = 0
		}
	}
	for p, is := range z.of {
		counts[[2]string{p.view.Name, is.state()}]++
	}
	replace(m.zones, counts)
}

func replace(g *prometheus.GaugeVec, counts map[[2]string]int) {
	g.Reset()
	for labels, n := range counts {
		g.WithLabelValues(labels[0], labels[1]).Set(float64(n))
	}
}
