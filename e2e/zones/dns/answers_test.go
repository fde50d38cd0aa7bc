package dns_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

func TestAnswersAreJudged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		apply(t, z, create(
			set("www", "A", 60, "192.0.2.1", "192.0.2.2"),
			set("alias", "CNAME", 60, "www.zone.example"),
			set("*.apps", "A", 60, "192.0.2.80"),
			set("exact.apps", "TXT", 60, "no address here"),
			set("sub", "NS", 60, "ns1.sub.zone.example"),
			set("ns1.sub", "A", 60, "192.0.2.53"),
		)...)
		for _, c := range []struct {
			what  string
			want  backend.RRset
			wrong string // words of the error; "" for a right answer
		}{
			{"as it is", set("www", "A", 60, "192.0.2.1", "192.0.2.2"), ""},
			{"any TTL", set("www", "A", 0, "192.0.2.1", "192.0.2.2"), ""},
			{"another TTL", set("www", "A", 61, "192.0.2.1", "192.0.2.2"), "with TTL 60"},
			{"less", set("www", "A", 60, "192.0.2.1"), `"192.0.2.2"`},
			{"more", set("www", "A", 60, "192.0.2.1", "192.0.2.2", "192.0.2.3"), `"192.0.2.3"`},
			{"another type", set("www", "AAAA", 60, "2001:db8::1"), "without a record"},
			{"another name", set("web", "A", 60, "192.0.2.1"), "NXDOMAIN"},
			{"behind an alias", set("alias", "A", 60, "192.0.2.1", "192.0.2.2"), "without a record"},
			{"the alias", set("alias", "CNAME", 60, "www.zone.example"), ""},
			{"a wildcard", set("*.apps", "A", 60, "192.0.2.80"), ""},
			{"another wildcard", set("*.apps", "A", 60, "192.0.2.81"), `"192.0.2.80"`},
			{"a delegation", set("sub", "NS", 60, "ns1.sub.zone.example"), ""},
			{"another delegation", set("sub", "NS", 60, "ns2.sub.zone.example"), "ns1.sub.zone.example"},
			{"glue", set("ns1.sub", "A", 60, "192.0.2.53"), ""},
			{"other glue", set("ns1.sub", "A", 60, "192.0.2.54"), "192.0.2.53"},
			{"another zone", backend.RRset{Key: backend.Key{Name: "www.other.example", Type: "A"}, Values: []string{"192.0.2.1"}}, " "},
			{"no name", set("web", "A", 0), ""},
			{"no type", set("www", "AAAA", 0), ""},
			{"no address behind the alias", set("alias", "A", 0), ""},
			{"what stands", set("www", "A", 0), `"192.0.2.1"`},
			{"a standing wildcard", set("*.apps", "A", 0), `"192.0.2.80"`},
			{"a standing delegation", set("sub", "NS", 0), "ns1.sub"},
			{"standing glue", set("ns1.sub", "A", 0), "192.0.2.53"},
			{"nothing below a delegation", set("www.sub", "A", 0), ""},
			{"answered by a wildcard only", set("gone.apps", "A", 0), ""},
			{"no address under a wildcard", set("exact.apps", "A", 0), ""},
			{"no answer in another zone", backend.RRset{Key: backend.Key{Name: "www.other.example", Type: "A"}}, " "},
		} {
			err := z.Answers(t.Context(), zone, []backend.RRset{c.want})[0]
			var mismatch *rfc2136.Mismatch
			switch {
			case c.wrong == "" && err != nil:
				t.Errorf("%s: %v", c.what, err)
			case c.wrong != "" && (!errors.As(err, &mismatch) || mismatch.Key != c.want.Key || !strings.Contains(err.Error(), s.addr) || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("%s: want a mismatch that says %q, got %v", c.what, c.wrong, err)
			}
		}
	})
}

func TestAServerSaysWhoItIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		_, err := z.Probe(t.Context())
		_, asked := z.SOA(t.Context(), zone)
		if err := errors.Join(err, asked); err != nil {
			t.Fatal(err)
		}
		id, err := z.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if id.Skew != 0 {
			t.Errorf("a clock of the same machine is %s ahead", id.Skew)
		}
		if strings.HasSuffix(t.Name(), "/BIND") && !strings.HasPrefix(id.Version, "9.") {
			t.Errorf("its version is %q", id.Version)
		}
		if strings.HasSuffix(t.Name(), "/PowerDNS") && !strings.Contains(id.Version, "PowerDNS") {
			t.Errorf("its version is %q", id.Version)
		}
		stranger := openWith(t, s.addr, stack.TSIGKey{Name: "stranger", Algorithm: "hmac-sha256", Secret: "c3RyYW5nZXI="})
		guesser := openWith(t, s.addr, stack.TSIGKey{Name: s.key.Name, Algorithm: "hmac-sha256", Secret: "c3RyYW5nZXI="})
		for key, z := range map[string]*rfc2136.Zones{"stranger": stranger, s.key.Name: guesser} {
			_, asked := z.SOA(t.Context(), zone)
			_, probed := z.Probe(t.Context())
			_, _, transferred := z.Transfer(t.Context(), zone)
			if strings.HasSuffix(t.Name(), "/PowerDNS") && transferred != nil {
				transferred = probed // NOTAUTH, as for a zone that it does not have
			}
			for what, err := range map[string]error{
				"probe": probed, "SOA": asked, "transfer": transferred, "apply": z.Apply(t.Context(), zone, create(set("www", "A", 60, "192.0.2.1"))),
			} {
				if backend.KindOf(err) != backend.Denied || err == nil || !strings.Contains(err.Error(), key) {
					t.Errorf("%s with a wrong key %s: want it denied, got %v", what, key, err)
				}
			}
		}
	})
}

