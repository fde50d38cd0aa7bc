package dns_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
)

// TestSpeed logs how long RRsets take on one BIND: those of usual types, and as many of one that the general
// library reads and writes.
func TestSpeed(t *testing.T) {
	for name, typ := range map[string]string{"usual": "A", "further": "TLSA"} {
		for _, n := range []int{1, 1000, 10_000} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) { speed(t, typ, n) })
		}
	}
}

func speed(t *testing.T, typ string, n int) {
	_, s := startBIND(t, stack.NamedConfig{})
	z := s.open(t)
	if _, err := z.SOA(t.Context(), zone); err != nil {
		t.Fatal(err)
	}
	hosts := make([]backend.RRset, n)
	for i := range hosts {
		value := fmt.Sprintf("192.0.2.%d", i%256)
		if typ == "TLSA" {
			value = fmt.Sprintf("3 1 1 %064x", i)
		}
		hosts[i] = set(fmt.Sprintf("host%05d", i), typ, 60, value)
	}
	changes := create(hosts...)
	began := time.Now()
	apply(t, z, changes...)
	applied := time.Since(began)
	began = time.Now()
	for _, err := range z.Answers(t.Context(), zone, hosts) {
		if err != nil {
			t.Fatal(err)
		}
	}
	answered := time.Since(began)
	began = time.Now()
	if sets, _ := transfer(t, z); len(sets) != n+2 {
		t.Errorf("%d RRsets of %d are transferred", len(sets), n+2)
	}
	transferred := time.Since(began)
	began = time.Now()
	if _, err := z.SOA(t.Context(), zone); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d RRsets: applied in %s, answered in %s, transferred in %s, SOA in %s", n, applied, answered, transferred, time.Since(began))
}
