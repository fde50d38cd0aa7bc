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
