package wire_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
)

// answer is a message with one record of the zone example.org in its answer section.
func answer(name []byte, t wire.Type, data []byte) []byte {
	msg := []byte{0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0}
	msg = append(msg, name...)
	msg = binary.BigEndian.AppendUint16(msg, uint16(t))
	msg = append(msg, 0, 1, 0, 0, 0, 60)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(data)))
	return append(msg, data...)
}

func readOne(msg []byte) (wire.Record, string, error) {
	var r wire.Records
	if err := r.Reset(msg); err != nil {
		return wire.Record{}, "", err
	}
	if !r.Next() {
		return wire.Record{}, "", r.Err()
	}
	value, err := r.AppendValue(nil)
	return r.Record, string(value), err
}

func TestDataIsReadBackAsWritten(t *testing.T) {
	owner, err := wire.AppendName(nil, "www.example.org")
	if err != nil {
		t.Fatal(err)
	}
	for typ, values := range map[wire.Type][]string{
		wire.A:     {"192.0.2.1", "0.0.0.0", "255.255.255.255"},
		wire.AAAA:  {"2001:db8::1", "::", "::1", "64:ff9b::c000:201"},
		wire.CNAME: {"lb.example.net", "*.example.net", "a.b.c.d.e"},
		wire.NS:    {"ns1.example.net"},
		wire.PTR:   {"_x.example.net"},
		wire.MX:    {"0 .", "10 mail.example.net", "65535 m"},
		wire.SRV:   {"0 0 0 .", "1 2 3 host.example.net"},
		wire.NAPTR: {`100 10 "U" "E2U+sip" "!^.*$!sip:a@b!" .`, `1 1 "" "" "" x.example.net`, `1 2 "u" "E2U" "!^\\+44(.*)$!sip:\\1@x!" .`, `1 2 "\"" "\195\164" "" .`},
		wire.TXT: {"", "x", `"quoted" and \ back`, "ümläut\x00\xff", strings.Repeat("a", 255), strings.Repeat("b", 256),
			strings.Repeat("c", 510), strings.Repeat("d", 511), strings.Repeat("e", 31000)},
	} {
		for _, want := range values {
			data, err := wire.AppendData(nil, typ, want)
			if err != nil {
				t.Errorf("%s %q: %v", typ, want, err)
				continue
			}
			r, got, err := readOne(answer(owner, typ, data))
			if err != nil || got != want {
				t.Errorf("%s %q is read back as %q (%v)", typ, want, got, err)
			}
			if r.Unusual() != nil {
				t.Errorf("%s %q is called unusual", typ, want)
			}
		}
	}
}

func TestDataRefusesWhatIsNoValue(t *testing.T) {
	for typ, values := range map[wire.Type][]string{
		wire.A:     {"", "x", "2001:db8::1", "192.0.2.1.5", "::ffff:192.0.2.1"},
		wire.AAAA:  {"192.0.2.1", "fe80::1%eth0"},
		wire.CNAME: {"a..b", ".a", strings.Repeat("l", 64), strings.Repeat("abcdefg.", 32) + "x", `a\2`, `a\999`},
		wire.MX:    {"x", "70000 mail", "-1 mail", "10 a..b"},
		wire.SRV:   {"1 2 host", "1 2 x host"},
		wire.NAPTR: {"1", `1 2 "u`, `1 2 u "" "" .`, `1 2 "u" "" "" a..b`, `1 2 "` + strings.Repeat("x", 256) + `" "" "" .`},
		wire.SOA:   {"anything"},
	} {
		for _, v := range values {
			if b, err := wire.AppendData(nil, typ, v); err == nil {
				t.Errorf("%s %q is encoded as %x", typ, v, b)
			}
		}
	}
}

func TestTextCutInAnotherWayIsUnusual(t *testing.T) {
	for _, strs := range [][]string{{"a", "b"}, {"", ""}, {"a", ""}, {strings.Repeat("x", 255), ""}, {strings.Repeat("x", 254), "y"}, {strings.Repeat("x", 255), "y", "z"}} {
		var data []byte
		for _, s := range strs {
			data = append(append(data, byte(len(s))), s...)
		}
		r, value, err := readOne(answer([]byte{0}, wire.TXT, data))
		if err != nil || value != strings.Join(strs, "") {
			t.Errorf("%q is read as %q (%v)", strs, value, err)
		}
		if !bytes.Equal(r.Unusual(), data) {
			t.Errorf("%q is not called unusual", strs)
		}
	}
}

func TestNamesAreReadInLowerCaseAndMarked(t *testing.T) {
	for raw, want := range map[string]struct {
		name  string
		plain bool
	}{
		"\x03WwW\x07EXAMPLE\x03org\x00": {"www.example.org", true},
		"\x01*\x03org\x00":              {"*.org", true},
		"\x01a\x01*\x03org\x00":         {"a.*.org", true},
		"\x03a.b\x03org\x00":            {`a\046b.org`, false},
		"\x02a \x00":                    {`a\032`, false},
		"\x00":                          {".", true},
	} {
		r, _, err := readOne(answer([]byte(raw), wire.TXT, []byte{0}))
		if err != nil || r.Name != want.name || r.Plain != want.plain {
			t.Errorf("%q is read as %q, plain %v (%v)", raw, r.Name, r.Plain, err)
		}
		back, err := wire.AppendName(nil, r.Name)
		if err != nil || !strings.EqualFold(string(back), raw) {
			t.Errorf("%q is written as %q (%v)", r.Name, back, err)
		}
	}
}

