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
)

// set is an RRset from "www A 60 192.0.2.1 192.0.2.2"; the name is relative to the zone, "@" is its own.
func set(line string) *backend.RRset {
	f := strings.Fields(line)
	name := f[0] + "." + zone
	if f[0] == "@" {
		name = zone
	}
	ttl, err := time.ParseDuration(f[2] + "s")
	if err != nil {
		panic(err)
	}
	return &backend.RRset{Key: backend.Key{Name: name, Type: f[1]}, TTL: ttl, Values: f[3:]}
}

func create(line string) backend.Change            { return backend.Change{New: set(line)} }
func remove(line string) backend.Change            { return backend.Change{Old: set(line)} }
func replace(from, to string) backend.Change       { return backend.Change{Old: set(from), New: set(to)} }
func in(u string, c backend.Change) backend.Change { c.Unit = u; return c }

// sections is an UPDATE as text: what it requires, deletes and adds.
func sections(m *dns.Msg) []string {
	var out []string
	for _, rr := range m.Answer {
		h := rr.Header()
		verb := map[uint16]string{dns.ClassNONE: "none", dns.ClassANY: "some", dns.ClassINET: "is"}[h.Class]
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", verb, h.Name, dns.TypeToString[h.Rrtype], data(rr))))
	}
	for _, rr := range m.Ns {
		h := rr.Header()
		verb := map[uint16]string{dns.ClassANY: "delete", dns.ClassINET: "add", dns.ClassNONE: "remove"}[h.Class]
		rdata := data(rr)
		if h.Class == dns.ClassNONE {
			rdata = strings.TrimPrefix(rr.String(), h.String())
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", verb, h.Name, dns.TypeToString[h.Rrtype], rdata)))
	}
	return out
}

func data(rr dns.RR) string {
	if rr.Header().Class != dns.ClassINET {
		return ""
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

func TestApplyGuardsEveryChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		changes []backend.Change
		want    []string
	}{
		"create": {[]backend.Change{create("www A 60 192.0.2.1")},
			[]string{"none www.example.org. ANY", "add www.example.org. A 192.0.2.1"}},
		"create at the zone's name": {[]backend.Change{create("@ A 60 192.0.2.1"), create("@ AAAA 60 2001:db8::1")},
			[]string{"none example.org. A", "none example.org. CNAME", "none example.org. AAAA", "add example.org. A 192.0.2.1", "add example.org. AAAA 2001:db8::1"}},
		"create beside a change": {[]backend.Change{create("www AAAA 60 2001:db8::1"), replace("www A 60 192.0.2.1", "www A 60 192.0.2.2")},
			[]string{"none www.example.org. AAAA", "none www.example.org. CNAME", "is www.example.org. A 192.0.2.1",
				"delete www.example.org. A", "add www.example.org. AAAA 2001:db8::1", "add www.example.org. A 192.0.2.2"}},
		"create two types of a name": {[]backend.Change{create("www A 60 192.0.2.1"), create("www AAAA 60 2001:db8::1")},
			[]string{"none www.example.org. ANY",
				"add www.example.org. A 192.0.2.1", "add www.example.org. AAAA 2001:db8::1"}},
		"create an alias": {[]backend.Change{create("www CNAME 60 lb.example.net")},
			[]string{"none www.example.org. ANY", "add www.example.org. CNAME lb.example.net."}},
		"replace": {[]backend.Change{replace("www A 60 192.0.2.1 192.0.2.2", "www A 60 192.0.2.3")},
			[]string{"is www.example.org. A 192.0.2.1", "is www.example.org. A 192.0.2.2", "delete www.example.org. A", "add www.example.org. A 192.0.2.3"}},
		"delete": {[]backend.Change{remove("www A 60 192.0.2.1")}, []string{"is www.example.org. A 192.0.2.1", "delete www.example.org. A"}},
		"delete and create again": {[]backend.Change{remove("www A 60 192.0.2.1"), create("www A 60 192.0.2.2")},
			[]string{"is www.example.org. A 192.0.2.1", "delete www.example.org. A", "add www.example.org. A 192.0.2.2"}},
		"create and delete again": {[]backend.Change{create("www A 60 192.0.2.1"), remove("www A 60 192.0.2.1"), create("www TXT 60 x")},
			[]string{"none www.example.org. ANY", `add www.example.org. TXT "x"`}},
		"swap for an alias": {[]backend.Change{in("u", create("www CNAME 60 lb.example.net")), in("u", remove("www A 60 192.0.2.1"))},
			[]string{"none www.example.org. AAAA", "none www.example.org. CNAME", "none www.example.org. MX", "none www.example.org. NAPTR",
				"none www.example.org. NS", "none www.example.org. PTR", "none www.example.org. SRV", "none www.example.org. TXT",
				"is www.example.org. A 192.0.2.1", "delete www.example.org. A", "add www.example.org. CNAME lb.example.net."}},
		"swap for addresses": {[]backend.Change{in("u", create("www A 60 192.0.2.1")), in("u", remove("www CNAME 60 lb.example.net"))},
			[]string{"none www.example.org. A", "is www.example.org. CNAME lb.example.net.", "delete www.example.org. CNAME", "add www.example.org. A 192.0.2.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t, func(q *dns.Msg) []*dns.Msg { return rcode(q, dns.RcodeSuccess) })
			if err := f.open().Apply(t.Context(), zone, c.changes); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"UPDATE"}, f.questions()); diff != "" {
				t.Fatalf("asked (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, sections(f.seen()[0])); diff != "" {
				t.Errorf("the update (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplyDecidesWhenTheNameIsInUse(t *testing.T) {
	t.Parallel()
	updates := 0
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if q.Opcode != dns.OpcodeUpdate {
			return []*dns.Msg{message(t, q, "SOA 1", "www 60 TXT x", "done 60 A 192.0.2.2", "SOA 1")}
		}
		if updates++; updates == 1 {
			return rcode(q, dns.RcodeYXDomain)
		}
		return rcode(q, dns.RcodeSuccess)
	})
	err := f.open().Apply(t.Context(), zone, []backend.Change{create("www A 60 192.0.2.1"), create("done A 60 192.0.2.2")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"none www.example.org. A", "none www.example.org. CNAME", "add www.example.org. A 192.0.2.1"}
	if diff := cmp.Diff(want, sections(f.seen()[2])); diff != "" {
		t.Errorf("the second update (-want +got):\n%s", diff)
	}
}

func hosts(n int) []backend.Change {
	var changes []backend.Change
	for i := range n {
		changes = append(changes, create(fmt.Sprintf("host%05d A 60 192.0.2.%d", i, i%256)))
	}
	return changes
}

// adds reports whether the update adds a record of a name that contains part.
func adds(m *dns.Msg, part string) bool {
	return slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return strings.Contains(rr.Header().Name, part) })
}

func TestApplyFindsTheGuilty(t *testing.T) {
	t.Parallel()
	for _, code := range []int{dns.RcodeRefused, dns.RcodeFormatError, dns.RcodeServerFailure} {
		t.Run(dns.RcodeToString[code], func(t *testing.T) {
			t.Parallel()
			var added atomic.Int64
			f := startFake(t, func(q *dns.Msg) []*dns.Msg {
				if adds(q, "host00123") || adds(q, "host00700") {
					return rcode(q, code)
				}
				added.Add(int64(len(q.Ns)))
				return rcode(q, dns.RcodeSuccess)
			})
			err := f.open().Apply(t.Context(), zone, hosts(1000))
			var named []string
			for _, e := range backend.Errors(err) {
				named = append(named, e.Key.String())
			}
			if want := []string{"host00123.example.org A", "host00700.example.org A"}; !slices.Equal(named, want) {
				t.Errorf("%v are named, want %v: %v", named, want, err)
			}
			if n := added.Load(); n != 998 {
				t.Errorf("%d records were added, want all but two of 1000", n)
			}
			if n := len(f.seen()); n > 100 {
				t.Errorf("%d messages to find two of a thousand", n)
			}
		})
	}
}

func TestApplyRefusedAltogetherAsksOnce(t *testing.T) {
	t.Parallel()
	for code, kind := range map[int]backend.Kind{
		dns.RcodeRefused: backend.Denied, dns.RcodeNotAuth: backend.Rejected, dns.RcodeNotZone: backend.Rejected,
		dns.RcodeNotImplemented: backend.Rejected, dns.RcodeServerFailure: backend.Temporary,
	} {
		t.Run(dns.RcodeToString[code], func(t *testing.T) {
			t.Parallel()
			f := startFake(t, func(q *dns.Msg) []*dns.Msg { return rcode(q, code) })
			err := f.open().Apply(t.Context(), zone, hosts(1000))
			all := backend.Errors(err)
			if len(all) != 1 || all[0].Kind != kind || all[0].Key != (backend.Key{}) || !strings.Contains(err.Error(), f.addr) {
				t.Errorf("want one %s error about the zone, got: %v", kind, err)
			}
			if n := len(f.seen()); n > 2 {
				t.Errorf("%d messages to learn that nothing is taken", n)
			}
		})
	}
}

func TestApplyFillsMessages(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(q *dns.Msg) []*dns.Msg { return rcode(q, dns.RcodeSuccess) })
	if err := f.open().Apply(t.Context(), zone, hosts(10_000)); err != nil {
		t.Fatal(err)
	}
	// A host takes 12+10 bytes of prerequisite and 2+10+4 of change, or 12+10+4 where no pointer reaches.
	if n := len(f.seen()); n > 7 {
		t.Errorf("%d messages for 10,000 records, 7 can hold them", n)
	}
}

func TestApplyStopsBetweenMessages(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	messages := 0
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if messages++; messages == 3 {
			cancel(errors.New("the budget is spent"))
		}
		return rcode(q, dns.RcodeSuccess)
	})
	err := f.open().Apply(ctx, zone, hosts(10_000))
	if backend.KindOf(err) != backend.Temporary || err == nil || !strings.Contains(err.Error(), "the budget is spent") || !strings.Contains(err.Error(), "of 10000 changes made") {
		t.Errorf("want a temporary error with the progress and the cause, got: %v", err)
	}
	if n := len(f.seen()); n != 3 {
		t.Errorf("%d messages were sent, want 3", n)
	}
}

