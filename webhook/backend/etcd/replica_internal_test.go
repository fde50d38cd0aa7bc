package etcd

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

// store is what an etcd would hold, in memory.
type store map[string]string

func (s store) replica() *replica {
	r := newReplica(testLayout, slog.New(slog.DiscardHandler), len(s))
	for _, key := range slices.Sorted(maps.Keys(s)) {
		r.add(key, []byte(s[key]), 1)
	}
	return r
}

// apply carries a plan out.
func (s store) apply(p *plan) {
	for _, w := range p.puts {
		s[w.key] = w.value
	}
	for _, h := range p.dels {
		delete(s, h.key)
	}
	for _, a := range p.above {
		g := guard(a.name)
		s[p.guardKey(a.name)] = g.encode()
	}
}

func sorted(sets []backend.RRset) []backend.RRset {
	return slices.SortedFunc(slices.Values(sets), func(a, b backend.RRset) int { return strings.Compare(a.Key.String(), b.Key.String()) })
}

// A replica that follows changes lists the same as one that reads everything anew; a list that was given
// out never changes; and without a change it is the very same one.
func TestReplicaFollows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			tail := rapid.SampledFrom([]string{"/0badcafe", "/1badcafe", "/$a-0123456789", "/$txt-0123456789", "/$", ""}).Draw(t, "tail")
			few := rapid.SampledFrom([]string{"example.org", "dns.example.org", "apex.dns.example.org", "x.apex.dns.example.org", "www.example.org"})
			return testLayout.path(rapid.OneOf(few, names()).Draw(t, "name")) + tail
		}), 1, 6).Draw(t, "keys")
		values := rapid.SampledFrom([]string{
			`{"host":"192.0.2.1","targetstrip":1}`, `{"host":"192.0.2.2"}`, `{"host":"2001:db8::1","text":"\"both\"","targetstrip":1}`,
			`{"text":"text"}`, `{"host":"lb.example.net","ttl":60}`, `{`, `{}`,
		})
		s := store{}
		r := s.replica()
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			before := r.rrsets()
			remembered := slices.Clone(before)
			key := rapid.SampledFrom(keys).Draw(t, "key")
			if rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				delete(s, key)
				r.remove(key)
			} else {
				s[key] = values.Draw(t, "value")
				r.put(key, []byte(s[key]), int64(i+2))
			}
			after := r.rrsets()
			if diff := cmp.Diff(sorted(s.replica().rrsets()), sorted(after)); diff != "" {
				t.Fatalf("after %s = %s (-anew +followed):\n%s", key, s[key], diff)
			}
			if diff := cmp.Diff(remembered, before); diff != "" {
				t.Fatalf("an older list changed (-was +is):\n%s", diff)
			}
			if again := r.rrsets(); len(again) > 0 && &again[0] != &after[0] {
				t.Fatal("nothing changed, but the list is another one")
			}
			if anew := s.replica(); !maps.Equal(anew.below, r.below) || len(anew.broken) != len(r.broken) || len(anew.others) != len(r.others) {
				t.Fatalf("counts drifted: %v, %v; anew %v, %v", r.below, r.others, anew.below, anew.others)
			}
		}
	})
}

// After a plan the store holds what was asked for, in keys of ours only, and the same plan is idle.
func TestPlanReachesItsGoal(t *testing.T) {
	limits := limitsOf(testConfig())
	rapid.Check(t, func(t *rapid.T) {
		s := store{}
		standing := map[backend.Key]backend.RRset{}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			set := sets().Draw(t, "set")
			c := backend.Change{New: &set}
			if old, ok := standing[set.Key]; ok {
				c.Old = &old
				if rapid.Bool().Draw(t, "delete") {
					c.New = nil
				}
			}
			p, refused := s.replica().plan([]backend.Change{c}, 1, limits)
			if refused != nil {
				if refused.kind != backend.Conflict || !aliasBeside(standing, set) {
					t.Fatalf("%s is refused: %v", set.Key, refused.err)
				}
				continue
			}
			s.apply(p)
			delete(standing, set.Key)
			if c.New != nil {
				standing[set.Key] = set
			}
			r := s.replica()
			if diff := cmp.Diff(sorted(slices.Collect(maps.Values(standing))), sorted(r.rrsets())); diff != "" {
				t.Fatalf("after %s (-want +got):\n%s", set.Key, diff)
			}
			if again, refused := r.plan([]backend.Change{c}, 1, limits); refused != nil || !again.idle() {
				t.Fatalf("the same change again: %+v %+v", again, refused)
			}
			for name := range r.below {
				if _, guarded := r.guards[name]; !guarded {
					t.Fatalf("nothing guards %s", name)
				}
			}
		}
	})
}

func aliasBeside(standing map[backend.Key]backend.RRset, set backend.RRset) bool {
	for key := range standing {
		if key.Name == set.Name && key.Type != set.Type && (key.Type == "CNAME" || set.Type == "CNAME") {
			return true
		}
	}
	return false
}