func TestMalformedMessagesAreErrors(t *testing.T) {
	for what, msg := range map[string][]byte{
		"no header":          {1, 2, 3},
		"no record":          {0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0},
		"pointer forward":    answer([]byte{0xc0, 0x20}, wire.A, []byte{1, 2, 3, 4}),
		"pointer to itself":  answer([]byte{0xc0, 0x0c}, wire.A, []byte{1, 2, 3, 4}),
		"label type":         answer([]byte{0x80, 0}, wire.A, []byte{1, 2, 3, 4}),
		"short address":      answer([]byte{0}, wire.A, []byte{1, 2, 3}),
		"long address":       answer([]byte{0}, wire.AAAA, make([]byte, 17)),
		"empty text":         answer([]byte{0}, wire.TXT, nil),
		"text over the end":  answer([]byte{0}, wire.TXT, []byte{5, 'a'}),
		"name over the end":  answer([]byte{0}, wire.CNAME, []byte{5, 'a'}),
		"more than a name":   answer([]byte{0}, wire.CNAME, []byte{1, 'a', 0, 0}),
		"short MX":           answer([]byte{0}, wire.MX, []byte{0}),
		"short NAPTR":        answer([]byte{0}, wire.NAPTR, []byte{0, 1, 0, 1, 3, 'a'}),
		"data over the end":  answer([]byte{0}, wire.A, []byte{1, 2, 3, 4})[:25],
		"another class":      slices.Replace(answer([]byte{0}, wire.A, []byte{1, 2, 3, 4}), 15, 17, 0, 3),
		"name of 256 bytes":  answer(append(bytes.Repeat([]byte("\x3f"+strings.Repeat("x", 63)), 4), 0), wire.A, []byte{1, 2, 3, 4}),
		"question over end":  {0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 9},
		"truncated question": {0, 1, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0},
	} {
		if _, value, err := readOne(msg); err == nil {
			t.Errorf("%s: read as %q", what, value)
		}
	}
}

// values draws a record's type and a value of it as miekg/dns understands it.
func drawValue(t *rapid.T) (wire.Type, string) {
	name := rapid.StringMatching(`([a-z0-9_-]{1,12}\.){0,4}[a-z0-9_-]{1,12}`)
	number := rapid.Uint16()
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return wire.CNAME, name.Draw(t, "target")
	case 1:
		return wire.MX, sprint(number.Draw(t, "preference"), name.Draw(t, "host"))
	case 2:
		return wire.SRV, sprint(number.Draw(t, "priority"), number.Draw(t, "weight"), number.Draw(t, "port"), name.Draw(t, "host"))
	case 3:
		return wire.TXT, string(rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "text"))
	}
	text := rapid.StringMatching(`[a-zA-Z0-9+!^.*$ :@]{0,40}`)
	return wire.NAPTR, sprint(number.Draw(t, "order"), number.Draw(t, "preference"),
		`"`+text.Draw(t, "flags")+`"`, `"`+text.Draw(t, "services")+`"`, `"`+text.Draw(t, "regexp")+`"`, name.Draw(t, "replacement"))
}

func TestAnyValueSurvivesTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ, value := drawValue(t)
		set, err := backend.Canonical(backend.RRset{Key: backend.Key{Name: "x", Type: typ.String()}, Values: []string{value}})
		if err != nil {
			t.Fatal(err)
		}
		data, err := wire.AppendData(nil, typ, set.Values[0])
		if err != nil {
			t.Fatal(err)
		}
		msg := answer([]byte{0}, typ, data)
		if _, got, err := readOne(msg); err != nil || got != set.Values[0] {
			t.Fatalf("%s %q is read back as %q (%v)", typ, set.Values[0], got, err)
		}
		// An independent reader agrees that this is a record, and its bytes are the same again.
		var m dns.Msg
		if err := m.Unpack(msg); err != nil {
			t.Fatalf("%s %q is not understood: %v", typ, set.Values[0], err)
		}
		again, err := m.Pack()
		if err != nil || !bytes.Equal(again, msg) {
			t.Fatalf("%s %q is % x, packed again % x (%v)", typ, set.Values[0], msg, again, err)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add(answer([]byte("\x03www\x00"), wire.A, []byte{1, 2, 3, 4}))
	f.Add(answer([]byte("\x01*\x00"), wire.TXT, []byte("\x02ab\x01c")))
	f.Add(answer([]byte("\x00"), wire.NAPTR, []byte("\x00\x01\x00\x02\x01u\x00\x00\x00")))
	f.Add(answer([]byte("\x01a\xc0\x0c"), wire.MX, []byte("\x00\x01\xc0\x0c")))
	f.Add(answer([]byte("\x00"), wire.SOA, []byte("\x02NS\xc0\x0c\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01")))
	f.Add(answer([]byte("\x00"), wire.Type(dns.TypeHTTPS), []byte("\x00\x01\x01X\x00\x00\x01\x00\x03\x02h2")))
	f.Add(answer([]byte("\x00"), wire.Type(dns.TypeCAA), []byte("\x00\x05issueca.example\"\\\x00")))
	f.Fuzz(func(t *testing.T, msg []byte) {
		var r wire.Records
		if r.Reset(msg) != nil {
			return
		}
		for r.Next() {
			if owner, err := wire.AppendName(nil, r.Name); err != nil || len(owner) > 255 {
				t.Fatalf("the name %q cannot be written again: %v", r.Name, err)
			}
			value, err := r.AppendValue(nil)
			if err != nil {
				continue
			}
			data, err := wire.AppendData(nil, r.Type, string(value))
			if err != nil {
				t.Fatalf("%s %q was read but cannot be written: %v", r.Type, value, err)
			}
			if _, again, err := readOne(answer([]byte{0}, r.Type, data)); err != nil || again != string(value) {
				t.Fatalf("%s %q is written and read as %q (%v)", r.Type, value, again, err)
			}
		}
	})
}
