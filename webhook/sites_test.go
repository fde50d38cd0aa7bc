package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/ipcontroller/wanip"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
)

func withTarget(w policy.WANIP) *config.File {
	return &config.File{Targets: map[string]policy.Target{"site": {WANIP: &w}, "hub": {Static: []string{"203.0.113.10"}}}}
}

func TestWhereASitesAddressIsRead(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		name    string
		cluster *rest.Config
		pod     string
		target  policy.WANIP
		want    configMap
		mistake string
	}{
		{"as given", &rest.Config{}, "own", policy.WANIP{Namespace: "dns", Name: "wan"}, configMap{"dns", "wan"}, ""},
		{"the pod's own namespace", &rest.Config{}, "own", policy.WANIP{}, configMap{"own", "spokedns-wan-ip"}, ""},
		{"no namespace at all", &rest.Config{}, "", policy.WANIP{}, configMap{}, "targets.site.wanIP.namespace: want the namespace"},
		{"detecting by too few", &rest.Config{}, "own", policy.WANIP{Detect: &policy.Detect{Sources: []string{"one=https://a.example/"}}}, configMap{}, "targets.site.wanIP.detect: ipv4.sources"},
		{"no cluster", nil, "own", policy.WANIP{}, configMap{}, "targets.site.wanIP: want kubernetes.enabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", c.pod)
			got, err := newSites(c.cluster, log).wanted(withTarget(c.target))
			switch {
			case c.mistake != "" && (err == nil || !strings.Contains(err.Error(), c.mistake)):
				t.Errorf("got %v, %v; want %q", got, err, c.mistake)
			case c.mistake == "" && (err != nil || got["site"].configMap != c.want || len(got) != 1):
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

// emptyNamespaces is an API server without any ConfigMap.
func emptyNamespaces(t *testing.T) *rest.Config {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") != "" {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		_, _ = w.Write([]byte(`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`))
	}))
	t.Cleanup(s.Close)
	return &rest.Config{Host: s.URL}
}

