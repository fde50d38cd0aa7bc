package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/setting"
	"github.com/spokedns/spokedns/webhook/view"
)

// configMap names the ConfigMap with the addresses of a site.
type configMap struct{ namespace, name string }

// source is what targets have to have in common to share a reader: one that does not want an address found
// out here must not get the one that another target wants, nor one by other sources.
type source struct {
	configMap
	fallback string // its settings; empty: there is none
}

// siteTarget is what a target needs to know of its site.
type siteTarget struct {
	source
	v4, v6 bool        // the families it asks for
	detect detect.Plan // for the fallback; without sources there is none
}

// sites follows the ConfigMaps that the targets of a configuration name. What it knows of one survives
// reloads.
type sites struct {
	cluster *rest.Config
	log     *slog.Logger

	known, confirmed, fallback *prometheus.Desc

	moved chan struct{} // holds one element when an address has become another one

	mu      sync.Mutex
	readers map[source]*siteReader
	targets map[string]siteTarget // of the configuration in use
}

// siteReader is a Reader at work.
type siteReader struct {
	*wanip.Reader
	end func()

	mu   sync.Mutex
	seen []netip.Addr // what it has believed, the latest last
}

// seenAtMost is how many addresses are remembered beside the history in the ConfigMap.
const seenAtMost = 32

// see remembers what is believed now.
func (r *siteReader) see() {
	s := r.Snapshot(time.Now())
	r.remember(s.IPv4.Addr, s.IPv6.Addr)
}

// remember notes addresses, those that are valid.
func (r *siteReader) remember(addrs ...netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, addr := range addrs {
		if addr.IsValid() {
			r.seen = append(slices.DeleteFunc(r.seen, func(a netip.Addr) bool { return a == addr }), addr)
		}
	}
	r.seen = r.seen[max(0, len(r.seen)-seenAtMost):]
}

// former are the addresses of a family that the site had before the one of s.
func (r *siteReader) former(s wanip.Snapshot, f wanip.Family) []netip.Addr {
	out := append(s.State.Former(f), s.State.Of(f).Addr)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, addr := range r.seen {
		if wanip.FamilyOf(addr) == f {
			out = append(out, addr)
		}
	}
	return out
}

func newSites(cluster *rest.Config, log *slog.Logger) *sites {
	return &sites{
		cluster: cluster, log: log, readers: map[source]*siteReader{}, moved: make(chan struct{}, 1),
		known:     prometheus.NewDesc("spokedns_wan_ip_known", "1 while a site's address may be published, 0 while names hold what they have; a family that is not looked after is left out.", []string{"target", "family"}, nil),
		confirmed: prometheus.NewDesc("spokedns_wan_ip_confirmed_timestamp_seconds", "When a site's address was last confirmed, in Unix time.", []string{"target", "family"}, nil),
		fallback:  prometheus.NewDesc("spokedns_wan_ip_fallback", "1 while a site's address is one that was found out here, because the ConfigMap's is stale or missing.", []string{"target", "family"}, nil),
	}
}

// podNamespace is where Kubernetes tells a pod its own namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// wanted lists what the targets of a configuration need. The errors are *setting.Error.
func (s *sites) wanted(f *config.File) (map[string]siteTarget, error) {
	out := map[string]siteTarget{}
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
		plan, err := fallbackPlan(w.Detect)
		if err != nil {
			return nil, &setting.Error{Field: field + ".detect", Want: err.Error()}
		}
		all := len(w.Families) == 0
		out[target] = siteTarget{
			source: source{configMap{namespace, cmp.Or(w.Name, wanip.DefaultName)}, fallbackText(w.Detect)}, detect: plan,
			v4: all || slices.Contains(w.Families, wanip.IPv4.String()), v6: all || slices.Contains(w.Families, wanip.IPv6.String()),
		}
	}
	return out, nil
}

// fallbackPlan is how to find out the IPv4 address here; one without sources when it is not wanted.
func fallbackPlan(d *policy.Detect) (detect.Plan, error) {
	if d == nil {
		return detect.Plan{}, nil
	}
	plans, err := detect.Config{IPv4: detect.FamilyConfig{Sources: d.Sources}, Need: d.Need}.Plans(nil)
	if err != nil {
		return detect.Plan{}, err
	}
	return plans[0], nil
}

// fallbackText tells settings of fallbacks apart.
func fallbackText(d *policy.Detect) string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%d of %q", d.Need, d.Sources)
}

