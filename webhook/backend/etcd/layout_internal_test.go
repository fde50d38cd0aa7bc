package etcd

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

const testZone = "example.org"

var testLayout = layout{prefix: "/skydns", zone: testZone, wildcard: "_wildcard"}

// testConfig is one under which everything is possible.
func testConfig() Config { return Config{WildcardLabel: testLayout.wildcard}.withDefaults() }

// names draws names of the zone, also such that look like ids and like CoreDNS's own.
func names() *rapid.Generator[string] {
	label := rapid.OneOf(rapid.StringMatching(`[a-z0-9_]([a-z0-9-]{0,8}[a-z0-9])?`), rapid.SampledFrom([]string{"dns", "apex", "ns", "a-0123456789", "xn--mnchen-3ya", "*", "a-*", "_wildcard"}))
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(append(rapid.SliceOfN(label, 0, 4).Draw(t, "labels"), testZone), ".")
	})
}

// sets draws RRsets that Limits accepts.
func sets() *rapid.Generator[backend.RRset] {
	limits := limitsOf(testConfig())
	return rapid.Custom(func(t *rapid.T) backend.RRset {
		number := func() uint16 { return rapid.Uint16().Draw(t, "number") }
		address := func(bytes int) string {
			a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), bytes, bytes).Draw(t, "address"))
			return a.Unmap().String()
		}
		set := backend.RRset{Key: backend.Key{Name: names().Draw(t, "name"), Type: rapid.SampledFrom(limits.Types).Draw(t, "type")}}
		set.TTL = limits.Clamp(0)
		for range rapid.IntRange(1, 3).Draw(t, "values") {
			host := names().Draw(t, "host")
			var v string
			switch set.Type {
			case "A":
				v = address(4)
			case "AAAA":
				v = address(16)
			case "MX":
				v = fmt.Sprintf("%d %s", number(), host)
			case "SRV":
				v = fmt.Sprintf("%d %d %d %s", number(), number(), number(), host)
			case "TXT":
				v = texts().Draw(t, "text")
			default:
				v = host
			}
			set.Values = append(set.Values, v)
		}
		canonical, err := backend.Canonical(set)
		if err != nil {
			return set // an IPv4 address mapped into IPv6, which the filter refuses
		}
		return canonical
	}).Filter(func(set backend.RRset) bool {
		canonical, err := backend.Canonical(set)
		return err == nil && canonical.Same(&set) && limits.Check(testZone, set) == nil
	})
}

func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\"a-c0-9 é]{0,600}`))
}

// What we write is read back as the same record, in a key we know as ours.
func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := sets().Draw(t, "set")
		typ := typeOf(set.Type)
		for _, v := range set.Values {
			s, err := testLayout.service(set.Name, typ, v, 300)
			if err != nil {
				t.Fatal(err)
			}
			key := testLayout.keyOf(set.Name, typ, hash(typ, v))
			got, err := testLayout.read(key, []byte(s.encode()), 7)
			if err != nil {
				t.Fatalf("%s = %s: %v", key, s.encode(), err)
			}
			it := got.items[0]
			if got.n != 1 || got.name != set.Name || it.typ != typ || it.value != v || it.ttl != 300 || it.mod != 7 || !it.right {
				t.Fatalf("%s = %s is read as %q %+v", key, s.encode(), got.name, it)
			}
			if again := testLayout.keyOfItem(got.name, &it); again != key {
				t.Fatalf("the key of %+v is %s, it was read from %s", it, again, key)
			}
		}
	})
}

// Two records never share a key, and no key of one name is the key of another.
func TestKeysAreApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := sets().Draw(t, "one"), sets().Draw(t, "other")
		ka, kb := testLayout.keyOf(a.Name, typeOf(a.Type), hash(typeOf(a.Type), a.Values[0])), testLayout.keyOf(b.Name, typeOf(b.Type), hash(typeOf(b.Type), b.Values[0]))
		same := a.Key == b.Key && a.Values[0] == b.Values[0]
		if same != (ka == kb) {
			t.Fatalf("%s %q is at %s, %s %q at %s", a.Key, a.Values[0], ka, b.Key, b.Values[0], kb)
		}
		if a.Name != b.Name && ka == testLayout.guardKey(b.Name) {
			t.Fatalf("%s is at the guard of %s", a.Key, b.Name)
		}
	})
}

