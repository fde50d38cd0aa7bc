package view_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

// wan is a site's IPv4 and IPv6 address, which move.
type wan struct{ v4, v6 []string } // the last is the one now; none: not looked after; "": not known

func latest(addrs []string) string { return addrs[len(addrs)-1] }

func (w *wan) site(string) policy.Site {
	read := func(addrs []string) policy.Reading {
		switch {
		case len(addrs) == 0:
			return policy.Reading{Absent: true}
		case latest(addrs) == "":
			return policy.Reading{Why: "stale"}
		}
		return policy.Reading{Addr: netip.MustParseAddr(latest(addrs))}
	}
	return policy.Site{V4: read(w.v4), V6: read(w.v6)}
}

func (w *wan) moves(string) view.Moves {
	move := func(addrs []string) (m view.Move) {
		if len(addrs) == 0 || latest(addrs) == "" {
			return view.Move{}
		}
		m.To = netip.MustParseAddr(latest(addrs))
		for _, a := range addrs {
			if a != "" {
				m.From = append(m.From, netip.MustParseAddr(a))
			}
		}
		return m
	}
	return view.Moves{V4: move(w.v4), V6: move(w.v6)}
}

// atSite is a setup whose names have the site's address, but for what is below internal.example.org.
func atSite(w *wan) setup {
	s := one()
	s.views[0].Rules = []policy.Rule{
		{Match: policy.Match{Hosts: []string{"*.internal.example.org"}}, Action: policy.Keep},
		{Action: policy.Rewrite, Target: "site"},
	}
	s.targets = map[string]policy.Target{"site": {WANIP: &policy.WANIP{Name: "wan"}}}
	s.change = func(c *view.Config) {
		c.Site, c.Moves = w.site, w.moves
		c.Registry = ownership.New(ownership.Config{Registry: "txt", TXTOwnerID: "hub"})
	}
	return s
}

// loop is one of external-dns: it owns what it makes under its id, and changes nothing of others.
func (r *rig) loop(t testing.TB, id string, sources ...*endpoint.Endpoint) {
	t.Helper()
	if c := r.plan(t, sources...); len(c.Create)+len(c.UpdateNew) > 0 {
		for _, e := range c.Create {
			c.Create = append(c.Create, owner(id, e.RecordType, e.DNSName))
		}
		r.apply(t, c)
	}
}

// plan is what external-dns would have changed for these sources.
func (r *rig) plan(t testing.TB, sources ...*endpoint.Endpoint) (c plan.Changes) {
	t.Helper()
	have := map[string]*endpoint.Endpoint{}
	for _, e := range r.records(t) {
		have[e.DNSName+" "+e.RecordType] = e
	}
	for _, e := range r.adjust(t, sources...) {
		old := have[e.DNSName+" "+e.RecordType]
		switch {
		case old == nil:
			c.Create = append(c.Create, e)
		case !old.Targets.Same(e.Targets):
			c.UpdateOld, c.UpdateNew = append(c.UpdateOld, old), append(c.UpdateNew, e)
		}
	}
	return c
}

