package detect

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text   string
		family Family
		want   Kind // "" is right
	}{
		{"93.184.215.14", IPv4, ""},
		{"93.184.215.14\n", IPv4, ""},
		{"93.184.215.14 \r\n\r\n", IPv4, ""},
		{"2606:2800:21f:cb07:6820:80da:af6b:8b2c\n", IPv6, ""},
		{"", IPv4, NotAddress},
		{"\n", IPv4, NotAddress},
		{"\n93.184.215.14", IPv4, NotAddress},
		{" 93.184.215.14", IPv4, NotAddress},
		{"93.184.215.14 8.8.8.8", IPv4, NotAddress},
		{"93.184.215.14\n8.8.8.8\n", IPv4, NotAddress},
		{"93.184.215.14:80", IPv4, NotAddress},
		{"93.184.215.14/32", IPv4, NotAddress},
		{"093.184.215.14", IPv4, NotAddress},
		{"93.184.215.014", IPv4, NotAddress},
		{"0x5d.184.215.14", IPv4, NotAddress},
		{"1572395790", IPv4, NotAddress},
		{"93.184.215", IPv4, NotAddress},
		{"93.184.215.14\x00", IPv4, NotAddress},
		{"９3.184.215.14", IPv4, NotAddress},
		{"<html>93.184.215.14</html>", IPv4, NotAddress},
		{`{"ip":"93.184.215.14"}`, IPv4, NotAddress},
		{"unknown", IPv4, NotAddress},
		{"[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", IPv6, NotAddress},
		{"2606:2800:21f:cb07:6820:80da:af6b:8b2c%eth0", IPv6, NotPublic},
		{"2606:2800:21f:cb07:6820:80da:af6b:8b2c", IPv4, WrongFamily},
		{"93.184.215.14", IPv6, WrongFamily},
		{"::ffff:93.184.215.14", IPv4, WrongFamily},
		{"::ffff:93.184.215.14", IPv6, WrongFamily},
		{"10.1.2.3", IPv4, NotPublic},
		{"100.64.3.4", IPv4, NotPublic},
		{"192.168.1.1", IPv4, NotPublic},
		{"198.18.0.1", IPv4, NotPublic},
		{"203.0.113.5", IPv4, NotPublic},
		{"224.0.0.1", IPv4, NotPublic},
		{"240.0.0.1", IPv4, NotPublic},
		{"255.255.255.255", IPv4, NotPublic},
		{"0.0.0.0", IPv4, NotPublic},
		{"127.0.0.1", IPv4, NotPublic},
		{"169.254.169.254", IPv4, NotPublic},
		{"fd00::1", IPv6, NotPublic},
		{"fe80::1", IPv6, NotPublic},
		{"2001:db8::1", IPv6, NotPublic},
		{"64:ff9b::5db8:d70e", IPv6, NotPublic},
		{"::1", IPv6, NotPublic},
	} {
		a, err := parse(tt.text, tt.family)
		if got := KindOf(err); got != tt.want {
			t.Errorf("%q as %s: %v %v, want %q", tt.text, tt.family, a, err, tt.want)
		}
		if (err == nil) != a.IsValid() {
			t.Errorf("%q as %s: both or neither: %v, %v", tt.text, tt.family, a, err)
		}
	}
}

// A proxy of the environment would be asked about its own address. (That it is not used cannot be seen over
// the loopback, for which net/http never uses one.)
func TestTheClientHasNoProxy(t *testing.T) {
	transport, ok := newClient(nil, IPv4).Transport.(*http.Transport)
	if !ok || transport.Proxy != nil || !transport.DisableKeepAlives {
		t.Errorf("the transport is %+v", transport)
	}
}

func TestExcerptIsSafeToLog(t *testing.T) {
	got := excerpt("a\x1b[31m\n\"\\ü" + strings.Repeat("x", 100))
	if strings.ContainsAny(got, "\x1b\n\\ü") || len(got) > 80 {
		t.Errorf("got %q", got)
	}
}

// Whatever stands in a body: an address comes out only when the body is that address, and it is public.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"93.184.215.14\n", "10.0.0.1", "::ffff:1.2.3.4", "<html>1.2.3.4", "2a00:1450::1 \n", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, family := range []Family{IPv4, IPv6} {
			a, err := parse(body, family)
			if err != nil {
				if a.IsValid() {
					t.Errorf("%q: an address (%v) with an error", body, a)
				}
				continue
			}
			if check(a, family) != nil {
				t.Errorf("%q: accepted %v", body, a)
			}
			if again, err := netip.ParseAddr(strings.TrimRight(body, " \t\r\n")); err != nil || again != a {
				t.Errorf("%q is not %v and nothing else", body, a)
			}
		}
	})
}

// A reader of what strangers send never panics and never gives an address that cannot be one.
func FuzzReaders(f *testing.F) {
	f.Add([]byte("h=x\nip=93.184.215.14\n"))
	f.Add([]byte(`{"ip":"93.184.215.14"}`))
	f.Add([]byte{0, 128, 0, 0, 0, 0, 0, 1, 93, 184, 215, 14})
	f.Add([]byte("<s:Envelope xmlns:s=\"x\"><s:Body></s:Body></s:Envelope>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		type result struct {
			a   netip.Addr
			err error
		}
		var strict, router []result
		a, err := readTrace(string(b), "x", IPv4)
		strict = append(strict, result{a, err})
		a, err = readReply(b, IPv4)
		strict = append(strict, result{a, err})
		if text, err := member(string(b), "ip"); err == nil {
			a, err = parse(text, IPv6)
			strict = append(strict, result{a, err})
		}
		a, err = readSOAP(string(b))
		router = append(router, result{a, err})
		if len(b) >= 8 {
			a, err = readNATPMP(b)
			router = append(router, result{a, err})
		}
		if len(b) >= 60 {
			a, err = readPCP(b)
			router = append(router, result{a, err})
		}
		for _, r := range strict {
			if r.err == nil && check(r.a, IPv4) != nil && check(r.a, IPv6) != nil {
				t.Errorf("accepted %v of %q", r.a, b)
			}
		}
		for _, r := range router {
			if r.err == nil && (!r.a.Is4() || r.a.IsUnspecified()) {
				t.Errorf("a router's %v of %q", r.a, b)
			}
		}
	})
}
