package detect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/detect/detecttest"
)

// Addresses of the tests are public: those of the documentation are refused, as they should be. Nobody is
// contacted at them.
const (
	here4  = "93.184.215.14"
	there4 = "8.26.56.26"
	here6  = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// operator starts a stand-in for an operator that says a.
func operator(t *testing.T, host, a string) (*detecttest.Operator, *detecttest.CA) {
	t.Helper()
	ca, err := detecttest.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	o, err := detecttest.Start(ca, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	o.Say(addr(a))
	return o, ca
}

// sources is every kind of source, pointed at o.
func sources(o *detecttest.Operator, ca *detecttest.CA) map[string]detect.Source {
	trust := ca.Pool
	id := func(v detect.Via) detect.Identity { return detect.Identity{Name: "test", Operator: "test", Via: v} }
	return map[string]detect.Source{
		"text":        &detect.Text{ID: id(detect.ViaHTTPS), URL: o.URL(), Trust: trust},
		"json":        &detect.JSON{ID: id(detect.ViaHTTPS), URL: o.URL() + "/json", Path: "ip", Trust: trust},
		"nested json": &detect.JSON{ID: id(detect.ViaHTTPS), URL: o.URL() + "/json", Path: "client.address", Trust: trust},
		"trace":       &detect.Trace{ID: id(detect.ViaHTTPS), URL: o.URL() + "/cdn-cgi/trace", Trust: trust},
		"dns udp":     &detect.DNS{ID: id(detect.ViaDNS), Carrier: detect.UDP, Server: o.DNS(), Name: "myip.opendns.com"},
		"dns tls":     &detect.DNS{ID: id(detect.ViaDNS), Carrier: detect.TLS, Server: o.DoT(), Name: "myip.opendns.com", Trust: trust},
		"dns https":   &detect.DNS{ID: id(detect.ViaDNS), Carrier: detect.HTTPS, Server: o.URL() + "/dns-query", Name: "myip.opendns.com", Trust: trust},
		"dns myaddr":  &detect.DNS{ID: id(detect.ViaDNS), Carrier: detect.UDP, Server: o.DNS(), Name: "o-o.myaddr.l.google.com.", Text: true},
		"dns whoami":  &detect.DNS{ID: id(detect.ViaDNS), Carrier: detect.TLS, Server: o.DoT(), Name: "whoami.cloudflare", Text: true, Chaos: true, Trust: trust},
		"stun":        &detect.STUN{ID: id(detect.ViaSTUN), Server: o.STUN()},
	}
}

func TestEverySourceFindsTheAddress(t *testing.T) {
	for _, tt := range []struct {
		host, want string
		family     detect.Family
	}{{"127.0.0.1", here4, detect.IPv4}, {"::1", here6, detect.IPv6}} {
		o, ca := operator(t, tt.host, tt.want)
		for name, s := range sources(o, ca) {
			got := detect.Ask(t.Context(), s, tt.family)
			if got.Err != nil || got.Addr != addr(tt.want) {
				t.Errorf("%s over %s: %v %v, want %s", name, tt.family, got.Addr, got.Err, tt.want)
			}
			if got.Source != s.Identity() || got.At.IsZero() || got.RTT <= 0 {
				t.Errorf("%s: not measured: %+v", name, got)
			}
		}
	}
}

func TestSourcesThatSayWhatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		says string
		want map[detect.Kind]bool
	}{
		{"10.1.1.1", map[detect.Kind]bool{detect.NotPublic: true}},
		{"100.64.3.4", map[detect.Kind]bool{detect.NotPublic: true}},
		{"203.0.113.9", map[detect.Kind]bool{detect.NotPublic: true}},
		{"0.0.0.0", map[detect.Kind]bool{detect.NotPublic: true}},
		// A question for A has no AAAA answer; the others show the wrong family.
		{here6, map[detect.Kind]bool{detect.WrongFamily: true, detect.NotAddress: true}},
	} {
		o, ca := operator(t, "127.0.0.1", tt.says)
		for name, s := range sources(o, ca) {
			if got := detect.Ask(t.Context(), s, detect.IPv4); !tt.want[detect.KindOf(got.Err)] || got.Addr.IsValid() {
				t.Errorf("%s says %s: %v %v, want %v", name, tt.says, got.Addr, got.Err, tt.want)
			}
		}
	}
}