// use begins to follow what the targets need and ends what they no longer do.
func (s *sites) use(ctx context.Context, targets map[string]siteTarget) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := map[source]*siteReader{}
	for _, t := range targets {
		if s.readers[t.source] != nil || fresh[t.source] != nil {
			continue
		}
		r, err := s.reader(t)
		if err != nil {
			return err
		}
		fresh[t.source] = r
	}
	for from, r := range fresh {
		// Not the caller's context alone: a reload ends, and the reader goes on.
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		stop := context.AfterFunc(ctx, cancel)
		r.end = func() { stop(); cancel() }
		s.readers[from] = r
		go func() { _ = r.Run(own) }() // it ends with its context, without an error
	}
	s.targets = targets
	for from, r := range s.readers {
		if !slices.ContainsFunc(slices.Collect(maps.Values(targets)), func(t siteTarget) bool { return t.source == from }) {
			r.end()
			delete(s.readers, from)
		}
	}
	return nil
}

// seen is what was believed of the site of a ConfigMap by whoever has followed it until now.
func (s *sites) seen(cm configMap) []netip.Addr {
	var out []netip.Addr
	for from, r := range s.readers {
		if from.configMap == cm {
			r.mu.Lock()
			out = append(out, r.seen...)
			r.mu.Unlock()
		}
	}
	return out
}

// reader makes what follows the ConfigMap of a target.
func (s *sites) reader(t siteTarget) (*siteReader, error) {
	r := &siteReader{seen: s.seen(t.configMap)}
	c := wanip.ReaderConfig{Client: s.cluster, Namespace: t.namespace, Name: t.name, Logger: s.log, Changed: func() {
		r.see()
		s.signal()
	}}
	if t.fallback != "" {
		c.Fallback = detect.Fallback(detect.New(t.detect, func(detect.Family, detect.Answer) {}))
	}
	var err error
	r.Reader, err = wanip.NewReader(c)
	return r, err
}

// signal says that an address has become another one.
func (s *sites) signal() {
	select {
	case s.moved <- struct{}{}:
	default: // it is known already
	}
}

// at is what is known for a target; ok is false when it is of another kind.
func (s *sites) at(target string) (t siteTarget, r *siteReader, snapshot wanip.Snapshot, ok bool) {
	s.mu.Lock()
	t = s.targets[target]
	r = s.readers[t.source]
	s.mu.Unlock()
	if r == nil {
		return t, nil, wanip.Snapshot{}, false
	}
	return t, r, r.Snapshot(time.Now()), true
}

// site is for policy.Facts.
func (s *sites) site(target string) policy.Site {
	_, _, snapshot, ok := s.at(target)
	if !ok {
		return policy.Site{}
	}
	return policy.Site{V4: reading(snapshot.IPv4), V6: reading(snapshot.IPv6)}
}

// moves is for view.Config: where the addresses have gone that the target asks for.
func (s *sites) moves(target string) view.Moves {
	t, r, snapshot, ok := s.at(target)
	if !ok {
		return view.Moves{}
	}
	move := func(wanted bool, f wanip.Family) view.Move {
		now := snapshot.Of(f)
		if !wanted || now.Kind != wanip.Known {
			return view.Move{}
		}
		return view.Move{To: now.Addr, From: r.former(snapshot, f)}
	}
	return view.Moves{V4: move(t.v4, wanip.IPv4), V6: move(t.v6, wanip.IPv6)}
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
	to <- s.fallback
}

// Collect implements prometheus.Collector.
func (s *sites) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	targets := slices.Sorted(maps.Keys(s.targets))
	s.mu.Unlock()
	for _, target := range targets {
		_, _, snapshot, ok := s.at(target)
		if !ok {
			continue
		}
		for _, family := range wanip.Families() {
			s.collect(to, target, family, snapshot.Of(family))
		}
	}
}

// collect says what is known of a family; of one that the site does not have there is nothing to say.
func (s *sites) collect(to chan<- prometheus.Metric, target string, family wanip.Family, r wanip.Reading) {
	gauge := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, target, family.String())
	}
	switch r.Kind {
	case wanip.Unknown:
		gauge(s.known, 0)
	case wanip.Known:
		gauge(s.known, 1)
		gauge(s.confirmed, float64(r.At.Unix()))
		if r.Origin == wanip.FromFallback {
			gauge(s.fallback, 1)
		} else {
			gauge(s.fallback, 0)
		}
	}
}
