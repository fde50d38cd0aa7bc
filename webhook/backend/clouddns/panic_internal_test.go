package clouddns

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// A change that panics fails, and the program goes on.
func TestAPanicInAChange(t *testing.T) {
	t.Parallel()
	a := &apply{b: &Backend{config: Config{BatchSize: 10}}, op: "test", zone: "example.org", belief: newBelief(&content{}, true)} // no client
	www := backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, Values: []string{"192.0.2.1"}}
	a.sendAll(t.Context(), []*job{{unit: []backend.Change{{New: &www}}, additions: []standing{*written(&www)}}})
	if err := a.outcome(t.Context()); backend.KindOf(err) != backend.Temporary || err == nil || !strings.Contains(err.Error(), "panic: ") || !strings.Contains(err.Error(), "1 were not") {
		t.Errorf("got %v, want the panic as a temporary failure of the zone", err)
	}
}
