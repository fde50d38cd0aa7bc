package clouddns_test

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

// external-dns updates an ownership text with its record, from and to the same: that asks for nothing, and
// costs nothing.
func TestAnUnchangedOwnershipTextCostsNoRequest(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	all := published(2_000, "192.0.2.1")
	mustList(t, b)
	mustApply(t, b, all)
	mustList(t, b)
	updates := turned(all, "192.0.2.2")
	for _, c := range all {
		if c.New.Type == "TXT" {
			updates = append(updates, backend.Change{Old: c.New, New: c.New, Unit: c.Unit})
		}
	}
	s.ResetCalls()
	mustApply(t, b, updates)
	if calls := s.Calls(); calls["changes.create"] != 2 || len(calls) != 1 {
		t.Errorf("asked %v, want 2 changes and nothing else", calls)
	}
}
