package content_test

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// What is taken is in one form, which is taken again as itself.
func FuzzValue(f *testing.F) {
	for _, seed := range [][2]string{
		{"A", "192.0.2.1"}, {"AAAA", "2001:DB8::1"}, {"CNAME", "Host.example.org."}, {"MX", "10 mail.example.org"}, {"MX", "10 192.0.2.1"},
		{"SRV", "0 5 5060 sip.example.org."}, {"NS", "ns1."}, {"PTR", "a.b"}, {"TXT", `"a" "b\200"`}, {"CAA", `0 issue "ca.example; x=\"1\""`},
		{"HTTPS", "1 . alpn=h2,h3 ipv4hint=192.0.2.1"}, {"SVCB", "0 Other.example.org."}, {"TLSA", "3 1 1 00fF"}, {"SSHFP", "4 2 00FF"}, {"LOC", "x"},
		{"TLSA", "3 1 1 ( 00\n ff ) ; x"}, {"CAA", "0 issue $INCLUDE"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		once, target, err := content.Value(typ, value)
		if err != nil {
			return
		}
		again := once
		if typ == "TXT" {
			again = backend.QuoteText(once)
		}
		if pointing := typ == "CNAME" || typ == "NS" || typ == "PTR" || typ == "MX" || typ == "SRV"; pointing {
			again = once + "." // a name of one label is whole only so
			if (target == "") || target != "." && !backend.InZone(target, target) {
				t.Errorf("%s %q points to %q", typ, value, target)
			}
			if target == "." {
				again = once
			}
		}
		if twice, _, err := content.Value(typ, again); err != nil || twice != once {
			t.Errorf("%s %q is %q, and that is %q (%v)", typ, value, once, twice, err)
		}
	})
}

// A name that is taken lies in the zone, and written whole it is the same name.
func FuzzFQDN(f *testing.F) {
	for _, seed := range [][2]string{
		{"example.org", "@"}, {"example.org", "www"}, {"Example.org.", "WWW.example.org."}, {"example.org", "*.a"}, {"example.org", "www.example.org"},
		{"2.0.192.in-addr.arpa", "1"}, {"0/25.2.0.192.in-addr.arpa", "0/25"}, {"example.org", "a..b"}, {"org", "badorg."}, {"example.org", `\052.a`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, zone, name string) {
		n, err := content.FQDN(zone, name)
		if err != nil {
			return
		}
		apex, err := backend.Name(zone)
		if err != nil || !backend.InZone(n, apex) {
			t.Errorf("FQDN(%q, %q) = %q, which does not lie in it (%v)", zone, name, n, err)
		}
		if again, err := content.FQDN(zone, n+"."); n != apex && (err != nil || again != n) {
			t.Errorf("FQDN(%q, %q) = %q, and of that %q, %v", zone, name, n, again, err)
		}
	})
}
