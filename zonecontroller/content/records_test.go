package content_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

func ttl(r v1alpha1.DNSRecord, n int64) v1alpha1.DNSRecord { r.Spec.TTL = &n; return r }

func TestRecords(t *testing.T) {
	t.Parallel()
	tlsa := strings.Repeat("0a", 32)
	for name, c := range map[string]struct {
		records []v1alpha1.DNSRecord
		want    []string
	}{
		"nothing": {nil, nil},
		"a primary and a backup MX": {
			[]v1alpha1.DNSRecord{record("b", 2, "@", "MX", "20 Backup.example.net."), ttl(record("a", 1, "@", "MX", "10 mail.example.org"), 60)},
			[]string{`example.org MX 60 ["10 mail.example.org" "20 backup.example.net"]`},
		},
		"a value twice, in two forms": {
			[]v1alpha1.DNSRecord{record("a", 1, "www", "AAAA", "2001:DB8::1", "2001:db8:0::1"), record("b", 2, "WWW.example.org.", "AAAA", "2001:db8::1")},
			[]string{`www.example.org AAAA 300 ["2001:db8::1"]`},
		},
		"a CNAME twice": {
			[]v1alpha1.DNSRecord{record("a", 1, "www", "CNAME", "Host.example.net"), ttl(record("b", 2, "www", "CNAME", "host.example.net."), 30)},
			[]string{`www.example.org CNAME 30 ["host.example.net"]`},
		},
		"texts": {
			[]v1alpha1.DNSRecord{record("a", 1, "@", "TXT", "v=spf1 -all", `"quoted \"x\" \200"`, `"in" "two"`, "")},
			[]string{`example.org TXT 300 ["" "intwo" "quoted \"x\" \xc8" "v=spf1 -all"]`},
		},
		"all the others": {
			[]v1alpha1.DNSRecord{
				record("a", 1, "_sip._tcp", "SRV", "0 5 05060 Sip.example.net."), record("b", 1, "@", "CAA", `0 issue "ca.example"`),
				record("c", 1, "4", "PTR", "Host.example.org."), record("d", 1, "@", "HTTPS", "1 . alpn=h2"),
				record("e", 1, "_443._tcp", "TLSA", "3 1 1 "+strings.ToUpper(tlsa)), record("f", 1, "host", "SSHFP", "4 2 "+tlsa),
				record("g", 1, "*.apps", "A", "192.0.2.1"), record("h", 1, "_dns", "SVCB", "1 NS1.example.net. port=853"),
			},
			[]string{
				`*.apps.example.org A 300 ["192.0.2.1"]`, `4.example.org PTR 300 ["host.example.org"]`,
				`_443._tcp.example.org TLSA 300 ["3 1 1 ` + tlsa + `"]`, `_dns.example.org SVCB 300 ["1 ns1.example.net. port=\"853\""]`,
				`_sip._tcp.example.org SRV 300 ["0 5 5060 sip.example.net"]`, `example.org CAA 300 ["0 issue \"ca.example\""]`,
				`example.org HTTPS 300 ["1 . alpn=\"h2\""]`, `host.example.org SSHFP 300 ["4 2 ` + strings.ToUpper(tlsa) + `"]`,
			},
		},
		"a name server's other address": {
			[]v1alpha1.DNSRecord{record("a", 1, "ns1", "AAAA", "2001:db8::53"), record("b", 1, "ns1", "TXT", "x")},
			[]string{`ns1.example.org AAAA 300 ["2001:db8::53"]`, `ns1.example.org TXT 300 ["x"]`},
		},
		"a delegation": {
			[]v1alpha1.DNSRecord{
				record("a", 1, "child", "NS", "ns1.child.example.org.", "ns2.example.net."),
				record("b", 2, "ns1.child", "A", "192.0.2.60"),
			},
			[]string{`child.example.org NS 300 ["ns1.child.example.org" "ns2.example.net"]`, `ns1.child.example.org A 300 ["192.0.2.60"]`},
		},
		"a delegation after its glue": {
			[]v1alpha1.DNSRecord{record("b", 1, "ns1.child", "A", "192.0.2.60"), record("a", 2, "child", "NS", "ns1.child.example.org.")},
			[]string{`child.example.org NS 300 ["ns1.child.example.org"]`, `ns1.child.example.org A 300 ["192.0.2.60"]`},
		},
		"what is not in it": {
			[]v1alpha1.DNSRecord{
				func() v1alpha1.DNSRecord {
					r := record("other", 1, "www", "A", "192.0.2.1")
					r.Spec.Zone.Name = "another"
					return r
				}(),
				func() v1alpha1.DNSRecord {
					r := record("elsewhere", 1, "www", "A", "192.0.2.1")
					r.Namespace = "team" // where there is no DNSZone main
					return r
				}(),
				func() v1alpha1.DNSRecord {
					r := record("leaving", 1, "www", "A", "192.0.2.1")
					now := metav1.Now()
					r.DeletionTimestamp = &now
					return r
				}(),
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			wanted, faults := content.Records(zone(), c.records)
			if len(faults) > 0 {
				t.Errorf("%v", faults)
			}
			if diff := cmp.Diff(c.want, text(wanted.Sets)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordsSayWhoseTheyAre(t *testing.T) {
	t.Parallel()
	z := zone()
	z.Spec.NameServers[0].Hostname = "ns1.child.example.org"
	wanted, _ := content.Records(z, []v1alpha1.DNSRecord{
		record("young", 3, "@", "MX", "20 b.example.net."), record("old", 1, "@", "MX", "10 a.example.net."),
		record("child", 1, "child", "NS", "ns.child.example.org."), record("glue", 2, "ns.child", "A", "192.0.2.1"), record("www", 1, "www", "A", "192.0.2.1"),
	})
	want := map[backend.Key][]types.NamespacedName{
		{Name: "example.org", Type: "MX"}: {id("old"), id("young")}, {Name: "child.example.org", Type: "NS"}: {id("child")},
		{Name: "ns.child.example.org", Type: "A"}: {id("glue")}, {Name: "www.example.org", Type: "A"}: {id("www")},
	}
	if diff := cmp.Diff(want, wanted.Of); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	delegated := map[backend.Key]bool{{Name: "child.example.org", Type: "NS"}: true, {Name: "ns.child.example.org", Type: "A"}: true, {Name: "ns1.child.example.org", Type: "A"}: true}
	if diff := cmp.Diff(delegated, wanted.Delegated); diff != "" {
		t.Errorf("delegated (-want +got):\n%s", diff)
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	r := record("guest", 1, "www", "A", "192.0.2.1")
	r.Namespace, r.Spec.Zone.Namespace = "team", "dns"
	for _, c := range []struct {
		listed []string
		taken  bool
	}{{nil, false}, {[]string{"other"}, false}, {[]string{"other", "team"}, true}, {[]string{"*"}, true}} {
		z := zone()
		z.Spec.RecordNamespaces = c.listed
		wanted, faults := content.Records(z, []v1alpha1.DNSRecord{r})
		if taken := len(wanted.Sets) == 1; taken != c.taken {
			t.Errorf("%q: taken %v, %v", c.listed, taken, faults)
		}
		if f, ok := faults[types.NamespacedName{Namespace: "team", Name: "guest"}]; !c.taken && (!ok || f.Reason != v1alpha1.ReasonNamespaceNotAllowed) {
			t.Errorf("%q: %v", c.listed, faults)
		} else if !c.taken {
			contains(t, f.Error(), "dns/main", `"team"`, "spec.recordNamespaces")
		}
	}
}

// Each case has one object that is refused, named "bad"; the others are taken.
func TestRecordsRefuse(t *testing.T) {
	t.Parallel()
	one := func(owner, typ string, values ...string) []v1alpha1.DNSRecord {
		return []v1alpha1.DNSRecord{record("bad", 5, owner, typ, values...)}
	}
	with := func(bad []v1alpha1.DNSRecord, others ...v1alpha1.DNSRecord) []v1alpha1.DNSRecord {
		return append(bad, others...)
	}
	const invalid, taken, alias, own, gone = v1alpha1.ReasonInvalid, v1alpha1.ReasonNameTaken, v1alpha1.ReasonTargetIsAlias, v1alpha1.ReasonZonesOwn, v1alpha1.ReasonDelegated
	for name, c := range map[string]struct {
		records       []v1alpha1.DNSRecord
		reason, field string
		says          []string
	}{
		"a name outside":        {one("www.example.net.", "A", "192.0.2.1"), v1alpha1.ReasonOutsideZone, "spec.name", []string{`"www.example.net." lies outside the zone example.org`}},
		"a forgotten dot":       {one("www.example.org", "A", "192.0.2.1"), invalid, "spec.name", []string{`want "www"`}},
		"a type":                {one("www", "LOC", "x"), invalid, "spec.values[0]", []string{`"LOC" is not a type`, "SSHFP"}},
		"no values":             {one("www", "A"), invalid, "spec.values", []string{"at least one"}},
		"a TTL":                 {[]v1alpha1.DNSRecord{ttl(record("bad", 1, "www", "A", "192.0.2.1"), 0)}, invalid, "spec.ttl", []string{"0: want a TTL from 1"}},
		"an address":            {one("www", "A", "192.0.2.1", "192.0.2.256"), invalid, "spec.values[1]", []string{`"192.0.2.256" is not an A value`}},
		"a family":              {one("www", "AAAA", "192.0.2.1"), invalid, "spec.values[0]", []string{`"192.0.2.1" is not an AAAA value`}},
		"MX to an address":      {one("@", "MX", "10 192.0.2.1"), invalid, "spec.values[0]", []string{`"10 192.0.2.1": an MX record points to a name, never to an address`, "10 mail.example.org."}},
		"MX to IPv6":            {one("@", "MX", "10 2001:db8::1"), invalid, "spec.values[0]", []string{"never to an address"}},
		"NS to an address":      {one("child", "NS", "192.0.2.1."), invalid, "spec.values[0]", []string{"never to an address"}},
		"SRV to an address":     {one("_a._tcp", "SRV", "0 0 80 192.0.2.1"), invalid, "spec.values[0]", []string{"never to an address", "0 5 5060"}},
		"a short target":        {one("@", "MX", "10 mail"), invalid, "spec.values[0]", []string{`names in values are whole: want all of "mail"`}},
		"no preference":         {one("@", "MX", "mail.example.org"), invalid, "spec.values[0]", []string{`"mail.example.org" is not an MX value`, `as in "10 mail.example.org."`}},
		"CAA":                   {one("@", "CAA", "issue"), invalid, "spec.values[0]", []string{`"issue"`}},
		"an odd target":         {one("www", "CNAME", "a+b.example.net"), invalid, "spec.values[0]", []string{`"a+b.example.net": want labels`}},
		"two CNAMEs":            {one("www", "CNAME", "a.example.net", "b.example.net"), invalid, "spec.values", []string{"2 names: want one"}},
		"NS at a wildcard":      {one("*.a", "NS", "ns.example.net"), invalid, "spec.name", []string{"want no wildcard"}},
		"heritage":              {one("a-www", "TXT", "heritage=external-dns,external-dns/owner=x"), invalid, "spec.values[0]", []string{"left to external-dns"}},
		"CNAME at the apex":     {one("@", "CNAME", "a.example.net"), own, "spec.name", []string{"cannot stand at the name of the zone example.org", "A and AAAA"}},
		"NS at the apex":        {one("@", "NS", "ns9.example.net"), own, "spec.name", []string{"spec.nameServers"}},
		"glue":                  {one("ns1", "A", "192.0.2.99"), own, "spec.name", []string{"ns1.example.org A", "spec.nameServers of the DNSZone"}},
		"CNAME at glue":         {one("ns1", "CNAME", "a.example.net"), own, "spec.name", []string{"ns1.example.org is a name server"}},
		"CNAME beside older":    {with(one("www", "CNAME", "a.example.net"), record("a", 1, "www", "A", "192.0.2.1")), taken, "spec.name", []string{"www.example.org CNAME of dns/bad", "older www.example.org A of dns/a"}},
		"beside older CNAME":    {with(one("www", "TXT", "x"), record("a", 1, "www", "CNAME", "a.example.net")), taken, "spec.name", []string{"www.example.org TXT of dns/bad", "older www.example.org CNAME of dns/a"}},
		"another CNAME":         {with(one("www", "CNAME", "b.example.net"), record("a", 1, "www", "CNAME", "a.example.net")), taken, "spec.values", []string{`"a.example.net" of dns/a is older than "b.example.net" of dns/bad`}},
		"same age, by name":     {[]v1alpha1.DNSRecord{record("bad", 1, "www", "CNAME", "b.example.net"), record("a", 1, "www", "CNAME", "a.example.net")}, taken, "spec.values", []string{"older"}},
		"MX to a CNAME":         {with(one("@", "MX", "10 mail.example.org"), record("a", 1, "mail", "CNAME", "host.example.net")), alias, "spec.values", []string{`"mail.example.org" is a CNAME by dns/a`, `want the name it stands for, "host.example.net"`}},
		"SRV to a CNAME":        {with(one("_s._tcp", "SRV", "0 0 1 mail.example.org"), record("a", 1, "mail", "CNAME", "host.example.net")), alias, "spec.values", []string{"SRV may not point to one"}},
		"CNAME under an MX":     {with(one("mail", "CNAME", "host.example.net"), record("a", 1, "@", "MX", "10 mail.example.org")), alias, "spec.name", []string{"older example.org MX of dns/a points to mail.example.org"}},
		"below a delegation":    {with(one("www.child", "A", "192.0.2.1"), record("a", 1, "child", "NS", "ns.example.net")), gone, "spec.name", []string{"child.example.org is delegated by the NS records of dns/a", "in the zone child.example.org"}},
		"far below":             {with(one("a.b.c.child", "TXT", "x"), record("a", 1, "child", "NS", "ns.example.net")), gone, "spec.name", []string{"child.example.org is delegated"}},
		"at a delegation":       {with(one("child", "TXT", "x"), record("a", 1, "child", "NS", "ns.example.net")), gone, "spec.name", []string{"child.example.org is delegated"}},
		"NS below a delegation": {with(one("x.child", "NS", "ns.example.net"), record("a", 1, "child", "NS", "ns.example.net")), gone, "spec.name", []string{"child.example.org is delegated"}},
		"NS above older":        {with(one("child", "NS", "ns.example.net"), record("a", 1, "www.child", "A", "192.0.2.1")), gone, "spec.name", []string{"would delegate away the older www.child.example.org A of dns/a"}},
		"NS beside older":       {with(one("child", "NS", "ns.example.net"), record("a", 1, "child", "MX", "10 a.example.net")), gone, "spec.name", []string{"would delegate away the older child.example.org MX of dns/a"}},
		"too much": {with(one("@", "TXT", strings.Repeat("x", 20<<10)), record("a", 1, "@", "TXT", strings.Repeat("y", 20<<10)), record("b", 2, "@", "TXT", strings.Repeat("z", 8<<10))),
			v1alpha1.ReasonTooLarge, "spec.values", []string{"example.org TXT would have 49"}},
	} {
		t.Run(name, func(t *testing.T) {
			wanted, faults := content.Records(zone(), c.records)
			fails(t, faults, "bad", c.reason, c.field, c.says...)
			if len(faults) > 1 {
				t.Errorf("others are refused, too: %v", faults)
			}
			without, _ := content.Records(zone(), slices.DeleteFunc(slices.Clone(c.records), func(r v1alpha1.DNSRecord) bool { return r.Name == "bad" }))
			if diff := cmp.Diff(without, wanted); diff != "" {
				t.Errorf("the refused object changes what others mean (-without +with):\n%s", diff)
			}
		})
	}
}

func TestRecordsOfAZoneThatCannotBe(t *testing.T) {
	t.Parallel()
	z := zone()
	z.Spec.NameServers = nil
	wanted, faults := content.Records(z, []v1alpha1.DNSRecord{record("a", 1, "www", "A", "192.0.2.1")})
	if len(wanted.Sets) > 0 || len(faults) > 0 {
		t.Errorf("%v, %v: want nothing, the zone is what is wrong", wanted, faults)
	}
}
