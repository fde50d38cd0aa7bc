package view_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// landscape is what DNSZones bring to one view, and what its server serves.
type landscape struct {
	backend.Backend
	mu      sync.Mutex
	found   map[string]zonesource.State
	unknown error            // which zones there are
	failing map[string]error // lists of a zone
}

func (l *landscape) Found() (map[string][]zonesource.Zone, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var zones []zonesource.Zone
	for _, name := range slices.Sorted(maps.Keys(l.found)) {
		z := zonesource.Zone{Name: name, Object: "dns/" + name, State: l.found[name]}
		if z.State == zonesource.Unready || z.State == zonesource.Refused {
			z.Why = "as it says"
		}
		zones = append(zones, z)
	}
	return map[string][]zonesource.Zone{"public": zones}, l.unknown
}

func (l *landscape) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	l.mu.Lock()
	err := l.failing[zone]
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.Backend.List(ctx, zone)
}

func (l *landscape) set(zone string, state zonesource.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if state == "" {
		delete(l.found, zone)
	} else {
		l.found[zone] = state
	}
}

func (l *landscape) fail(zone string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing[zone] = err
}

// landscaped is a Provider of one view that the configuration gives static.test, over a server with more zones.
func landscaped(t testing.TB) (*rig, *landscape) {
	t.Helper()
	l := &landscape{found: map[string]zonesource.State{}, failing: map[string]error{}}
	r := start(t, setup{
		views: []policy.View{{Name: "public", Zones: []string{"static.test", "x.test", "sub.x.test", "y.test"}}},
		wrap:  func(b backend.Backend) backend.Backend { l.Backend = b; return l },
		change: func(c *view.Config) {
			c.Views[0].Zones, c.Found = []string{"static.test"}, l.Found
		},
	})
	return r, l
}

func refusedBy(kind backend.Kind, zone string) error {
	return &backend.Error{Kind: kind, Op: "list", Zone: zone, Err: errors.New("not a primary of it")}
}

