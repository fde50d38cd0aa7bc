package controller

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
	"github.com/spokedns/spokedns/corednsconfig/install"
	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// Metrics counts. The label cluster has one value for each cluster of the landscape; those that go take theirs along.
type Metrics struct {
	clusters  *prometheus.GaugeVec     // state
	applies   *prometheus.CounterVec   // result
	rollbacks prometheus.Counter       //
	drifts    prometheus.Counter       //
	events    *prometheus.CounterVec   // reason
	jobs      *prometheus.HistogramVec // kind
	probe     *prometheus.GaugeVec     // cluster
	success   *prometheus.GaugeVec     // cluster
	ends      *prometheus.GaugeVec     // cluster
	installs  *prometheus.CounterVec   // result
	installed *prometheus.GaugeVec     // state

	mu    sync.Mutex
	known map[string]bool // clusters with series
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	const prefix = "spokedns_corednsconfig_"
	gauge := func(name, help, label string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: help}, []string{label})
	}
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, []string{label})
	}
	m := &Metrics{
		clusters:  gauge("clusters", "Clusters by their state, once for every DNSForwarding that selects them.", "state"),
		applies:   counter("apply_total", "Times a cluster was to be changed, by the state it was in afterwards.", "result"),
		rollbacks: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "rollback_total", Help: "Times the last good state of a cluster was brought back."}),
		drifts:    prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "drift_total", Help: "Times a cluster was not as it had been left, and was repaired."}),
		events:    counter("events_total", "What happened to clusters.", "reason"),
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + "job_duration_seconds", Help: "Time for a job in one cluster.",
			Buckets: []float64{.1, .3, 1, 3, 10, 30, 60, 120, 180, 300, 600}}, []string{"kind"}),
		probe:     gauge("probe_seconds", "Time in which the zones were last answered in the cluster.", "cluster"),
		installs:  counter("external_dns_steps_total", "Things done about external-dns in clusters, by what was done, or why not.", "result"),
		installed: gauge("external_dns_clusters", "Clusters in which external-dns is wished or still is, by the reason of their condition ExternalDNS.", "reason"),
		success:   gauge("last_success", "When the cluster was last seen to resolve the zones, in seconds since 1970.", "cluster"),
		ends:      gauge("certificate_expiry_timestamp_seconds", "When the client certificate ends by which the cluster is reached, in seconds since 1970.", "cluster"),
		known:     map[string]bool{},
	}
	r.MustRegister(m.clusters, m.applies, m.rollbacks, m.drifts, m.events, m.jobs, m.probe, m.success, m.installs, m.installed, m.ends)
	return m
}

// did counts a job.
func (m *Metrics) did(r result, took time.Duration, now time.Time) {
	if m == nil {
		return
	}
	m.jobs.WithLabelValues([]string{"look", "apply", "glance", "check", "remove", "install", "install-plan"}[r.kind]).Observe(took.Seconds())
	if r.kind == installs {
		m.didInstall(r)
		return
	}
	if r.err != nil {
		if r.kind == apply || r.kind == remove {
			m.applies.WithLabelValues("Error").Inc()
		}
		return
	}
	if r.report == nil {
		return
	}
	state := stateOf(*r.report)
	if r.kind == apply || r.kind == remove || r.report.Changed {
		m.applies.WithLabelValues(string(state)).Inc()
	}
	if (r.kind == repair || r.kind == glance) && r.report.Changed {
		m.drifts.Inc()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[r.cluster.ID] = true
	if r.report.RTT > 0 {
		m.probe.WithLabelValues(r.cluster.ID).Set(r.report.RTT.Seconds())
	}
	if state == v1alpha1.StateReady {
		m.success.WithLabelValues(r.cluster.ID).Set(float64(now.UnixMilli()) / 1000)
	}
}

func (m *Metrics) didInstall(r result) {
	switch {
	case r.err != nil:
		m.installs.WithLabelValues("Error").Inc()
	case r.installReport.State == install.Failed:
		m.installs.WithLabelValues(string(r.installReport.Reason)).Inc()
	case r.installReport.Did != install.DoNothing:
		m.installs.WithLabelValues(string(r.installReport.Did)).Inc()
	}
}

// met tells when the certificates end by which the clusters of a listing are reached. Of clusters whose source could not
// be listed what was told stays.
func (m *Metrics) met(l fleet.Listing) {
	if m == nil {
		return
	}
	if len(l.Failed) == 0 {
		m.ends.Reset()
	}
	for _, c := range l.Clusters {
		if end, ok := fleet.CertificateEnd(c.Config); ok {
			m.ends.WithLabelValues(c.ID).Set(float64(end.Unix()))
		}
	}
}

func (m *Metrics) notice(e rollout.Event) {
	if m == nil {
		return
	}
	m.events.WithLabelValues(string(e.Reason)).Inc()
	if e.Reason == rollout.EventRolledBack {
		m.rollbacks.Inc()
	}
}

// states counts the clusters anew, and drops the series of those that are gone.
func (m *Metrics) states(d *desk) {
	if m == nil {
		return
	}
	count := map[v1alpha1.State]int{}
	m.installed.Reset()
	for _, b := range d.books {
		for _, rec := range b.clusters {
			count[rec.State]++
			if c := meta.FindStatusCondition(rec.Conditions, v1alpha1.ExternalDNSInstalled); c != nil {
				m.installed.WithLabelValues(c.Reason).Inc()
			}
		}
	}
	for _, state := range states() {
		m.clusters.WithLabelValues(string(state)).Set(float64(count[state]))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.known {
		if !d.recorded(id) {
			m.probe.DeleteLabelValues(id)
			m.success.DeleteLabelValues(id)
			delete(m.known, id)
		}
	}
}

func states() []v1alpha1.State {
	return []v1alpha1.State{
		v1alpha1.StatePending, v1alpha1.StateUnderWay, v1alpha1.StateReady, v1alpha1.StatePlanned, v1alpha1.StateRefused,
		v1alpha1.StateUnsupported, v1alpha1.StateUnreachable, v1alpha1.StateUnresolved, v1alpha1.StateConflict,
		v1alpha1.StateRolledBack, v1alpha1.StateLeaving, v1alpha1.StateOrphaned,
	}
}
