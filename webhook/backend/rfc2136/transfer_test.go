package rfc2136_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// transfers are messages of records; each inner slice is one message.
type transfers [][]string

func (m transfers) to(t *testing.T, q *dns.Msg) []*dns.Msg {
	var out []*dns.Msg
	for _, lines := range m {
		out = append(out, message(t, q, lines...))
	}
	return out
}

func TestListReadsAFullTransfer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		transfer transfers
		want     []string
	}{
		"an empty zone": {transfers{{"SOA 1", "@ 60 NS ns", "SOA 1"}}, nil},
		"one message":   {transfers{{"SOA 1", "www 60 A 192.0.2.1", "SOA 1"}}, []string{"www.example.org A 1m0s 192.0.2.1"}},
		"a message for each record": {
			transfers{{"SOA 1"}, {"www 60 A 192.0.2.2"}, {"www 60 A 192.0.2.1"}, {"SOA 1"}},
			[]string{"www.example.org A 1m0s 192.0.2.1 192.0.2.2"},
		},
		"RRsets in pieces": {
			transfers{{"SOA 1", "www 60 A 192.0.2.2", "x 60 TXT x", "www 60 A 192.0.2.1", "SOA 1"}},
			[]string{"www.example.org A 1m0s 192.0.2.1 192.0.2.2", "x.example.org TXT 1m0s x"},
		},
		"the zone's own NS left out, others not": {
			transfers{{"SOA 1", "@ 60 NS ns", "sub 60 NS ns", "SOA 1"}},
			[]string{"sub.example.org NS 1m0s ns.example.org"},
		},
		"other types and impossible names left out": {
			transfers{{"SOA 1", `@ 60 CAA 0 issue "x"`, `a\.b 60 A 192.0.2.1`, `x\@y 60 A 192.0.2.1`, "other.example. 60 A 192.0.2.1", "ok 60 A 192.0.2.1", "SOA 1"}},
			[]string{"ok.example.org A 1m0s 192.0.2.1"},
		},
		"mixed case and wildcards": {
			transfers{{"SOA 1", "WWW 60 CNAME LB.Example.NET.", "*.Apps 60 A 192.0.2.1", "SOA 1"}},
			[]string{"www.example.org CNAME 1m0s lb.example.net", "*.apps.example.org A 1m0s 192.0.2.1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t, func(q *dns.Msg) []*dns.Msg { return c.transfer.to(t, q) })
			sets, err := f.open().List(t.Context(), zone)
			if err != nil {
				t.Fatal(err)
			}
			requireRows(t, sets, c.want)
		})
	}
}

func requireRows(t *testing.T, sets []backend.RRset, want []string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, w := range want {
		wanted[w] = true
	}
	if diff := cmp.Diff(wanted, rows(sets)); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

func TestListIsNeverAPart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(t *testing.T, q *dns.Msg) []*dns.Msg
		kind   backend.Kind
		says   string
	}{
		"nothing": {func(*testing.T, *dns.Msg) []*dns.Msg { return nil }, backend.Temporary, "closed"},
		"no SOA at the start": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			return transfers{{"www 60 A 192.0.2.1", "SOA 1"}}.to(t, q)
		}, backend.Temporary, "does not start"},
		"another SOA at the end": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			return transfers{{"SOA 1", "www 60 A 192.0.2.1", "SOA 2"}}.to(t, q)
		}, backend.Temporary, "changed during"},
		"more after the end": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			return transfers{{"SOA 1", "www 60 A 192.0.2.1", "SOA 1", "late 60 A 192.0.2.1"}}.to(t, q)
		}, backend.Temporary, "after its end"},
		"an error in the middle": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			return append(transfers{{"SOA 1", "www 60 A 192.0.2.1"}}.to(t, q), rcode(q, dns.RcodeServerFailure)...)
		}, backend.Temporary, "SERVFAIL"},
		"refused":      {func(_ *testing.T, q *dns.Msg) []*dns.Msg { return rcode(q, dns.RcodeRefused) }, backend.Denied, "REFUSED"},
		"not its zone": {func(_ *testing.T, q *dns.Msg) []*dns.Msg { return rcode(q, dns.RcodeNotAuth) }, backend.Rejected, "not a primary of zone " + zone},
		"the answer to another question": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			m := message(t, q, "SOA 1", "SOA 1")
			m.Id++
			return []*dns.Msg{m}
		}, backend.Temporary, "something else"},
		"a truncated message": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			m := message(t, q, "SOA 1", "SOA 1")
			m.Truncated = true
			return []*dns.Msg{m}
		}, backend.Temporary, "something else"},
		"another class": {func(t *testing.T, q *dns.Msg) []*dns.Msg {
			return transfers{{"SOA 1", "www 60 CH A 192.0.2.1", "SOA 1"}}.to(t, q)
		}, backend.Temporary, "class"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t, func(q *dns.Msg) []*dns.Msg { return c.answer(t, q) })
			sets, err := f.open().List(t.Context(), zone)
			if sets != nil || err == nil {
				t.Fatalf("%d RRsets are listed, error %v; want an error alone", len(sets), err)
			}
			if backend.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "rfc2136: list example.org: ") {
				t.Errorf("the error is %s: %v; want %s and %q", backend.KindOf(err), err, c.kind, c.says)
			}
		})
	}
}

