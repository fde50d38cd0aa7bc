package view_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/view"
)

type eps = []*endpoint.Endpoint

func TestApplyCreatesUpdatesAndDeletes(t *testing.T) {
	r := start(t, one())
	r.apply(t, plan.Changes{Create: eps{
		a("www.example.org", "192.0.2.2", "192.0.2.1"), owner("me", "a", "www.example.org"),
		a("gone.example.org", "192.0.2.3"), owner("me", "a", "gone.example.org"),
	}})
	old := a("www.example.org", "192.0.2.1", "192.0.2.2")
	old.ProviderSpecific = endpoint.ProviderSpecific{{Name: "txt/force-update", Value: "true"}}
	r.apply(t, plan.Changes{
		UpdateOld: eps{old, owner("me", "a", "www.example.org")},
		UpdateNew: eps{a("www.example.org", "192.0.2.9"), owner("me", "a", "www.example.org")},
		Delete:    eps{a("gone.example.org", "192.0.2.3"), owner("me", "a", "gone.example.org")},
	})
	check(t, "records", lines(r.records(t)),
		"a-www.example.org TXT 5m0s heritage=external-dns,external-dns/owner=me",
		"www.example.org A 5m0s 192.0.2.9")
}

// external-dns names the ownership of a wildcard after the star, unless it is told to replace it.
func TestWildcardKeepsItsOwnership(t *testing.T) {
	r := start(t, one())
	r.apply(t, plan.Changes{Create: eps{a("*.example.org", "192.0.2.1"), owner("me", "a", "*.example.org")}})
	check(t, "records", lines(r.records(t)),
		"*.example.org A 5m0s 192.0.2.1",
		"a-*.example.org TXT 5m0s heritage=external-dns,external-dns/owner=me")
}

func TestSwapOfTypesIsOneStep(t *testing.T) {
	r := start(t, one())
	r.apply(t, plan.Changes{Create: eps{a("www.example.org", "192.0.2.1"), owner("me", "a", "www.example.org")}})
	r.apply(t, plan.Changes{
		Delete: eps{a("www.example.org", "192.0.2.1"), owner("me", "a", "www.example.org")},
		Create: eps{record("CNAME", "www.example.org", "lb.example.com"), owner("me", "cname", "www.example.org")},
	})
	check(t, "records", lines(r.records(t)),
		"cname-www.example.org TXT 5m0s heritage=external-dns,external-dns/owner=me",
		"www.example.org CNAME 5m0s lb.example.com")
}

func TestApplyGoesToTheLongestZone(t *testing.T) {
	r := start(t, setup{views: []policy.View{{Name: "public", Zones: []string{"example.org", "test"}}}})
	r.apply(t, plan.Changes{Create: eps{a("a.example.org", "192.0.2.1"), a("b.test", "192.0.2.2")}})
	zone, err := r.backends[0].List(t.Context(), "test")
	if err != nil || len(zone) != 1 || zone[0].Name != "b.test" {
		t.Errorf("zone test holds %v, %v", zone, err)
	}
}

