package backend_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	for in, want := range map[string]string{
		"www.example.org":               "www.example.org",
		"WWW.Example.ORG.":              "www.example.org",
		"*.example.org":                 "*.example.org",
		"a-*.example.org":               "a-*.example.org", // as external-dns names the ownership of the above
		"a.*.example.org":               "a.*.example.org",
		`\052.example.org.`:             "*.example.org",
		"_sip._tcp.example.org":         "_sip._tcp.example.org",
		"xn--mnchen-3ya.example":        "xn--mnchen-3ya.example",
		"0/25.2.0.192.in-addr.arpa":     "0/25.2.0.192.in-addr.arpa",
		long + ".org":                   long + ".org",
		strings.Repeat("a.", 126) + "b": strings.Repeat("a.", 126) + "b",
	} {
		if got, err := backend.Name(in); err != nil || got != want {
			t.Errorf("Name(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestNameRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", ".", "..", "a..b", ".a", "a..", strings.Repeat("a", 64) + ".org", strings.Repeat("a.", 127) + "b",
		"a b.org", "a\tb", "münchen.de", `a\.b`, `"a"`, "a;b", "a(b)", "user@host",
		"$ORIGIN", "a,b", "a\x00b", "a\x7fb", "\u212aey.example", // the Kelvin sign, whose lower case is k
	} {
		if got, err := backend.Name(in); err == nil {
			t.Errorf("Name(%q) = %q, want an error", in, got)
		} else if in != "" && !strings.Contains(err.Error(), "is not a domain name") {
			t.Errorf("Name(%q): %v, want an error that says so", in, err)
		}
	}
}

func TestCanonicalAlias(t *testing.T) {
	t.Parallel()
	r := backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, Values: []string{"LB.example.net."}, Attrs: map[string]string{"alias": "true"}}
	if got, err := backend.Canonical(r); err != nil || got.Values[0] != "lb.example.net" {
		t.Errorf("got %v, %v; want the name an alias points to, canonical", got.Values, err)
	}
	r.Attrs = map[string]string{"alias": "false"}
	if got, err := backend.Canonical(r); err == nil {
		t.Errorf("got %v; want a name refused as address of what is no alias", got.Values)
	}
}

func TestInZoneKeepsLabelBoundaries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone string
		want       bool
	}{
		{"example.org", "example.org", true},
		{"www.example.org", "example.org", true},
		{"*.example.org", "example.org", true},
		{"badexample.org", "example.org", false},
		{"org", "example.org", false},
		{"example.org", "www.example.org", false},
		{"", "example.org", false},
	} {
		if got := backend.InZone(c.name, c.zone); got != c.want {
			t.Errorf("InZone(%q, %q) = %t", c.name, c.zone, got)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ      string
		in, want []string
	}{
		{"a", []string{" 192.0.2.2", "192.0.2.1", "192.0.2.2"}, []string{"192.0.2.1", "192.0.2.2"}},
		{"AAAA", []string{"2001:DB8:0:0::1"}, []string{"2001:db8::1"}},
		{"CNAME", []string{"LB.Example.net."}, []string{"lb.example.net"}},
		{"MX", []string{"010  Mail.Example.org."}, []string{"10 mail.example.org"}},
		{"MX", []string{"0 ."}, []string{"0 ."}},
		{"SRV", []string{"0 5 00443 Web.example.org."}, []string{"0 5 443 web.example.org"}},
		{"TXT", []string{`"Quotes" stay`, " so do spaces "}, []string{" so do spaces ", `"Quotes" stay`}},
		{"NAPTR", []string{`100 010 u "E2U+sip"  "!^.*$!sip:a@b!" .`}, []string{`100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .`}},
		{"NAPTR", []string{`1 1 "" "" "a \" b" x.example.`}, []string{`1 1 "" "" "a \" b" x.example`}},
		{"CAA", []string{`0 issue "ca.example"`}, []string{`0 issue "ca.example"`}},
	} {
		got, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "WWW.example.org.", Type: c.typ}, Values: c.in})
		if err != nil || got.Name != "www.example.org" || got.Type != strings.ToUpper(c.typ) || !slices.Equal(got.Values, c.want) {
			t.Errorf("Canonical of %s %q = %v %q, %v; want %q", c.typ, c.in, got.Key, got.Values, err, c.want)
		}
	}
}

