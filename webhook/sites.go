package main

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/setting"
)

// configMap names the ConfigMap with the addresses of a site.
type configMap struct{ namespace, name string }

// sites follows the ConfigMaps that the targets of a configuration name. What it knows of one survives
// reloads.
type sites struct {
	cluster          *rest.Config
	log              *slog.Logger
	known, confirmed *prometheus.Desc

	mu      sync.Mutex
	readers map[configMap]*siteReader
	targets map[string]configMap // of the configuration in use
}

// siteReader is a Reader at work.
type siteReader struct {
	*wanip.Reader
	end func()
}

func newSites(cluster *rest.Config, log *slog.Logger) *sites {
	return &sites{
		cluster: cluster, log: log, readers: map[configMap]*siteReader{},
		known:     prometheus.NewDesc("spokedns_wan_ip_known", "1 while a site's address may be published, 0 while names hold what they have; a family that is not looked after is left out.", []string{"target", "family"}, nil),
		confirmed: prometheus.NewDesc("spokedns_wan_ip_confirmed_timestamp_seconds", "When a site's address was last confirmed, in Unix time.", []string{"target", "family"}, nil),
	}
}

// podNamespace is where Kubernetes tells a pod its own namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// wanted lists the ConfigMaps of a configuration by target. The errors are *setting.Error.
func (s *sites) wanted(f *config.File) (map[string]configMap, error) {
	out := map[string]configMap{}
	for _, target := range slices.Sorted(maps.Keys(f.Targets)) {
		w := f.Targets[target].WANIP
		if w == nil {
			continue
		}
		field := "targets." + target + ".wanIP"
		if s.cluster == nil {
			return nil, &setting.Error{Field: field, Want: "want kubernetes.enabled: the address is read from a ConfigMap"}
		}
		namespace := cmp.Or(w.Namespace, os.Getenv("POD_NAMESPACE"))
		if namespace == "" {
			own, _ := os.ReadFile(podNamespace) // there is none outside of a pod
			namespace = strings.TrimSpace(string(own))
		}
		if namespace == "" {
			return nil, &setting.Error{Field: field + ".namespace", Want: "want the namespace of the ConfigMap, because this is not a pod that has one of its own"}
		}
		out[target] = configMap{namespace, cmp.Or(w.Name, wanip.DefaultName)}
	}
	return out, nil
}

// use begins to follow what the targets need and ends what they no longer do.
func (s *sites) use(ctx context.Context, targets map[string]configMap) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[configMap]*wanip.Reader{}
	for _, cm := range targets {
		if s.readers[cm] != nil || fresh[cm] != nil {
			continue
		}
		r, err := wanip.NewReader(wanip.ReaderConfig{Client: s.cluster, Namespace: cm.namespace, Name: cm.name, Logger: s.log})
		if err != nil {
			return err
		}
		fresh[cm] = r
	}
	for cm, r := range fresh {
		// Not the caller's context alone: a reload ends, and the reader goes on.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		stop := context.AfterFunc(ctx, cancel)
		s.readers[cm] = &siteReader{r, func() { stop(); cancel() }}
		go func() { _ = r.Run(own) }() // it ends with its context, without an error
	}
	s.targets = targets
	for cm, r := range s.readers {
		if !slices.Contains(slices.Collect(maps.Values(targets)), cm) {
			r.end()
			delete(s.readers, cm)
		}
	}
	return nil
}

// snapshot is what is known for a target; ok is false when it is of another kind.
func (s *sites) snapshot(target string) (snapshot wanip.Snapshot, ok bool) {
	s.mu.Lock()
	r := s.readers[s.targets[target]]
	s.mu.Unlock()
	if r == nil {
		return wanip.Snapshot{}, false
	}
	return r.Snapshot(time.Now()), true
}

// site is for policy.Facts.
func (s *sites) site(target string) policy.Site {
	snapshot, ok := s.snapshot(target)
	if !ok {
		return policy.Site{}
	}
	return policy.Site{V4: reading(snapshot.IPv4), V6: reading(snapshot.IPv6)}
}

func reading(r wanip.Reading) policy.Reading {
	switch r.Kind {
	case wanip.Known:
		return policy.Reading{Addr: r.Addr}
	case wanip.Absent:
		return policy.Reading{Absent: true}
	}
	return policy.Reading{Why: r.Why}
}

// Describe implements prometheus.Collector.
func (s *sites) Describe(to chan<- *prometheus.Desc) {
	to <- s.known
	to <- s.confirmed
}

// Collect implements prometheus.Collector.
func (s *sites) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	targets := slices.Sorted(maps.Keys(s.targets))
	s.mu.Unlock()
	for _, target := range targets {
		snapshot, ok := s.snapshot(target)
		if !ok {
			continue
		}
		for _, family := range wanip.Families() {
			r := snapshot.Of(family)
			switch r.Kind {
			case wanip.Known:
				to <- prometheus.MustNewConstMetric(s.known, prometheus.GaugeValue, 1, target, family.String())
				to <- prometheus.MustNewConstMetric(s.confirmed, prometheus.GaugeValue, float64(r.At.Unix()), target, family.String())
			case wanip.Unknown:
				to <- prometheus.MustNewConstMetric(s.known, prometheus.GaugeValue, 0, target, family.String())
			}
		}
	}
}
