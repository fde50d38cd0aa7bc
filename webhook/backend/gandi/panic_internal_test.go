package gandi

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// A unit that panics fails, and the program goes on.
func TestAPanicInAUnit(t *testing.T) {
	t.Parallel()
	a := &application{b: &Backend{}, zone: "example.org"} // nothing is believed, so nothing can be judged
	gone := backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, Values: []string{"192.0.2.1"}}
	errs := a.run(t.Context(), []unit{{{Old: &gone}}})
	if len(errs) != 1 || backend.KindOf(errs[0]) != backend.Temporary || !strings.Contains(errs[0].Error(), "www.example.org A: panic: ") {
		t.Errorf("got %v, want the panic as a temporary failure of the record", errs)
	}
}
