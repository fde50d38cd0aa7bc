package zonefile_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
	"github.com/spokedns/spokedns/zonecontroller/zonefile"
)

func set(name, typ string, ttl int, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: time.Duration(ttl) * time.Second, Values: values}
}

func own() []backend.RRset {
	return []backend.RRset{
		set("example.org", "SOA", 3600, `ns1.example.org. first\046last.example.org. 2026112101 7200 900 1209600 0`),
		set("example.org", "NS", 86400, "ns1.example.org", "ns2.example.net"),
		set("ns1.example.org", "A", 300, "192.0.2.53"), set("ns1.example.org", "AAAA", 60, "2001:db8::53"),
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	sets := append([]backend.RRset{
		set("www.example.org", "A", 60, "192.0.2.1", "192.0.2.2"), set("example.org", "MX", 300, "0 .", "10 mail.example.org"),
		set("a.www.example.org", "CNAME", 300, "www.example.org"), set("*.apps.example.org", "TXT", 300, "a \"b\" \\ \xc8", strings.Repeat("k", 300)),
		set("example.org", "CAA", 300, `0 issue "ca.example"`), set("_s._tcp.example.org", "SRV", 300, "0 5 80 www.example.org"),
		set("example.org", "TXT", 300, ""),
	}, own()...)
	var b strings.Builder
	if err := zonefile.Write(&b, "example.org", sets); err != nil {
		t.Fatal(err)
	}
	want := `$ORIGIN example.org.
@	3600	IN	SOA	ns1.example.org. first\046last.example.org. 2026112101 7200 900 1209600 0
@	86400	IN	NS	ns1.example.org.
@	86400	IN	NS	ns2.example.net.
@	300	IN	CAA	0 issue "ca.example"
@	300	IN	MX	0 .
@	300	IN	MX	10 mail.example.org.
@	300	IN	TXT	""
_s._tcp	300	IN	SRV	0 5 80 www.example.org.
*.apps	300	IN	TXT	"a \"b\" \\ \200"
*.apps	300	IN	TXT	"` + strings.Repeat("k", 255) + `" "` + strings.Repeat("k", 45) + `"
ns1	300	IN	A	192.0.2.53
ns1	60	IN	AAAA	2001:db8::53
www	60	IN	A	192.0.2.1
www	60	IN	A	192.0.2.2
a.www	300	IN	CNAME	www.example.org.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := zonefile.Write(&b, "example.org", []backend.RRset{set("www.example.net", "A", 60, "192.0.2.1")}); err == nil || !strings.Contains(err.Error(), "www.example.net A lies outside the zone example.org") {
		t.Errorf("%v, want the name refused", err)
	}
}

// means are the RRsets of the objects, sorted.
func means(t interface{ Fatal(...any) }, z *v1alpha1.DNSZone, recs []v1alpha1.DNSRecord) []backend.RRset {
	sets, faults := content.Zone(z)
	wanted, wrong := content.Records(z, recs)
	if len(faults) > 0 || len(wrong) > 0 {
		t.Fatal(faults, wrong)
	}
	return sorted(append(sets, wanted.Sets...))
}

func sorted(sets []backend.RRset) []backend.RRset {
	sets = slices.Clone(sets)
	slices.SortFunc(sets, func(a, b backend.RRset) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return sets
}

func TestObjects(t *testing.T) {
	t.Parallel()
	sets := append(own(), set("www.example.org", "A", 86400, "192.0.2.1"), set("example.org", "MX", 300, "10 mail.example.org"),
		set("*.apps.example.org", "CNAME", 300, "www.example.org"), set("_s._tcp.example.org", "SRV", 300, "0 0 1 x"),
		set("www.example.org.example.org", "TXT", 300, "\x00\xff", `"quoted"`, "plain"))
	z, recs, left, err := zonefile.Objects("example.org", sets, zonefile.Options{Namespace: "dns", Selector: map[string]string{"dns": "main"}})
	if err != nil || len(left) > 0 {
		t.Fatal(err, left)
	}
	var b strings.Builder
	if err := zonefile.WriteObjects(&b, z, recs); err != nil {
		t.Fatal(err)
	}
	want := `---
apiVersion: dns.spokedns.io/v1alpha1
kind: DNSZone
metadata:
  name: example.org
  namespace: dns
spec:
  nameServers:
  - hostname: ns1.example.org
    ipv4Addresses:
    - 192.0.2.53
    ttl: 300
  - hostname: ns2.example.net
  serverSelector:
    matchLabels:
      dns: main
  soa:
    adminEmail: first.last@example.org
    expire: 1209600
    negativeTTL: 0
    primaryNS: ns1.example.org
    refresh: 7200
    retry: 900
    serial: 2026112101
    ttl: 3600
  ttl: 86400
  zoneName: example.org
`
	got := b.String()
	if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, part := range []string{
		"  name: www.example.org-a\n  namespace: dns\nspec:\n  name: www\n  type: A\n  values:\n  - 192.0.2.1\n  zone:\n    name: example.org\n",
		"  name: '@'\n  ttl: 300\n  type: MX\n  values:\n  - 10 mail.example.org.\n",
		"name: any.apps.example.org-cname-", "name: s.tcp.example.org-srv-", "  - 0 0 1 x.\n", "  name: ns1.example.org-aaaa\n",
		"  name: www.example.org.example.org.\n", "  - '\"\\\"quoted\\\"\"'\n", "  - plain\n", "  - '\"\\000\\255\"'\n",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s\nwant %q", got, part)
		}
	}
	if diff := cmp.Diff(sorted(sets), means(t, z, recs)); diff != "" {
		t.Errorf("the objects mean something else (-zone +objects):\n%s", diff)
	}
}

// What no object can stand for is said, and why.
func TestObjectsLeave(t *testing.T) {
	t.Parallel()
	const heritage = "heritage=external-dns,external-dns/owner=hub,external-dns/resource=x"
	sets := append(own(),
		set("a-app.example.org", "TXT", 300, heritage), set("app.example.org", "A", 300, "192.0.2.1"),
		set("loc.example.org", "LOC", 300, "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m"), set("now.example.org", "A", 0, "192.0.2.1"),
		set("a+b.example.org", "A", 300, "192.0.2.1"), set(`a\046b.example.org`, "A", 300, "192.0.2.1"),
		set("mail.example.org", "CNAME", 300, "www.example.org"), set("example.org", "MX", 300, "10 mail.example.org"),
		set("long.example.org", "TXT", 300, strings.Repeat("k", 4097)), set("www.example.org", "A", 300, "192.0.2.1"))
	_, recs, left, err := zonefile.Objects("example.org", sets, zonefile.Options{Namespace: "dns"})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, r := range recs {
		kept = append(kept, r.Name)
	}
	if want := []string{"example.org-mx", "ns1.example.org-aaaa", "www.example.org-a"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	why := map[string]string{
		"a-app.example.org TXT": "belongs to external-dns", "app.example.org A": `belongs to external-dns "hub"`, "loc.example.org LOC": "no DNSRecords of the type",
		"now.example.org A": "0: want a TTL", "a+b.example.org A": "want labels", `a\046b.example.org A`: "is not a domain name",
		"mail.example.org CNAME": "may not point to a CNAME", "long.example.org TXT": "more than 4096",
	}
	for _, l := range left {
		if want, ok := why[l.Key.String()]; !ok || !strings.Contains(l.Why, want) {
			t.Errorf("%s: %s; want %q", l.Key, l.Why, want)
		}
		delete(why, l.Key.String())
	}
	if len(why) > 0 {
		t.Errorf("nothing is said of %v", why)
	}
}

func TestObjectsOfAZoneThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sets []backend.RRset
		says string
	}{
		"empty":   {nil, "0 SOA and 0 NS records"},
		"no NS":   {own()[:1], "1 SOA and 0 NS records"},
		"no glue": {own()[:2], "ns1.example.org"},
		"SOA":     {append(own()[1:], set("example.org", "SOA", 1, "x")), `"x"`},
	} {
		if z, _, _, err := zonefile.Objects("example.org", c.sets, zonefile.Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v; want %q", name, z, err, c.says)
		}
	}
}

func TestManyValuesBecomeSeveralObjects(t *testing.T) {
	t.Parallel()
	var values []string
	for i := range 250 {
		values = append(values, fmt.Sprintf("10.0.0.%d", i))
	}
	slices.Sort(values)
	sets := append(own(), set("many.example.org", "A", 300, values...))
	z, recs, left, err := zonefile.Objects("example.org", sets, zonefile.Options{Namespace: "dns"})
	if err != nil || len(left) > 0 {
		t.Fatal(err, left)
	}
	if recs[0].Name != "many.example.org-a" || recs[2].Name != "many.example.org-a-3" || len(recs[2].Spec.Values) != 50 {
		t.Errorf("%s, %s with %d values", recs[0].Name, recs[2].Name, len(recs[2].Spec.Values))
	}
	if diff := cmp.Diff(sorted(sets), means(t, z, recs)); diff != "" {
		t.Errorf("%s", diff)
	}
}

// drawZone is the content of a zone that a server could have.
func drawZone(t *rapid.T) []backend.RRset {
	sets := own()
	ttl := rapid.IntRange(1, 1<<31-1)
	label := rapid.StringMatching(`[a-z0-9_]([a-z0-9_/-]{0,8}[a-z0-9_])?`)
	host := rapid.StringMatching(`[a-z0-9]{1,8}\.example\.net`)
	n := rapid.IntRange(0, 12).Draw(t, "names")
	for range n {
		name := strings.Join(rapid.SliceOfN(label, 1, 3).Draw(t, "name"), ".") + ".example.org"
		if rapid.IntRange(0, 4).Draw(t, "wildcard") == 0 {
			name = "*." + name
		}
		typ := rapid.SampledFrom([]string{"A", "AAAA", "CNAME", "TXT", "MX", "SRV", "CAA", "PTR", "HTTPS", "TLSA"}).Draw(t, "type")
		value := map[string]*rapid.Generator[string]{
			"A":     rapid.Map(rapid.Byte(), func(b byte) string { return fmt.Sprintf("192.0.2.%d", b) }),
			"AAAA":  rapid.Map(rapid.Uint16(), func(n uint16) string { return fmt.Sprintf("2001:db8::%x", n) }),
			"CNAME": host, "PTR": host, "TXT": rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 600), func(b []byte) string { return string(b) }),
			"MX":    rapid.Map(host, func(h string) string { return "10 " + h }),
			"SRV":   rapid.Map(host, func(h string) string { return "0 5 443 " + h }),
			"CAA":   rapid.SampledFrom([]string{`0 issue "ca.example"`, `128 iodef "mailto:a@example.org"`}),
			"HTTPS": rapid.SampledFrom([]string{`1 . alpn="h2,h3"`, `0 other.example.net.`}),
			"TLSA":  rapid.SampledFrom([]string{"3 1 1 0a0b", "2 0 1 ff"}),
		}[typ]
		most := 4
		if typ == "CNAME" {
			most = 1
		}
		s, err := backend.Canonical(set(name, typ, ttl.Draw(t, "TTL"), rapid.SliceOfN(value, 1, most).Draw(t, "values")...))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(sets, func(o backend.RRset) bool {
			return o.Name == name && (o.Type == typ || o.Type == "CNAME" || typ == "CNAME")
		}) {
			sets = append(sets, s)
		}
	}
	return sets
}

// A zone becomes objects, as YAML, and these mean the zone: nothing is lost, changed or added. Their names are such as the
// API server takes, all different, and the same the next time.
func TestObjectsMeanTheZone(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	rapid.Check(t, func(t *rapid.T) {
		sets := drawZone(t)
		z, recs, left, err := zonefile.Objects("example.org", sets, zonefile.Options{Namespace: "dns", Selector: map[string]string{"a": "b"}})
		if err != nil || len(left) > 0 {
			t.Fatal(err, left)
		}
		var b, again strings.Builder
		if err := zonefile.WriteObjects(&b, z, recs); err != nil {
			t.Fatal(err)
		}
		z, recs = read(t, b.String())
		if diff := cmp.Diff(sorted(sets), means(t, z, recs)); diff != "" {
			t.Errorf("(-zone +objects):\n%s", diff)
		}
		seen := map[string]bool{}
		for _, r := range recs {
			if seen[r.Name] || !named.MatchString(r.Name) || len(r.Name) > 253 {
				t.Errorf("%q is not a name, or there twice", r.Name)
			}
			seen[r.Name] = true
		}
		z, recs, _, err = zonefile.Objects("example.org", rapid.Permutation(sets).Draw(t, "shuffled"), zonefile.Options{Namespace: "dns", Selector: map[string]string{"a": "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := zonefile.WriteObjects(&again, z, recs); err != nil || again.String() != b.String() {
			t.Errorf("another order gives\n%s\nafter\n%s (%v)", again.String(), b.String(), err)
		}
	})
}

// read reads objects as they were written.
func read(t *rapid.T, text string) (*v1alpha1.DNSZone, []v1alpha1.DNSRecord) {
	var z v1alpha1.DNSZone
	var recs []v1alpha1.DNSRecord
	for i, document := range strings.Split(strings.TrimPrefix(text, "---\n"), "\n---\n") {
		var r v1alpha1.DNSRecord
		into := any(&r)
		if i == 0 {
			into = &z
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			recs = append(recs, r)
		}
	}
	return &z, recs
}

// A zone file says what the zone says, to a reader that is not ours.
func TestAZoneFileMeansTheZone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sets := drawZone(t)
		var file bytes.Buffer
		if err := zonefile.Write(&file, "example.org", sets); err != nil {
			t.Fatal(err)
		}
		text := file.String()
		got := map[backend.Key]backend.RRset{}
		parser := dns.NewZoneParser(&file, "", "")
		for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
			h := rr.Header()
			key := backend.Key{Name: strings.TrimSuffix(h.Name, "."), Type: dns.TypeToString[h.Rrtype]}
			s := got[key]
			s.Key, s.TTL, s.Values = key, time.Duration(h.Ttl)*time.Second, append(s.Values, valueOf(t, rr))
			got[key] = s
		}
		if err := parser.Err(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		var all []backend.RRset
		for _, s := range got {
			slices.Sort(s.Values)
			all = append(all, s)
		}
		if diff := cmp.Diff(sorted(sets), sorted(all)); diff != "" {
			t.Errorf("(-zone +read):\n%s\n%s", diff, text)
		}
	})
}

func valueOf(t *rapid.T, rr dns.RR) string {
	data := strings.TrimPrefix(rr.String(), rr.Header().String())
	if txt, ok := rr.(*dns.TXT); ok {
		var all string
		for _, s := range txt.Txt {
			all += backend.Text(`"` + s + `"`)
		}
		return all
	}
	if h := rr.Header(); h.Rrtype == dns.TypeSOA {
		soa, err := rfc2136.ParseSOA(data)
		if err != nil {
			t.Fatal(err)
		}
		return soa.Value()
	}
	v, err := rfc2136.Presentation(dns.TypeToString[rr.Header().Rrtype], data)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
