package rfc2136

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

func TestSkewIsZeroWhereAClockMayBeRight(t *testing.T) {
	second := time.Unix(1_800_000_000, 0)
	for _, c := range []struct{ sent, received, want time.Duration }{
		{0, 0, 0}, {0, 999 * time.Millisecond, 0}, {-time.Second, 0, 0}, {500 * time.Millisecond, 700 * time.Millisecond, 0}, {-5 * time.Second, 5 * time.Second, 0},
		{-3 * time.Second, -2 * time.Second, 2 * time.Second}, {4 * time.Second, 5 * time.Second, -3 * time.Second}, {-time.Hour, -time.Hour, time.Hour},
	} {
		if got := skew(second.Add(c.sent), second.Add(c.received), second); got != c.want {
			t.Errorf("asked at %s and answered at %s of a second: %s, want %s", c.sent, c.received, got, c.want)
		}
	}
}

func TestOnlyNamesInTheZoneHaveSiblings(t *testing.T) {
	for name, want := range map[string]string{
		"www.example.org": nobody + ".example.org", "a.b.example.org": nobody + ".b.example.org", "*.apps.example.org": nobody + ".example.org",
		"*.example.org": "", "example.org": "",
	} {
		if got, ok := sibling(name, "example.org"); ok != (want != "") || ok && got != want {
			t.Errorf("the sibling of %s is %q, %v; want %q", name, got, ok, want)
		}
	}
}

func TestServersMakeTheseThemselves(t *testing.T) {
	sc := wholeScope()
	types := map[string]bool{}
	for i, typ := range sc.types {
		types[typ.String()] = true
		if i > 0 && sc.types[i-1].String() >= typ.String() {
			t.Errorf("%s stands behind %s", typ, sc.types[i-1])
		}
	}
	for _, typ := range []string{"A", "AAAA", "CNAME", "TXT", "MX", "NS", "SRV", "CAA", "PTR", "SVCB", "HTTPS", "TLSA", "SSHFP", "DS", "NAPTR", "DNAME", "URI"} {
		if !types[typ] {
			t.Errorf("%s is not spoken", typ)
		}
	}
	for _, typ := range []string{"SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "CDS", "CDNSKEY", "TSIG", "OPT", "ANY", "AXFR", "IXFR", "None", "Reserved"} {
		if types[typ] {
			t.Errorf("%s is written", typ)
		}
	}
}

// FuzzAnswer reads any message as the answer to a question: nothing breaks, and only what has authority or is
// a referral of the zone is taken for the RRset.
func FuzzAnswer(f *testing.F) {
	seed := func(authority bool, sections ...string) {
		m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
		m.Response, m.Authoritative = true, authority
		for i, line := range sections {
			if line == "" {
				continue
			}
			rr, err := dns.NewRR(line)
			if err != nil {
				f.Fatal(err)
			}
			*[]*[]dns.RR{&m.Answer, &m.Ns, &m.Extra}[i] = []dns.RR{rr}
		}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	seed(true, "www.example.org. 60 A 192.0.2.1")
	seed(false, "www.example.org. 60 A 192.0.2.1")
	seed(false, "", "www.example.org. 60 NS ns.www.example.org.", "www.example.org. 60 A 192.0.2.1")
	seed(false, "", "example.org. 60 NS www.example.org.", "www.example.org. 60 A 192.0.2.1")
	q := question{"www.example.org", wire.A, wire.ClassIN}
	want := backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, Values: []string{"192.0.2.1"}}
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, err := readAnswer("example.org", q, msg)
		if err != nil || !got.is(want) {
			return
		}
		var m dns.Msg
		if m.Unpack(msg) != nil {
			return // the library is stricter about what follows
		}
		if m.Rcode != dns.RcodeSuccess {
			t.Fatalf("%v is taken for the RRset", &m)
		}
		if m.Authoritative {
			return
		}
		for _, rr := range m.Ns {
			if ns, ok := rr.(*dns.NS); ok && dns.CanonicalName(ns.Hdr.Name) == "www.example.org." && len(m.Answer) == 0 {
				return
			}
		}
		t.Fatalf("%v has no authority and is no referral", &m)
	})
}