// What cannot be published is named, takes its ownership text with it, and stops nothing else.
func TestApplyIsolatesWhatItRefuses(t *testing.T) {
	r := start(t, one())
	err := r.Apply(t.Context(), &plan.Changes{Create: eps{
		a("good.example.org", "192.0.2.1"), owner("me", "a", "good.example.org"),
		a("other.example.com", "192.0.2.1"), owner("me", "a", "other.example.com"),
		a("bad.example.org", "not an address"), owner("me", "a", "bad.example.org"),
		a("example.org", "192.0.2.1"), owner("me", "a", "example.org"), // its TXT is a-example.org, outside
		in("nowhere/x", a("fine.example.org", "192.0.2.7")),
	}})
	for _, part := range []string{"2 of 9 changes made", "other.example.com A: the name is in no zone of view public (example.org)",
		`"not an address" is not an A value`, "a-example.org TXT: the name is in no zone"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
	check(t, "records", lines(r.records(t)),
		"a-good.example.org TXT 5m0s heritage=external-dns,external-dns/owner=me",
		"good.example.org A 5m0s 192.0.2.1")
}

func TestApplyTellsConflicts(t *testing.T) {
	r := start(t, one())
	r.backends[0].Put("example.org", backend.RRset{Key: backend.Key{Name: "www.example.org", Type: "A"}, TTL: 300e9, Values: []string{"203.0.113.1"}})
	err := r.Apply(t.Context(), &plan.Changes{
		UpdateOld: eps{a("www.example.org", "192.0.2.1")}, UpdateNew: eps{a("www.example.org", "192.0.2.2")},
		Create: eps{a("new.example.org", "192.0.2.1")},
	})
	if err == nil || !strings.Contains(err.Error(), "1 of 2 changes made") || !strings.Contains(err.Error(), "(conflict)") {
		t.Errorf("error %v", err)
	}
	if got := r.counter(t, "spokedns_changes_total", "result", "success"); got != 1 {
		t.Errorf("%v successes are counted", got)
	}
	if got := r.counter(t, "spokedns_changes_total", "result", "error", "op", "update"); got != 1 {
		t.Errorf("%v errors are counted", got)
	}
}

// An Apply that ended after the ownership text and before the record leaves a text whose labels may
// differ next time. It belongs to the same owner and is taken over; a stranger's is a conflict.
func TestOwnershipTextsAreAdopted(t *testing.T) {
	r := start(t, one())
	text := func(value string) {
		r.backends[0].Put("example.org", backend.RRset{Key: backend.Key{Name: "a-www.example.org", Type: "TXT"}, TTL: 300e9, Values: []string{value}})
	}
	text("heritage=external-dns,external-dns/owner=me,external-dns/resource=ingress/a/b")
	create := plan.Changes{Create: eps{a("www.example.org", "192.0.2.1"), owner("me", "a", "www.example.org")}}
	r.records(t)
	r.apply(t, create)
	check(t, "records", lines(r.records(t)),
		"a-www.example.org TXT 5m0s heritage=external-dns,external-dns/owner=me", "www.example.org A 5m0s 192.0.2.1")

	text("heritage=external-dns,external-dns/owner=stranger")
	r.records(t)
	change := plan.Changes{
		UpdateOld: eps{a("www.example.org", "192.0.2.1"), owner("me", "a", "www.example.org")},
		UpdateNew: eps{a("www.example.org", "192.0.2.2"), owner("me", "a", "www.example.org")},
	}
	if err := r.Apply(t.Context(), &change); err == nil || !strings.Contains(err.Error(), "conflict") {
		t.Errorf("a stranger's text was overwritten: %v", err)
	}
	check(t, "records", lines(r.records(t)),
		"a-www.example.org TXT 5m0s heritage=external-dns,external-dns/owner=stranger", "www.example.org A 5m0s 192.0.2.1")
}

// An update of a text that is not there, which the registry sends when it changes the format of names,
// creates it.
func TestOwnershipTextsThatAreMissingAreCreated(t *testing.T) {
	r := start(t, one())
	r.apply(t, plan.Changes{Create: eps{a("www.example.org", "192.0.2.1")}})
	both := eps{a("www.example.org", "192.0.2.1"), owner("me", "a", "www.example.org")}
	r.apply(t, plan.Changes{UpdateOld: both, UpdateNew: both})
	if got := lines(r.records(t)); !strings.Contains(got, "a-www.example.org TXT") {
		t.Errorf("records:\n%s", got)
	}
}

func TestViewsAreApart(t *testing.T) {
	r := start(t, two())
	r.apply(t, plan.Changes{Create: eps{
		in("public", a("www.example.org", "192.0.2.1")), in("internal", a("www.example.org", "10.0.0.1"))}})
	check(t, "records", lines(r.records(t)),
		"www.example.org A 5m0s 10.0.0.1 (internal)", "www.example.org A 5m0s 192.0.2.1 (public)")
	r.apply(t, plan.Changes{Delete: eps{in("internal", a("www.example.org", "10.0.0.1"))}})
	check(t, "records", lines(r.records(t)), "www.example.org A 5m0s 192.0.2.1 (public)")
}

func TestOneViewDownStopsNoOther(t *testing.T) {
	var backends []*flaky
	s := two()
	s.wrap = func(b backend.Backend) backend.Backend {
		f := &flaky{Backend: b}
		backends = append(backends, f)
		return f
	}
	r := start(t, s)
	backends[0].set(nil, errDown)
	err := r.Apply(t.Context(), &plan.Changes{Create: eps{
		in("public", a("www.example.org", "192.0.2.1")), in("internal", a("www.example.org", "10.0.0.1"))}})
	if err == nil || !strings.Contains(err.Error(), "1 of 2 changes made; view public: flaky: update example.org: connection refused (temporary)") {
		t.Errorf("error %v", err)
	}
	check(t, "records", lines(r.records(t)), "www.example.org A 5m0s 10.0.0.1 (internal)")
}

func TestDryRunChangesNothing(t *testing.T) {
	s := one()
	s.change = func(c *view.Config) { c.DryRun = true }
	r := start(t, s)
	r.apply(t, plan.Changes{Create: eps{a("www.example.org", "192.0.2.1")}})
	if got := r.records(t); len(got) != 0 {
		t.Errorf("records: %s", lines(got))
	}
	if !strings.Contains(r.log.String(), "would change") || r.counter(t, "spokedns_changes_total", "result", "dry_run") != 1 {
		t.Errorf("log:\n%s", r.log)
	}
}

func many(n int, format string) eps {
	var out eps
	for i := range n {
		name := fmt.Sprintf(format, i)
		e := a(name, "192.0.2.1")
		e.Labels = endpoint.Labels{"owner": "me"}
		out = append(out, e, owner("me", "a", name))
	}
	return out
}

func TestMassDeletionIsRefused(t *testing.T) {
	r := start(t, one())
	all := many(100, "h%d.example.org")
	r.apply(t, plan.Changes{Create: all})
	// A stranger's records do not make ours a smaller share.
	r.apply(t, plan.Changes{Create: func() eps {
		var out eps
		for i := range 500 {
			out = append(out, a(fmt.Sprintf("s%d.example.org", i), "192.0.2.1"))
		}
		return out
	}()})
	err := r.Apply(t.Context(), &plan.Changes{Delete: all[:120], Create: eps{a("new.example.org", "192.0.2.1")}})
	if err == nil || !strings.Contains(err.Error(), `60 deletions in view public, zone example.org are refused: they are more than 50% of the 100 records that owner "me" has there`) {
		t.Errorf("error %v", err)
	}
	got := r.records(t)
	if len(got) != 701 || !strings.Contains(lines(got), "new.example.org") {
		t.Errorf("%d records", len(got))
	}
	if n := r.counter(t, "spokedns_deletions_refused_total"); n != 60 {
		t.Errorf("%v refused deletions are counted", n)
	}
	r.apply(t, plan.Changes{Delete: all[:100]})    // 50 of 100
	r.apply(t, plan.Changes{Delete: all[100:140]}) // 20 of 50
	r.apply(t, plan.Changes{Delete: all[140:180]}) // 20 of 30: so few always pass
}

// External-dns before v0.18 wrote a second ownership TXT for each record, and nobody removes those.
func TestMassDeletionWithOldOwnershipTexts(t *testing.T) {
	r := start(t, one())
	all := many(30, "h%d.example.org")
	r.apply(t, plan.Changes{Create: all})
	for i := range 30 {
		r.apply(t, plan.Changes{Create: eps{record("TXT", fmt.Sprintf("old-h%d.example.org", i), `"heritage=external-dns,external-dns/owner=me"`)}})
	}
	if err := r.Apply(t.Context(), &plan.Changes{Delete: all}); err == nil || !strings.Contains(err.Error(), "30 deletions") {
		t.Errorf("error %v", err)
	}
}

func TestRepeatedChangeIsNamed(t *testing.T) {
	r := start(t, one())
	for range 3 {
		r.apply(t, plan.Changes{Create: eps{a("www.example.org", "192.0.2.1")}})
		r.backends[0].Remove("example.org", backend.Key{Name: "www.example.org", Type: "A"})
	}
	if n := r.counter(t, "spokedns_repeated_changes_total"); n != 1 || !strings.Contains(r.log.String(), "again and again") {
		t.Errorf("%v repeats are counted; log:\n%s", n, r.log)
	}
}

func TestTheSameFailureIsLoggedOnce(t *testing.T) {
	s := one()
	var f *flaky
	s.wrap = func(b backend.Backend) backend.Backend { f = &flaky{Backend: b}; return f }
	r := start(t, s)
	f.set(nil, errDown)
	for range 3 {
		if err := r.Apply(t.Context(), &plan.Changes{Create: many(3, "h%d.example.org")}); err == nil {
			t.Fatal("apply succeeds")
		}
	}
	if n := strings.Count(r.log.String(), "change failed"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, r.log)
	}
	if n := r.counter(t, "spokedns_changes_total", "result", "error"); n != 18 {
		t.Errorf("%v errors are counted, want 3 times 6", n)
	}
}

