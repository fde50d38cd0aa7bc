package central_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
)

// publishRecords writes as the cluster's webhook would: a name, and a wildcard.
func (c *center) publishRecords(cluster string) (www, wild string) {
	c.Helper()
	zone := c.zoneOf(cluster)
	www, wild = "www."+zone, "x.apps."+zone
	var changes []backend.Change
	for name, address := range map[string]string{www: "192.0.2.1", "*.apps." + zone: "192.0.2.2"} {
		changes = append(changes, backend.Change{New: &backend.RRset{Key: backend.Key{Name: name, Type: "A"}, TTL: time.Minute, Values: []string{address}}})
	}
	c.must(c.backend(c.T, cluster).Apply(c.Context(), zone, changes))
	return www, wild
}

// While etcd is down, what was asked for before is answered still, a wildcard's names too; what was not is
// SERVFAIL, never NXDOMAIN, which clients would believe. After the outage all is as before.
func TestEtcdDown(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	c.server.MaxTTL = time.Second // to have answers expire within a test
	c.startCoreDNS()
	www, wild := c.publishRecords("c1")
	www2, _ := c.publishRecords("c2")
	for name, want := range map[string]string{www: www + " A 192.0.2.1", wild: wild + " A 192.0.2.2"} {
		if got := answer(c.ask(name, "A")); got != want {
			t.Fatalf("%s is answered %s, want %s", name, got, want)
		}
	}
	time.Sleep(2 * time.Second) // the answers are older than their TTL
	c.etcd.Kill()
	for name, want := range map[string]string{www: www + " A 192.0.2.1", wild: wild + " A 192.0.2.2"} {
		start := time.Now()
		in := c.ask(name, "A")
		t.Logf("%s is answered from before the outage in %s", name, time.Since(start).Round(time.Millisecond))
		if got := answer(in); got != want || in.Answer[0].Header().Ttl != 0 {
			t.Errorf("%s is answered %s, want %s with a TTL of 0", name, in.Answer, want)
		}
	}
	for _, name := range []string{www2, "nobody.c1." + base} {
		start := time.Now()
		if got := answer(c.ask(name, "A")); got != "SERVFAIL" {
			t.Errorf("%s, not asked for before, is answered %s", name, got)
		}
		t.Logf("%s, not asked for before, is SERVFAIL in %s", name, time.Since(start).Round(time.Millisecond))
	}
	c.must(c.etcd.Restart(t.Context()))
	start := time.Now()
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, www2, "A", "192.0.2.1"))
	t.Logf("answered again %s after etcd was back", time.Since(start).Round(time.Millisecond))
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, wild, "A", "192.0.2.2"))
	c.must(stack.Eventually(t.Context(), soon, func(context.Context) error {
		if got := answer(c.ask("nobody.c1."+base, "A")); got != "NXDOMAIN" {
			return fmt.Errorf("a name that is not there is answered %s", got)
		}
		return nil
	}))
}

// A CoreDNS that is started anew on the same file answers at once. While etcd is down it starts when it logs in
// by certificate; by password it does not, because it logs in while it starts.
func TestCoreDNSStartedAnew(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	www, wild := c.publishRecords("c1")
	restart := func() {
		c.coreDNS.Stop()
		start := time.Now()
		c.runCoreDNS()
		t.Logf("CoreDNS answers %s after its start", time.Since(start).Round(time.Millisecond))
	}
	restart()
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, www, "A", "192.0.2.1"))
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, wild, "A", "192.0.2.2"))

	// The certificate's name is a user with CoreDNS's role.
	_, err := c.root.UserAddWithOptions(t.Context(), "etcd", "", &clientv3.UserAddOptions{NoPassword: true})
	c.must(err)
	_, err = c.root.UserGrantRole(t.Context(), "etcd", c.landscape.CoreDNSRole())
	c.must(err)
	byPassword := c.server
	c.server.Etcd.User, c.server.Etcd.PasswordEnv = "", ""
	restart()
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, www, "A", "192.0.2.1"))
	c.etcd.Kill()
	restart()
	if got := answer(c.ask(www, "A")); got != "SERVFAIL" {
		t.Errorf("without etcd and without a memory %s is answered %s", www, got)
	}
	if got := answer(c.ask(base, "SOA")); got == "SERVFAIL" {
		t.Errorf("the zone's SOA is answered %s", got)
	}
	c.must(c.etcd.Restart(t.Context()))
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, www, "A", "192.0.2.1"))

	c.etcd.Kill()
	c.coreDNS.Stop()
	c.server = byPassword
	short, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	err = c.tryCoreDNS(short)
	if err == nil {
		t.Error("with a password CoreDNS starts without etcd: say so in docs/central-dns.md")
	}
	t.Logf("with a password and without etcd: %.200v", err)
	c.must(c.etcd.Restart(t.Context()))
	c.must(stack.Eventually(t.Context(), soon, c.tryCoreDNS))
	c.must(stack.EventuallyAnswers(t.Context(), soon, c.addr, www, "A", "192.0.2.1"))
}