func TestTheDialIsOfTheFamily(t *testing.T) {
	o, ca := operator(t, "127.0.0.1", here6)
	for name, s := range sources(o, ca) {
		if got := detect.Ask(t.Context(), s, detect.IPv6); detect.KindOf(got.Err) != detect.NoAnswer {
			t.Errorf("%s: asked for IPv6 over IPv4: %v %v", name, got.Addr, got.Err)
		}
	}
	if n := o.Asked(); n != 0 {
		t.Errorf("%d queries arrived over IPv4", n)
	}
}

// Every way an HTTPS source can go wrong, and what is made of it.
func TestHTTPSThatGoesWrong(t *testing.T) {
	say := func(status int, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	portal := "<html><body>Welcome to the airport! Your address is " + here4 + "</body></html>"
	for _, tt := range []struct {
		name  string
		http  http.HandlerFunc
		want  detect.Kind
		after time.Duration
	}{
		{"a captive portal", say(200, portal), detect.NotAddress, 0},
		{"a portal's redirect", say(302, here4, "Location", "/"), detect.Refused, 0},
		{"a redirect to a liar", say(301, "", "Location", "https://127.0.0.1:1/"), detect.Refused, 0},
		{"500 with an address in it", say(500, here4), detect.Refused, 0},
		{"404 with an address in it", say(404, here4), detect.Refused, 0},
		{"201 with an address in it", say(201, here4), detect.Refused, 0},
		{"two addresses", say(200, here4+"\n"+there4+"\n"), detect.NotAddress, 0},
		{"two addresses with a comma", say(200, here4+", "+there4), detect.NotAddress, 0},
		{"an address and 4 KiB of spaces", say(200, here4+strings.Repeat(" ", 4096)), detect.NotAddress, 0},
		{"an endless body", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(strings.Repeat("1", 8<<10))); err != nil {
					return
				}
			}
		}, detect.NotAddress, 0},
		{"a body cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "93.184.215.1")
		}, detect.NoAnswer, 0},
		{"an empty body", say(200, ""), detect.NotAddress, 0},
		{"a hang-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, detect.NoAnswer, 0},
		{"429 with seconds", say(429, "", "Retry-After", "90"), detect.Throttled, 90 * time.Second},
		{"429 without", say(429, here4), detect.Throttled, 0},
		{"403", say(403, here4), detect.Throttled, 0},
		{"429 for ever", say(429, "", "Retry-After", "99999999999"), detect.Throttled, time.Hour},
		{"429 with nonsense", say(429, "", "Retry-After", "-5"), detect.Throttled, 0},
		{"503 with seconds", say(503, "", "Retry-After", "7"), detect.Throttled, 7 * time.Second},
		{"503 without", say(503, here4), detect.Refused, 0},
	} {
		o, ca := operator(t, "127.0.0.1", here4)
		o.AnswerHTTP(tt.http)
		all := sources(o, ca)
		for _, kind := range []string{"text", "json", "trace", "dns https"} {
			got := detect.Ask(t.Context(), all[kind], detect.IPv4)
			var e *detect.Error
			if !errors.As(got.Err, &e) || e.Kind != tt.want || e.RetryAfter != tt.after {
				t.Errorf("%s, as %s: %v %v, want %s", tt.name, kind, got.Addr, got.Err, tt.want)
			}
		}
		if n := o.Asked(); n != 4 {
			t.Errorf("%s: %d queries, want one each", tt.name, n)
		}
	}
}