// The zone at serial 10, and what each test changes.
func base() []string {
	return []string{"SOA 10", "one 60 A 192.0.2.1", "two 60 A 192.0.2.2", "two 60 A 192.0.2.3", "three 60 TXT t", "SOA 10"}
}

func TestListFollowsDifferences(t *testing.T) {
	t.Parallel()
	one, two, three := "one.example.org A 1m0s 192.0.2.1", "two.example.org A 1m0s 192.0.2.2 192.0.2.3", "three.example.org TXT 1m0s t"
	full := []string{"SOA 13", "full 60 A 192.0.2.9", "SOA 13"}
	afterFull := []string{"full.example.org A 1m0s 192.0.2.9"}
	for name, c := range map[string]struct {
		serial string // what the SOA question gets
		ixfr   transfers
		want   []string
		asks   []string // after the first list
	}{
		"the same serial": {"10", nil, []string{one, two, three}, []string{"SOA"}},
		"one difference": {"11", transfers{{"SOA 11", "SOA 10", "one 60 A 192.0.2.1", "SOA 11", "one 30 A 192.0.2.7", "new 60 A 192.0.2.8", "SOA 11"}},
			[]string{"one.example.org A 30s 192.0.2.7", "new.example.org A 1m0s 192.0.2.8", two, three}, []string{"SOA", "IXFR"}},
		"two differences in pieces": {"12", transfers{{"SOA 12"}, {"SOA 10", "two 60 A 192.0.2.2"}, {"SOA 11"}, {"SOA 11", "three 60 TXT t", "SOA 12", "two 60 A 192.0.2.4"}, {"SOA 12"}},
			[]string{one, "two.example.org A 1m0s 192.0.2.3 192.0.2.4"}, []string{"SOA", "IXFR"}},
		"everything goes": {"11", transfers{{"SOA 11", "SOA 10", "one 60 A 192.0.2.1", "two 60 A 192.0.2.2", "two 60 A 192.0.2.3", "three 60 TXT t", "SOA 11", "SOA 11"}},
			nil, []string{"SOA", "IXFR"}},
		"nothing that is listed": {"11", transfers{{"SOA 11", "SOA 10", "SOA 11", `@ 60 CAA 0 issue "x"`, "@ 60 NS ns2", "SOA 11"}},
			[]string{one, two, three}, []string{"SOA", "IXFR"}},
		"a full answer":              {"13", transfers{full}, afterFull, []string{"SOA", "IXFR"}},
		"a full answer in pieces":    {"13", transfers{full[:1], full[1:]}, afterFull, []string{"SOA", "IXFR"}},
		"a lone SOA as of before":    {"13", transfers{{"SOA 10"}}, afterFull, []string{"SOA", "IXFR", "AXFR"}},
		"an emptied server":          {"3", transfers{{"SOA 3"}}, afterFull, []string{"SOA", "IXFR", "AXFR"}},
		"differences not known":      {"13", nil, afterFull, []string{"SOA", "IXFR", "AXFR"}},
		"what goes does not stand":   {"13", transfers{{"SOA 13", "SOA 10", "nobody 60 A 192.0.2.1", "SOA 13", "SOA 13"}}, afterFull, []string{"SOA", "IXFR", "AXFR"}},
		"what comes stands already":  {"13", transfers{{"SOA 13", "SOA 10", "SOA 13", "one 60 A 192.0.2.1", "SOA 13"}}, afterFull, []string{"SOA", "IXFR", "AXFR"}},
		"a broken chain":             {"13", transfers{{"SOA 13", "SOA 10", "SOA 11", "SOA 12", "SOA 13", "SOA 13"}}, afterFull, []string{"SOA", "IXFR", "AXFR"}},
		"text cut in an unusual way": {"13", transfers{{"SOA 13", "SOA 10", "SOA 13", `odd 60 TXT "a" "b"`, "SOA 13"}}, afterFull, []string{"SOA", "IXFR", "AXFR"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := true
			f := startFake(t, func(q *dns.Msg) []*dns.Msg {
				switch q.Question[0].Qtype {
				case dns.TypeSOA:
					return []*dns.Msg{message(t, q, "SOA "+c.serial)}
				case dns.TypeIXFR:
					if held := q.Ns[0].(*dns.SOA); held.Serial != 10 || held.Hdr.Name != zone+"." {
						t.Errorf("asked what changed since %v", held)
					}
					if c.ixfr == nil {
						return rcode(q, dns.RcodeNotImplemented)
					}
					return c.ixfr.to(t, q)
				}
				if first {
					first = false
					return transfers{base()}.to(t, q)
				}
				return transfers{full}.to(t, q)
			})
			b := f.open()
			before, err := b.List(t.Context(), zone)
			if err != nil {
				t.Fatal(err)
			}
			sets, err := b.List(t.Context(), zone)
			if err != nil {
				t.Fatal(err)
			}
			requireRows(t, sets, c.want)
			requireRows(t, before, []string{one, two, three}) // what was handed out did not change
			if asks := f.questions()[1:]; !slices.Equal(asks, c.asks) {
				t.Errorf("asked %v, want %v", asks, c.asks)
			}
		})
	}
}

