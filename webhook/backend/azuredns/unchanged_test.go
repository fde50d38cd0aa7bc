package azuredns_test

import (
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

// external-dns updates an ownership text with its record, from and to the same: that asks for nothing, and
// costs nothing.
func TestAnUnchangedOwnershipTextCostsNoRequest(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	one, two := rrset("www.zone.example", "A", "192.0.2.1"), rrset("www.zone.example", "A", "192.0.2.2")
	owner := rrset("a-www.zone.example", "TXT", "owner")
	apply(t.Context(), t, b, backend.Change{New: &one, Unit: one.Name}, backend.Change{New: &owner, Unit: one.Name})
	list(t, b, "zone.example")
	a.counted(t, map[string]int{"RecordSets_CreateOrUpdate": 1}, func() {
		apply(t.Context(), t, b, backend.Change{Old: &one, New: &two, Unit: one.Name}, backend.Change{Old: &owner, New: &owner, Unit: one.Name})
	})
	a.requireHeld(t, id, "a-www TXT owner", "www A 192.0.2.2")
}

// A record that is refused after its unchanged text leaves the text alone, and is the one to blame.
func TestARefusedRecordBesideAnUnchangedText(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	one, two := rrset("www.zone.example", "A", "192.0.2.1"), rrset("www.zone.example", "A", "192.0.2.2")
	owner := rrset("a-www.zone.example", "TXT", "owner")
	apply(t.Context(), t, b, backend.Change{New: &one, Unit: one.Name}, backend.Change{New: &owner, Unit: one.Name})
	list(t, b, "zone.example")
	a.Deny(id)
	err := b.Apply(t.Context(), "zone.example", []backend.Change{{Old: &one, New: &two, Unit: one.Name}, {Old: &owner, New: &owner, Unit: one.Name}})
	requireKinds(t, err, backend.Denied, one.Key)
	a.Allow()
	a.requireHeld(t, id, "a-www TXT owner", "www A 192.0.2.1")
}