// names lists what was answered.
func names(eps []*endpoint.Endpoint) string {
	var out []string
	for _, e := range eps {
		out = append(out, e.DNSName)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func inZone(zone string) *endpoint.Endpoint { return endpoint.NewEndpoint("a."+zone, "A", "192.0.2.1") }

func TestZonesComeAndGoWithRecords(t *testing.T) {
	r, l := landscaped(t)
	if f, err := r.Filter(); err != nil || f.IsConfigured() {
		t.Errorf("external-dns is told to look at %v alone: %v", f, err)
	}
	adjusted := func(want string) {
		t.Helper()
		if got := names(r.adjust(t, inZone("static.test"), inZone("x.test"), inZone("sub.x.test"), inZone("y.test"))); got != want {
			t.Errorf("adjusted to %q, want %q", got, want)
		}
	}
	adjusted("a.static.test")
	l.set("x.test", zonesource.Ready)
	adjusted("a.static.test") // the records external-dns has are without it
	r.records(t)
	adjusted("a.static.test a.sub.x.test a.x.test")
	l.set("sub.x.test", zonesource.Leaving)
	l.set("y.test", zonesource.Refused)
	r.records(t)
	adjusted("a.static.test a.x.test") // what waits does not fall to the zone around it
	if got := r.counter(t, "spokedns_zones", "state", "published"); got != 2 {
		t.Errorf("%v zones are published, want 2", got)
	}
	if waiting, refused := r.counter(t, "spokedns_zones", "state", "waiting"), r.counter(t, "spokedns_zones", "state", "refused"); waiting != 1 || refused != 1 {
		t.Errorf("%v wait and %v are refused, want 1 and 1", waiting, refused)
	}
	var page strings.Builder
	if err := r.WriteZones(&page); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"public  static.test  published  configuration", "public  x.test       published  DNSZone dns/x.test",
		"public  sub.x.test   waiting    DNSZone dns/sub.x.test  its DNSZone is being deleted", "public  y.test       refused    DNSZone dns/y.test      as it says",
	} {
		if !strings.Contains(page.String(), line) {
			t.Errorf("the page is\n%s\nwant %s", page.String(), line)
		}
	}
	r.records(t)
	if got := strings.Count(r.log.String(), "zone waits"); got != 2 {
		t.Errorf("told %d times, want once for each zone:\n%s", got, r.log)
	}
}

func TestUnknownZonesAreAnError(t *testing.T) {
	r, l := landscaped(t)
	l.unknown = errors.New("forbidden")
	if _, err := r.Records(t.Context()); err == nil || !strings.Contains(err.Error(), "which zones there are: forbidden") {
		t.Errorf("listed: %v", err)
	}
	if _, err := r.Adjust(t.Context(), []*endpoint.Endpoint{inZone("static.test")}); err == nil {
		t.Error("adjusted without knowing any zone")
	}
	if err := r.Ready(); err == nil {
		t.Error("said to be ready")
	}
	l.unknown = nil
	r.records(t)
	l.unknown = errors.New("gone")
	if _, err := r.Records(t.Context()); err == nil {
		t.Error("listed without knowing which zones there are")
	}
	r.adjust(t, inZone("static.test")) // rests on the records that were listed
}

func TestZoneThatCannotBeListed(t *testing.T) {
	for label, row := range map[string]struct {
		state zonesource.State
		err   error
		waits bool
	}{
		"unready, unreachable":  {zonesource.Unready, refusedBy(backend.Temporary, "x.test"), true},
		"unready, not served":   {zonesource.Unready, refusedBy(backend.Denied, "x.test"), true},
		"unready, served":       {zonesource.Unready, nil, false},
		"ready, unreachable":    {zonesource.Ready, refusedBy(backend.Temporary, "x.test"), false},
		"ready, not served":     {zonesource.Ready, refusedBy(backend.Denied, "x.test"), true},
		"ready, not a primary":  {zonesource.Ready, refusedBy(backend.Rejected, "x.test"), true},
		"ready, another reason": {zonesource.Ready, errors.New("broken"), false},
	} {
		t.Run(label, func(t *testing.T) {
			r, l := landscaped(t)
			l.set("x.test", row.state)
			l.fail("x.test", row.err)
			_, err := r.Records(t.Context())
			if wantErr := row.err != nil && !row.waits; (err != nil) != wantErr {
				t.Fatalf("listed: %v", err)
			} else if wantErr {
				return
			}
			want := "a.static.test a.x.test"
			if row.waits {
				want = "a.static.test"
			}
			if got := names(r.adjust(t, inZone("static.test"), inZone("x.test"))); got != want {
				t.Errorf("adjusted to %q, want %q", got, want)
			}
			err = r.Apply(t.Context(), &plan.Changes{Create: []*endpoint.Endpoint{inZone("static.test"), inZone("x.test")}})
			if row.waits != (err != nil) || err != nil && !strings.Contains(err.Error(), "zone x.test of view public waits") {
				t.Errorf("applied: %v", err)
			}
			if got, err := l.Backend.List(t.Context(), "static.test"); err != nil || len(got) != 1 {
				t.Errorf("the other zone has %v: %v", got, err)
			}
		})
	}
}

func TestChangesOfAZoneThatLeftAreNotMade(t *testing.T) {
	r, l := landscaped(t)
	l.set("x.test", zonesource.Ready)
	r.records(t)
	for label, state := range map[string]zonesource.State{"gone": "", "being deleted": zonesource.Leaving, "refused": zonesource.Refused} {
		l.set("x.test", state)
		err := r.Apply(t.Context(), &plan.Changes{Create: []*endpoint.Endpoint{inZone("static.test"), inZone("x.test")}})
		if err == nil || !strings.Contains(err.Error(), "zone x.test has left view public") {
			t.Errorf("%s: applied: %v", label, err)
		}
		if got, err := l.Backend.List(t.Context(), "x.test"); err != nil || len(got) > 0 {
			t.Errorf("%s: it has %v: %v", label, got, err)
		}
	}
}

// An external-dns may have adjusted without the zone just before it joined, and delete what it did not see any more.
func TestNothingIsDeletedInAZoneThatHasJustJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l := landscaped(t)
		l.set("x.test", zonesource.Ready)
		r.records(t)
		create := &plan.Changes{Create: []*endpoint.Endpoint{inZone("static.test"), inZone("x.test")}}
		remove := &plan.Changes{Delete: []*endpoint.Endpoint{inZone("static.test"), inZone("x.test")}}
		if err := r.Apply(t.Context(), create); err != nil {
			t.Fatal(err)
		}
		err := r.Apply(t.Context(), remove)
		if err == nil || !strings.Contains(err.Error(), "1 of 2 changes made") || !strings.Contains(err.Error(), "zone x.test has joined view public only now") {
			t.Errorf("deleted at once: %v", err)
		}
		time.Sleep(time.Minute)
		l.set("x.test", "")
		r.records(t)
		l.set("x.test", zonesource.Ready)
		r.records(t)
		time.Sleep(59 * time.Second)
		if err := r.Apply(t.Context(), remove); err == nil {
			t.Error("deleted 59 seconds after the zone came back")
		}
		time.Sleep(time.Second)
		if err := r.Apply(t.Context(), remove); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		if left := names(r.records(t)); left != "" {
			t.Errorf("%s is left", left)
		}
	})
}

