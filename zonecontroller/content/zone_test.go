package content_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s\nwant it to say %q", text, p)
		}
	}
}

func seconds(n int64) *int64 { return &n }

func TestZone(t *testing.T) {
	t.Parallel()
	full := zone()
	full.Spec.ZoneName = "Example.ORG."
	full.Spec.SOA.TTL, full.Spec.SOA.Serial, full.Spec.SOA.AdminEmail = seconds(3600), seconds(1<<32-1), "First.Last@example.org"
	full.Spec.NameServers[0].IPv6Addresses, full.Spec.NameServers[0].TTL = []string{"2001:DB8::53"}, seconds(86400)
	reverse := zone()
	reverse.Spec.ZoneName = "2.0.192.in-addr.arpa"
	reverse.Spec.NameServers = reverse.Spec.NameServers[1:]
	mailbox := zone()
	mailbox.Spec.SOA.AdminEmail = `first\.last.example.org`
	for name, c := range map[string]struct {
		zone *v1alpha1.DNSZone
		want []string
	}{
		"plain": {zone(), []string{
			`example.org SOA 300 ["ns1.example.org. hostmaster.example.org. 0 3600 600 604800 60"]`,
			`ns1.example.org A 300 ["192.0.2.53"]`,
			`example.org NS 300 ["ns1.example.org" "ns2.example.net"]`,
		}},
		"everything": {full, []string{
			`example.org SOA 3600 ["ns1.example.org. first\\046last.example.org. 4294967295 3600 600 604800 60"]`,
			`ns1.example.org A 86400 ["192.0.2.53"]`,
			`ns1.example.org AAAA 86400 ["2001:db8::53"]`,
			`example.org NS 300 ["ns1.example.org" "ns2.example.net"]`,
		}},
		"reverse": {reverse, []string{
			`2.0.192.in-addr.arpa SOA 300 ["ns1.example.org. hostmaster.example.org. 0 3600 600 604800 60"]`,
			`2.0.192.in-addr.arpa NS 300 ["ns2.example.net"]`,
		}},
		"mailbox as a name": {mailbox, []string{
			`example.org SOA 300 ["ns1.example.org. first\\046last.example.org. 0 3600 600 604800 60"]`,
			`ns1.example.org A 300 ["192.0.2.53"]`,
			`example.org NS 300 ["ns1.example.org" "ns2.example.net"]`,
		}},
	} {
		sets, faults := content.Zone(c.zone)
		if len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
		if diff := cmp.Diff(c.want, text(sets)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestZoneRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*v1alpha1.DNSZoneSpec)
		field  string
		says   []string
	}{
		"name":             {func(s *v1alpha1.DNSZoneSpec) { s.ZoneName = "a..b" }, "spec.zoneName", []string{`"a..b" is not a domain name`, "example.org"}},
		"root":             {func(s *v1alpha1.DNSZoneSpec) { s.ZoneName = "." }, "spec.zoneName", []string{`"." is not a domain name`}},
		"TTL":              {func(s *v1alpha1.DNSZoneSpec) { s.TTL = 0 }, "spec.ttl", []string{"0: want a TTL from 1 to 2147483647"}},
		"SOA TTL":          {func(s *v1alpha1.DNSZoneSpec) { s.SOA.TTL = seconds(1 << 31) }, "spec.soa.ttl", []string{"2147483648: want"}},
		"glue TTL":         {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[0].TTL = seconds(-1) }, "spec.nameServers[0].ttl", []string{"-1: want"}},
		"serial":           {func(s *v1alpha1.DNSZoneSpec) { s.SOA.Serial = seconds(1 << 32) }, "spec.soa.serial", []string{"4294967296: want a number from 0 to 4294967295"}},
		"refresh":          {func(s *v1alpha1.DNSZoneSpec) { s.SOA.Refresh = -1 }, "spec.soa.refresh", []string{"-1: want a number"}},
		"expire":           {func(s *v1alpha1.DNSZoneSpec) { s.SOA.Expire = 1 << 31 }, "spec.soa.expire", []string{"2147483648: want a number"}},
		"primary":          {func(s *v1alpha1.DNSZoneSpec) { s.SOA.PrimaryNS = "192.0.2.1" }, "spec.soa.primaryNS", []string{`"192.0.2.1" is an address: want the name`}},
		"email":            {func(s *v1alpha1.DNSZoneSpec) { s.SOA.AdminEmail = "a b@example.org" }, "spec.soa.adminEmail", []string{`"a b@example.org" is not an address of e-mail`, email}},
		"email domain":     {func(s *v1alpha1.DNSZoneSpec) { s.SOA.AdminEmail = "a@" }, "spec.soa.adminEmail", []string{`"a@"`}},
		"no domain":        {func(s *v1alpha1.DNSZoneSpec) { s.SOA.AdminEmail = "root" }, "spec.soa.adminEmail", []string{`"root"`}},
		"no servers":       {func(s *v1alpha1.DNSZoneSpec) { s.NameServers = nil }, "spec.nameServers", []string{"at least one"}},
		"server address":   {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[1].Hostname = "2001:db8::1" }, "spec.nameServers[1].hostname", []string{`"2001:db8::1" is an address`}},
		"server label":     {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[1].Hostname = "ns" }, "spec.nameServers[1].hostname", []string{`"ns": want the whole name`}},
		"server wildcard":  {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[1].Hostname = "*.example.net" }, "spec.nameServers[1].hostname", []string{`"*.example.net": want labels of letters`}},
		"server twice":     {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[1].Hostname = "ns1.EXAMPLE.org" }, "spec.nameServers[1].hostname", []string{`"ns1.EXAMPLE.org" is given twice`}},
		"glue missing":     {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[0].IPv4Addresses = nil }, "spec.nameServers[0]", []string{`"NS1.example.org." lies in the zone: want its addresses`}},
		"glue outside":     {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[1].IPv4Addresses = []string{"192.0.2.54"} }, "spec.nameServers[1]", []string{`"ns2.example.net" lies outside the zone example.org`}},
		"glue of a family": {func(s *v1alpha1.DNSZoneSpec) { s.NameServers[0].IPv6Addresses = []string{"192.0.2.54"} }, "spec.nameServers[0].ipv6Addresses", []string{`"192.0.2.54" is not an AAAA value`}},
	} {
		z := zone()
		c.change(&z.Spec)
		sets, faults := content.Zone(z)
		if len(faults) == 0 || sets != nil {
			t.Errorf("%s: taken as %v", name, text(sets))
			continue
		}
		if faults[0].Field != c.field || faults[0].Reason != v1alpha1.ReasonInvalid {
			t.Errorf("%s: %s in %s, want it in %s", name, faults[0].Reason, faults[0].Field, c.field)
		}
		contains(t, faults[0].Error(), append(c.says, c.field)...)
	}
}