// What the cluster does not have to be up for: with the API server and external-dns gone, and the webhook too,
// its names stay. The plugin answers SERVFAIL until it has read its cluster.
func TestClusterDown(t *testing.T) {
	t.Parallel()
	c := newCenter(t)
	k := c.newCluster("c1")
	c.must(k.api.ApplyYAML(t.Context(), manifest(k.zone)))
	k.publish()
	for _, dns := range k.dns {
		dns.Kill()
	}
	k.webhook.Kill()
	k.api.Kill()
	c.coreDNS.Stop()
	c.runCoreDNS()
	for _, ask := range []string{"web", "db.shop", "x.apps", "tls"} {
		if got := k.row(ask, "A"); got == "NXDOMAIN" || got == "SERVFAIL" || got == "NODATA" {
			t.Errorf("%s is answered %s", ask, got)
		}
	}
}

// How long names take, with 20,000 keys in etcd and without the cache: one that is there, one of a wildcard,
// which is looked for twice, and one that is not there.
func TestLatency(t *testing.T) {
	c := newStore(t)
	c.uncached = true
	c.startCoreDNS()
	www, wild := c.publishRecords("c1")
	zone := c.zoneOf("c2")
	var changes []backend.Change
	for i := range 10_000 {
		for typ, value := range map[string]string{"A": fmt.Sprintf("10.0.%d.%d", i>>8, i&255), "TXT": "heritage=external-dns"} {
			name := fmt.Sprintf("h%d.%s", i, zone)
			if typ == "TXT" {
				name = "_owner-a." + name
			}
			changes = append(changes, backend.Change{New: &backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: time.Minute, Values: []string{value}}})
		}
	}
	c.must(c.backend(t, "c2").Apply(t.Context(), zone, changes))
	for what, q := range map[string]struct{ name, typ, want string }{
		"a name":                 {www, "A", www + " A 192.0.2.1"},
		"a name of many":         {"h77." + zone, "A", "h77." + zone + " A 10.0.0.77"},
		"a wildcard's name":      {wild, "A", wild + " A 192.0.2.2"},
		"a missing name":         {"nobody." + zone, "A", "NXDOMAIN"},
		"the zone's addresses":   {zone, "A", "NODATA"},
		"the base's addresses":   {base, "A", "NODATA"},
		"a label that lists all": {"any." + zone, "A", "NXDOMAIN"},
		"a star that lists all":  {"h1.*." + base, "A", "NXDOMAIN"},
	} {
		var slowest, sum time.Duration
		const times = 50
		for range times {
			start := time.Now()
			got := answer(c.ask(q.name, q.typ))
			took := time.Since(start)
			slowest, sum = max(slowest, took), sum+took
			if got != q.want {
				t.Fatalf("%s: %s is answered %.200s, want %s", what, q.name, got, q.want)
			}
		}
		t.Logf("%-24s mean %s, slowest of %d %s", what, (sum / times).Round(10*time.Microsecond), times, slowest.Round(10*time.Microsecond))
	}
}

// A cluster that the Corefile does not name yet is answered all the same: it only has no name servers of its own.
func TestClusterThatTheCorefileDoesNotName(t *testing.T) {
	t.Parallel()
	c := newStore(t)
	zone := c.zoneOf("c1")
	apex := backend.RRset{Key: backend.Key{Name: zone, Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.9"}}
	c.must(c.backend(t, "c1").Apply(t.Context(), zone, []backend.Change{{New: &apex}}))
	all := c.landscape
	c.landscape.Clusters = nil
	c.uncached = true
	c.startCoreDNS()
	c.landscape = all
	www, wild := c.publishRecords("c1")
	require := func(nameServers string) {
		t.Helper()
		for ask, want := range map[string]string{
			www + " A": www + " A 192.0.2.1", wild + " A": wild + " A 192.0.2.2", zone + " A": zone + " A 192.0.2.9",
			"nobody." + zone + " A": "NXDOMAIN", zone + " NS": nameServers,
		} {
			name, typ, _ := strings.Cut(ask, " ")
			if got := answer(c.ask(name, typ)); got != want {
				t.Errorf("%s is answered %s, want %s", ask, got, want)
			}
		}
	}
	require("NODATA")
	c.coreDNS.Stop()
	c.runCoreDNS()
	require(zone + " NS ns1.ns.dns." + zone + " | " + zone + " NS ns2.ns.dns." + zone)
}