func TestPlanHealsKeysOfOthers(t *testing.T) {
	s := store{
		"/skydns/org/example/www/0badcafe": `{"host":"192.0.2.1","text":"\"note\"","ttl":60,"targetstrip":1}`,
		"/skydns/org/example/www/1badcafe": `{"host":"192.0.2.2","ttl":60,"targetstrip":1}`,
		"/skydns/org/example/api/2badcafe": `{"host":"192.0.2.3","ttl":60,"targetstrip":1}`,
	}
	www := backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, TTL: time.Minute, Values: []string{"192.0.2.1", "192.0.2.2"}}
	p, refused := s.replica().plan([]backend.Change{{Old: &www, New: &www}}, 1, limitsOf(testConfig()))
	if refused != nil {
		t.Fatal(refused.err)
	}
	before := sorted(s.replica().rrsets())
	s.apply(p)
	if diff := cmp.Diff(before, sorted(s.replica().rrsets())); diff != "" {
		t.Errorf("healing changed what is listed (-before +after):\n%s", diff)
	}
	for key := range s {
		if strings.Contains(key, "/www/") && !strings.Contains(key, "/$") {
			t.Errorf("%s still stands", key)
		}
	}
	if _, untouched := s["/skydns/org/example/api/2badcafe"]; !untouched {
		t.Error("a key of another name went away")
	}
}

// A large unit that was interrupted carries on; a small one that stands otherwise is a conflict.
func TestPlanOfAnInterruptedUnit(t *testing.T) {
	limits := limitsOf(testConfig())
	for _, tt := range []struct {
		values int
		want   bool
	}{{2, false}, {300, true}} {
		key := backend.Key{Name: "big.example.org", Type: "A"}
		old, wanted := backend.RRset{Key: key, TTL: time.Minute}, backend.RRset{Key: key, TTL: time.Minute}
		for i := range tt.values {
			old.Values = append(old.Values, fmt.Sprintf("10.0.%d.%d", i>>8, i&255))
			wanted.Values = append(wanted.Values, fmt.Sprintf("10.1.%d.%d", i>>8, i&255))
		}
		slices.Sort(old.Values)
		slices.Sort(wanted.Values)
		half := old
		half.Values = slices.Sorted(slices.Values(append(slices.Clone(old.Values), wanted.Values[0])))
		s := store{}
		p, _ := s.replica().plan([]backend.Change{{New: &half}}, 1, limits)
		s.apply(p)
		p, refused := s.replica().plan([]backend.Change{{Old: &old, New: &wanted}}, 1, limits)
		if got := refused == nil; got != tt.want {
			t.Errorf("%d values, half made: planned %v, want %v", tt.values, got, tt.want)
		}
		if refused == nil && !p.large() {
			t.Errorf("%d values are said to fit into one transaction", tt.values)
		}
	}
}

func TestLimitsRefuseWhatCoreDNSCannotAnswer(t *testing.T) {
	limits := limitsOf(Config{}.withDefaults())
	for _, tt := range []struct {
		name, typ string
		values    []string
		fine      bool
	}{
		{"www.example.org", "A", []string{"192.0.2.1"}, true},
		{"*.example.org", "A", []string{"192.0.2.1"}, false},
		{"any.example.org", "A", []string{"192.0.2.1"}, false},
		{"many.example.org", "A", []string{"192.0.2.1"}, true},
		{"0/25.example.org", "A", []string{"192.0.2.1"}, false},
		{"apex.dns.example.org", "A", []string{"192.0.2.1"}, false},
		{"x.apex.dns.example.org", "TXT", []string{"x"}, false},
		{"ns.dns.example.org", "A", []string{"192.0.2.1"}, true},
		{"www.example.org", "CNAME", []string{"www.example.net"}, true},
		{"www.example.org", "CNAME", []string{"lb.www.example.org"}, false},
		{"example.org", "MX", []string{"10 mail.example.org"}, true},
		{"example.org", "MX", []string{"10 mail.example.net"}, false},
		{"_sip._tcp.example.org", "SRV", []string{"1 1 1 sip.example.net"}, true},
		{"sip.example.org", "SRV", []string{"1 1 1 sip.example.net"}, false},
		{"1.example.org", "PTR", []string{"host.example.net"}, false},
		{"note.example.org", "TXT", []string{strings.Repeat("x", 60_000)}, true},
		{"note.example.org", "TXT", []string{strings.Repeat("x", 40_000), strings.Repeat("y", 40_000)}, false},
		{"sub.example.org", "NS", []string{"ns.example.net"}, false},
	} {
		set := backend.RRset{Key: backend.Key{Name: tt.name, Type: tt.typ}, Values: tt.values}
		if err := limits.Check(testZone, set); (err == nil) != tt.fine {
			t.Errorf("%s %.80q: %v, want fine: %v", set.Key, tt.values, err, tt.fine)
		}
	}
	reverse := backend.RRset{Key: backend.Key{Name: "1.2.0.192.in-addr.arpa", Type: "PTR"}, Values: []string{"a.example.net"}}
	if err := limits.Check("2.0.192.in-addr.arpa", reverse); err != nil {
		t.Error(err)
	}
	reverse.Values = append(reverse.Values, "b.example.net")
	if err := limits.Check("2.0.192.in-addr.arpa", reverse); err == nil {
		t.Error("two PTR records of one name are accepted")
	}
}