func TestRetryAfterAsADate(t *testing.T) {
	o, ca := operator(t, "127.0.0.1", here4)
	o.AnswerHTTP(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(20*time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var e *detect.Error
	if got := detect.Ask(t.Context(), sources(o, ca)["text"], detect.IPv4); !errors.As(got.Err, &e) || e.RetryAfter < 15*time.Minute || e.RetryAfter > 20*time.Minute {
		t.Errorf("got %v", got.Err)
	}
}

// A source that is silent ends with the context, whatever carries it.
func TestSilence(t *testing.T) {
	o, ca := operator(t, "127.0.0.1", here4)
	o.AnswerHTTP(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	o.AnswerPackets(func([]byte) [][]byte { return nil })
	for name, s := range sources(o, ca) {
		if name == "dns tls" || name == "dns whoami" {
			continue // DNS over TLS hangs up when it has nothing to say: the next test
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		got := detect.Ask(ctx, s, detect.IPv4)
		cancel()
		if detect.KindOf(got.Err) != detect.NoAnswer || !errors.Is(got.Err, context.DeadlineExceeded) {
			t.Errorf("%s: %v %v", name, got.Addr, got.Err)
		}
	}
	if got := detect.Ask(t.Context(), sources(o, ca)["dns tls"], detect.IPv4); detect.KindOf(got.Err) != detect.NoAnswer {
		t.Errorf("dns tls: %v %v", got.Addr, got.Err)
	}
}

func TestUDPIsAskedAgain(t *testing.T) {
	for _, kind := range []string{"dns udp", "stun"} {
		o, ca := operator(t, "127.0.0.1", here4)
		var lost atomic.Bool
		o.AnswerPackets(func(reply []byte) [][]byte {
			if lost.CompareAndSwap(false, true) {
				return nil
			}
			return [][]byte{reply}
		})
		if got := detect.Ask(t.Context(), sources(o, ca)[kind], detect.IPv4); got.Addr != addr(here4) {
			t.Errorf("%s: %v %v", kind, got.Addr, got.Err)
		}
		if n := o.Asked(); n < 2 {
			t.Errorf("%s: %d queries, want the second one that was answered", kind, n)
		}
	}
}

// A certificate of somebody else's authority, or of another name.
func TestNobodyElseIsTrusted(t *testing.T) {
	o, _ := operator(t, "127.0.0.1", here4)
	_, other := operator(t, "127.0.0.1", here4)
	all := sources(o, other)
	for _, kind := range []string{"text", "json", "trace", "dns tls", "dns https"} {
		if got := detect.Ask(t.Context(), all[kind], detect.IPv4); detect.KindOf(got.Err) != detect.Untrusted {
			t.Errorf("%s: %v %v", kind, got.Addr, got.Err)
		}
	}
	if n := o.Asked(); n != 0 {
		t.Errorf("%d queries went to a stranger", n)
	}
}

func TestTracesThatAreNotOurs(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       detect.Kind
	}{
		{"of another host", "h=evil.example\nip=" + here4 + "\n", detect.Untrusted},
		{"of no host", "ip=" + here4 + "\n", detect.Untrusted},
		{"through WARP", "h=127.0.0.1\nip=" + here4 + "\nwarp=on\n", detect.Proxied},
		{"through WARP plus", "h=127.0.0.1\nip=" + here4 + "\nwarp=plus\n", detect.Proxied},
		{"through a gateway", "h=127.0.0.1\nip=" + here4 + "\nwarp=off\ngateway=on\n", detect.Proxied},
		{"with two addresses", "h=127.0.0.1\nip=" + here4 + "\nip=" + there4 + "\n", detect.NotAddress},
		{"without an address", "h=127.0.0.1\nwarp=off\n", detect.NotAddress},
		{"no trace", here4, detect.NotAddress},
	} {
		o, ca := operator(t, "127.0.0.1", here4)
		o.AnswerHTTP(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.body) })
		if got := detect.Ask(t.Context(), sources(o, ca)["trace"], detect.IPv4); detect.KindOf(got.Err) != tt.want {
			t.Errorf("%s: %v %v, want %s", tt.name, got.Addr, got.Err, tt.want)
		}
	}
}

// altered makes a packet function out of a change to a DNS message.
func altered(t *testing.T, change func(*dnsmessage.Message)) func([]byte) [][]byte {
	t.Helper()
	return func(reply []byte) [][]byte {
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Errorf("unpack: %v", err)
			return nil
		}
		change(&m)
		b, err := m.Pack()
		if err != nil {
			t.Errorf("pack: %v", err)
		}
		return [][]byte{b}
	}
}