// loop is an external-dns between the calls of its loop. It wants the same names always, and takes all it finds for
// its own.
type loop struct {
	stage    int
	current  []*endpoint.Endpoint
	wanted   []*endpoint.Endpoint
	adjusted time.Time
}

func (l *loop) step(ctx context.Context, r *rig, want []*endpoint.Endpoint) {
	var err error
	switch l.stage {
	case 0:
		l.current, err = r.Records(ctx)
	case 1:
		l.wanted, err = r.Adjust(ctx, want)
		l.adjusted = time.Now()
	case 2:
		changes := &plan.Changes{Create: without(l.wanted, l.current), Delete: without(l.current, l.wanted)}
		err = r.Apply(ctx, changes)
	}
	if l.stage = (l.stage + 1) % 3; err != nil {
		l.stage = 0
	}
}

// without is what of those has no namesake among the others.
func without(those, others []*endpoint.Endpoint) []*endpoint.Endpoint {
	var out []*endpoint.Endpoint
	for _, e := range those {
		if !slices.ContainsFunc(others, func(o *endpoint.Endpoint) bool { return o.DNSName == e.DNSName }) {
			out = append(out, e)
		}
	}
	return out
}

// event is one thing that happens in a play.
type event struct {
	what, loop, seconds int
	zone                string
	state               zonesource.State
	err                 error
}

func events(t *rapid.T) []event {
	zone := rapid.SampledFrom([]string{"x.test", "x.test", "sub.x.test", "y.test"})
	state := rapid.SampledFrom([]zonesource.State{"", "", zonesource.Ready, zonesource.Ready, zonesource.Ready, zonesource.Unready, zonesource.Leaving, zonesource.Refused})
	kind := rapid.SampledFrom([]backend.Kind{-1, -1, backend.Temporary, backend.Denied})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
		e := event{
			what: rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3}).Draw(t, "what"), loop: rapid.IntRange(0, 1).Draw(t, "loop"), seconds: rapid.SampledFrom([]int{1, 5, 30, 90}).Draw(t, "seconds"),
			zone: zone.Draw(t, "zone"), state: state.Draw(t, "state"),
		}
		if k := kind.Draw(t, "kind"); k >= 0 {
			e.err = refusedBy(k, e.zone)
		}
		return e
	}), 10, 100).Draw(t, "events")
}

// play lets two external-dns with policy sync live through the events, and says what went wrong.
func play(t *testing.T, events []event) error {
	zones := []string{"static.test", "x.test", "sub.x.test", "y.test"}
	var want []*endpoint.Endpoint
	r, l := landscaped(t)
	var loops [2]loop
	published := map[string]bool{}
	for i, e := range events {
		switch e.what {
		case 0:
			l.set(e.zone, e.state)
		case 1:
			l.fail(e.zone, e.err)
		case 2:
			time.Sleep(time.Duration(e.seconds) * time.Second)
		default:
			at := &loops[e.loop]
			if at.stage == 2 && time.Since(at.adjusted) >= time.Minute {
				at.stage = 0 // none takes that long
			}
			want = want[:0]
			for _, z := range zones {
				want = append(want, inZone(z))
			}
			at.step(t.Context(), r, want)
		}
		for _, z := range zones {
			sets, err := l.Backend.List(t.Context(), z)
			if err != nil {
				return err
			}
			has := slices.ContainsFunc(sets, func(s backend.RRset) bool { return s.Name == "a."+z })
			if published[z] && !has {
				return fmt.Errorf("event %d: a.%s is gone", i, z)
			}
			published[z] = has
		}
	}
	return nil
}

// However zones come, go, break and heal between the calls of two external-dns: a name that is wanted is never deleted
// from its zone.
func TestNoLoopDeletesWhatAComingOrGoingZoneHas(t *testing.T) {
	rapid.Check(t, func(check *rapid.T) {
		script := events(check)
		var wrong error
		synctest.Test(t, func(t *testing.T) { wrong = play(t, script) })
		if wrong != nil {
			check.Fatal(wrong)
		}
	})
}