// One operation that took too long says nothing about the others.
func TestOneTimeoutIsNotTheEnd(t *testing.T) {
	s := one()
	s.wrap = func(b backend.Backend) backend.Backend { return timingOut{b} }
	r := start(t, s)
	err := r.Apply(t.Context(), &plan.Changes{Create: eps{a("a.example.org", "192.0.2.1"), a("b.example.org", "192.0.2.1"), a("c.example.org", "192.0.2.1")}})
	if err == nil || !strings.HasPrefix(err.Error(), "2 of 3 changes made; view public: test: update: a.example.org A: context deadline exceeded") {
		t.Errorf("error %v", err)
	}
}

type timingOut struct{ backend.Backend }

func (b timingOut) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	err := b.Backend.Apply(ctx, zone, changes[1:])
	return errors.Join(err, &backend.Error{Kind: backend.Temporary, Op: "test: update", Key: changes[0].Key(), Err: context.DeadlineExceeded})
}

// slow sees the time end after a number of changes.
type slow struct {
	backend.Backend
	room int
	end  context.CancelFunc
}

func (s *slow) Apply(ctx context.Context, zone string, changes []backend.Change) error {
	n := min(s.room, len(changes))
	s.room -= n
	err := s.Backend.Apply(ctx, zone, changes[:n])
	if n == len(changes) {
		return err
	}
	s.end()
	return errors.Join(err, backend.Unfinished(ctx, "slow: update", zone, changes[n:], n))
}