func TestKeys(t *testing.T) {
	for _, tt := range []struct{ name, typ, value, key, json string }{
		{"www.example.org", "A", "192.0.2.1", "/skydns/org/example/www/$a-", `{"host":"192.0.2.1","port":-1,"priority":-1,"ttl":60,"targetstrip":1,"group":"www.example.org"}`},
		{"example.org", "A", "192.0.2.1", "/skydns/org/example/dns/apex/$a-", `{"host":"192.0.2.1","port":-1,"priority":-1,"ttl":60,"targetstrip":3,"group":"example.org"}`},
		{"example.org", "TXT", `a"b`, "/skydns/org/example/$txt-", `{"text":"a\"b","ttl":60,"targetstrip":1,"group":"example.org"}`},
		{"www.example.org", "CNAME", "lb.example.net", "/skydns/org/example/www/$cname-", `{"host":"lb.example.net","port":-1,"priority":-1,"ttl":60,"targetstrip":1,"group":"www.example.org"}`},
		{"www.example.org", "MX", "0 mail.example.org", "/skydns/org/example/www/$mx-", `{"host":"$mx.mail.example.org","port":-1,"priority":65536,"mail":true,"ttl":60,"targetstrip":1,"group":"www.example.org"}`},
		{"*.apps.example.org", "A", "192.0.2.1", "/skydns/org/example/apps/_wildcard/$a-", `{"host":"192.0.2.1","port":-1,"priority":-1,"ttl":60,"targetstrip":1,"group":"_wildcard.apps.example.org"}`},
		{"*.example.org", "fill", "1 -7", "/skydns/org/example/_wildcard/$fill-", `{"host":"_wildcard.example.org","port":-1,"priority":1,"weight":-7,"ttl":60,"targetstrip":1,"group":"_wildcard.example.org"}`},
		{"_sip.example.org", "SRV", "1 0 443 .", "/skydns/org/example/_sip/$srv-", `{"host":".","port":443,"priority":1,"weight":65536,"ttl":60,"group":"_sip.example.org"}`},
		{"_sip.example.org", "fill", "1 -7", "/skydns/org/example/_sip/$fill-", `{"host":"_sip.example.org","port":-1,"priority":1,"weight":-7,"ttl":60,"targetstrip":1,"group":"_sip.example.org"}`},
	} {
		typ := typeOf(tt.typ)
		if tt.typ == "fill" {
			typ = typeFill
		}
		s, err := testLayout.service(tt.name, typ, tt.value, 60)
		if err != nil {
			t.Error(err)
		}
		key := testLayout.keyOf(tt.name, typ, hash(typ, tt.value))
		if got, json := key[:len(key)-len(valueHash{})], s.encode(); got != tt.key || json != tt.json {
			t.Errorf("%s %s is\n\t%s %s, want\n\t%s %s", tt.name, tt.typ, got, json, tt.key, tt.json)
		}
	}
	reverse := layout{prefix: "/skydns", zone: "2.0.192.in-addr.arpa"}
	if key := reverse.keyOf("1.2.0.192.in-addr.arpa", typePTR, valueHash{}); key != "/skydns/arpa/in-addr/192/0/2/1" {
		t.Errorf("a PTR record is at %s", key)
	}
}

// CoreDNS cuts what is stored into strings of 255 bytes and packs them with this library; the bytes that
// come out are the text.
func TestTextsAreAnsweredAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(texts(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 200), func(b []byte) string { return string(b) })).Draw(t, "text")
		stored, err := escapeText(text)
		if err != nil {
			return
		}
		if got := unescapeText(stored); got != text {
			t.Fatalf("stored %q is read as %q, was %q", stored, got, text)
		}
		if got := packed(t, stored); got != text {
			t.Fatalf("stored %q is answered as %q, want %q", stored, got, text)
		}
	})
}

// packed is the text in the answer that CoreDNS gives for a stored one.
func packed(t interface{ Fatal(...any) }, stored string) string {
	var parts []string
	for rest := stored; ; rest = rest[stringLength:] {
		if len(rest) < stringLength {
			parts = append(parts, rest)
			break
		}
		parts = append(parts, rest[:stringLength])
	}
	m := &dns.Msg{Answer: []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "x.", Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: parts}}}
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	data := wire[12+3+10:]
	var b strings.Builder
	for len(data) > 0 {
		n := int(data[0])
		b.Write(data[1 : 1+n])
		data = data[1+n:]
	}
	return b.String()
}

func TestUnquoteText(t *testing.T) {
	for text, want := range map[string]string{
		`"heritage=external-dns"`: "heritage=external-dns", `plain`: "plain", ``: "", `"`: `"`, `""`: "", `"a" "b"`: "ab",
		`"a\"b"`: `a"b`, `"a"b"c"`: `"a"b"c"`, `say "hi"`: `say "hi"`, `"open \"`: `"open \"`,
	} {
		if got := unquoteText(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestFillsMakeWeightsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := sets().Filter(func(r backend.RRset) bool { return r.Type == "SRV" }).Draw(t, "set")
		sums := map[int]int{}
		for i, values := range [][]string{set.Values, fills(&set)} {
			for _, v := range values {
				typ := []rrType{typeSRV, typeFill}[i]
				s, err := testLayout.service(set.Name, typ, v, 60)
				if err != nil {
					t.Fatal(err)
				}
				sums[s.Priority] += s.Weight
			}
		}
		for priority, sum := range sums {
			if sum != 100 {
				t.Fatalf("the weights of priority %d are %d", priority, sum)
			}
		}
	})
}

