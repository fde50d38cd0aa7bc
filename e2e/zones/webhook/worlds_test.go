package webhook

import "testing"

// Records of DNSRecord objects and of external-dns live in one zone: external-dns neither overwrites nor deletes what
// has no ownership record of its own, whatever type it is asked for at the same name.
func TestRecordsOfBothWorlds(t *testing.T) {
	for _, version := range []string{"v0.20", "v0.21"} {
		t.Run("external-dns "+version, func(t *testing.T) {
			t.Parallel()
			bothWorlds(t, version)
		})
	}
}

func bothWorlds(t *testing.T, version string) {
	p := newParts(t, []string{"one.test"}, zoneDefinition())
	p.byHand("one.test",
		"mail.one.test. 300 A 192.0.2.25",
		"mail.one.test. 300 MX 10 mail.one.test.",
		"alias.one.test. 300 CNAME mail.one.test.",
		"six.one.test. 300 A 192.0.2.26",
		"text.one.test. 300 TXT \"by hand\"",
		"pinned.one.test. 300 TLSA 3 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"one.test. 300 CAA 0 issue \"ca.invalid\"",
		"www.one.test. 300 CAA 0 issue \"ca.invalid\"",
		"www.one.test. 300 SSHFP 4 2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	)
	p.version = version
	intact := func() {
		t.Helper()
		p.holds("mail.one.test", "A", "192.0.2.25")
		p.holds("mail.one.test", "MX", "10 mail.one.test")
		p.holds("alias.one.test", "CNAME", "mail.one.test")
		p.holds("six.one.test", "A", "192.0.2.26")
		p.holds("six.one.test", "AAAA")
		p.holds("text.one.test", "TXT", "by hand")
		p.holds("pinned.one.test", "CNAME")
		p.there("pinned.one.test", "TLSA")
		p.there("one.test", "CAA")
		p.there("www.one.test", "CAA")
		p.there("www.one.test", "SSHFP")
	}
	p.start(p.view("public", "zonesFrom: {}"), false, mayReadZones())
	p.apply(zone("one.test", "any: thing"))
	wishes := []string{
		wish("mail.one.test", "A", "192.0.2.99"), wish("alias.one.test", "A", "192.0.2.99"),
		wish("six.one.test", "AAAA", "2001:db8::99"), wish("text.one.test", "TXT", "by external-dns"),
		wish("pinned.one.test", "CNAME", "elsewhere.test"), wish("www.one.test", "A", "192.0.2.80"),
	}
	p.apply(wishes...)
	p.answers("www.one.test", "A", "192.0.2.80") // beside the types it does not know
	p.pass(5)
	intact()

	// Their wishes end, too, and so does what is external-dns's own.
	p.remove(wishes...)
	p.answers("www.one.test", "A")
	p.pass(5)
	intact()
	p.settles()
}
