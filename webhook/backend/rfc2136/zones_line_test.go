package rfc2136_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// authoritative answers q with records and the AA bit.
func authoritative(t *testing.T, q *dns.Msg, lines ...string) *dns.Msg {
	t.Helper()
	m := message(t, q, lines...)
	m.Authoritative = true
	return m
}

// byNumber answers "host7 A" with 192.0.2.7.
func byNumber(t *testing.T, q *dns.Msg) *dns.Msg {
	t.Helper()
	host, _, _ := strings.Cut(q.Question[0].Name, ".")
	return authoritative(t, q, host+" 60 A 192.0.2."+strings.TrimPrefix(host, "host"))
}

func numbered(n int) []backend.RRset {
	sets := make([]backend.RRset, n)
	for i := range sets {
		sets[i] = *set(fmt.Sprintf("host%d A 60 192.0.2.%d", i, i))
	}
	return sets
}

func TestAnswersComeInAnyOrder(t *testing.T) {
	t.Parallel()
	var held []*dns.Msg
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		held = append(held, byNumber(t, q))
		if len(held)%50 != 0 {
			return []*dns.Msg{}
		}
		out := slices.Clone(held)
		held = nil
		slices.Reverse(out)
		return out
	})
	for i, err := range f.zones().Answers(t.Context(), zone, numbered(200)) {
		if err != nil {
			t.Errorf("host%d: %v", i, err)
		}
	}
	if n := f.most.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAKeptConnectionThatIsGoneIsReplaced(t *testing.T) {
	t.Parallel()
	answered := 0
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if answered++; answered == 150 { // in the middle of the second batch
			return nil
		}
		return []*dns.Msg{byNumber(t, q)}
	})
	z := f.zones()
	for range 3 {
		for i, err := range z.Answers(t.Context(), zone, numbered(100)) {
			if err != nil {
				t.Errorf("host%d: %v", i, err)
			}
		}
	}
	if n := len(f.seen()); n > 450 {
		t.Errorf("%d questions for 300 answers", n)
	}
}

func TestAServerThatAlwaysHangsUpIsAnError(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(*dns.Msg) []*dns.Msg { return nil })
	for _, err := range f.zones().Answers(t.Context(), zone, numbered(3)) {
		if backend.KindOf(err) != backend.Temporary || err == nil || !strings.Contains(err.Error(), "read the answer of "+f.addr) {
			t.Errorf("want the connection reported, got %v", err)
		}
	}
}

func TestAnAnswerToAnotherQuestionIsNone(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(m *dns.Msg){
		"another number": func(m *dns.Msg) { m.Id++ },
		"another name":   func(m *dns.Msg) { m.Question[0].Name = "other.example.org." },
		"another type":   func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		"no question":    func(m *dns.Msg) { m.Question = nil },
		"a question":     func(m *dns.Msg) { m.Response = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t, func(q *dns.Msg) []*dns.Msg {
				m := byNumber(t, q)
				m.Question = slices.Clone(m.Question)
				spoil(m)
				return []*dns.Msg{m}
			})
			err := f.zones().Answers(t.Context(), zone, numbered(1))[0]
			var mismatch *rfc2136.Mismatch
			if err == nil || errors.As(err, &mismatch) || !strings.Contains(err.Error(), "something else") {
				t.Errorf("it is taken: %v", err)
			}
		})
	}
}

func TestASilentServerIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if strings.HasPrefix(q.Question[0].Name, "host0.") {
			return []*dns.Msg{}
		}
		return []*dns.Msg{byNumber(t, q)}
	})
	z, err := rfc2136.NewZones(rfc2136.Config{Servers: []string{f.addr}, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for round := range 2 {
		errs := z.Answers(t.Context(), zone, numbered(10))
		if errs[0] == nil || !strings.Contains(errs[0].Error(), "no answer within 200ms") {
			t.Errorf("round %d: want the missing answer reported, got %v", round, errs[0])
		}
		if err := errors.Join(errs[1:]...); err != nil {
			t.Errorf("round %d: the others are lost with it: %v", round, err)
		}
	}
}

const secret = "c3Bva2VkbnMgc3Bva2VkbnMgc3Bva2VkbnMgc3Bva2U="

func TestTheClockOfAServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ahead, least, most time.Duration }{
		{0, 0, 0}, {30 * time.Second, 28 * time.Second, 31 * time.Second}, {-100 * time.Second, -101 * time.Second, -98 * time.Second},
		{48 * time.Hour, 48*time.Hour - 2*time.Second, 48*time.Hour + time.Second}, {-time.Hour, -time.Hour - time.Second, -time.Hour + 2*time.Second},
	} {
		f := startFake(t, nil)
		f.key, f.ahead = rfc2136.TSIG{Name: "key", Secret: secret}, c.ahead
		f.answer = func(q *dns.Msg) []*dns.Msg {
			if q.Question[0].Qclass == dns.ClassCHAOS {
				m := new(dns.Msg).SetReply(q)
				m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: "version.bind.", Rrtype: dns.TypeTXT, Class: dns.ClassCHAOS}, Txt: []string{"9.18", ".1"}}}
				return []*dns.Msg{m}
			}
			if c.ahead.Abs() < 5*time.Minute {
				return rcode(q, dns.RcodeRefused)
			}
			m := new(dns.Msg).SetRcode(q, dns.RcodeNotAuth)
			m.Extra = []dns.RR{&dns.TSIG{
				Hdr: dns.RR_Header{Name: "key.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: dns.HmacSHA256, OrigId: q.Id,
				Error: dns.RcodeBadTime, OtherLen: 6, OtherData: fmt.Sprintf("%012x", time.Now().Add(c.ahead).Unix()),
			}}
			return []*dns.Msg{m}
		}
		z := f.zones()
		id, err := z.Probe(t.Context())
		if err != nil || id.Version != "9.18.1" || id.Skew < c.least || id.Skew > c.most {
			t.Errorf("a clock %s ahead: %+v (%v)", c.ahead, id, err)
		}
		if _, err := z.SOA(t.Context(), zone); c.ahead.Abs() > 5*time.Minute && (backend.KindOf(err) != backend.Denied || !strings.Contains(err.Error(), "BADTIME")) {
			t.Errorf("a clock %s ahead: %v", c.ahead, err)
		}
	}
}

func TestAnUnsignedAnswerIsNotBelieved(t *testing.T) {
	t.Parallel()
	for code, believed := range map[int]bool{dns.RcodeSuccess: false, dns.RcodeNameError: false, dns.RcodeRefused: true, dns.RcodeServerFailure: true} {
		f := startFake(t, func(q *dns.Msg) []*dns.Msg {
			m := authoritative(t, q, "SOA 1")
			m.Rcode = code
			return []*dns.Msg{m}
		})
		z, err := rfc2136.NewZones(rfc2136.Config{Servers: []string{f.addr}, TSIG: rfc2136.TSIG{Name: "key", Secret: secret}})
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		_, err = z.SOA(t.Context(), zone)
		var not *rfc2136.NotServed
		if errors.As(err, &not) != believed || err == nil {
			t.Errorf("%s: %v", dns.RcodeToString[code], err)
		}
	}
}

func TestSOANeedsAuthority(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(m *dns.Msg){
		"no authority":     func(m *dns.Msg) { m.Authoritative = false },
		"no data":          func(m *dns.Msg) { m.Answer = nil },
		"another's":        func(m *dns.Msg) { m.Answer[0].Header().Name = "org." },
		"refused":          func(m *dns.Msg) { m.Rcode = dns.RcodeRefused },
		"no name":          func(m *dns.Msg) { m.Rcode = dns.RcodeNameError },
		"an expired zone":  func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure },
		"behind the scene": func(m *dns.Msg) { m.Ns, m.Answer = m.Answer, nil },
	} {
		f := startFake(t, func(q *dns.Msg) []*dns.Msg {
			m := authoritative(t, q, "SOA 1")
			spoil(m)
			return []*dns.Msg{m}
		})
		_, err := f.zones().SOA(t.Context(), zone)
		var not *rfc2136.NotServed
		if !errors.As(err, &not) || not.Zone != zone || not.Rcode == "" {
			t.Errorf("%s: want the zone reported as not served, got %v", name, err)
		}
	}
}
