package main

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/config"
)

// certificates tells Prometheus when the certificates end that a configuration names files of. It looks at each reading:
// they are renewed without a word to us.
type certificates struct {
	expiry *prometheus.Desc
	of     atomic.Pointer[config.File] // in use; nil before the first
}

func newCertificates() *certificates {
	return &certificates{expiry: prometheus.NewDesc("spokedns_certificate_expiry_timestamp_seconds",
		"When a certificate ends whose file the configuration names, in Unix time.", []string{"view", "backend", "certificate"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *certificates) Describe(to chan<- *prometheus.Desc) { to <- c.expiry }

// Collect implements prometheus.Collector.
func (c *certificates) Collect(to chan<- prometheus.Metric) {
	f := c.of.Load()
	if f == nil {
		return
	}
	gauge := func(view, backend, certificate string, at time.Time) {
		if !at.IsZero() {
			to <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(at.Unix()), view, backend, certificate)
		}
	}
	gauge("", "", "server", clienttls.Expiry(f.Server.TLS.CertFile))
	for _, v := range f.Views {
		authorities, client := trust(v.Backend.Settings).Expiry()
		gauge(v.Name, v.Backend.Kind, "authorities", authorities)
		gauge(v.Name, v.Backend.Kind, "client", client)
	}
}
