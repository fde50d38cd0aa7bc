package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/policy"
)

func TestPrometheusLearnsWhenCertificatesEnd(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	file := filepath.Join(dir, "cert.pem")
	files := clienttls.Files{CAFile: file, CertFile: file}

	c := newCertificates()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	shown := func() map[string]time.Time {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]time.Time{}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				labels := ""
				for _, l := range m.GetLabel() {
					labels += l.GetValue() + " "
				}
				out[labels] = time.Unix(int64(m.GetGauge().GetValue()), 0)
			}
		}
		return out
	}
	if got := shown(); len(got) > 0 {
		t.Errorf("before there is a configuration: %v", got)
	}

	f := &config.File{}
	f.Server.TLS.CertFile = file
	want := []string{" server  "}
	for kind, settings := range map[string]config.Settings{
		"azuredns": &azuredns.Config{TLS: files}, "chain": &chain.Config{TLS: files}, "clouddns": &clouddns.Config{TLS: files},
		"etcd": &etcd.Config{TLS: files}, "gandi": &gandi.Config{TLS: files}, "rfc2136": &rfc2136.Config{TLS: rfc2136.TLS{Files: files}},
		"route53": &route53.Config{}, "memory": &memorySettings{},
	} {
		f.Views = append(f.Views, config.View{View: policy.View{Name: "v-" + kind}, Backend: config.Section{Kind: kind, Settings: settings}})
		if trust(settings) == files {
			want = append(want, fmt.Sprintf("%s authorities v-%s ", kind, kind), fmt.Sprintf("%s client v-%s ", kind, kind))
		}
	}
	const encrypted = 6
	if len(want) != 1+2*encrypted {
		t.Errorf("certificates of %d backends are found, want %d", (len(want)-1)/2, encrypted)
	}
	c.of.Store(f)
	got := shown()
	if len(got) != len(want) {
		t.Errorf("shown are %v, want %q", got, want)
	}
	for _, labels := range want {
		if left := time.Until(got[labels]); left < 0 || left > time.Hour {
			t.Errorf("%q ends at %v, want within the hour", labels, got[labels])
		}
	}
}
