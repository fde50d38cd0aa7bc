package controller

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/fleet"
)

// reachedBy reaches a cluster by a certificate that ends then.
func reachedBy(t *testing.T, end time.Time) *rest.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}}
}

func TestPrometheusLearnsWhenCertificatesOfClustersEnd(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	shown := func() map[string]float64 {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, f := range families {
			if f.GetName() != "spokedns_corednsconfig_certificate_expiry_timestamp_seconds" {
				continue
			}
			for _, s := range f.GetMetric() {
				out[s.GetLabel()[0].GetValue()] = s.GetGauge().GetValue()
			}
		}
		return out
	}
	soon, late := time.Unix(2_000_000_000, 0), time.Unix(3_000_000_000, 0)
	clusters := map[string]fleet.Cluster{
		"a": {ID: "a", Config: reachedBy(t, soon)}, "b": {ID: "b", Config: reachedBy(t, late)},
		"token": {ID: "token", Config: &rest.Config{BearerToken: "x"}}, "none": {ID: "none", Err: &fleet.Unusable{Reason: fleet.NoKubeconfig}},
		"broken": {ID: "broken", Config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: []byte("no PEM")}}},
	}
	m.met(fleet.Listing{Clusters: clusters})
	both := map[string]float64{"a": 2e9, "b": 3e9}
	if diff := cmp.Diff(both, shown()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	delete(clusters, "b")
	m.met(fleet.Listing{Clusters: clusters, Failed: map[v1alpha1.Source]error{v1alpha1.Local: errors.New("x")}})
	if diff := cmp.Diff(both, shown()); diff != "" {
		t.Errorf("a source could not be listed: want -, got +:\n%s", diff)
	}
	m.met(fleet.Listing{Clusters: clusters})
	if diff := cmp.Diff(map[string]float64{"a": 2e9}, shown()); diff != "" {
		t.Errorf("a cluster is gone: want -, got +:\n%s", diff)
	}
}
