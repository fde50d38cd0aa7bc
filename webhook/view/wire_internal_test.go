package view

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/extdns"
)

// limited is a backend of which only the limits are asked.
type limited struct {
	backend.Backend
	limits backend.Limits
}

func (l limited) Limits() backend.Limits { return l.limits }

// An RRset survives the way over the wire and back, whatever bytes its texts hold.
func TestWireKeepsRRsets(t *testing.T) {
	v := &View{Name: "public", Zones: []string{"example.org"}, Backend: limited{limits: backend.Limits{
		Types: []string{"A", "TXT"}, SetIDs: true, Attrs: []string{"region", "weight"}}}}
	values := map[string]*rapid.Generator[string]{
		"A":     rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.2"}),
		"AAAA":  rapid.Just("2001:db8::1"),
		"CNAME": rapid.Just("lb.example.net"),
		"MX":    rapid.SampledFrom([]string{"10 mx.example.org", "0 ."}),
		"NAPTR": rapid.Just(`10 20 "S" "SIP+D2U" "" _sip._udp.example.org`),
		"SRV":   rapid.Just("0 5 443 www.example.org"),
		"TXT": rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `"`, `"a" "b"`, `\065`}),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(b []byte) string { return string(b) })),
	}
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]string{"A", "AAAA", "CNAME", "MX", "NAPTR", "SRV", "TXT"}).Draw(t, "type")
		want, err := backend.Canonical(backend.RRset{
			Key: backend.Key{
				Name:  rapid.SampledFrom([]string{"example.org", "www.example.org", "*.example.org", "_x._tcp.example.org", "xn--mnchen-3ya.example.org"}).Draw(t, "name"),
				Type:  typ,
				SetID: rapid.SampledFrom([]string{"", "blue"}).Draw(t, "set"),
			},
			TTL:    time.Duration(rapid.Int64Range(0, 1<<31-1).Draw(t, "ttl")) * time.Second,
			Values: rapid.SliceOfN(values[typ], 1, 4).Draw(t, "values"),
			Attrs:  rapid.SampledFrom([]map[string]string{nil, {"weight": "5"}, {"weight": "5", "region": "eu"}}).Draw(t, "attrs"),
		})
		if err != nil {
			t.Fatal(err)
		}
		var e endpoint.Endpoint
		fill(&e, &want, want.SetID)
		received, err := extdns.DecodeEndpoints(extdns.AppendEndpoints(nil, []*endpoint.Endpoint{&e}))
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.rrsetOf(received[0], received[0].SetIdentifier)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
