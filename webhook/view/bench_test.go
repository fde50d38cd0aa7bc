package view_test

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/extdns"
	"github.com/spokedns/spokedns/webhook/view"
)

// crowd is n names of Ingresses, and the index of their claims.
func crowd(n int) (eps, *claim.Index) {
	x := claim.NewIndex()
	x.Watch("ingress", true, "")
	out := make(eps, n)
	for i := range n {
		host := fmt.Sprintf("host-%06d.example.org", i)
		ref := claim.Ref{Kind: "ingress", Namespace: "shop", Name: fmt.Sprintf("host-%06d", i)}
		x.Put(&claim.Claim{Ref: ref, Hosts: []string{host}, IngressClass: "nginx", Targets: []string{"10.0.0.1"}})
		out[i] = endpoint.NewEndpointWithTTL(host, "A", 300, "10.0.0.1").WithLabel("resource", ref.String())
	}
	return out, x
}

// known is an index that has everything.
type known struct {
	index
	facts *claim.Index
}

func (k *known) Snapshot() claim.Facts { return k.facts.Snapshot() }

// BenchmarkAdjust is a POST /adjustendpoints without HTTP: decode, decide by claims, fit, encode.
func BenchmarkAdjust(b *testing.B) {
	const n = 100_000
	in, x := crowd(n)
	body := extdns.AppendEndpoints(nil, in)
	s := hub()
	s.change = func(c *view.Config) { c.Claims = &known{facts: x} }
	r := start(b, s)
	var decoded eps
	step := func(name string, do func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do(b)
			}
		})
	}
	decode := func(b *testing.B) {
		var err error
		if decoded, err = extdns.DecodeEndpoints(body); err != nil {
			b.Fatal(err)
		}
	}
	step("peer doing nothing", func(b *testing.B) { // as external-dns's own server would
		var eps []*endpoint.Endpoint
		if err := json.Unmarshal(body, &eps); err != nil {
			b.Fatal(err)
		}
		if err := json.NewEncoder(io.Discard).Encode(eps); err != nil {
			b.Fatal(err)
		}
	})
	step("decode", decode)
	step("all", func(b *testing.B) {
		decode(b)
		adjusted := r.adjust(b, decoded...)
		_ = extdns.AppendEndpoints(make([]byte, 0, len(body)), adjusted)
		if len(adjusted) != n || adjusted[0].Targets[0] != "203.0.113.10" {
			b.Fatalf("%d endpoints, the first %v", len(adjusted), adjusted[0])
		}
	})
}

// BenchmarkRecords is GET /records without HTTP and without encoding: unchanged, and after one change.
func BenchmarkRecords(b *testing.B) {
	r := start(b, one())
	in, _ := crowd(100_000)
	r.apply(b, plan.Changes{Create: in})
	r.records(b)
	b.Run("unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.records(b)
		}
	})
	b.Run("one change", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x := a("extra.example.org", "192.0.2.1")
			r.apply(b, plan.Changes{Create: eps{x}})
			r.records(b)
			r.apply(b, plan.Changes{Delete: eps{x}})
			r.records(b)
		}
	})
}

// BenchmarkApply is what the view adds to a backend for a first sync.
func BenchmarkApply(b *testing.B) {
	all := many(100_000, "h%d.example.org")
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := start(b, one())
		b.StartTimer()
		r.apply(b, plan.Changes{Create: all})
	}
}
