package rfc2136_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/setting"
)

func (f *fake) zones() *rfc2136.Zones {
	f.Helper()
	z, err := rfc2136.NewZones(rfc2136.Config{Servers: []string{f.addr}, Timeout: 5 * time.Second, TSIG: f.key})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := z.Close(); err != nil {
			f.Error(err)
		}
	})
	return z
}

func TestZonesAreOneServer(t *testing.T) {
	t.Parallel()
	for _, servers := range [][]string{nil, {"192.0.2.1:53", "192.0.2.2:53"}, {"nonsense"}} {
		z, err := rfc2136.NewZones(rfc2136.Config{Servers: servers})
		var wrong *setting.Error
		if z != nil || !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Field, "servers") {
			t.Errorf("%q: want the setting servers reported, got %v", servers, err)
		}
	}
}

func TestTransferIsTheWholeZone(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if q.Question[0].Qtype == dns.TypeIXFR {
			return transfers{{"SOA 2", "SOA 1", `@ 60 CAA 0 issue "x"`, "SOA 2", "@ 60 NS ns2", "SOA 2"}}.to(t, q)
		}
		if q.Question[0].Qtype == dns.TypeSOA {
			return []*dns.Msg{message(t, q, "SOA 2")}
		}
		return transfers{{
			"SOA 1", "@ 60 NS NS1", `@ 60 CAA 0 issue "x"`, `my\032printer 60 A 192.0.2.1`, "www 60 HTTPS 1 LB.Example.NET. alpn=h2",
			`odd 60 TYPE65280 \# 2 abcd`, "other.example. 60 A 192.0.2.1", "@ 60 DNSKEY 257 3 13 AAAA", "@ 60 NSEC www A",
			"www 60 RRSIG A 13 3 60 20300101000000 20200101000000 1 @ AAAA", "@ 60 CDS 1 13 2 AA", "@ 60 CDNSKEY 257 3 13 AAAA",
			"@ 60 NSEC3PARAM 1 0 0 -", `@ 60 TYPE65534 \# 1 00`, "SOA 1",
		}}.to(t, q)
	})
	z := f.zones()
	const soa = " SOA 1h0m0s ns.example.org. hostmaster.example.org. %d 3600 600 604800 60"
	want := []string{
		fmt.Sprintf(zone+soa, 1), "example.org NS 1m0s ns1.example.org", `example.org CAA 1m0s 0 issue "x"`,
		`my\032printer.example.org A 1m0s 192.0.2.1`, `www.example.org HTTPS 1m0s 1 lb.example.net. alpn="h2"`, `odd.example.org TYPE65280 1m0s \# 2 abcd`,
	}
	sets, version, err := z.Transfer(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	requireRows(t, sets, want)
	if version.Serial != 1 || version.MName != "ns.example.org" {
		t.Errorf("the SOA is %+v", version)
	}
	later, version, err := z.Transfer(t.Context(), zone)
	if err != nil || version.Serial != 2 {
		t.Fatalf("the SOA is %+v (%v)", version, err)
	}
	want[0], want[1], want[2] = fmt.Sprintf(zone+soa, 2), "example.org NS 1m0s ns1.example.org ns2.example.org", want[5]
	requireRows(t, later, want[:5])
	same, _, err := z.Transfer(t.Context(), zone)
	if err != nil || &same[0] != &later[0] {
		t.Errorf("an unchanged zone is another slice (%v)", err)
	}
	z.Forget(zone)
	if _, _, err := z.Transfer(t.Context(), zone); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AXFR", "SOA", "IXFR", "SOA", "AXFR"}, f.questions()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestOwnNameServersAreNeverWithout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"others": {"@ NS 60 a.example.net b.example.net", "@ NS 60 b.example.net c.example.net", []string{
			"is example.org. NS a.example.net.", "is example.org. NS b.example.net.",
			"add example.org. NS b.example.net.", "add example.org. NS c.example.net.", "remove example.org. NS a.example.net."}},
		"another TTL": {"@ NS 60 a.example.net", "@ NS 90 a.example.net", []string{
			"is example.org. NS a.example.net.",
			"add example.org. NS a.example.net.", "add example.org. NS spokedns.invalid.", "remove example.org. NS spokedns.invalid."}},
		"a delegation": {"sub NS 60 a.example.net", "sub NS 60 b.example.net", []string{
			"is sub.example.org. NS a.example.net.", "delete sub.example.org. NS", "add sub.example.org. NS b.example.net."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t, func(q *dns.Msg) []*dns.Msg { return rcode(q, dns.RcodeSuccess) })
			if err := f.zones().Apply(t.Context(), zone, []backend.Change{replace(c.from, c.to)}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, sections(f.seen()[0])); diff != "" {
				t.Errorf("the update (-want +got):\n%s", diff)
			}
		})
	}
}

// soaServer is a server that counts the serial up by itself with every question.
type soaServer struct {
	serial atomic.Uint32
	retry  atomic.Uint32
	steps  uint32
	obeys  bool
}

func (s *soaServer) answer(q *dns.Msg) []*dns.Msg {
	if q.Opcode == dns.OpcodeUpdate {
		for _, rr := range q.Ns {
			if soa, ok := rr.(*dns.SOA); ok && s.obeys && rfc2136.Newer(soa.Serial, s.serial.Load()) {
				s.serial.Store(soa.Serial)
				s.retry.Store(soa.Retry)
			}
		}
		return rcode(q, dns.RcodeSuccess)
	}
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	rr, err := dns.NewRR(fmt.Sprintf("example.org. 60 SOA ns.example.org. hostmaster.example.org. %d 3600 %d 604800 60", s.serial.Load(), s.retry.Load()))
	if err != nil {
		panic(err)
	}
	m.Answer = append(m.Answer, rr)
	s.serial.Add(s.steps)
	return []*dns.Msg{m}
}

