package rfc2136_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

func TestPresentation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ typ, value, want string }{
		{"A", " 192.0.2.1 ", "192.0.2.1"},
		{"aaaa", "2001:DB8::0:1", "2001:db8::1"},
		{"CNAME", "LB.Example.NET.", "lb.example.net"},
		{"TXT", `say "hello"`, `say "hello"`},
		{"CAA", `0 issue ca.example`, `0 issue "ca.example"`},
		{"CAA", `128 IODEF "mailto:a@b.example"`, `128 IODEF "mailto:a@b.example"`},
		{"CAA", `0 issue ";"`, `0 issue ";"`},
		{"SVCB", `1 Svc.Example.NET port=8443 alpn=h2,h3`, `1 svc.example.net. alpn="h2,h3" port="8443"`},
		{"HTTPS", `0 pool.example`, `0 pool.example.`},
		{"HTTPS", `1 . ipv4hint=192.0.2.1 key65400="x\"y"`, `1 . ipv4hint="192.0.2.1" key65400="x\"y"`},
		{"TLSA", "3 1 1 ABCDEF", "3 1 1 abcdef"},
		{"TLSA", "3 1 1 AB CD\tEF", "3 1 1 abcdef"},
		{"SSHFP", "4 2 abcdef", "4 2 ABCDEF"},
		{"DS", "12345 13 2 abcdef", "12345 13 2 ABCDEF"},
		{"SOA", "NS1.Example.org HostMaster.example.org. 1 2h 3 4 5", "ns1.example.org. hostmaster.example.org. 1 7200 3 4 5"},
		{"DNAME", "Other.Example", "other.example."},
		{"TYPE65280", `\# 3 AB CDEF`, `\# 3 abcdef`},
		{"TLSA", `\# 4 030101AB`, "3 1 1 ab"},
		{"TYPE52", "3 1 1 ab", ""},
	} {
		got, err := rfc2136.Presentation(c.typ, c.value)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q is %q (%v), want %q", c.typ, c.value, got, err, c.want)
		}
	}
}

func TestPresentationRefuses(t *testing.T) {
	t.Parallel()
	for typ, values := range map[string][]string{
		"A": {"", "www.example.org"}, "MX": {"mail.example.org"}, "NONSENSE": {"x"}, "TYPE1": {"192.0.2.1"}, "": {"x"},
		"CAA":   {"", "0", "0 issue", "256 issue \"x\"", "x issue y", "0 issue \"x\" more", "0 issue \"x\"\n0 issue \"y\""},
		"SVCB":  {"", "1", "x .", "1 a..b", "1 @ alpn=h2", "1 . alpn=h2 alpn=h3", "1 . ipv4hint=2001:db8::1", "70000 ."},
		"TLSA":  {"3 1 1", "3 1 1 xyz", "3 1 256 ab", "3 1 1 abc", `\# 2 0301`, `\# 4 0301`, `\# x`, `\#`},
		"SSHFP": {"4 2", "4 2 x", "300 2 ab"}, "SOA": {"", "a b 1 2 3 4", "a b x 2 3 4 5", "a b 1 2 3 4 5 6", "@ b 1 2 3 4 5"},
		"TYPE65280": {"x", `\# 1 abcd`, `\# 70000 ab`},
	} {
		for _, v := range values {
			if got, err := rfc2136.Presentation(typ, v); err == nil {
				t.Errorf("%s %q is taken as %q", typ, v, got)
			}
		}
	}
}

// drawFurther draws a value of a type beyond backend.Canonical in some spelling.
func drawFurther(t *rapid.T) (typ, value string) {
	name := rapid.StringMatching(`([a-zA-Z0-9_-]{1,10}\.){0,4}[a-zA-Z0-9_-]{1,10}\.?`)
	number := func(most int) string { return fmt.Sprint(rapid.IntRange(0, most).Draw(t, "number")) }
	hexa := rapid.StringMatching(`([0-9a-fA-F]{2}){1,40}`)
	text := rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for _, c := range rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "text") {
			fmt.Fprintf(&b, `\%03d`, c)
		}
		return `"` + b.String() + `"`
	})
	switch typ = rapid.SampledFrom([]string{"CAA", "SVCB", "HTTPS", "TLSA", "SSHFP", "SOA", "URI", "DNAME", "RP", "HINFO", "TYPE65280"}).Draw(t, "type"); typ {
	case "CAA":
		return typ, number(255) + " " + rapid.StringMatching(`[a-zA-Z0-9]{1,15}`).Draw(t, "tag") + " " + text.Draw(t, "value")
	case "SVCB", "HTTPS":
		params := rapid.SliceOfNDistinct(rapid.IntRange(0, 5), 0, 6, rapid.ID).Draw(t, "parameters")
		for _, p := range params {
			value += " " + []string{
				"alpn=" + rapid.SampledFrom([]string{"h2", "h2,h3", `"h3"`}).Draw(t, "alpn"), "port=" + number(65535), "ipv4hint=192.0.2.1,192.0.2." + number(255),
				"ipv6hint=2001:DB8::" + number(9), "key65400=" + text.Draw(t, "data"), `dohpath="/dns-query{?dns}"`,
			}[p]
		}
		return typ, number(65535) + " " + rapid.SampledFrom([]string{".", name.Draw(t, "target")}).Draw(t, "name") + value
	case "TLSA":
		return typ, number(255) + " " + number(255) + " " + number(255) + " " + hexa.Draw(t, "data")
	case "SSHFP":
		return typ, number(255) + " " + number(255) + " " + hexa.Draw(t, "data")
	case "SOA":
		value = name.Draw(t, "primary") + " " + name.Draw(t, "contact")
		for range 5 {
			value += fmt.Sprintf(" %d", rapid.Uint32().Draw(t, "number"))
		}
		return typ, value
	case "URI":
		return typ, number(65535) + " " + number(65535) + " " + text.Draw(t, "target")
	case "DNAME":
		return typ, name.Draw(t, "name")
	case "RP":
		return typ, name.Draw(t, "mailbox") + " " + name.Draw(t, "text")
	case "HINFO":
		return typ, text.Draw(t, "CPU") + " " + text.Draw(t, "OS")
	}
	data := hexa.Draw(t, "data")
	return typ, fmt.Sprintf(`\# %d %s`, len(data)/2, data)
}

