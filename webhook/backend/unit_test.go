package backend_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestUnits(t *testing.T) {
	t.Parallel()
	change := func(name, unit string) backend.Change {
		return backend.Change{New: &backend.RRset{Key: backend.Key{Name: name, Type: "A"}}, Unit: unit}
	}
	units := backend.Units([]backend.Change{
		change("www", ""), change("mail", "mail"), change("a-www", "www"), change("a-mail", "mail"), change("other", ""),
	})
	var got string
	for _, unit := range units {
		for _, c := range unit {
			got += c.Key().Name + " "
		}
		got += "| "
	}
	if want := "www a-www | mail a-mail | other | "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnitsKeepsEveryChangeOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var changes []backend.Change
		for i, unit := range rapid.SliceOf(rapid.SampledFrom([]string{"", "a", "b", "c"})).Draw(t, "units") {
			changes = append(changes, backend.Change{Old: &backend.RRset{Key: backend.Key{Name: fmt.Sprint(i)}}, Unit: unit})
		}
		seen, groups := map[string]bool{}, map[string]bool{}
		for _, unit := range backend.Units(changes) {
			if groups[unit[0].Group()] {
				t.Errorf("unit %q is there twice", unit[0].Group())
			}
			groups[unit[0].Group()] = true
			for _, c := range unit {
				if c.Group() != unit[0].Group() || seen[c.Key().Name] {
					t.Errorf("change %s is in the wrong unit or there twice", c.Key().Name)
				}
				seen[c.Key().Name] = true
			}
		}
		if len(seen) != len(changes) {
			t.Errorf("%d of %d changes are left", len(seen), len(changes))
		}
	})
}

func TestKeyAndGroupOfAChange(t *testing.T) {
	t.Parallel()
	www := backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}}
	for _, c := range []backend.Change{{New: &www}, {Old: &www}, {Old: &www, New: &www}} {
		if c.Key() != www.Key || c.Group() != www.Name {
			t.Errorf("%v: key %s, group %s", c, c.Key(), c.Group())
		}
	}
	if g := (backend.Change{New: &www, Unit: "shop.example.org"}).Group(); g != "shop.example.org" {
		t.Errorf("group %s", g)
	}
}

func TestSequence(t *testing.T) {
	t.Parallel()
	set := func(name, typ string) *backend.RRset {
		return &backend.RRset{Key: backend.Key{Name: name, Type: typ}, Values: []string{"x"}}
	}
	create := func(name, typ string) backend.Change { return backend.Change{New: set(name, typ), Unit: "www"} }
	update := func(name, typ string) backend.Change {
		return backend.Change{Old: set(name, typ), New: set(name, typ), Unit: "www"}
	}
	remove := func(name, typ string) backend.Change { return backend.Change{Old: set(name, typ), Unit: "www"} }
	for _, c := range []struct {
		name string
		unit []backend.Change
		want string
	}{
		{"create", []backend.Change{create("www", "A"), create("a-www", "TXT")}, "+a-www TXT, +www A, "},
		{"delete", []backend.Change{remove("a-www", "TXT"), remove("www", "A")}, "-www A, -a-www TXT, "},
		{"text of its own", []backend.Change{create("www", "A"), create("www", "TXT"), create("a-www", "TXT")}, "+a-www TXT, +www A, +www TXT, "},
		{"A to AAAA has no gap", []backend.Change{remove("www", "A"), create("www", "AAAA")}, "+www AAAA, -www A, "},
		{"A to CNAME", []backend.Change{create("www", "CNAME"), remove("www", "A"), remove("a-www", "TXT"), create("cname-www", "TXT")},
			"+cname-www TXT, -www A, +www CNAME, -a-www TXT, "},
		{"CNAME to A and AAAA", []backend.Change{create("www", "A"), create("www", "AAAA"), remove("www", "CNAME")}, "-www CNAME, +www A, +www AAAA, "},
		{"CNAME update is no swap", []backend.Change{remove("www", "A"), update("www", "CNAME")}, "~www CNAME, -www A, "},
		{"update", []backend.Change{update("www", "A"), update("a-www", "TXT")}, "~a-www TXT, ~www A, "},
	} {
		got := ""
		for _, x := range backend.Sequence(c.unit) {
			sign := "~"
			if x.Old == nil {
				sign = "+"
			} else if x.New == nil {
				sign = "-"
			}
			got += sign + x.Key().String() + ", "
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if alone := backend.Sequence([]backend.Change{{New: set("a-www", "TXT")}, {Old: set("x", "A")}}); alone[0].New == nil {
		t.Error("without a unit a text is a record like others: creates before deletes")
	}
}