func (r *rig) failOver(t testing.TB) view.Moved {
	t.Helper()
	moved, err := r.FailOver(t.Context(), func() bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// addresses are the records that are no TXT, without TTL.
func (r *rig) addresses(t testing.TB) string {
	t.Helper()
	var out []string
	for _, e := range r.records(t) {
		if e.RecordType != "TXT" {
			out = append(out, e.DNSName+" "+e.RecordType+" "+strings.Join(e.Targets, ","))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestNamesMoveWithTheSite(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}, v6: []string{"2620:fe::1"}}
	r := start(t, atSite(w))
	sources := []*endpoint.Endpoint{a("www.example.org", "10.0.0.1"), a("db.internal.example.org", "8.8.8.8")}
	r.loop(t, "hub", sources...)
	if moved := r.failOver(t); moved != (view.Moved{}) {
		t.Errorf("without a new address, %+v", moved)
	}
	w.v4 = append(w.v4, "9.9.9.9")
	if moved := r.failOver(t); moved != (view.Moved{Records: 1}) {
		t.Errorf("moved %+v, want the one record", moved)
	}
	check(t, "after the IPv4 address changed", r.addresses(t),
		"db.internal.example.org A 8.8.8.8", // the same address, but not by the rule
		"www.example.org A 9.9.9.9",
		"www.example.org AAAA 2620:fe::1")
	if c := r.plan(t, sources...); len(c.Create)+len(c.UpdateNew)+len(c.Delete) > 0 {
		t.Errorf("the next loop has something to do: %+v", c)
	}
	if moved := r.failOver(t); moved != (view.Moved{}) {
		t.Errorf("the second time, %+v", moved)
	}
	if got := r.counter(t, "spokedns_failovers_total", "result", "success"); got != 1 {
		t.Errorf("%v failovers were counted, want 1", got)
	}
	if got := r.counter(t, "spokedns_changes_total", "op", "update", "result", "success"); got != 1 {
		t.Errorf("%v changes were counted, want 1", got)
	}
}

// What a site had long ago is still its own, and what it never had is not.
func TestOnlyFormerAddressesMove(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	r := start(t, atSite(w))
	r.loop(t, "hub", a("old.example.org", "10.0.0.1"))
	w.v4 = append(w.v4, "8.8.4.4")
	r.loop(t, "hub", a("new.example.org", "10.0.0.1"))
	r.apply(t, plan.Changes{Create: []*endpoint.Endpoint{
		a("hand.example.org", "1.1.1.1"), owner("hub", "A", "hand.example.org"),
		a("two.example.org", "8.8.4.4", "8.8.8.8"), owner("hub", "A", "two.example.org"),
	}})
	// All are external-dns's and asked for, but what stands for two of them is not the site's alone.
	r.adjust(t, a("old.example.org", "10.0.0.1"), a("new.example.org", "10.0.0.1"), a("hand.example.org", "10.0.0.1"), a("two.example.org", "10.0.0.1"))
	w.v4 = append(w.v4, "9.9.9.9")
	if moved := r.failOver(t); moved != (view.Moved{Records: 2}) {
		t.Errorf("moved %+v, want two", moved)
	}
	check(t, "what stands", r.addresses(t),
		"hand.example.org A 1.1.1.1", "new.example.org A 9.9.9.9", "old.example.org A 9.9.9.9", "two.example.org A 8.8.4.4,8.8.8.8")
}

func TestWhatIsNotOursStays(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	r := start(t, atSite(w))
	r.loop(t, "hub", a("ours.example.org", "10.0.0.1"))
	theirs := a("theirs.example.org", "8.8.8.8")
	theirs.Labels = endpoint.Labels{endpoint.OwnerLabelKey: "spoke"}
	r.adjust(t, a("ours.example.org", "10.0.0.1"), a("theirs.example.org", "10.0.0.1"), a("nobodys.example.org", "10.0.0.1"))
	r.apply(t, plan.Changes{Create: []*endpoint.Endpoint{
		theirs, owner("spoke", "A", "theirs.example.org"),
		a("nobodys.example.org", "8.8.8.8"),
	}})
	w.v4 = append(w.v4, "9.9.9.9")
	if moved := r.failOver(t); moved != (view.Moved{Records: 1, Left: 2}) {
		t.Errorf("moved %+v, want one, and two left", moved)
	}
	check(t, "what stands", r.addresses(t), "nobodys.example.org A 8.8.8.8", "ours.example.org A 9.9.9.9", "theirs.example.org A 8.8.8.8")
	if got := r.counter(t, "spokedns_failover_records_left"); got != 2 {
		t.Errorf("%v records are counted as left, want 2", got)
	}
	if !strings.Contains(r.log.String(), "another owner id") {
		t.Error("nothing was said about the other owner id")
	}
}

// Who has no name at the site, or none in this change, need not care about owner ids.
func TestOwnersMatterOnlyToNamesAtTheSite(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	r := start(t, atSite(w))
	create := func(name string) {
		t.Helper()
		eps := r.adjust(t, a(name, "10.0.0.1"))
		eps[0].Labels = endpoint.Labels{endpoint.OwnerLabelKey: "spoke"} // the test's Registry looks for another
		r.apply(t, plan.Changes{Create: eps})
	}
	create("db.internal.example.org")
	if strings.Contains(r.log.String(), "another owner id") {
		t.Error("warned about the owner of a name that is not at the site")
	}
	create("www.example.org")
	create("shop.example.org")
	if n := strings.Count(r.log.String(), "another owner id"); n != 1 {
		t.Errorf("warned %d times about the owner of names at the site, want once", n)
	}
}

// An outage ends with another address: the names were held all the while.
func TestHeldNamesMoveWhenTheSiteIsBack(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}, v6: []string{"2620:fe::1"}}
	r := start(t, atSite(w))
	www := a("www.example.org", "10.0.0.1")
	r.loop(t, "hub", www)
	w.v4, w.v6 = append(w.v4, ""), append(w.v6, "")
	r.loop(t, "hub", www)
	if moved := r.failOver(t); moved != (view.Moved{}) {
		t.Errorf("moved %+v while no address is known", moved)
	}
	w.v4 = append(w.v4, "9.9.9.9")
	if moved := r.failOver(t); moved != (view.Moved{Records: 1}) {
		t.Errorf("moved %+v, want the IPv4 record", moved)
	}
	check(t, "what stands", r.addresses(t), "www.example.org A 9.9.9.9", "www.example.org AAAA 2620:fe::1")
}

func TestNothingMovesBeforeItIsDecided(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	first := start(t, atSite(w))
	first.loop(t, "hub", a("www.example.org", "10.0.0.1"))
	w.v4 = append(w.v4, "9.9.9.9")
	s := atSite(w)
	s.wrap = func(backend.Backend) backend.Backend { return first.backends[0] }
	again := start(t, s) // after a restart
	if moved := again.failOver(t); moved != (view.Moved{}) {
		t.Errorf("moved %+v before anything was decided", moved)
	}
	again.loop(t, "hub", a("www.example.org", "10.0.0.1"))
	check(t, "the loop has moved it", again.addresses(t), "www.example.org A 9.9.9.9")
	w.v4 = append(w.v4, "9.9.9.10")
	if moved := again.failOver(t); moved != (view.Moved{Records: 1}) {
		t.Errorf("moved %+v, want what the zone says to be external-dns's", moved)
	}
}

func TestAFlappingSiteWaitsForTheLoop(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	r := start(t, atSite(w))
	r.loop(t, "hub", a("www.example.org", "10.0.0.1"))
	asked := 0
	refuse := func() bool { asked++; return false }
	if moved, err := r.FailOver(t.Context(), refuse); err != nil || moved != (view.Moved{}) || asked > 0 {
		t.Errorf("with nothing to move: %+v, %v, asked %d times", moved, err, asked)
	}
	w.v4 = append(w.v4, "9.9.9.9")
	moved, err := r.FailOver(t.Context(), refuse)
	if err != nil || moved != (view.Moved{Records: 1, Put: true}) {
		t.Errorf("got %+v, %v; want it put off", moved, err)
	}
	check(t, "what stands", r.addresses(t), "www.example.org A 8.8.8.8")
	if got := r.counter(t, "spokedns_failovers_total", "result", "put_off"); got != 1 {
		t.Errorf("%v were counted as put off, want 1", got)
	}
}

// refusing is a backend that cannot apply.
type refusing struct{ backend.Backend }

func (refusing) Apply(_ context.Context, zone string, changes []backend.Change) error {
	return &backend.Error{Kind: backend.Temporary, Op: "memory: update", Zone: zone, Key: changes[0].New.Key, Err: errors.New("busy")}
}

func TestAFailedFailoverSaysSo(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	first := start(t, atSite(w))
	first.loop(t, "hub", a("www.example.org", "10.0.0.1"))
	s := atSite(w)
	s.wrap = func(backend.Backend) backend.Backend { return refusing{first.backends[0]} }
	r := start(t, s)
	r.adjust(t, a("www.example.org", "10.0.0.1"))
	w.v4 = append(w.v4, "9.9.9.9")
	moved, err := r.FailOver(t.Context(), func() bool { return true })
	if err == nil || !strings.Contains(err.Error(), "failover: 0 of 1 changes made") || moved.Records != 1 {
		t.Errorf("got %+v, %v", moved, err)
	}
	if got := r.counter(t, "spokedns_failovers_total", "result", "error"); got != 1 {
		t.Errorf("%v failures were counted, want 1", got)
	}
}

func TestADryRunMovesNothing(t *testing.T) {
	w := &wan{v4: []string{"8.8.8.8"}}
	first := start(t, atSite(w))
	first.loop(t, "hub", a("www.example.org", "10.0.0.1"))
	s := atSite(w)
	s.wrap = func(backend.Backend) backend.Backend { return first.backends[0] }
	change := s.change
	s.change = func(c *view.Config) { change(c); c.DryRun = true }
	r := start(t, s)
	r.adjust(t, a("www.example.org", "10.0.0.1"))
	w.v4 = append(w.v4, "9.9.9.9")
	if moved := r.failOver(t); moved != (view.Moved{}) {
		t.Errorf("a dry run moved %+v", moved)
	}
	check(t, "what stands", r.addresses(t), "www.example.org A 8.8.8.8")
	if got := r.counter(t, "spokedns_failovers_total"); got != 0 {
		t.Errorf("%v failovers were counted", got)
	}
	if got := r.counter(t, "spokedns_changes_total", "result", "dry_run"); got != 1 || !strings.Contains(r.log.String(), "would change") {
		t.Errorf("%v changes were counted and logged as not made, want 1", got)
	}
}

// Whatever stands in the zone, a failover touches nothing but records that carry a former address, are decided
// to have the site's, and are external-dns's own; and what it touches, the next loop leaves alone.
func TestFailoverTouchesNothingElse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &wan{v4: []string{"8.8.8.8", "8.8.4.4"}}
		r := start(t, atSite(w))
		var in []*endpoint.Endpoint
		var changes plan.Changes
		want := map[string]string{} // name → address after
		for i := range rapid.IntRange(1, 12).Draw(rt, "names") {
			name := fmt.Sprintf("n%d.example.org", i)
			if rapid.Bool().Draw(rt, "internal") {
				name = fmt.Sprintf("n%d.internal.example.org", i)
			}
			addr := rapid.SampledFrom([]string{"8.8.8.8", "8.8.4.4", "9.9.9.9", "1.1.1.1"}).Draw(rt, "address")
			id := rapid.SampledFrom([]string{"hub", "spoke", ""}).Draw(rt, "owner")
			asked := rapid.Bool().Draw(rt, "asked for")
			changes.Create = append(changes.Create, a(name, addr))
			if id != "" {
				changes.Create = append(changes.Create, owner(id, "A", name))
			}
			if asked {
				in = append(in, a(name, "10.0.0.1"))
			}
			want[name] = addr
			if asked && id == "hub" && strings.HasPrefix(addr, "8.8.") && !strings.Contains(name, "internal") {
				want[name] = "9.9.9.9"
			}
		}
		r.apply(t, changes)
		r.adjust(t, in...)
		w.v4 = append(w.v4, "9.9.9.9")
		r.failOver(t)
		for _, e := range r.records(t) {
			if e.RecordType == "A" && e.Targets[0] != want[e.DNSName] {
				rt.Errorf("%s has %s, want %s", e.DNSName, e.Targets, want[e.DNSName])
			}
		}
	})
}

