package e2e_test

import (
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
)

// twoPrimaries are two BINDs that know nothing of each other, and a backend that writes both.
func twoPrimaries(t *testing.T) (first, second *stack.Named, b *rfc2136.Backend) {
	t.Helper()
	s := stack.ForTest(t)
	var both []*stack.Named
	for _, name := range []string{"first", "second"} {
		n, err := s.Named(t.Context(), stack.NamedConfig{Name: name, Zones: []string{faultZone}})
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, n)
	}
	first, second = both[0], both[1]
	b = serverOf(first).open(t, rfc2136.Config{Servers: []string{first.Addr, second.Addr}})
	return first, second, b
}

func serverOf(n *stack.Named) *dnsServer { return &dnsServer{n.Addr, n.Key, []string{faultZone}} }

func requireAnswers(t *testing.T, r backend.RRset, servers ...*stack.Named) {
	t.Helper()
	for _, n := range servers {
		got, err := n.Query(t.Context(), r.Name, r.Type)
		if err != nil || !slices.Equal(got, r.Values) {
			t.Errorf("%s answers %q (%v) for %s, want %q", n.Name, got, err, r.Key, r.Values)
		}
	}
}

func TestRFC2136PrimariesAreBothWritten(t *testing.T) {
	t.Parallel()
	first, second, b := twoPrimaries(t)
	set := addressOf(1, "192.0.2.1")
	mustApply(t, b, backend.Change{New: &set})
	requireAnswers(t, set, first, second)
	before := mustList(t, b, 1)
	if again := mustList(t, b, 1); &again[0] != &before[0] {
		t.Error("two unchanged zones are listed as another slice")
	}
	mustApply(t, b, backend.Change{Old: &set})
	mustList(t, b, 0)
}

func TestRFC2136EmptiedPrimaryIsFilledAgain(t *testing.T) {
	t.Parallel()
	first, second, b := twoPrimaries(t)
	changes := creations(50, "192.0.2.1")
	mustApply(t, b, changes...)
	mustList(t, b, 100)

	second.Stop()
	if err := second.Wipe(); err != nil {
		t.Fatal(err)
	}
	if err := second.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	var updates []backend.Change
	for _, reported := range mustList(t, b, 100) {
		if reported.TTL != 0 {
			t.Fatalf("%s is reported with TTL %s, as if nothing had to be done", reported.Key, reported.TTL)
		}
		i := slices.IndexFunc(changes, func(c backend.Change) bool { return c.Key() == reported.Key })
		updates = append(updates, backend.Change{Old: &reported, New: changes[i].New, Unit: changes[i].Unit})
	}
	mustApply(t, b, updates...)
	for _, listed := range mustList(t, b, 100) {
		if listed.TTL == 0 {
			t.Errorf("%s is still not the same on both", listed.Key)
		}
	}
	requireAnswers(t, *changes[0].New, first, second)
}

func TestRFC2136OnePrimaryDown(t *testing.T) {
	t.Parallel()
	first, second, b := twoPrimaries(t)
	set := addressOf(1, "192.0.2.1")
	mustApply(t, b, backend.Change{New: &set})
	second.Kill()

	_, err := b.List(t.Context(), faultZone)
	requireFailure(t, err, backend.Temporary, second.Addr)
	wanted := addressOf(1, "192.0.2.2")
	change := backend.Change{Old: &set, New: &wanted}
	requireFailure(t, b.Apply(t.Context(), faultZone, []backend.Change{change}), backend.Temporary, second.Addr)
	requireAnswers(t, wanted, first)

	if err := second.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// They disagree now: all they hold is reported, which is not what is wanted, so it is changed.
	reported := mustList(t, b, 1)[0]
	if want := []string{"192.0.2.1", "192.0.2.2"}; !slices.Equal(reported.Values, want) {
		t.Fatalf("%q is reported while one primary holds %q", reported.Values, want)
	}
	mustApply(t, b, backend.Change{Old: &reported, New: &wanted})
	requireAnswers(t, wanted, first, second)
	if got := mustList(t, b, 1)[0]; !got.Same(&wanted) || got.TTL != wanted.TTL {
		t.Errorf("%+v is listed in the end, want %+v", got, wanted)
	}
}

// A delete that reached one primary only is made up for: what is left is reported, and goes.
func TestRFC2136HalfMadeDeletion(t *testing.T) {
	t.Parallel()
	first, second, b := twoPrimaries(t)
	set := addressOf(1, "192.0.2.1")
	mustApply(t, b, backend.Change{New: &set})
	second.Kill()
	requireFailure(t, b.Apply(t.Context(), faultZone, []backend.Change{{Old: &set}}), backend.Temporary, second.Addr)
	serverOf(first).verify(t, nil)
	if err := second.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := mustList(t, b, 1)[0]
	mustApply(t, b, backend.Change{Old: &left})
	mustList(t, b, 0)
	serverOf(second).verify(t, nil)
}

func TestRFC2136PrimariesWithOtherTTLs(t *testing.T) {
	t.Parallel()
	first, second, b := twoPrimaries(t)
	set := addressOf(1, "192.0.2.1")
	mustApply(t, b, backend.Change{New: &set})
	other := set
	other.TTL = time.Hour
	serverOf(second).put(t, faultZone, other)

	reported := mustList(t, b, 1)[0]
	if reported.TTL == set.TTL || reported.TTL == other.TTL {
		t.Fatalf("TTL %s is reported although the primaries disagree", reported.TTL)
	}
	mustApply(t, b, backend.Change{Old: &reported, New: &set})
	for _, n := range []*stack.Named{first, second} {
		serverOf(n).verify(t, []backend.RRset{set})
	}
}

func TestRFC2136ForeignRecordOnOnePrimary(t *testing.T) {
	t.Parallel()
	first, second, b := twoPrimaries(t)
	mustList(t, b, 0)
	foreign, ours := addressOf(1, "198.51.100.1"), addressOf(1, "192.0.2.1")
	serverOf(first).put(t, faultZone, foreign)
	requireFailure(t, b.Apply(t.Context(), faultZone, []backend.Change{{New: &ours}}), backend.Conflict, ours.String())
	requireAnswers(t, foreign, first)
	requireAnswers(t, ours, second)
}
