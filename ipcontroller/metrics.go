package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
	"github.com/spokedns/spokedns/program"
)

// metrics counts what happens; what stands in the ConfigMap it reads when it is asked.
type metrics struct {
	duration *prometheus.HistogramVec // family
	lookup   *prometheus.HistogramVec // family, source
	failures *prometheus.CounterVec   // family, source, kind
	rounds   *prometheus.CounterVec   // family, status
	changes  *prometheus.CounterVec   // family
	writes   *prometheus.CounterVec   // result
	events   *prometheus.CounterVec   // reason, result

	requests  *prometheus.CounterVec   // method, endpoint, status
	answering *prometheus.HistogramVec // method, endpoint
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help,
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3}}, labels)
	}
	m := &metrics{
		duration: histogram("spokedns_wan_ip_discovery_duration_seconds", "Time of a round of detection.", "family"),
		lookup:   histogram("spokedns_wan_ip_lookup_duration_seconds", "Time a source took to say an address.", "family", "source"),
		failures: counter("spokedns_wan_ip_discovery_failures_total", "Lookups without an address, by what was wrong.", "family", "source", "kind"),
		rounds:   counter("spokedns_wan_ip_rounds_total", "Rounds of detection, by what they came to.", "family", "status"),
		changes:  counter("spokedns_wan_ip_changes_total", "Changes of an address that this replica has written.", "family"),
		writes:   counter("spokedns_wan_ip_writes_total", "Times the ConfigMap was brought up to date, or could not be.", "result"),
		events:   counter("spokedns_wan_ip_events_total", "Kubernetes Events, by whether they could be written.", "reason", "result"),

		requests:  counter("spokedns_endpoint_requests_total", "Requests over HTTP that were answered; what is not known is other.", "method", "endpoint", "status"),
		answering: histogram("spokedns_endpoint_request_duration_seconds", "Time to answer a request over HTTP.", "method", "endpoint"),
	}
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "spokedns_build_info", Help: "Always 1."}, []string{"version"})
	info.WithLabelValues(program.Version(version)).Set(1)
	r.MustRegister(m.duration, m.lookup, m.failures, m.rounds, m.changes, m.writes, m.events, m.requests, m.answering, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe counts a lookup.
func (m *metrics) observe(f detect.Family, a detect.Answer) {
	if a.Err != nil {
		m.failures.WithLabelValues(f.String(), a.Source.Name, string(detect.KindOf(a.Err))).Inc()
		return
	}
	m.lookup.WithLabelValues(f.String(), a.Source.Name).Observe(a.RTT.Seconds())
}

// report counts a round.
func (m *metrics) report(r detect.Report) {
	if !r.Round {
		return
	}
	var longest time.Duration
	for _, a := range r.Answers {
		longest = max(longest, a.RTT)
	}
	m.duration.WithLabelValues(r.Family.String()).Observe(longest.Seconds())
	m.rounds.WithLabelValues(r.Family.String(), string(r.Status)).Inc()
}

// result is the label of an error.
func result(err error) string {
	if err != nil {
		return "error"
	}
	return "success"
}

// gauges is what is known at the moment it is asked for.
type gauges struct{ *controller }

// Describe implements prometheus.Collector.
func (g gauges) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(g, to) }

// Collect implements prometheus.Collector.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	gauge := func(value float64, name, help string, labels []string, of ...string) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, value, of...)
	}
	now := time.Now()
	snapshot := g.reader.Snapshot(now)
	gauge(truth(g.leading()), "spokedns_wan_ip_leader", "1 while this replica leads.", nil)
	gauge(truth(snapshot.State.BehindCGNAT), "spokedns_wan_ip_behind_cgnat", "1 while the router's address is not the one the Internet sees.", nil)
	for _, family := range wanip.Families() {
		f, r := family.String(), snapshot.Of(family)
		if r.Kind == wanip.Absent {
			continue
		}
		gauge(truth(r.Kind == wanip.Known), "spokedns_wan_ip_known", "1 while the address may be published; a family that is not looked after is left out.", []string{"family"}, f)
		if r.Kind == wanip.Known {
			gauge(1, "spokedns_wan_ip_info", "The address.", []string{"family", "address"}, f, r.Addr.String())
			gauge(float64(r.At.Unix()), "spokedns_wan_ip_confirmed_timestamp_seconds", "When the address was last confirmed, in Unix time.", []string{"family"}, f)
		}
		if status := snapshot.State.Of(family).Status; status != "" {
			for _, s := range []wanip.Status{wanip.Verified, wanip.Holding, wanip.Ambiguous, wanip.Static} {
				gauge(truth(s == status), "spokedns_wan_ip_status", "1 for the status the address has.", []string{"family", "status"}, f, string(s))
			}
		}
	}
	if !g.leading() {
		return
	}
	for _, d := range g.detectors {
		for _, s := range d.States() {
			if !s.Last.At.IsZero() {
				ok := s.Failed == 0 && !s.Differs && s.Suspended.IsZero()
				gauge(truth(ok), "spokedns_wan_ip_source_healthy", "1 while a source answers, and as the others do; the leader knows.", []string{"family", "source"}, d.Family().String(), s.Source.Name)
			}
		}
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
