// Package dns_test owns the proof that rfc2136.Zones looks after whole zones on real servers: BIND, Knot and
// PowerDNS.
package dns_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

const zone = "zone.example"

// patience is for PowerDNS on a busy machine.
const patience = time.Minute

// server is one real server with empty zones.
type server struct {
	addr string
	key  stack.TSIGKey
}

func startBIND(t *testing.T, c stack.NamedConfig) (*stack.Named, *server) {
	t.Helper()
	if c.Zones == nil {
		c.Zones = []string{zone}
	}
	n, err := stack.ForTest(t).Named(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n, &server{n.Addr, n.Key}
}

// onEach runs a test on every kind of server, with a zone of the name zone on it.
func onEach(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	t.Run("BIND", func(t *testing.T) {
		t.Parallel()
		_, s := startBIND(t, stack.NamedConfig{})
		test(t, s)
	})
	t.Run("Knot", func(t *testing.T) {
		t.Parallel()
		k, err := stack.ForTest(t).Knot(t.Context(), stack.KnotConfig{Zones: []string{zone}})
		if err != nil {
			t.Fatal(err)
		}
		test(t, &server{k.Addr, k.Key})
	})
	t.Run("PowerDNS", func(t *testing.T) {
		t.Parallel()
		p, err := stack.ForTest(t).PowerDNS(t.Context(), stack.PowerDNSConfig{Zones: []string{zone}})
		if err != nil {
			t.Fatal(err)
		}
		test(t, &server{p.Addr, p.Key})
	})
}

func (s *server) open(t *testing.T) *rfc2136.Zones {
	t.Helper()
	return openWith(t, s.addr, s.key)
}

func openWith(t *testing.T, addr string, key stack.TSIGKey) *rfc2136.Zones {
	t.Helper()
	z, err := rfc2136.NewZones(rfc2136.Config{
		Servers: []string{addr}, Timeout: patience, TSIG: rfc2136.TSIG{Name: key.Name, Algorithm: key.Algorithm, Secret: key.Secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	return z
}

// set is an RRset; "@" is the zone's own name.
func set(name, typ string, ttl int, values ...string) backend.RRset {
	full := name + "." + zone
	if name == "@" {
		full = zone
	}
	for i, v := range values {
		p, err := rfc2136.Presentation(typ, v)
		if err != nil {
			panic(err)
		}
		values[i] = p
	}
	slices.Sort(values)
	return backend.RRset{Key: backend.Key{Name: full, Type: typ}, TTL: time.Duration(ttl) * time.Second, Values: values}
}

func apply(t *testing.T, z *rfc2136.Zones, changes ...backend.Change) {
	t.Helper()
	if err := z.Apply(t.Context(), zone, changes); err != nil {
		t.Fatal(err)
	}
}

func create(sets ...backend.RRset) []backend.Change {
	changes := make([]backend.Change, len(sets))
	for i := range sets {
		changes[i].New = &sets[i]
	}
	return changes
}

func transfer(t *testing.T, z *rfc2136.Zones) (map[backend.Key]backend.RRset, rfc2136.SOA) {
	t.Helper()
	sets, soa, err := z.Transfer(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	out := map[backend.Key]backend.RRset{}
	for _, r := range sets {
		out[r.Key] = r
	}
	return out, soa
}

// requireAnswers waits for the answers: PowerDNS keeps what it answered before for some time.
func requireAnswers(t *testing.T, z *rfc2136.Zones, want ...backend.RRset) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var wrong []string
		for _, err := range z.Answers(t.Context(), zone, want) {
			if err != nil {
				wrong = append(wrong, err.Error())
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// everything is an RRset or two of every type that a DNSRecord can have, and some that only people write.
func everything() []backend.RRset {
	return []backend.RRset{
		set("a", "A", 60, "192.0.2.1", "192.0.2.2"),
		set("a", "AAAA", 60, "2001:db8::1"),
		set("alias", "CNAME", 60, "a.zone.example"),
		set("text", "TXT", 60, "v=spf1 -all", `say "hello" \ goodbye`, strings.Repeat("long ", 100)),
		set("@", "TXT", 60, "at the zone's own name"),
		set("@", "MX", 60, "10 mail.zone.example", "20 mail.example.net"),
		set("mail", "A", 60, "192.0.2.25"),
		set("_sip._tcp", "SRV", 60, "1 2 5060 a.zone.example"),
		set("@", "CAA", 60, `0 issue "ca.example"`, `128 iodef "mailto:security@example.org"`),
		set("ptr", "PTR", 60, "a.zone.example"),
		set("svc", "SVCB", 60, `1 a.zone.example alpn="h2,h3" port=8443 ipv4hint=192.0.2.1`),
		set("@", "HTTPS", 60, `1 . alpn="h2"`),
		set("_443._tcp.a", "TLSA", 60, "3 1 1 "+strings.Repeat("ab", 32)),
		set("a", "SSHFP", 60, "4 2 "+strings.Repeat("cd", 32)),
		set("naptr", "NAPTR", 60, `100 10 "U" "E2U+sip" "!^.*$!sip:a@b.example!" .`),
		set("*.apps", "A", 60, "192.0.2.80"),
		set("sub", "NS", 60, "ns1.sub.zone.example", "ns.example.net"),
		set("ns1.sub", "A", 60, "192.0.2.53"),
		set("sub", "DS", 60, "12345 13 2 "+strings.Repeat("ef", 32)),
		set("uri", "URI", 60, `10 1 "https://a.zone.example/"`),
		set("loc", "LOC", 60, "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"),
		set("host", "HINFO", 60, `"PC" "Linux"`),
	}
}

func TestZonesHoldEveryType(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		before, _ := transfer(t, z)
		want := everything()
		apply(t, z, create(want...)...)
		after, soa := transfer(t, z)
		if got := after[backend.Key{Name: zone, Type: "SOA"}].Values; len(got) != 1 || got[0] != soa.Value() {
			t.Errorf("the SOA is transferred as %q and %q", got, soa.Value())
		}
		wanted := map[backend.Key]backend.RRset{{Name: zone, Type: "SOA"}: after[backend.Key{Name: zone, Type: "SOA"}]}
		for k, r := range before {
			if k.Type != "SOA" {
				wanted[k] = r
			}
		}
		for _, r := range want {
			wanted[r.Key] = r
		}
		if diff := cmp.Diff(wanted, after); diff != "" {
			t.Errorf("the zone after Apply (-want +got):\n%s", diff)
		}
		requireAnswers(t, z, append(want, after[backend.Key{Name: zone, Type: "SOA"}], after[backend.Key{Name: zone, Type: "NS"}])...)

		fresh := s.open(t)
		if whole, _ := transfer(t, fresh); !cmp.Equal(whole, after) {
			t.Errorf("a whole transfer differs from the kept copy (-kept +whole):\n%s", cmp.Diff(after, whole))
		}
		apply(t, fresh, create(want...)...)
		if _, again := transfer(t, fresh); again != soa {
			t.Errorf("applying twice changed the zone: %+v became %+v", soa, again)
		}

		var deletions []backend.Change
		for i := range want {
			deletions = append(deletions, backend.Change{Old: &want[i]})
		}
		apply(t, z, deletions...)
		empty, _ := transfer(t, z)
		delete(empty, backend.Key{Name: zone, Type: "SOA"})
		delete(before, backend.Key{Name: zone, Type: "SOA"})
		if diff := cmp.Diff(before, empty); diff != "" {
			t.Errorf("the zone after all was deleted (-want +got):\n%s", diff)
		}
		gone := slices.Clone(want)
		for i := range gone {
			gone[i].Values = nil
		}
		requireAnswers(t, z, gone...)
	})
}

func TestZonesChangeTheirOwnRecords(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		takesTTL := !strings.HasSuffix(t.Name(), "/PowerDNS") // it keeps the SOA's own
		z := s.open(t)
		zoneNow, live := transfer(t, z)
		oldNS, oldSOA := zoneNow[backend.Key{Name: zone, Type: "NS"}], zoneNow[backend.Key{Name: zone, Type: "SOA"}]
		for step, c := range []struct {
			ns  []string
			ttl int
		}{
			{[]string{"ns1.zone.example", "ns2.example.net"}, 300},
			{[]string{"ns2.example.net", "ns3.example.net"}, 300},
			{[]string{"ns2.example.net", "ns3.example.net"}, 600},
			{[]string{"ns4.example.net"}, 600},
			{[]string{"ns5.example.net"}, 300},
		} {
			newNS := set("@", "NS", c.ttl, c.ns...)
			wish := live
			wish.MName, wish.RName, wish.Refresh, wish.Minimum = newNS.Values[0], "hostmaster.example.org", uint32(1000+step), uint32(30+step)
			wish.Serial = live.Serial + 1000
			newSOA := set("@", "SOA", 900+step, wish.Value())
			changes := []backend.Change{{Old: &oldNS, New: &newNS}, {Old: &oldSOA, New: &newSOA}}
			if step == 0 {
				changes = append(changes, create(set("ns1", "A", 300, "192.0.2.53"))...)
			}
			apply(t, z, changes...)
			zoneNow, live = transfer(t, z)
			oldNS, oldSOA = zoneNow[newNS.Key], zoneNow[newSOA.Key]
			if diff := cmp.Diff(newNS, oldNS); diff != "" {
				t.Errorf("step %d: the name servers (-want +got):\n%s", step, diff)
			}
			if !live.Same(wish) || rfc2136.Newer(wish.Serial, live.Serial) || takesTTL && oldSOA.TTL != newSOA.TTL {
				t.Errorf("step %d: the SOA is %+v with TTL %s, want %+v with %s", step, live, oldSOA.TTL, wish, newSOA.TTL)
			}
			requireAnswers(t, z, newNS, newSOA)
			apply(t, z, changes...) // once more: nothing to do
			if _, again := transfer(t, z); again != live {
				t.Errorf("step %d: applying twice changed the SOA from %+v to %+v", step, live, again)
			}
		}
		for what, c := range map[string]backend.Change{
			"no name servers": {Old: &oldNS}, "no SOA": {Old: &oldSOA},
			"another's SOA": {New: &backend.RRset{Key: backend.Key{Name: "x." + zone, Type: "SOA"}, Values: oldSOA.Values}},
			"a DNSKEY":      {New: &backend.RRset{Key: backend.Key{Name: zone, Type: "DNSKEY"}, Values: []string{"257 3 13 AAAA"}}},
		} {
			if err := z.Apply(t.Context(), zone, []backend.Change{c}); backend.KindOf(err) != backend.Rejected {
				t.Errorf("%s: want it rejected, got %v", what, err)
			}
		}
	})
}

func TestZonesLetALaterSerialWin(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z, other := s.open(t), s.open(t)
		zoneNow, live := transfer(t, z)
		oldSOA := zoneNow[backend.Key{Name: zone, Type: "SOA"}]
		for i := range 5 { // the server counts up meanwhile
			apply(t, other, create(set(fmt.Sprintf("meanwhile%d", i), "A", 60, "192.0.2.1"))...)
		}
		wish := live
		wish.Retry, wish.Serial = 77, 0
		newSOA := set("@", "SOA", 3600, wish.Value())
		apply(t, z, backend.Change{Old: &oldSOA, New: &newSOA})
		_, now := transfer(t, z)
		if now.Retry != 77 || !rfc2136.Newer(now.Serial, live.Serial) {
			t.Errorf("the SOA is %+v after %+v", now, live)
		}
		stale := now
		stale.Retry = 78
		unseen := set("@", "SOA", 3600, stale.Value())
		if err := z.Apply(t.Context(), zone, []backend.Change{{Old: &oldSOA, New: &unseen}}); backend.KindOf(err) != backend.Conflict {
			t.Errorf("a change of an SOA that does not stand any more: want a conflict, got %v", err)
		}
	})
}
