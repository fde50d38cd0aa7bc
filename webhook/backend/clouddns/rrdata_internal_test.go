package clouddns

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/dns/v1"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestTextSurvives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "text"))
		quoted := quote(text)
		if got, err := unquote(quoted); err != nil || got != text {
			t.Fatalf("%q became %q (%v)", text, got, err)
		}
		for _, c := range []byte(quoted) {
			if c < ' ' || c > '~' {
				t.Fatalf("byte %d in %q", c, quoted)
			}
		}
	})
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       `""`,
		"hello":                  `"hello"`,
		`say "hi"`:               `"say \"hi\""`,
		`back\slash`:             `"back\\slash"`,
		"ü\n":                    `"\195\188\010"`,
		strings.Repeat("a", 255): `"` + strings.Repeat("a", 255) + `"`,
		strings.Repeat("a", 256): `"` + strings.Repeat("a", 255) + `" "a"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}

// What other tools wrote is read leniently.
func TestUnquote(t *testing.T) {
	t.Parallel()
	for rrdata, want := range map[string]string{
		`"hello"`:         "hello",
		`hello`:           "hello",
		`"two" "strings"`: "twostrings",
		`two words`:       "twowords",
		`"ü"`:             "ü",
		`"\195\188"`:      "ü",
		`"a\;b"`:          "a;b",
		`"v=spf1 -all"`:   "v=spf1 -all",
		`""`:              "",
	} {
		if got, err := unquote(rrdata); err != nil || got != want {
			t.Errorf("%s is read %q (%v), want %q", rrdata, got, err, want)
		}
	}
	for _, rrdata := range []string{`"open`, `"ends\`, `"\256"`, `"\1"`, `"\12x"`} {
		if got, err := unquote(rrdata); err == nil {
			t.Errorf("%s is read %q, want an error", rrdata, got)
		}
	}
}

func TestEncodeAndDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ, value, rrdata string
	}{
		{"A", "192.0.2.1", "192.0.2.1"},
		{"AAAA", "2001:db8::1", "2001:db8::1"},
		{"CNAME", "lb.example.net", "lb.example.net."},
		{"MX", "10 mail.example.net", "10 mail.example.net."},
		{"MX", "0 .", "0 ."},
		{"NAPTR", `1 2 "u" "s" "" .`, `1 2 "u" "s" "" .`},
		{"NAPTR", `1 2 "s" "s" "" sip.example.net`, `1 2 "s" "s" "" sip.example.net.`},
		{"NS", "ns.example.net", "ns.example.net."},
		{"PTR", "host.example.net", "host.example.net."},
		{"SRV", "1 2 3 sip.example.net", "1 2 3 sip.example.net."},
		{"SRV", "0 0 0 .", "0 0 0 ."},
		{"TXT", "a", `"a"`},
	} {
		set := backend.RRset{Key: backend.Key{Name: "www.zone.example", Type: c.typ}, TTL: time.Minute, Values: []string{c.value}}
		raw := encode(&set)
		if raw.Name != "www.zone.example." || raw.Ttl != 60 || !slices.Equal(raw.Rrdatas, []string{c.rrdata}) {
			t.Errorf("%s %s is written %+v, want %s", c.typ, c.value, raw, c.rrdata)
		}
		back, err := decode("zone.example", raw)
		if err != nil || !back.Same(&set) || back.TTL != set.TTL {
			t.Errorf("%s %s came back as %+v (%v)", c.typ, c.value, back, err)
		}
	}
}

func TestDecodeLeavesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]*dns.ResourceRecordSet{
		"a routing policy":  {Name: "www.zone.example.", Type: "A", RoutingPolicy: &dns.RRSetRoutingPolicy{}},
		"another type":      {Name: "www.zone.example.", Type: "CAA", Rrdatas: []string{`0 issue "x"`}},
		"the zone's SOA":    {Name: "zone.example.", Type: "SOA", Rrdatas: []string{"x. y. 1 2 3 4 5"}},
		"the zone's NS":     {Name: "zone.example.", Type: "NS", Rrdatas: []string{"ns.example."}},
		"no values":         {Name: "www.zone.example.", Type: "A"},
		"a broken text":     {Name: "www.zone.example.", Type: "TXT", Rrdatas: []string{`"x`}},
		"a broken address":  {Name: "www.zone.example.", Type: "A", Rrdatas: []string{"x"}},
		"an unusual name":   {Name: `w\046w.zone.example.`, Type: "A", Rrdatas: []string{"192.0.2.1"}},
		"a name in a quote": {Name: `"www".zone.example.`, Type: "A", Rrdatas: []string{"192.0.2.1"}},
	} {
		if set, err := decode("zone.example", raw); err == nil {
			t.Errorf("%s is read as %+v", name, set)
		}
	}
	below, err := decode("zone.example", &dns.ResourceRecordSet{Name: `\052.Sub.zone.example.`, Type: "NS", Ttl: 60, Rrdatas: []string{"NS.example."}})
	if err != nil || below.Name != "*.sub.zone.example" || below.Values[0] != "ns.example" {
		t.Errorf("a delegation is read as %+v (%v)", below, err)
	}
}
