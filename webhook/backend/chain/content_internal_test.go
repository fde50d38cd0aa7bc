package chain

import (
	"slices"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Whatever is answered: it is refused, or read as canonical RRsets, each key once; and what is read reads
// the same when we write it.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`null`, `[]`, `[null,{}]`, `{}`, `[}`, `[] []`, "[\xff]",
		`[{"dnsName":"WWW.Zone.Example.","recordType":"a","targets":["192.0.2.1"],"recordTTL":60,"labels":{"owner":"x"}}]`,
		`[{"dnsName":"t.zone.example","recordType":"TXT","targets":["\"a\\\"b\"","\\\"","\u0000"]}]`,
		`[{"dnsName":"s.zone.example","recordType":"SRV","targets":["0 5 443 ."]},{"dnsName":"s.zone.example","recordType":"SRV","targets":["1 5 443 Ü.example."]}]`,
		`[{"dnsName":"n.zone.example","recordType":"NAPTR","targets":["1 1 \"\" \"\" \"!^.*$!x!\" ."],"providerSpecific":[{"name":"a","value":"b"},{"name":"a"}]}]`,
		`[{"dnsName":"a.zone.example","recordType":"A","targets":["lb.example"],"setIdentifier":"x","providerSpecific":[{"name":"alias","value":"true"}]}]`,
	} {
		f.Add([]byte(s))
	}
	b := &Backend{limits: limits(Config{}.withDefaults())}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := b.read(body)
		if err != nil {
			return
		}
		if !slices.IsSortedFunc(r.sets, func(x, y backend.RRset) int { return compareKeys(x.Key, y.Key) }) {
			t.Fatalf("not sorted: %v", r.sets)
		}
		for i := range r.sets {
			s := &r.sets[i]
			if i > 0 && r.sets[i-1].Key == s.Key || r.odd[s.Key] != "" {
				t.Fatalf("%s is there twice", s.Key)
			}
			e := endpointOf(s)
			again, err := e.rrset()
			if err != nil || !again.Same(s) || again.TTL != s.TTL {
				t.Fatalf("%v is written as %v and read as %v, %v", s, e, again, err)
			}
		}
	})
}