func TestApplyGivesASlowServerLess(t *testing.T) {
	t.Parallel()
	const bearable = 20
	zoneEnds := make(chan struct{})
	var held atomic.Int64
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if q.Opcode != dns.OpcodeUpdate {
			return []*dns.Msg{message(t, q, "SOA 1", "SOA 1")}
		}
		if len(q.Ns) > bearable {
			<-zoneEnds
			return nil
		}
		held.Add(int64(len(q.Ns)))
		return rcode(q, dns.RcodeSuccess)
	})
	defer close(zoneEnds)
	b, err := rfc2136.New(rfc2136.Config{Servers: []string{f.addr}, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	pending := hosts(200)
	for calls := 0; len(pending) > 0; calls++ {
		if calls > 50 {
			t.Fatalf("%d of 200 records were written in 50 calls", held.Load())
		}
		if err := b.Apply(t.Context(), zone, pending); err != nil && backend.KindOf(err) != backend.Temporary {
			t.Fatal(err)
		}
		pending = hosts(200)[held.Load():]
	}
}

func TestApplyGivesUpOnWhatKeepsChanging(t *testing.T) {
	t.Parallel()
	serial := 0
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		if q.Opcode == dns.OpcodeUpdate {
			return rcode(q, dns.RcodeYXRrset)
		}
		serial++ // another version every time, and never what stands in the way
		soa := fmt.Sprintf("SOA %d", serial)
		return []*dns.Msg{message(t, q, soa, soa)}
	})
	err := f.open().Apply(t.Context(), zone, hosts(1))
	if backend.KindOf(err) != backend.Conflict || len(backend.Errors(err)) != 1 {
		t.Errorf("want one conflict, got: %v", err)
	}
	if n := len(f.seen()); n > 20 {
		t.Errorf("%d messages until it gave up", n)
	}
}

func TestApplyRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(q *dns.Msg) []*dns.Msg { return rcode(q, dns.RcodeSuccess) })
	b := f.open()
	for name, changes := range map[string][]backend.Change{
		"outside the zone":  {{New: &backend.RRset{Key: backend.Key{Name: "www.example.net", Type: "A"}, Values: []string{"192.0.2.1"}}}},
		"the zone's NS":     {{Old: set("@ NS 60 ns.example.net")}},
		"an unknown type":   {create("www HINFO 60 x")},
		"no address":        {create("www A 60 nonsense")},
		"an alias at apex":  {create("@ CNAME 60 lb.example.net")},
		"an empty label":    {create("a..b A 60 192.0.2.1")},
		"a label too long":  {create(strings.Repeat("l", 64) + " A 60 192.0.2.1")},
		"no values":         {create("www A 60")},
		"a unit in company": {in("u", create("good A 60 192.0.2.1")), in("u", create("bad A 60 nonsense"))},
	} {
		err := b.Apply(t.Context(), zone, append(changes, create("fine A 60 192.0.2.9")))
		if backend.KindOf(err) != backend.Rejected || len(backend.Errors(err)) != len(changes) {
			t.Errorf("%s: want %d rejected, got: %v", name, len(changes), err)
		}
		if last := f.seen()[len(f.seen())-1]; !adds(last, "fine.") || adds(last, "good.") {
			t.Errorf("%s: the update is %v", name, sections(last))
		}
	}
}