func TestZonesThatAreNotServed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *server) {
		z := s.open(t)
		if soa, err := z.SOA(t.Context(), zone); err != nil || soa.Refresh != 3600 || soa.RName != "hostmaster."+zone {
			t.Errorf("the SOA is %+v (%v)", soa, err)
		}
		for _, name := range []string{"unknown.example", "www." + zone, "example"} {
			_, err := z.SOA(t.Context(), name)
			var not *rfc2136.NotServed
			if !errors.As(err, &not) || not.Zone != name {
				t.Errorf("%s: want it reported as not served, got %v", name, err)
			}
			if _, err := z.DS(t.Context(), name); name != "www."+zone && !errors.As(err, &not) {
				t.Errorf("keys of %s: want it reported as not served, got %v", name, err)
			}
		}
		if ds, err := z.DS(t.Context(), zone); err != nil || len(ds) != 0 {
			t.Errorf("a zone that is not signed has DS %q (%v)", ds, err)
		}
	})
}

func TestNobodyIsThere(t *testing.T) {
	t.Parallel()
	n, s := startBIND(t, stack.NamedConfig{})
	z := s.open(t)
	apply(t, z, create(set("www", "A", 60, "192.0.2.1"))...)
	requireAnswers(t, z, set("www", "A", 60, "192.0.2.1"))
	n.Kill()
	_, probed := z.Probe(t.Context())
	_, asked := z.SOA(t.Context(), zone)
	_, _, transferred := z.Transfer(t.Context(), zone)
	answers := z.Answers(t.Context(), zone, []backend.RRset{set("www", "A", 60, "192.0.2.1"), set("web", "A", 0)})
	for what, err := range map[string]error{"probe": probed, "SOA": asked, "transfer": transferred, "answer": answers[0], "no answer": answers[1]} {
		var mismatch *rfc2136.Mismatch
		if backend.KindOf(err) != backend.Temporary || err == nil || !strings.Contains(err.Error(), s.addr) || errors.As(err, &mismatch) {
			t.Errorf("%s: want a temporary error, got %v", what, err)
		}
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	requireAnswers(t, z, set("www", "A", 60, "192.0.2.1"))
}

func TestASignedZone(t *testing.T) {
	t.Parallel()
	key := stack.TSIGKey{Name: "externaldns", Algorithm: "hmac-sha256", Secret: "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="}
	_, s := startBIND(t, stack.NamedConfig{
		Keys:        []stack.TSIGKey{key},
		ZoneOptions: `allow-update { key "externaldns"; }; allow-transfer { key "externaldns"; }; dnssec-policy default;`,
	})
	z := s.open(t)
	apply(t, z, create(everything()...)...)
	sets, _ := transfer(t, z)
	for k := range sets {
		if slices.Contains([]string{"RRSIG", "NSEC", "DNSKEY", "CDS", "CDNSKEY", "TYPE65534"}, k.Type) {
			t.Errorf("%s is transferred", k)
		}
	}
	for _, r := range everything() {
		if got := sets[r.Key]; !got.Same(&r) || got.TTL != r.TTL {
			t.Errorf("%s is %q, want %q", r.Key, got.Values, r.Values)
		}
	}
	requireAnswers(t, z, everything()...)
	live := sets[backend.Key{Name: zone, Type: "SOA"}]
	soa, err := rfc2136.ParseSOA(live.Values[0])
	if err != nil {
		t.Fatal(err)
	}
	soa.Retry, soa.Serial = 555, soa.Serial+100
	wish := set("@", "SOA", 3600, soa.Value())
	apply(t, z, backend.Change{Old: &live, New: &wish})
	requireAnswers(t, z, wish)

	ds, err := z.DS(t.Context(), zone)
	if err != nil || len(ds) != 1 {
		t.Fatalf("the DS is %q (%v), want one", ds, err)
	}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(zone), dns.TypeDNSKEY)
	in, _, err := (&dns.Client{Net: "tcp"}).ExchangeContext(t.Context(), m, s.addr)
	if err != nil || len(in.Answer) != 1 {
		t.Fatalf("the keys are %v (%v)", in, err)
	}
	if want := in.Answer[0].(*dns.DNSKEY).ToDS(dns.SHA256); !strings.HasSuffix(want.String(), "\t"+ds[0]) {
		t.Errorf("the DS is %q, want %s", ds, want)
	}
}
