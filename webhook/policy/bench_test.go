package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/policy"
)

// index is a claim.Facts as fast as the real one.
type index struct {
	hosts map[string][]*claim.Claim
	refs  map[claim.Ref]*claim.Claim
}

func (x index) ByHost(host string) []*claim.Claim  { return x.hosts[host] }
func (x index) ByRef(r claim.Ref) *claim.Claim     { return x.refs[r] }
func (x index) Watched(kind string) (bool, string) { return kind == "ingress", "" }

// BenchmarkAdjust decides about 100,000 names, each claimed by an Ingress, in the order of chance in
// which external-dns sends them.
func BenchmarkAdjust(b *testing.B) {
	const n = 100_000
	x := index{map[string][]*claim.Claim{}, map[claim.Ref]*claim.Claim{}}
	in := make([]*endpoint.Endpoint, n)
	for i := range n {
		host := fmt.Sprintf("host-%06d.apps.example.org", i)
		class := []string{"nginx", "nginx-internal"}[i%2]
		c := annotated(ingress(fmt.Sprintf("team-%03d/app-%06d", i%500, i), class, host, "10.0.0.1"),
			newer+"hostname", host, newer+"ttl", "60")
		x.hosts[host], x.refs[c.Ref] = []*claim.Claim{c}, c
		in[i] = ep(host+" A 10.0.0.1", from(c.Ref.String()), ttl(60))
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { in[i], in[j] = in[j], in[i] })
	for _, bench := range []struct {
		name   string
		config policy.Config
		facts  policy.Facts
	}{
		{"claims", hubAndSpoke(), policy.Facts{Claims: x}},
		{"labels only", hubAndSpoke(), policy.Facts{}},
		{"two views", splitHorizon(), policy.Facts{Claims: x}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := compiled(b, bench.config)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Adjust(in, bench.facts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