// hanging is a backend whose service does not answer at all once its line is down.
type hanging struct {
	backend.Backend
	down *atomic.Bool
}

func (h hanging) List(ctx context.Context, zone string) ([]backend.RRset, error) {
	if h.down.Load() {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return h.Backend.List(ctx, zone)
}

func (h hanging) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	if h.down.Load() {
		<-ctx.Done()
		return &backend.Error{Kind: backend.Temporary, Op: "memory: update", Zone: zone, Err: context.Cause(ctx)}
	}
	return h.Backend.Apply(ctx, zone, changes)
}

// The line that broke with the address leads to one service: the others' names move all the same.
func TestAServiceThatHangsStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wan{v4: []string{"8.8.8.8"}}
		s, down := atSite(w), &atomic.Bool{}
		s.views = append(s.views, policy.View{Name: "second", Zones: []string{"example.org"}, Rules: s.views[0].Rules})
		s.wrap = func(b backend.Backend) backend.Backend {
			return hanging{b, down}
		}
		change := s.change
		s.change = func(c *view.Config) {
			change(c)
			c.Registry = ownership.New(ownership.Config{Registry: "noop"})
			c.Views[0].Backend = c.Views[0].Backend.(hanging).Backend
		}
		r := start(t, s)
		r.apply(t, plan.Changes{Create: r.adjust(t, a("www.example.org", "10.0.0.1"))})
		r.records(t)
		r.apply(t, plan.Changes{Create: []*endpoint.Endpoint{in("public", a("other.internal.example.org", "10.0.0.2"))}}) // so that it has to be listed
		w.v4 = append(w.v4, "9.9.9.9")
		down.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if _, err := r.FailOver(ctx, func() bool { return true }); err == nil || !strings.Contains(err.Error(), "1 of 2 changes made") {
			t.Errorf("got %v, want that one of two was moved", err)
		}
		// What is done is not done again.
		ctx, cancel = context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if _, err := r.FailOver(ctx, func() bool { return true }); err == nil || !strings.Contains(err.Error(), "0 of 1 changes made") {
			t.Errorf("got %v, want that the other is tried alone", err)
		}
		down.Store(false)
		check(t, "what stands", r.addresses(t), "other.internal.example.org A 10.0.0.2", "www.example.org A 8.8.8.8", "www.example.org A 9.9.9.9")
		if moved := r.failOver(t); moved != (view.Moved{Records: 1}) {
			t.Errorf("moved %+v once the service is back, want what was left", moved)
		}
	})
}
