package azuredns

import (
	"context"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/listing"
)

// panicking is a service that is never asked without a panic.
type panicking struct{ service }

// A unit that panics fails, and the program goes on.
func TestAPanicInAUnit(t *testing.T) {
	t.Parallel()
	const zone = "example.org"
	id := zoneID{kind: public, subscription: "s", group: "g", name: zone}
	b := &Backend{
		zones:       &zones{pinned: map[string]zoneID{zone: id}, services: map[string]service{"public s": panicking{}}},
		records:     listing.New[*content](0),
		limits:      backend.Limits{Types: []string{"A"}},
		concurrency: 1,
	}
	t.Cleanup(func() { _ = b.records.Close() })
	_, err := b.records.Get(t.Context(), zone, func(context.Context, *content) (*content, error) {
		return newContent(id, nil, b.limits, nil), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	www := backend.RRset{Key: backend.Key{Name: "www." + zone, Type: "A"}, Values: []string{"192.0.2.1"}}
	errs := backend.Errors(b.Apply(t.Context(), zone, []backend.Change{{New: &www}}))
	if len(errs) != 1 || errs[0].Kind != backend.Temporary || !strings.Contains(errs[0].Error(), "www.example.org A: panic: ") {
		t.Errorf("got %v, want the panic as a temporary failure of the record", errs)
	}
}
