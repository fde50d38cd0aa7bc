package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/backendtest"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// dnsServer is one real server under test, with empty zones to be taken one after the other.
type dnsServer struct {
	addr  string
	key   stack.TSIGKey
	zones []string
}

// zoneNames are n names of zones for one server.
func zoneNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("z%03d.example.org", i)
	}
	return names
}

// conformanceZones is enough for two zones in every test of the suite.
const conformanceZones = 400

// patience is for PowerDNS, which needs seconds for a thousand changes when the machine is busy.
const patience = time.Minute

func TestRFC2136ConformanceOnBIND(t *testing.T) {
	t.Parallel()
	n := startNamed(t, stack.NamedConfig{Zones: zoneNames(conformanceZones)})
	conform(t, &dnsServer{n.Addr, n.Key, zoneNames(conformanceZones)})
}

func TestRFC2136ConformanceOnKnot(t *testing.T) {
	t.Parallel()
	k, err := stack.ForTest(t).Knot(t.Context(), stack.KnotConfig{Zones: zoneNames(conformanceZones)})
	if err != nil {
		t.Fatal(err)
	}
	conform(t, &dnsServer{k.Addr, k.Key, zoneNames(conformanceZones)})
}

func TestRFC2136ConformanceOnPowerDNS(t *testing.T) {
	t.Parallel()
	p, err := stack.ForTest(t).PowerDNS(t.Context(), stack.PowerDNSConfig{Zones: zoneNames(conformanceZones)})
	if err != nil {
		t.Fatal(err)
	}
	conform(t, &dnsServer{p.Addr, p.Key, zoneNames(conformanceZones)})
}

func startNamed(t *testing.T, c stack.NamedConfig) *stack.Named {
	t.Helper()
	n, err := stack.ForTest(t).Named(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func conform(t *testing.T, s *dnsServer) {
	t.Helper()
	backendtest.Run(t, backendtest.Harness{
		Unknown: "unknown.example",
		Fresh: func(t *testing.T) backendtest.Subject {
			t.Helper()
			if len(s.zones) < 2 {
				t.Fatal("no zones left: raise conformanceZones")
			}
			zone, other := s.zones[0], s.zones[1]
			s.zones = s.zones[2:]
			return backendtest.Subject{
				Backend: s.open(t, rfc2136.Config{Timeout: patience}), Zone: zone, Other: other,
				Reopen: func(t *testing.T) backend.Backend { return s.open(t, rfc2136.Config{Timeout: patience}) },
				Put:    func(t *testing.T, zone string, r backend.RRset) { s.put(t, zone, r) },
				Remove: func(t *testing.T, zone string, k backend.Key) { s.put(t, zone, backend.RRset{Key: k}) },
				Verify: func(t *testing.T, zone string, want []backend.RRset) { s.verify(t, want) },
			}
		},
	})
}

// open returns a backend on the server with its key, unless c says otherwise.
func (s *dnsServer) open(t *testing.T, c rfc2136.Config) *rfc2136.Backend {
	t.Helper()
	if c.Servers == nil {
		c.Servers = []string{s.addr}
	}
	if c.TSIG.Name == "" {
		c.TSIG = rfc2136.TSIG{Name: s.key.Name, Algorithm: s.key.Algorithm, Secret: s.key.Secret}
	}
	b, err := rfc2136.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// put makes r the RRset of its key, or deletes it when it has no values, as somebody with nsupdate.
func (s *dnsServer) put(t *testing.T, zone string, r backend.RRset) {
	t.Helper()
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	code := dns.StringToType[r.Type]
	m.RemoveRRset([]dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: dns.Fqdn(r.Name), Rrtype: code}}})
	for _, v := range r.Values {
		m.Insert([]dns.RR{parseRecord(t, r, v)})
	}
	s.update(t, m)
}

// update sends a signed UPDATE message.
func (s *dnsServer) update(t *testing.T, m *dns.Msg) {
	t.Helper()
	m.SetTsig(dns.Fqdn(s.key.Name), dns.Fqdn(s.key.Algorithm), 300, time.Now().Unix())
	c := dns.Client{Net: "tcp", Timeout: 5 * time.Second, TsigSecret: map[string]string{dns.Fqdn(s.key.Name): s.key.Secret}}
	in, _, err := c.ExchangeContext(t.Context(), m, s.addr)
	if err != nil {
		t.Fatalf("as another writer: %v", err)
	}
	if in.Rcode != dns.RcodeSuccess {
		t.Fatalf("as another writer: %s", dns.RcodeToString[in.Rcode])
	}
}

func parseRecord(t *testing.T, r backend.RRset, value string) dns.RR {
	t.Helper()
	if r.Type == "TXT" {
		text := ""
		for _, c := range []byte(value) {
			text += fmt.Sprintf(`\%03d`, c)
		}
		hdr := dns.RR_Header{Name: dns.Fqdn(r.Name), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: uint32(r.TTL.Seconds())}
		return &dns.TXT{Hdr: hdr, Txt: []string{text}}
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s. %d IN %s %s", r.Name, uint32(r.TTL.Seconds()), r.Type, value))
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// verify asks the server itself.
func (s *dnsServer) verify(t *testing.T, want []backend.RRset) {
	t.Helper()
	for _, r := range want {
		if err := stack.EventuallyAnswers(t.Context(), 5*time.Second, s.addr, r.Name, r.Type, r.Values...); err != nil {
			t.Fatal(err)
		}
		if len(r.Values) == 0 || r.TTL == 0 {
			continue
		}
		if ttl, err := stack.QueryTTL(context.WithoutCancel(t.Context()), s.addr, r.Name, r.Type); err != nil || ttl != r.TTL {
			t.Fatalf("%s is answered with TTL %s (%v), want %s", r.Key, ttl, err, r.TTL)
		}
	}
}