// FuzzDecode: the shortcut says what encoding/json says, or nothing.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"host":"192.0.2.1","port":-1,"priority":-1,"ttl":300,"targetstrip":1,"group":"www.example.org"}`,
		`{"text":"a\"b"}`, `{,"host":"a"}`, `{"host":"a""port":1}`, `{"host":"a",}`, `{"port":"443"}`, `{"ttl":-1}`, `{"ttl":05}`,
		`{"mail":true,"ttl":4294967295}`, `{"HOST":"x"}`, `{"host":"a","host":"b"}`, `[]`, ``, `null`, ` {"port":1} `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var short, full service
		err := json.Unmarshal(value, &full)
		if short.scan(value) && (err != nil || short != full) {
			t.Fatalf("%q is scanned as %+v; it is %+v, %v", value, short, full, err)
		}
		if got, decodeErr := decode(value); (decodeErr == nil) != (err == nil) || err == nil && got != full {
			t.Fatalf("%q is decoded as %+v, %v; it is %+v, %v", value, got, decodeErr, full, err)
		}
		if again, err := decode([]byte(full.encode())); err == nil && again != full && full.Host != "" {
			requireReplaced(t, full, again)
		}
	})
}

// requireReplaced allows the one difference encoding makes: bytes that are not UTF-8 become U+FFFD.
func requireReplaced(t *testing.T, before, after service) {
	t.Helper()
	before.Host, before.Text, before.Group = strings.ToValidUTF8(before.Host, "�"), strings.ToValidUTF8(before.Text, "�"), strings.ToValidUTF8(before.Group, "�")
	if before != after {
		t.Fatalf("%+v became %+v", before, after)
	}
}

// FuzzRead: any key with any value is a record below the zone, or an error.
func FuzzRead(f *testing.F) {
	f.Add("/skydns/org/example/www/$a-0123456789", []byte(`{"host":"192.0.2.1","group":"www.example.org"}`))
	f.Add("/skydns/org/example/www/0badcafe", []byte(`{"host":"192.0.2.1","text":"\"heritage\"","targetstrip":1}`))
	f.Add("/skydns/org/example/dns/apex/$a-0123456789", []byte(`{"host":"::1","targetstrip":3}`))
	f.Add("/skydns/org/example/$", []byte(`{"host":"example.org","port":-1}`))
	f.Add("/skydns/org/example/_wildcard/0badcafe", []byte(`{"host":"::1","targetstrip":1}`))
	f.Add("/skydns/org/example//", []byte(`{"host":".","mail":true,"targetstrip":9}`))
	limits := limitsOf(testConfig())
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		got, err := testLayout.read(key, value, 1)
		if err != nil || got.guard {
			return
		}
		for _, it := range got.items[:got.n] {
			if it.typ == typeFill {
				continue
			}
			set := backend.RRset{Key: backend.Key{Name: got.name, Type: it.typ.String()}, Values: []string{it.value}}
			canonical, err := backend.Canonical(set)
			if err != nil || !canonical.Same(&set) || !slices.Contains(limits.Types, set.Type) || !backend.InZone(set.Name, testZone) {
				t.Fatalf("%q = %q is read as %s %q, which is not canonical (%v)", key, value, set.Key, set.Values, err)
			}
			if back := testLayout.keyOfItem(got.name, &it); back != key {
				t.Fatalf("%q = %q is read as an item of %q", key, value, back)
			}
		}
	})
}

// Wildcards are refused unless there is a label to keep them under, and then that label is nobody's.
func TestWildcardsNeedTheirLabel(t *testing.T) {
	record := func(name, typ, value string) backend.RRset {
		return backend.RRset{Key: backend.Key{Name: name, Type: typ}, Values: []string{value}}
	}
	for _, tt := range []struct {
		zone     string
		set      backend.RRset
		off, on  bool // whether it can be stored without the label, and with it
		contains string
	}{
		{testZone, record("*.apps.example.org", "A", "192.0.2.1"), false, true, ""},
		{testZone, record("*.example.org", "CNAME", "apps.example.org"), false, true, ""},
		{testZone, record("a.*.example.org", "A", "192.0.2.1"), false, false, "any"},
		{testZone, record("*.any.example.org", "A", "192.0.2.1"), false, false, "any"},
		{testZone, record("_wildcard.apps.example.org", "A", "192.0.2.1"), true, false, "stands for the star"},
		{testZone, record("a._wildcard.example.org", "TXT", "x"), true, false, "stands for the star"},
		{testZone, record("a-*.apps.example.org", "TXT", "owner"), true, true, ""},
		{"2.0.192.in-addr.arpa", record("*.2.0.192.in-addr.arpa", "PTR", "www.example.org"), false, false, "no wildcards"},
	} {
		off := limitsOf(Config{}.withDefaults()).Check(tt.zone, tt.set)
		on := limitsOf(testConfig()).Check(tt.zone, tt.set)
		if (off == nil) != tt.off || (on == nil) != tt.on || on != nil && !strings.Contains(on.Error(), tt.contains) {
			t.Errorf("%s: without the label %v, with it %v", tt.set.Key, off, on)
		}
	}
}
