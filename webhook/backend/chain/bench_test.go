package chain_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// BenchmarkChain is a peer with 100,000 names and their ownership texts, of which nothing or one record
// changes between two listings.
func BenchmarkChain(b *testing.B) {
	var all []chaintest.Endpoint
	for i := range 100_000 {
		name := fmt.Sprintf("host%06d.zone.example", i)
		all = append(all, wire(rrset(name, "A", time.Minute, fmt.Sprintf("10.0.%d.%d", i>>8&255, i&255))),
			wire(rrset("a-"+name, "TXT", time.Minute, "heritage=external-dns,external-dns/owner=hub,external-dns/resource=ingress/shop/www")))
	}
	body, err := json.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	changing := false
	turn := 0
	p := answering("")
	p.Replace = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.URL.Path != "/records" {
			return false
		}
		if turn++; changing {
			all[0].RecordTTL = int64(turn)
			if body, err = json.Marshal(all); err != nil {
				b.Error(err)
			}
		}
		_, _ = w.Write(body)
		return true
	}
	url := serve(b, p)
	for _, changing = range []bool{false, true} {
		c := open(b, chain.Config{URL: url, Timeout: time.Minute})
		b.Run(fmt.Sprintf("list/changing=%v", changing), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if sets, err := c.List(b.Context(), zone); err != nil || len(sets) != len(all) {
					b.Fatal(len(sets), err)
				}
			}
		})
	}
	changing = false
	c := open(b, chain.Config{URL: url, Timeout: time.Minute})
	b.Run("apply of one", func(b *testing.B) {
		for b.Loop() {
			www := rrset("www.zone.example", "A", time.Minute, "192.0.2.1")
			if err := c.Apply(b.Context(), zone, []backend.Change{{New: &www}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