// packed is a record's data as an independent reader has it, in lower case as far as its names go.
func packed(t *rapid.T, typ, value string) []byte {
	if digits, ok := strings.CutPrefix(value, `\# `); ok {
		_, digits, _ = strings.Cut(digits, " ")
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%s %q: %v", typ, value, err)
		}
		return data
	}
	line := "x. 0 IN " + typ + " " + value
	switch typ {
	case "SOA", "DNAME", "RP":
		line = strings.ToLower(line)
	case "SVCB", "HTTPS":
		f := strings.SplitAfterN(line, " ", 7)
		f[5] = strings.ToLower(f[5])
		line = strings.Join(f, "")
	}
	rr, err := dns.NewRR(line)
	if err != nil {
		t.Fatalf("%s %q: %v", typ, value, err)
	}
	b := make([]byte, 65535)
	n, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil {
		t.Fatalf("%s %q: %v", typ, value, err)
	}
	return b[len("\x01x\x00")+10 : n]
}

func TestPresentationIsTheSameRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		typ, value := drawFurther(t)
		p, err := rfc2136.Presentation(typ, value)
		if err != nil {
			t.Fatalf("%s %q is refused: %v", typ, value, err)
		}
		if again, err := rfc2136.Presentation(typ, p); err != nil || again != p {
			t.Fatalf("%s %q is %q, and that is %q (%v)", typ, value, p, again, err)
		}
		if a, b := packed(t, typ, value), packed(t, typ, p); !slices.Equal(a, b) {
			t.Fatalf("%s %q is %q, which is another record:\n% x\n% x", typ, value, p, a, b)
		}
	})
}

func TestASOAIsItsValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`([a-z0-9_-]{1,10}\.){0,4}[a-z0-9_-]{1,10}|\.`)
		s := rfc2136.SOA{MName: name.Draw(t, "primary"), RName: name.Draw(t, "contact")}
		for _, n := range []*uint32{&s.Serial, &s.Refresh, &s.Retry, &s.Expire, &s.Minimum} {
			*n = rapid.Uint32().Draw(t, "number")
		}
		p, err := rfc2136.Presentation("SOA", s.Value())
		if err != nil || p != s.Value() {
			t.Fatalf("%q is presented as %q (%v)", s.Value(), p, err)
		}
		if got, err := rfc2136.ParseSOA(p); err != nil || got != s {
			t.Fatalf("%q is read as %+v (%v)", p, got, err)
		}
	})
}

func FuzzPresentation(f *testing.F) {
	for typ, value := range map[string]string{
		"CAA": `0 issue "ca.example; a=\"b\""`, "SVCB": `1 . alpn="h2,h3" ipv4hint=192.0.2.1 key65400="\001"`, "TLSA": "3 1 1 ab", "SSHFP": "4 2 ab",
		"SOA": "a b 1 2 3 4 5", "NAPTR": `1 2 "u" "E2U" "!^.*$!x!" .`, "APL": "1:192.0.2.0/24", "LOC": "52 22 23.000 N 4 53 32.000 E -2.00m", "TYPE1234": `\# 1 ab`,
		"HIP":  "2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e19WzK00+CI6zBCQTdtWsuxKbWIy87UOoJTwkUs7lBu+Upr1gsNrut79ryra+bSRGQb1slImA8YVJyuIDsj7kwzG7jnERNqnWxZ48AWkskmdHaVDP4BcelrTI3rMXdXF5D rvs.example.com.",
		"NSEC": "a.example. A MX", "IPSECKEY": "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
	} {
		f.Add(typ, value)
	}
	f.Fuzz(func(t *testing.T, typ, value string) {
		p, err := rfc2136.Presentation(typ, value)
		if err != nil {
			return
		}
		if again, err := rfc2136.Presentation(typ, p); err != nil || again != p {
			t.Fatalf("%s %q is %q, and that is %q (%v)", typ, value, p, again, err)
		}
	})
}
