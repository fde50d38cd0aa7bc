package clouddns_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

// chaos is a zone that others write too, behind a service that fails now and then.
type chaos struct {
	random *rand.Rand
	server *clouddnstest.Server
	b      backend.Backend
}

// Whatever happens in between: what is not reported was made, nobody else's record is overwritten, and once
// all is quiet the zone is as it was wanted.
func TestChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s, c := started(t)
			c.BatchSize = 10
			s.Limit(func(l *clouddnstest.Limits) {
				l.Page, l.Additions, l.VagueMessage, l.IndexedMessage = 9, 8, seed%2 == 0, seed == 1
			})
			z := &chaos{random: rand.New(rand.NewPCG(seed, 7)), server: s, b: opened(t, c)}
			for range 12 {
				z.round(t)
			}
		})
	}
}

func (z *chaos) round(t *testing.T) {
	t.Helper()
	changes := z.plan(mustList(t, z.b), z.wanted())
	theirs := z.interfere()
	z.fault()
	err := z.b.Apply(t.Context(), zone, changes)
	z.server.Heal()
	z.check(t, changes, theirs, err)

	want := z.wanted()
	mustApply(t, z.b, z.plan(mustList(t, z.b), want))
	if left := z.plan(mustList(t, z.b), want); len(left) != 0 {
		t.Fatalf("%d changes are left when all is quiet, the first is %s", len(left), left[0].Key())
	}
}

// wanted is what the zone shall hold: each name an alias, addresses of one or both kinds, or nothing, each
// with its ownership.
func (z *chaos) wanted() map[backend.Key]backend.RRset {
	want := map[backend.Key]backend.RRset{}
	add := func(r backend.RRset) { want[r.Key] = r }
	for i := range 20 {
		label := fmt.Sprintf("n%d", i)
		value := fmt.Sprintf("192.0.2.%d", z.random.IntN(3))
		switch z.random.IntN(4) {
		case 0:
			continue
		case 1:
			add(set(label, "CNAME", "lb.example.net"))
		case 2:
			add(set(label, "A", value))
			add(set(label, "AAAA", "2001:db8::1"))
		case 3:
			add(set(label, "A", value, "192.0.2.9"))
		}
		add(set("own-"+label, "TXT", "owner "+label))
	}
	return want
}

func (z *chaos) plan(have []backend.RRset, want map[backend.Key]backend.RRset) []backend.Change {
	var changes []backend.Change
	seen := map[backend.Key]bool{}
	for _, old := range have {
		seen[old.Key] = true
		next, ok := want[old.Key]
		switch {
		case !ok:
			changes = append(changes, backend.Change{Old: &old, Unit: unitOf(old.Name)})
		case !next.Same(&old) || next.TTL != old.TTL:
			changes = append(changes, backend.Change{Old: &old, New: &next, Unit: unitOf(old.Name)})
		}
	}
	for key, next := range want {
		if !seen[key] {
			changes = append(changes, backend.Change{New: &next, Unit: unitOf(key.Name)})
		}
	}
	return changes
}

func unitOf(name string) string { return strings.TrimPrefix(name, "own-") }

// interfere writes as somebody else and returns what is theirs now.
func (z *chaos) interfere() map[backend.Key]backend.RRset {
	theirs := map[backend.Key]backend.RRset{}
	for range z.random.IntN(4) {
		label := fmt.Sprintf("n%d", z.random.IntN(20))
		if find(z.server, label, "CNAME") != nil {
			continue // the service would not let them
		}
		r := set(label, "A", fmt.Sprintf("198.51.100.%d", z.random.IntN(200)))
		z.server.Put(project, "main", record(r))
		theirs[r.Key] = r
	}
	if z.random.IntN(3) == 0 {
		z.server.Remove(project, "main", fmt.Sprintf("own-n%d.%s.", z.random.IntN(20), zone), "TXT")
	}
	return theirs
}

func (z *chaos) fault() {
	f := clouddnstest.Fault{Operation: "changes.create", After: z.random.IntN(4)}
	switch z.random.IntN(6) {
	case 0:
		f.LoseReply = true
	case 1:
		f.Status = http.StatusServiceUnavailable
	case 2:
		f.Status, f.Reason = http.StatusNotImplemented, "notImplemented" // is not repeated
	case 3:
		f.Status, f.Reason, f.Message = http.StatusBadRequest, "invalid", "Bad Request" // about nothing in it
	default:
		return
	}
	z.server.Fail(f)
}

// check compares what stands with what was asked for and what was reported.
func (z *chaos) check(t *testing.T, changes []backend.Change, theirs map[backend.Key]backend.RRset, err error) {
	t.Helper()
	failed := map[backend.Key]bool{}
	if err != nil {
		for _, e := range backend.Errors(err) {
			failed[e.Key] = true
		}
	}
	if failed[backend.Key{}] {
		t.Fatalf("nothing here is about the zone as a whole: %v", err)
	}
	stands := map[backend.Key]backend.RRset{}
	for _, r := range mustList(t, z.b) {
		stands[r.Key] = r
	}
	for _, c := range changes {
		got, there := stands[c.Key()]
		if made := there == (c.New != nil) && (!there || got.Same(c.New)); !made && !failed[c.Key()] {
			t.Fatalf("%s was not made and not reported: it is %q; %v", c.Key(), got.Values, err)
		}
	}
	for key, r := range theirs {
		if got := stands[key]; !got.Same(&r) {
			t.Fatalf("%s is %q, but somebody else wrote %q after we looked", key, got.Values, r.Values)
		}
	}
}
