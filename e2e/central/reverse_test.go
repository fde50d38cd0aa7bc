package central_test

import (
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// A cluster's part of the tree of addresses is a zone like its others: answered by PTR, written by nobody else.
func TestReverseZone(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	c.landscape.Zones[1] = "0.192.in-addr.arpa"
	c.landscape.Clusters[0].Zones = []string{"c1." + base, "2.0.192.in-addr.arpa"}
	c.apply()
	c.startCoreDNS()
	const zone, name = "2.0.192.in-addr.arpa", "10.2.0.192.in-addr.arpa"
	ptr := backend.RRset{Key: backend.Key{Name: name, Type: "PTR"}, TTL: time.Minute, Values: []string{"www.c1." + base}}
	owner := backend.RRset{Key: backend.Key{Name: "_owner-ptr." + name, Type: "TXT"}, TTL: time.Minute, Values: []string{"heritage=external-dns"}}
	change := []backend.Change{{New: &ptr}, {New: &owner}}
	if err := c.backend(t, "c2").Apply(t.Context(), zone, change); backend.KindOf(err) != backend.Denied {
		t.Errorf("another cluster writes the zone: %v", err)
	}
	c.must(c.backend(t, "c1").Apply(t.Context(), zone, change))
	for ask, want := range map[[2]string]string{
		{name, "PTR"}:                      name + " PTR www.c1." + base,
		{"11.2.0.192.in-addr.arpa", "PTR"}: "NXDOMAIN",
		{zone, "A"}:                        "NODATA",
		{zone, "NS"}:                       zone + " NS ns1.ns.dns." + zone + " | " + zone + " NS ns2.ns.dns." + zone,
		{"www.c1." + base, "PTR"}:          "NODATA",
	} {
		if got := answer(c.ask(ask[0], ask[1])); got != want {
			t.Errorf("%s is answered %s, want %s", ask, got, want)
		}
	}
	wild := backend.RRset{Key: backend.Key{Name: "*." + zone, Type: "PTR"}, TTL: time.Minute, Values: []string{"www.c1." + base}}
	if err := c.backend(t, "c1").Apply(t.Context(), zone, []backend.Change{{New: &wild}}); backend.KindOf(err) != backend.Rejected {
		t.Errorf("a wildcard among addresses: %v, want it to be refused", err)
	}
}