func TestDNSThatGoesWrong(t *testing.T) {
	second := func(m *dnsmessage.Message) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: m.Answers[0].Header, Body: &dnsmessage.AResource{A: addr(there4).As4()}})
	}
	for _, tt := range []struct {
		name   string
		change func(*dnsmessage.Message)
		want   detect.Kind
	}{
		{"two addresses", second, detect.NotAddress},
		{"no answer", func(m *dnsmessage.Message) { m.Answers = nil }, detect.NotAddress},
		{"refused", func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused }, detect.Refused},
		{"no such name", func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError }, detect.Refused},
		{"truncated", func(m *dnsmessage.Message) { m.Truncated = true }, detect.NotAddress},
		{"another id", func(m *dnsmessage.Message) { m.ID++ }, detect.Untrusted},
		{"a query", func(m *dnsmessage.Message) { m.Response = false }, detect.Untrusted},
		{"another name", func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("example.org.") }, detect.Untrusted},
		{"another type", func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeNS }, detect.Untrusted},
		{"another class", func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassHESIOD }, detect.Untrusted},
		{"no question", func(m *dnsmessage.Message) { m.Questions = nil }, detect.Untrusted},
	} {
		o, ca := operator(t, "127.0.0.1", here4)
		o.AnswerPackets(altered(t, tt.change))
		if got := detect.Ask(t.Context(), sources(o, ca)["dns tls"], detect.IPv4); detect.KindOf(got.Err) != tt.want {
			t.Errorf("%s: %v %v, want %s", tt.name, got.Addr, got.Err, tt.want)
		}
	}
}

// Over UDP somebody may answer faster than the one who was asked. Without the secret it is not heard.
func TestForgedPacketsAreNotHeard(t *testing.T) {
	o, ca := operator(t, "127.0.0.1", here4)
	forged := altered(t, func(m *dnsmessage.Message) {
		m.ID ^= 0x5555
		m.Answers[0].Body = &dnsmessage.AResource{A: addr(there4).As4()}
	})
	o.AnswerPackets(func(reply []byte) [][]byte {
		return [][]byte{{}, []byte("nonsense"), forged(reply)[0], reply}
	})
	if got := detect.Ask(t.Context(), sources(o, ca)["dns udp"], detect.IPv4); got.Addr != addr(here4) {
		t.Errorf("dns: %v %v", got.Addr, got.Err)
	}
	o.AnswerPackets(func(reply []byte) [][]byte {
		id := [12]byte(reply[8:20])
		id[11] ^= 1
		return [][]byte{{}, []byte("nonsense"), detecttest.STUNReply(id, addr(there4)), reply}
	})
	if got := detect.Ask(t.Context(), sources(o, ca)["stun"], detect.IPv4); got.Addr != addr(here4) {
		t.Errorf("stun: %v %v", got.Addr, got.Err)
	}
	// And alone they are silence.
	o.AnswerPackets(func(reply []byte) [][]byte {
		return [][]byte{detecttest.STUNReply([12]byte{1}, addr(there4))}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := detect.Ask(ctx, sources(o, ca)["stun"], detect.IPv4); detect.KindOf(got.Err) != detect.NoAnswer {
		t.Errorf("stun: %v %v", got.Addr, got.Err)
	}
}
