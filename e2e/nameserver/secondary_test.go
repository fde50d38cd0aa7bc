package nameserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

func TestSecondaryByControl(t *testing.T) {
	ctx := t.Context()
	st := stack.ForTest(t)
	p, q := startBIND(t, st, stack.BINDConfig{Name: "primary"}), startBIND(t, st, stack.BINDConfig{Name: "secondary"})
	primary, secondary := open(t, p, v1alpha1.Primary, startSeed(t)), open(t, q, v1alpha1.Secondary, nil)
	zone := nameserver.ZoneConfig{Zone: "example.org", AlsoNotify: []string{q.Addr}}
	if _, err := primary.Ensure(ctx, zone, content(zone.Zone, 1, 3)); err != nil {
		t.Fatal(err)
	}
	z := nameserver.ZoneConfig{Zone: zone.Zone, Primaries: []nameserver.Endpoint{{Addr: p.Addr, Key: key(p.Key)}}}
	changed, err := secondary.Ensure(ctx, z, never(t))
	if err != nil || !changed {
		t.Fatalf("Ensure: %t, %v; want true, nil", changed, err)
	}
	if changed, err := secondary.Ensure(ctx, z, never(t)); err != nil || changed {
		t.Errorf("again: %t, %v; want false, nil", changed, err)
	}
	if err := update(ctx, primary, zone.Zone); err != nil {
		t.Fatal(err)
	}
	if err := stack.EventuallyAnswers(ctx, 10*time.Second, q.Addr, "added.example.org", "A", "192.0.2.1"); err != nil {
		t.Error(err)
	}
	q.Kill()
	erase(t, q, "spokedns.*")
	if err := q.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := secondary.Ensure(ctx, z, never(t)); err != nil {
		t.Error(err)
	}
	if err := stack.EventuallyAnswers(ctx, 10*time.Second, q.Addr, "added.example.org", "A", "192.0.2.1"); err != nil {
		t.Errorf("after its files were lost: %v", err)
	}
	// BIND deletes a file that it is still writing too early.
	written := func(context.Context) error {
		if files, err := q.Files("spokedns."); err != nil || len(files) == 0 {
			return fmt.Errorf("no file yet (%w)", err)
		}
		return nil
	}
	if err := stack.Eventually(ctx, 10*time.Second, written); err != nil {
		t.Fatal(err)
	}
	if err := secondary.Remove(ctx, z.Zone); err != nil {
		t.Error(err)
	}
	if state, err := secondary.State(ctx, z.Zone); err != nil || state.Is != nameserver.Absent {
		t.Errorf("removed: %+v, %v", state, err)
	}
	nothingLeft(t, q, "spokedns.")
}

// TestCatalog lets a BIND and a Knot server follow a catalog zone that a BIND primary carries.
func TestCatalog(t *testing.T) {
	ctx := t.Context()
	st := stack.ForTest(t)
	const catalog = "catalog.invalid"
	p := startBIND(t, st, stack.BINDConfig{Name: "primary"})
	host, port, _ := net.SplitHostPort(p.Addr)
	q := startBIND(t, st, stack.BINDConfig{
		Name:       "follower",
		Options:    fmt.Sprintf(`catalog-zones { zone %q default-primaries { %s port %s key "externaldns"; } min-update-interval 0; };`, catalog, host, port),
		Statements: fmt.Sprintf(`zone %q { type secondary; file "catalog.db"; primaries { %s port %s key "externaldns"; }; };`, catalog, host, port),
	})
	k, err := st.KnotFollower(ctx, catalog, p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	primary := open(t, p, v1alpha1.Primary, startSeed(t))
	followers := []*nameserver.Server{}
	told := []string{}
	// Knot answers no question that is signed by a key which no ACL of the zone names.
	for addr, key := range map[string]keyfile.Key{q.Addr: key(p.Key), k.Addr: {}} {
		followers = append(followers, with(t, nameserver.Config{
			Name: addr, Role: v1alpha1.Secondary, Address: addr, TSIG: key, Control: nameserver.Control{Catalog: catalog}, Timeout: 20 * time.Second,
		}))
		told = append(told, addr)
	}
	none := func(context.Context) ([]backend.RRset, error) { return nameserver.CatalogZone(catalog, 1), nil }
	if _, err := primary.Ensure(ctx, nameserver.ZoneConfig{Zone: catalog, AlsoNotify: told}, none); err != nil {
		t.Fatal(err)
	}
	z := nameserver.ZoneConfig{Zone: "example.org", AlsoNotify: told}
	if _, err := primary.Ensure(ctx, z, content(z.Zone, 1, 2)); err != nil {
		t.Fatal(err)
	}
	member := nameserver.CatalogMember(catalog, z.Zone)
	if err := primary.DNS().Apply(ctx, catalog, []backend.Change{{New: &member}}); err != nil {
		t.Fatal(err)
	}
	for _, f := range followers {
		if _, err := f.Ensure(ctx, nameserver.ZoneConfig{Zone: z.Zone}, never(t)); err != nil {
			t.Errorf("Ensure: %v", err)
		}
		if err := f.Remove(ctx, z.Zone); err == nil {
			t.Error("Remove of a member: want an error as long as it is there")
		}
	}
	if err := primary.DNS().Apply(ctx, catalog, []backend.Change{{Old: &member}}); err != nil {
		t.Fatal(err)
	}
	for _, f := range followers {
		err := stack.Eventually(ctx, 20*time.Second, func(ctx context.Context) error { return f.Remove(ctx, z.Zone) })
		if err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	short := with(t, nameserver.Config{Name: "f", Role: v1alpha1.Secondary, Address: q.Addr, Control: nameserver.Control{Catalog: catalog}, Timeout: 100 * time.Millisecond})
	var unfetched *nameserver.Unfetched
	if _, err := short.Ensure(ctx, nameserver.ZoneConfig{Zone: "other.test"}, never(t)); !errors.As(err, &unfetched) {
		t.Errorf("no member: %v; want *Unfetched", err)
	}
}