func TestSitesOutliveReloadsAndEndWithTheirTarget(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := newSites(emptyNamespaces(t), slog.New(slog.DiscardHandler))
	registry.MustRegister(s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	one, other := configMap{"dns", "one"}, configMap{"dns", "other"}
	of := func(cm configMap) siteTarget { return siteTarget{source: source{configMap: cm}, v4: true, v6: true} }
	if err := s.use(ctx, map[string]siteTarget{"a": of(one), "b": of(one), "c": of(other)}); err != nil {
		t.Fatal(err)
	}
	if len(s.readers) != 2 {
		t.Errorf("%d readers, want one for each ConfigMap", len(s.readers))
	}
	first := s.readers[source{configMap: one}]
	eventually(t, "the absence of the ConfigMap is known", func() bool {
		return strings.Contains(s.site("a").V4.Why, "no ConfigMap dns/one")
	})
	if err := s.use(ctx, map[string]siteTarget{"a": of(one)}); err != nil {
		t.Fatal(err)
	}
	if s.readers[source{configMap: one}] != first || s.readers[source{configMap: other}] != nil {
		t.Error("the reader that is still needed was replaced, or the other one kept")
	}
	if site := s.site("c"); site != (policy.Site{}) {
		t.Errorf("a target that is gone has %v", site)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || families[0].GetName() != "spokedns_wan_ip_known" || families[0].GetMetric()[0].GetGauge().GetValue() != 0 {
		t.Errorf("metrics are %v, want that the address is not known", families)
	}
}

// What a record may still carry is everything the site has had, by the ConfigMap or by what was believed here.
func TestFormerAddresses(t *testing.T) {
	addr := netip.MustParseAddr
	r := &siteReader{seen: []netip.Addr{addr("5.5.5.5"), addr("2620:fe::5")}}
	s := wanip.Snapshot{State: wanip.State{
		IPv4: wanip.Finding{Status: wanip.Holding, Addr: addr("8.8.8.8")},
		History: []wanip.Change{
			{Sequence: 1, Family: wanip.IPv4, Addr: addr("9.9.9.9")}, {Sequence: 2, Family: wanip.IPv6, Addr: addr("2620:fe::1")},
			{Sequence: 3, Family: wanip.IPv4, Addr: addr("8.8.8.8")},
		},
	}}
	got := r.former(s, wanip.IPv4)
	for _, want := range []string{"9.9.9.9", "8.8.8.8", "5.5.5.5"} {
		if !slices.Contains(got, addr(want)) {
			t.Errorf("%s is not among the former addresses %v", want, got)
		}
	}
	if slices.ContainsFunc(got, netip.Addr.Is6) {
		t.Errorf("an IPv6 address is among %v", got)
	}
}

// Who finds the address out here is asked as the configuration in use says, target by target.
func TestAReloadTakesUpHowToDetect(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "dns")
	s := newSites(emptyNamespaces(t), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	use := func(other, site *policy.Detect) (of, ofSite *siteReader) {
		t.Helper()
		f := withTarget(policy.WANIP{Detect: site})
		f.Targets["other"] = policy.Target{WANIP: &policy.WANIP{Detect: other}}
		targets, err := s.wanted(f)
		if err == nil {
			err = s.use(ctx, targets)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, of, _, _ = s.at("other")
		_, ofSite, _, _ = s.at("site")
		return of, ofSite
	}
	sources := func(host string) *policy.Detect {
		return &policy.Detect{Sources: []string{"a=https://a." + host, "b=https://b." + host, "c=https://c." + host}, Need: 3}
	}
	other, first := use(nil, sources("one.example"))
	if other == first {
		t.Error("a target has the fallback of another one on the same ConfigMap, or that one lacks it")
	}
	first.seen = []netip.Addr{netip.MustParseAddr("5.5.5.5")}
	still, same := use(nil, sources("one.example"))
	if still != other || same != first {
		t.Error("a reader that is still right was replaced")
	}
	_, second := use(nil, sources("two.example"))
	if second == first {
		t.Error("other sources were not taken up")
	}
	if !slices.Equal(second.seen, first.seen) {
		t.Errorf("remembered %v, want what the reader before had seen", second.seen)
	}
	if second.seen[0] = netip.MustParseAddr("6.6.6.6"); first.seen[0] == second.seen[0] {
		t.Error("two readers share their memory")
	}
	if _, last := use(nil, nil); last != other || len(s.readers) != 1 {
		t.Errorf("detection goes on though it is no longer wanted; %d readers", len(s.readers))
	}
}

// What is believed again is the last to be forgotten.
func TestAnAddressThatCameBackIsRemembered(t *testing.T) {
	r := &siteReader{}
	home := netip.MustParseAddr("9.9.9.9")
	r.remember(home)
	for i := range byte(seenAtMost - 1) {
		r.remember(netip.AddrFrom4([4]byte{8, 8, 8, i}), netip.Addr{})
	}
	r.remember(home)
	r.remember(netip.MustParseAddr("1.1.1.1"))
	if len(r.seen) != seenAtMost || !slices.Contains(r.seen, home) {
		t.Errorf("remembered %v, want %d with %s", r.seen, seenAtMost, home)
	}
}

// siteMetrics are those of a site of which that much is known.
type siteMetrics struct {
	*sites
	reading wanip.Reading
}

// Collect implements prometheus.Collector.
func (m siteMetrics) Collect(to chan<- prometheus.Metric) {
	m.collect(to, "site", wanip.IPv4, m.reading)
}

func TestMetricsSayWhereAnAddressIsFrom(t *testing.T) {
	at, addr := time.Unix(1000, 0), netip.MustParseAddr("9.9.9.9")
	for name, c := range map[string]struct {
		reading wanip.Reading
		want    map[string]float64
	}{
		"from the ConfigMap": {wanip.Reading{Kind: wanip.Known, Addr: addr, At: at},
			map[string]float64{"spokedns_wan_ip_known": 1, "spokedns_wan_ip_confirmed_timestamp_seconds": 1000, "spokedns_wan_ip_fallback": 0}},
		"found out here": {wanip.Reading{Kind: wanip.Known, Addr: addr, At: at, Origin: wanip.FromFallback, Why: "stale"},
			map[string]float64{"spokedns_wan_ip_known": 1, "spokedns_wan_ip_confirmed_timestamp_seconds": 1000, "spokedns_wan_ip_fallback": 1}},
		"unknown": {wanip.Reading{Why: "stale"}, map[string]float64{"spokedns_wan_ip_known": 0}},
		"absent":  {wanip.Reading{Kind: wanip.Absent}, map[string]float64{}},
	} {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(siteMetrics{newSites(nil, slog.New(slog.DiscardHandler)), c.reading})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", name, diff)
		}
	}
}
