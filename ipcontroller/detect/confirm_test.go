package detect_test

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/ipcontroller/detect"
)

func TestConfirming(t *testing.T) {
	const A, B, C = "8.26.56.26", "93.184.215.14", "5.9.10.11"
	for _, tt := range []struct {
		name      string
		current   string // "" is none
		inherited bool
		router    string
		rounds    string // A, B, C: verified; h: holding; x: ambiguous
		published string // after each round: the address, "." is none; lower case while not verified
	}{
		{"the same address", "A", false, "", "A A", "A A"},
		{"the first address", "", false, "", "A A A", ". A A"},
		{"a change", "A", false, "", "B B B", "a B B"},
		{"a change seen once", "A", false, "", "B A B A", "a A a A"},
		{"a change to two", "A", false, "", "B C B C C", "a a a a C"},
		{"a change, in between no quorum", "A", false, "", "B h B B", "a a a B"},
		{"a change, in between a rival", "A", false, "", "B x B B", "a a a B"},
		{"no quorum ever", "A", false, "", "h x h", "a a a"},
		{"nothing known and no quorum", "", false, "", "h x", ". ."},
		{"another leader's address", "A", true, "", "A B B", "A a B"},
		{"another leader's address differs", "A", true, "", "B B B", "a a B"},
		{"another leader's address, no quorum first", "A", true, "", "h B B B", "a a a B"},
		{"no address of another leader", "", true, "", "B B", ". B"},
		{"the router agrees", "A", false, "B", "B", "B"},
		{"the router agrees with nobody", "A", false, "C", "B B", "a B"},
		{"the router agrees, another leader's address", "A", true, "B", "B B", "a B"},
		{"the router alone decides nothing", "A", false, "B", "h h", "a a"},
	} {
		addrs := map[string]netip.Addr{"A": addr(A), "B": addr(B), "C": addr(C), "": {}}
		c := detect.Confirming{Current: addrs[tt.current], Inherited: tt.inherited}
		var published []string
		for r := range strings.FieldsSeq(tt.rounds) {
			d := detect.Decision{Status: detect.Verified, Addr: addrs[r], Reason: "a reason"}
			switch r {
			case "h":
				d = detect.Decision{Status: detect.Holding, Addr: c.Current}
			case "x":
				d = detect.Decision{Status: detect.Ambiguous, Addr: c.Current}
			}
			c, d = c.Next(d, 2, addrs[tt.router])
			letter := "."
			for l, a := range addrs {
				if a == d.Addr && a.IsValid() {
					letter = l
				}
			}
			if d.Status != detect.Verified {
				letter = strings.ToLower(letter)
			}
			if d.Addr != c.Current {
				t.Errorf("%s: published %v, current %v", tt.name, d.Addr, c.Current)
			}
			if d.Status == detect.Ambiguous && r != "x" || d.Status != detect.Ambiguous && r == "x" {
				t.Errorf("%s: %s became %s", tt.name, r, d.Status)
			}
			published = append(published, letter)
		}
		if got := strings.Join(published, " "); got != tt.published {
			t.Errorf("%s: published %s, want %s", tt.name, got, tt.published)
		}
	}
}

// An address becomes current only after as many rounds in a row agreed on it as are asked for, and a known
// address never becomes unknown.
func TestConfirmingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := []netip.Addr{addr("8.26.56.26"), addr("93.184.215.14"), addr("5.9.10.11")}
		rounds := rapid.IntRange(1, 4).Draw(t, "rounds")
		c := detect.Confirming{Inherited: rapid.Bool().Draw(t, "inherited")}
		if rapid.Bool().Draw(t, "known") {
			c.Current = all[0]
		}
		row, last := 0, netip.Addr{}
		for range rapid.IntRange(1, 30).Draw(t, "n") {
			d := detect.Decision{Status: rapid.SampledFrom([]detect.Status{detect.Verified, detect.Verified, detect.Verified, detect.Holding, detect.Ambiguous}).Draw(t, "status")}
			if d.Status == detect.Verified {
				d.Addr = rapid.SampledFrom(all).Draw(t, "addr")
			}
			if d.Status == detect.Verified && d.Addr == last {
				row++
			} else {
				row, last = 1, d.Addr
			}
			before := c
			var out detect.Decision
			c, out = c.Next(d, rounds, netip.Addr{})
			need := rounds
			if before.Inherited && before.Current.IsValid() {
				need++
			}
			switch {
			case before.Current.IsValid() && !c.Current.IsValid():
				t.Fatal("a known address got lost")
			case c.Current != before.Current && (d.Status != detect.Verified || row < need):
				t.Fatalf("changed after %d rounds of %d", row, need)
			case d.Status == detect.Verified && d.Addr != before.Current && row >= need && c.Current != d.Addr:
				t.Fatalf("not changed after %d rounds", row)
			case out.Addr != c.Current || out.Status == detect.Verified && out.Addr != d.Addr:
				t.Fatalf("published %+v with %+v", out, c)
			}
		}
	})
}
