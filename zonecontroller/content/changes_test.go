package content_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

const heritage = "heritage=external-dns,external-dns/owner=hub,external-dns/resource=ingress/shop/www"

// own are the RRsets every zone has.
func own() []backend.RRset {
	return []backend.RRset{
		set("example.org", "SOA", 300, soa(5, 3600)), set("example.org", "NS", 300, "ns1.example.org"), set("ns1.example.org", "A", 300, "192.0.2.53"),
	}
}

// shown are changes as text: "+" for new, "-" for old.
func shown(changes []backend.Change) []string {
	var all []string
	for _, c := range changes {
		line := c.Key().String()
		if c.Old != nil {
			line += fmt.Sprintf(" -%d%q", int(c.Old.TTL.Seconds()), c.Old.Values)
		}
		if c.New != nil {
			line += fmt.Sprintf(" +%d%q", int(c.New.TTL.Seconds()), c.New.Values)
		}
		all = append(all, line)
	}
	return all
}

func TestChanges(t *testing.T) {
	t.Parallel()
	www := set("www.example.org", "A", 300, "192.0.2.1")
	other := set("www.example.org", "A", 300, "192.0.2.2")
	alias := set("www.example.org", "CNAME", 300, "host.example.net")
	mark := set("a-www.example.org", "TXT", 300, heritage)
	sets := func(s ...backend.RRset) []backend.RRset { return s }
	for name, c := range map[string]struct {
		wanted, live []backend.RRset // beside the zone's own
		ours         string          // keys, by "; "
		want         []string
		conflicts    map[string]string // key → part of what is said
	}{
		"nothing":                  {},
		"a new one":                {wanted: sets(www), want: []string{`www.example.org A +300["192.0.2.1"]`}},
		"one that stands":          {wanted: sets(www), live: sets(www)},
		"another TTL":              {wanted: sets(www), live: sets(set("www.example.org", "A", 60, "192.0.2.1")), want: []string{`www.example.org A -60["192.0.2.1"] +300["192.0.2.1"]`}},
		"other values, ours":       {wanted: sets(www), live: sets(other), ours: "www.example.org A", want: []string{`www.example.org A -300["192.0.2.2"] +300["192.0.2.1"]`}},
		"other values, not ours":   {wanted: sets(www), live: sets(other), conflicts: map[string]string{"www.example.org A": `stands in DNS with ["192.0.2.2"]: it is not ours`}},
		"not wanted, ours":         {live: sets(www), ours: "www.example.org A", want: []string{`www.example.org A -300["192.0.2.1"]`}},
		"not wanted, not ours":     {live: sets(www)},
		"ours, and gone":           {ours: "www.example.org A"},
		"a CNAME instead, ours":    {wanted: sets(alias), live: sets(www), ours: "www.example.org A", want: []string{`www.example.org CNAME +300["host.example.net"]`, `www.example.org A -300["192.0.2.1"]`}},
		"beside a CNAME, not ours": {wanted: sets(www), live: sets(alias), conflicts: map[string]string{"www.example.org A": "www.example.org CNAME stands at the name"}},
		"a CNAME beside, not ours": {wanted: sets(alias), live: sets(www), conflicts: map[string]string{"www.example.org CNAME": "www.example.org A stands at the name"}},
		"beside others, not ours":  {wanted: sets(www), live: sets(set("www.example.org", "TXT", 300, "x")), want: []string{`www.example.org A +300["192.0.2.1"]`}},
		"addresses first, deletions last": {
			wanted: sets(set("a.example.org", "MX", 300, "10 z.example.org"), set("z.example.org", "A", 300, "192.0.2.1")),
			live:   sets(set("b.example.org", "A", 300, "192.0.2.9")), ours: "b.example.org A",
			want: []string{`z.example.org A +300["192.0.2.1"]`, `a.example.org MX +300["10 z.example.org"]`, `b.example.org A -300["192.0.2.9"]`},
		},
		"external-dns's, with the wished values": {wanted: sets(www), live: sets(www, mark), conflicts: map[string]string{"www.example.org A": `belongs to external-dns "hub" by the TXT record at a-www.example.org`}},
		"external-dns's, not there yet":          {wanted: sets(www), live: sets(mark), conflicts: map[string]string{"www.example.org A": "belongs to external-dns"}},
		"external-dns's, once ours":              {wanted: sets(www), live: sets(other, mark), ours: "www.example.org A", conflicts: map[string]string{"www.example.org A": "belongs to external-dns"}},
		"external-dns's, not wanted":             {live: sets(www, mark), ours: "www.example.org A", conflicts: map[string]string{"www.example.org A": "belongs to external-dns"}},
		"of another type":                        {wanted: sets(set("www.example.org", "AAAA", 300, "2001:db8::1")), live: sets(www, mark), want: []string{`www.example.org AAAA +300["2001:db8::1"]`}},
		"a mark of ours":                         {live: sets(www, mark), ours: "www.example.org A; a-www.example.org TXT", want: []string{"a-www.example.org TXT -300" + fmt.Sprintf("[%q]", heritage), `www.example.org A -300["192.0.2.1"]`}},
		"a delegation of ours":                   {live: sets(set("child.example.org", "NS", 300, "ns.example.net")), ours: "child.example.org NS", want: []string{`child.example.org NS -300["ns.example.net"]`}},
		"somebody's delegation":                  {live: sets(set("child.example.org", "NS", 300, "ns.example.net"))},
		"a delegation of what others have": {
			wanted: sets(set("child.example.org", "NS", 300, "ns.child.example.org")), live: sets(set("www.child.example.org", "A", 300, "192.0.2.1")),
			conflicts: map[string]string{"child.example.org NS": "would delegate away www.child.example.org A, which stands in DNS"},
		},
		"a delegation of what others have at its name": {
			wanted: sets(set("child.example.org", "NS", 300, "ns.example.net")), live: sets(set("child.example.org", "TXT", 300, "x")),
			conflicts: map[string]string{"child.example.org NS": "would delegate away child.example.org TXT"},
		},
		"a delegation with what belongs to it": {
			wanted: sets(set("child.example.org", "NS", 300, "ns.child.example.org")),
			live:   sets(set("ns.child.example.org", "A", 300, "192.0.2.1"), set("child.example.org", "DS", 300, "1 13 2 00"), set("grandchild.example.org", "A", 300, "192.0.2.1")),
			want:   []string{`child.example.org NS +300["ns.child.example.org"]`},
		},
		"a delegation that was ours before what others have": {
			wanted: sets(set("child.example.org", "NS", 300, "ns.example.net")), live: sets(set("www.child.example.org", "A", 300, "192.0.2.1")), ours: "child.example.org NS",
			want: []string{`child.example.org NS +300["ns.example.net"]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			keys := strings.Split(c.ours, "; ")
			ours := func(k backend.Key) bool { return slices.Contains(keys, k.String()) }
			changes, conflicts := content.Changes(append(own(), c.wanted...), ours, append(own(), c.live...))
			if diff := cmp.Diff(c.want, shown(changes)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for key, err := range conflicts {
				owned := (*content.Owned)(nil)
				if !errors.Is(err, content.ErrNotOurs) && !errors.As(err, &owned) {
					t.Errorf("%v is of no kind that anybody can tell", err)
				}
				if says, ok := c.conflicts[key.String()]; !ok || !strings.Contains(err.Error(), says) {
					t.Errorf("%v: %v, want %q", key, err, says)
				}
			}
			if len(conflicts) != len(c.conflicts) {
				t.Errorf("%v, want %v", conflicts, c.conflicts)
			}
		})
	}
}

// The zone's own NS records are ours without anybody having noted it; its SOA is somebody else's to decide.
func TestChangesOfTheZonesOwn(t *testing.T) {
	t.Parallel()
	nobody := func(backend.Key) bool { return false }
	live := []backend.RRset{set("example.org", "SOA", 60, soa(9, 1)), set("example.org", "NS", 60, "ns9.example.net")}
	changes, conflicts := content.Changes(own(), nobody, live)
	want := []string{`ns1.example.org A +300["192.0.2.53"]`, `example.org NS -60["ns9.example.net"] +300["ns1.example.org"]`}
	if diff := cmp.Diff(want, shown(changes)); diff != "" || len(conflicts) > 0 {
		t.Errorf("%v (-want +got):\n%s", conflicts, diff)
	}
	for name, live := range map[string][]backend.RRset{"with SOA": live, "without": live[1:]} {
		if changes, conflicts := content.Changes(nil, func(backend.Key) bool { return true }, live); len(changes) > 0 || len(conflicts) > 0 {
			t.Errorf("%s, nothing wanted: %v, %v; want the zone's own left", name, shown(changes), conflicts)
		}
	}
}

// drawSets are RRsets of few names.
func drawSets(t *rapid.T, label string) []backend.RRset {
	values := map[string][]string{"A": {"192.0.2.1", "192.0.2.2"}, "TXT": {"a", heritage}, "CNAME": {"a.example.net", "b.example.net"}, "NS": {"ns.example.net"}, "MX": {"10 a.example.net", "20 b.example.net"}}
	names := []string{"www.example.org", "a-www.example.org", "cname-www.example.org", "child.example.org", "edns.a-child.example.org"}
	sets := own()
	for _, name := range names {
		for _, typ := range []string{"A", "CNAME", "MX", "NS", "TXT"} {
			if rapid.IntRange(0, 2).Draw(t, label+" has "+name+" "+typ) > 0 {
				continue
			}
			s := set(name, typ, rapid.IntRange(1, 2).Draw(t, label+" TTL"), rapid.SampledFrom(values[typ]).Draw(t, label+" value"))
			alone := !slices.ContainsFunc(sets, func(o backend.RRset) bool { return o.Name == name && (o.Type == "CNAME" || typ == "CNAME") })
			if alone {
				sets = append(sets, s)
			}
		}
	}
	return sets
}

// apply is what a server holds afterwards; a change that does not fit what stands is a mistake of the decision.
func apply(t *rapid.T, live []backend.RRset, changes []backend.Change) []backend.RRset {
	after := map[backend.Key]backend.RRset{}
	for _, s := range live {
		after[s.Key] = s
	}
	for _, c := range changes {
		there, ok := after[c.Key()]
		current := &there
		if !ok {
			current = nil
		}
		if write, err := backend.Decide(current, c); err != nil || !write {
			t.Errorf("%v: write %v, %v", shown([]backend.Change{c}), write, err)
		}
		if c.New == nil {
			delete(after, c.Key())
		} else {
			after[c.Key()] = *c.New
		}
	}
	var sets []backend.RRset
	for _, s := range after {
		sets = append(sets, s)
	}
	return sets
}

func TestChangesLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wanted, live := drawSets(t, "wanted"), drawSets(t, "live")
		noted := map[backend.Key]bool{}
		for _, s := range append(slices.Clone(wanted), live...) {
			if rapid.Bool().Draw(t, "noted "+s.Key.String()) {
				noted[s.Key] = true
			}
		}
		ours := func(k backend.Key) bool { return noted[k] }
		changes, conflicts := content.Changes(wanted, ours, live)
		is := map[backend.Key]bool{}
		for _, s := range wanted {
			is[s.Key] = true
		}
		stood := map[backend.Key]backend.RRset{}
		for _, s := range live {
			stood[s.Key] = s
		}
		for _, c := range changes {
			before, there := stood[c.Key()]
			switch {
			case !is[c.Key()] && !noted[c.Key()]:
				t.Errorf("%s is neither wanted nor ours", c.Key())
			case conflicts[c.Key()] != nil:
				t.Errorf("%s is changed in spite of %v", c.Key(), conflicts[c.Key()])
			case there && !noted[c.Key()] && !before.Same(c.New) && c.Key().String() != "example.org NS":
				t.Errorf("%s is overwritten and is not ours", c.Key())
			}
		}
		after := apply(t, live, changes)
		for _, s := range wanted {
			if s.Type != "SOA" && conflicts[s.Key] == nil && !slices.ContainsFunc(after, func(o backend.RRset) bool { return o.Same(&s) && o.TTL == s.TTL }) {
				t.Errorf("%s is wanted, and neither there nor in conflict", s.Key)
			}
		}
		for _, s := range after {
			if s.Type == "CNAME" && slices.ContainsFunc(after, func(o backend.RRset) bool { return o.Name == s.Name && o.Type != "CNAME" }) {
				t.Errorf("%s stands beside others", s.Key)
			}
		}
		for _, s := range wanted {
			noted[s.Key] = noted[s.Key] || conflicts[s.Key] == nil // as the ledger has it
		}
		if again, _ := content.Changes(wanted, ours, after); len(again) > 0 {
			t.Errorf("the second time: %v", shown(again))
		}
	})
}