func TestCanonicalRefusesAndNamesTheValue(t *testing.T) {
	t.Parallel()
	for typ, values := range map[string][]string{
		"A":     {"", "host", "2001:db8::1", "::ffff:192.0.2.1", "192.0.2.256", "192.0.2.01", "192.0.2.1/32"},
		"AAAA":  {"", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "2001:db8::g"},
		"CNAME": {"", ".", "two words"},
		"PTR":   {"."},
		"MX":    {"", "10", "mail", "10 mail x", "65536 mail", "-1 mail", "+1 mail"},
		"SRV":   {"", "1 2 3", "1 2 65536 host", "1 2 3 host more"},
		"NAPTR": {"", `1 1 "u" "s" "r"`, `1 1 "u" "s" "r" . more`, `x 1 "u" "s" "r" .`, `1 1 "u`, `1 1 a"b s r .`, `1 1 a\ s r .`},
	} {
		for _, v := range values {
			got, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "www.example.org", Type: typ}, Values: []string{v}})
			if err == nil {
				t.Errorf("Canonical of %s %q = %q, want an error", typ, v, got.Values)
			} else if v != "" && !strings.Contains(err.Error(), strings.Fields(v)[0]) && !strings.Contains(err.Error(), v) {
				t.Errorf("Canonical of %s %q: %v, want an error that names the value", typ, v, err)
			}
		}
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"www.example.org", `\052.a.`, "A.B.", "*", "a..b", "\u212a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := backend.Name(s)
		if err != nil {
			return
		}
		if again, err := backend.Name(n); err != nil || again != n {
			t.Errorf("Name(%q) = %q, but Name of that = %q, %v", s, n, again, err)
		}
		if absolute, err := backend.Name(n + "."); err != nil || absolute != n {
			t.Errorf("Name(%q) = %q, but with a dot %q, %v", s, n, absolute, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range [][2]string{
		{"A", "192.0.2.1"}, {"AAAA", "2001:DB8::1"}, {"MX", "10 mail"}, {"SRV", "1 2 3 ."}, {"TXT", `"x"`},
		{"NAPTR", `1 1 "u" "E2U+sip" "!^(.*)$!sip:\\1@x!" .`}, {"NAPTR", `1 1 a"b s r .`}, {"NAPTR", `1 1 "\"" "\\" "" .`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		once, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "www.example.org", Type: typ}, Values: []string{value}})
		if err != nil {
			return
		}
		twice, err := backend.Canonical(once)
		if err != nil || !twice.Same(&once) {
			t.Errorf("Canonical of %s %q = %q, and of that %q, %v", typ, value, once.Values, twice.Values, err)
		}
	})
}

func TestCanonicalDoesNotDependOnOrderOrRepetition(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.SampledFrom([]string{"192.0.2.1", "192.0.2.10", "192.0.2.9", "10.0.0.1"}), 1, 8).Draw(t, "values")
		shuffled := rapid.Permutation(append(slices.Clone(values), values[0])).Draw(t, "shuffled")
		set := func(values []string) backend.RRset {
			r, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, Values: values})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		before := slices.Clone(shuffled)
		a, b := set(values), set(shuffled)
		if !a.Same(&b) || !slices.IsSorted(a.Values) {
			t.Errorf("%q and %q become %q and %q", values, shuffled, a.Values, b.Values)
		}
		if !slices.Equal(before, shuffled) {
			t.Errorf("Canonical changed its argument from %q to %q", before, shuffled)
		}
	})
}