func TestListAcrossTheEndOfSerialNumbers(t *testing.T) {
	t.Parallel()
	f := startFake(t, func(q *dns.Msg) []*dns.Msg {
		switch q.Question[0].Qtype {
		case dns.TypeSOA:
			return []*dns.Msg{message(t, q, "SOA 1")}
		case dns.TypeIXFR:
			return transfers{{"SOA 1"}, {"SOA 4294967295", "SOA 1", "www 60 A 192.0.2.1", "SOA 1"}}.to(t, q)
		}
		return transfers{{"SOA 4294967295", "SOA 4294967295"}}.to(t, q)
	})
	b := f.open()
	for range 2 {
		if _, err := b.List(t.Context(), zone); err != nil {
			t.Fatal(err)
		}
	}
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	requireRows(t, sets, []string{"www.example.org A 1m0s 192.0.2.1"})
	if want := []string{"AXFR", "SOA", "IXFR", "SOA"}; !slices.Equal(f.questions(), want) {
		t.Errorf("asked %v, want %v", f.questions(), want)
	}
}

// What several servers do not all hold is reported in a form that is never what is wanted.
func TestListOfSeveralServers(t *testing.T) {
	t.Parallel()
	var servers []string
	for _, zone := range [][]string{
		{"all 60 A 192.0.2.1", "value 60 A 192.0.2.1", "ttl 60 A 192.0.2.1"},
		{"all 60 A 192.0.2.1", "value 60 A 192.0.2.2", "ttl 60 A 192.0.2.1", "second 60 A 192.0.2.1"},
		{"all 60 A 192.0.2.1", "value 60 A 192.0.2.2", "ttl 90 A 192.0.2.1", "third 60 A 192.0.2.1"},
	} {
		lines := append(append([]string{"SOA 1"}, zone...), "SOA 1")
		servers = append(servers, startFake(t, func(q *dns.Msg) []*dns.Msg { return transfers{lines}.to(t, q) }).addr)
	}
	b, err := rfc2136.New(rfc2136.Config{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	sets, err := b.List(t.Context(), zone)
	if err != nil {
		t.Fatal(err)
	}
	requireRows(t, sets, []string{
		"all.example.org A 1m0s 192.0.2.1", "value.example.org A 0s 192.0.2.1 192.0.2.2", "ttl.example.org A 0s 192.0.2.1",
		"second.example.org A 0s 192.0.2.1", "third.example.org A 0s 192.0.2.1",
	})
}