func soaChange(from, to rfc2136.SOA) backend.Change {
	rrset := func(s rfc2136.SOA) *backend.RRset {
		return &backend.RRset{Key: backend.Key{Name: zone, Type: "SOA"}, TTL: time.Minute, Values: []string{s.Value()}}
	}
	return backend.Change{Old: rrset(from), New: rrset(to)}
}

func TestTheSOAWinsOrIsReported(t *testing.T) {
	t.Parallel()
	live := rfc2136.SOA{MName: "ns.example.org", RName: "hostmaster.example.org", Serial: 4294967290, Refresh: 3600, Retry: 600, Expire: 604800, Minimum: 60}
	wish := live
	wish.Retry = 77
	for name, c := range map[string]struct {
		server  *soaServer
		from    rfc2136.SOA
		to      rfc2136.SOA
		kind    backend.Kind
		says    string // words of the error, "" for none
		updates int
	}{
		"as it is":             {&soaServer{obeys: true}, live, live, 0, "", 0},
		"as it is but later":   {&soaServer{obeys: true, steps: 3}, live, live, 0, "", 0},
		"at rest":              {&soaServer{obeys: true}, live, wish, 0, "", 1},
		"over the end of 32 b": {&soaServer{obeys: true, steps: 0}, live, func() rfc2136.SOA { s := wish; s.Serial = 3; return s }(), 0, "", 1},
		"obeys nobody":         {&soaServer{}, live, wish, backend.Temporary, "another one", 4},
		"runs away":            {&soaServer{obeys: true, steps: 5}, live, wish, backend.Temporary, "another one", 4},
		"another stands":       {&soaServer{obeys: true}, wish, func() rfc2136.SOA { s := wish; s.Retry = 78; return s }(), backend.Conflict, "something else", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.server.serial.Store(live.Serial)
			c.server.retry.Store(live.Retry)
			f := startFake(t, c.server.answer)
			err := f.zones().Apply(t.Context(), zone, []backend.Change{soaChange(c.from, c.to)})
			if (err == nil) != (c.says == "") || err != nil && (backend.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("want a %s error that says %q, got %v", c.kind, c.says, err)
			}
			updates := 0
			for _, q := range f.questions() {
				if q == "UPDATE" {
					updates++
				}
			}
			if updates != c.updates {
				t.Errorf("%d updates, want %d", updates, c.updates)
			}
			if c.says == "" && c.to.Retry != c.server.retry.Load() {
				t.Errorf("the server has %d", c.server.retry.Load())
			}
			if c.says == "" && rfc2136.Newer(c.to.Serial, c.server.serial.Load()) {
				t.Errorf("the server is at serial %d, want at least %d", c.server.serial.Load(), c.to.Serial)
			}
		})
	}
}

func TestTheSOAStandsByItself(t *testing.T) {
	t.Parallel()
	s := &soaServer{obeys: true}
	s.serial.Store(1)
	s.retry.Store(600)
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if adds(q, "bad.") {
			return rcode(q, dns.RcodeRefused)
		}
		return s.answer(q)
	})
	wish := rfc2136.SOA{MName: "ns.example.org", RName: "hostmaster.example.org", Refresh: 3600, Retry: 77, Expire: 604800, Minimum: 60}
	live := wish
	live.Retry = 600
	broken := soaChange(live, wish)
	broken.New = &backend.RRset{Key: broken.New.Key, Values: []string{"nonsense"}}
	err := f.zones().Apply(t.Context(), zone, []backend.Change{
		in("u", create("bad A 60 192.0.2.1")), in("u", soaChange(live, wish)), broken, create("@ A 60 192.0.2.1"),
	})
	var named []string
	for _, e := range backend.Errors(err) {
		named = append(named, e.Kind.String()+" "+e.Key.String())
	}
	slices.Sort(named)
	if diff := cmp.Diff([]string{"denied bad.example.org A", "rejected example.org SOA"}, named); diff != "" || s.retry.Load() != 77 {
		t.Errorf("the SOA has %d, refused are (-want +got):\n%s\n%v", s.retry.Load(), diff, err)
	}
}

func TestFewConnectionsAreKept(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		m := message(t, q, "SOA 1", "SOA 1")
		for i := range m.Answer {
			m.Answer[i].Header().Name = q.Question[0].Name
		}
		return []*dns.Msg{m}
	})
	z := f.zones()
	for round := range 3 {
		for i := range 50 {
			if _, _, err := z.Transfer(t.Context(), fmt.Sprintf("z%d.example.org", i)); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
	}
	if n := f.most.Load(); n > 20 { // it may see late that some were closed
		t.Errorf("%d connections were open at once", n)
	}
}

func TestZonesEndWithTheirContext(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(*dns.Msg) []*dns.Msg { return []*dns.Msg{} })
	z := f.zones()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("the budget is spent")) })
	_, asked := z.SOA(ctx, zone)
	_, probed := z.Probe(ctx)
	for what, err := range map[string]error{"SOA": asked, "probe": probed, "answers": z.Answers(ctx, zone, []backend.RRset{*set("www A 60 192.0.2.1")})[0]} {
		if backend.KindOf(err) != backend.Temporary || err == nil || !strings.Contains(err.Error(), "the budget is spent") {
			t.Errorf("%s: want the cause, got %v", what, err)
		}
	}
}