func TestFQDN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, name, want, says string }{
		{"example.org", "@", "example.org", ""},
		{"Example.org.", "WWW", "www.example.org", ""},
		{"example.org", "a.b", "a.b.example.org", ""},
		{"example.org", "www.Example.org.", "www.example.org", ""},
		{"example.org", "example.org.", "example.org", ""},
		{"example.org", "*", "*.example.org", ""},
		{"example.org", "*.apps", "*.apps.example.org", ""},
		{"example.org", "*.example.org.", "*.example.org", ""},
		{"example.org", "www.notexample.org", "www.notexample.org.example.org", ""},
		{"0/25.2.0.192.in-addr.arpa", "1", "1.0/25.2.0.192.in-addr.arpa", ""},
		{"example.org", "www.example.org", "", `want "www", or "www.example.org." with a dot at the end`},
		{"example.org", "example.org", "", `want "@", or "example.org." with a dot at the end`},
		{"example.org", "www.example.net.", "", `lies outside the zone example.org`},
		{"example.org", "badexample.org.", "", `lies outside the zone example.org`},
		{"example.org", "a.*.b", "", "want * only as the whole first label"},
		{"example.org", "a*", "", "want * only as the whole first label"},
		{"example.org", "**", "", "want * only as the whole first label"},
		{"example.org", "*.*", "", "want * only as the whole first label"},
		{"example.org", "-a", "", "want labels of letters, digits, underscores"},
		{"example.org", "a-.b", "", "want labels"},
		{"example.org", "a+b", "", "want labels"},
		{"example.org", "", "", "is not a domain name"},
		{"example.org", ".", "", "is not a domain name"},
		{"example.org", "a b", "", "is not a domain name"},
		{"example.org", strings.Repeat("a.", 122), "", `lies outside`},
		{"example.org", strings.Repeat("a.", 121) + "a", "", "is 255 bytes with the zone's name: want at most 253"},
		{"a..b", "www", "", "is not a domain name"},
	} {
		got, err := content.FQDN(c.zone, c.name)
		switch {
		case c.says == "" && (err != nil || got != c.want):
			t.Errorf("FQDN(%q, %q) = %q, %v; want %q", c.zone, c.name, got, err, c.want)
		case c.says != "" && err == nil:
			t.Errorf("FQDN(%q, %q) = %q, want it refused", c.zone, c.name, got)
		case c.says != "":
			contains(t, err.Error(), c.says)
		}
	}
}
