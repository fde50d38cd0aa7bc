package controller

import (
	"context"
	"log/slog"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
)

// serving answers for every zone with one serial.
type serving struct {
	DNS
	serial uint32
}

func (s serving) SOA(context.Context, string) (rfc2136.SOA, error) {
	return rfc2136.SOA{Serial: s.serial}, nil
}

// TestPollOfRefusedZones: another serial of a zone that is not accepted is the doing of the DNSZone that has it, and nobody
// looks at it every other second.
func TestPollOfRefusedZones(t *testing.T) {
	at, server := types.NamespacedName{Namespace: "dns", Name: "zone"}, types.NamespacedName{Namespace: "dns", Name: "a"}
	for refused, looks := range map[bool]int{false: 1, true: 0} {
		c := New(nil, Options{Log: slog.New(slog.DiscardHandler)})
		known := &zone{key: at, name: example, places: map[types.NamespacedName]*place{server: {server: server, state: v1alpha1.Serving, answer: served, serial: 7}}}
		c.memory.views[at] = &view{name: example}
		c.memory.show(known, false, (&tour{k: known, refused: refused}).count)
		for _, p := range c.memory.on(server) {
			if !c.check(t.Context(), server, &link{server: Server{DNS: serving{serial: 9}}}, p) {
				t.Error("it was not reached")
			}
		}
		if got := len(c.news); got != looks {
			t.Errorf("refused %t: it is looked at %d times, want %d", refused, got, looks)
		}
	}
}
