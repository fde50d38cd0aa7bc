package central_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
)

// The webhook's backend needs no more rights than its cluster's: it passes its conformance suite as a user who
// may read and write two prefixes, and what it writes is answered by the central CoreDNS, wildcards too.
func TestBackendWithTheRightsOfItsCluster(t *testing.T) {
	c := newStore(t)
	var zones []string
	c.landscape.Clusters = nil
	const pairs = 170
	for i := range pairs {
		cluster := central.Cluster{Name: fmt.Sprintf("k%d", i), Zones: []string{fmt.Sprintf("a.k%d.%s", i, base), fmt.Sprintf("b.k%d.%s", i, base)}}
		c.landscape.Clusters = append(c.landscape.Clusters, cluster)
		zones = append(zones, cluster.Zones...)
	}
	rights, err := central.Apply(t.Context(), c.root, c.landscape, c.passwords())
	c.must(err)
	t.Logf("%d changes of rights for %d clusters", len(rights), pairs)
	c.uncached = true
	c.startCoreDNS()
	next := 0
	backendtest.Run(t, backendtest.Harness{Unknown: "not-ours." + base, Fresh: func(t *testing.T) backendtest.Subject {
		if next == pairs {
			t.Fatal("all clusters are taken: raise pairs")
		}
		name, zone, other := fmt.Sprintf("k%d", next), zones[2*next], zones[2*next+1]
		next++
		return backendtest.Subject{
			Backend: c.backend(t, name), Zone: zone, Other: other, Verify: c.verify,
			Reopen: func(t *testing.T) backend.Backend { return c.backend(t, name) },
		}
	}})
}

// verify asks CoreDNS what it answers for the RRsets. It gives a CNAME only in answer to a question for an
// address, a weight of 0 as 1, and a wildcard for one label only, where RFC 4592 has it for any number.
func (c *center) verify(t *testing.T, zone string, want []backend.RRset) {
	t.Helper()
	for _, set := range want {
		values, ask := slices.Clone(set.Values), set.Type
		switch set.Type {
		case "CNAME":
			ask = "A"
		case "SRV":
			for i, v := range values {
				f := strings.Fields(v)
				if f[1] == "0" {
					f[1] = "1"
				}
				values[i] = strings.Join(f, " ")
			}
			slices.Sort(values)
		}
		if set.Name == "two.one.apps."+zone {
			values = nil
		}
		in := c.ask(set.Name, ask)
		if set.Type == "CNAME" && len(values) == 1 && backend.InZone(values[0], zone) && len(in.Answer) == 0 {
			continue // it leads to a name of the zone without addresses
		}
		var got []string
		for _, rr := range in.Answer {
			if rr.Header().Rrtype == dns.StringToType[set.Type] && rr.Header().Name == dns.Fqdn(set.Name) {
				got = append(got, data(rr))
			}
		}
		found, err := backend.Canonical(backend.RRset{Key: set.Key, Values: got})
		if err != nil || !slices.Equal(found.Values, values) && len(found.Values)+len(values) > 0 {
			t.Errorf("CoreDNS answers %s with %.300q (%v), want %.300q", set.Key, found.Values, err, values)
		}
	}
}

// data is the record's data in the text of backend.Canonical.
func data(rr dns.RR) string {
	txt, ok := rr.(*dns.TXT)
	if !ok {
		return strings.TrimPrefix(rr.String(), rr.Header().String())
	}
	var b strings.Builder
	for _, s := range txt.Txt {
		b.WriteString(unescape(s))
	}
	return b.String()
}

// unescape undoes what the DNS library writes for bytes that are not printable.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b.WriteByte(s[i])
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + s[i+3] - '0')
			i += 3
		case i+1 < len(s):
			b.WriteByte(s[i+1])
			i++
		}
	}
	return b.String()
}