func TestLargeApplyTellsItsProgress(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	s := one()
	s.wrap = func(b backend.Backend) backend.Backend { return &slow{b, 24_000, end} }
	r := start(t, s)
	err := r.Apply(ctx, &plan.Changes{Create: many(30_000, "h%d.example.org")})
	if err == nil || !strings.HasPrefix(err.Error(), "24000 of 60000 changes made; the next call carries on") {
		t.Errorf("error %v", err)
	}
	if got := len(r.records(t)); got != 24_000 {
		t.Errorf("%d records", got)
	}
	if made, late := r.counter(t, "spokedns_changes_total", "result", "success"), r.counter(t, "spokedns_changes_total", "result", "late"); made != 24_000 || late != 36_000 {
		t.Errorf("%v made and %v late are counted", made, late)
	}
}

func TestApplyAfterTheTimeChangesNothing(t *testing.T) {
	r := start(t, one())
	r.records(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := r.Apply(ctx, &plan.Changes{Create: eps{a("www.example.org", "192.0.2.1")}})
	if err == nil || !strings.Contains(err.Error(), "0 of 1 changes made") {
		t.Errorf("error %v", err)
	}
}

func TestOddChanges(t *testing.T) {
	r := start(t, one())
	r.apply(t, plan.Changes{})
	r.apply(t, plan.Changes{Create: eps{nil, a("WWW.Example.ORG.", "192.0.2.1"), a("www.example.org", "192.0.2.2", "192.0.2.1")}})
	check(t, "two creates of one key", lines(r.records(t)), "www.example.org A 5m0s 192.0.2.1,192.0.2.2")
	r.apply(t, plan.Changes{UpdateOld: eps{a("www.example.org", "192.0.2.1", "192.0.2.2")}})
	check(t, "an UpdateOld alone", lines(r.records(t)), "www.example.org A 5m0s 192.0.2.1,192.0.2.2")
	r.apply(t, plan.Changes{Delete: eps{a("www.example.org", "192.0.2.1", "192.0.2.2"), nil}, Create: eps{a("www.example.org", "192.0.2.3")}})
	check(t, "a delete and a create of one key", lines(r.records(t)), "www.example.org A 5m0s 192.0.2.3")
}
