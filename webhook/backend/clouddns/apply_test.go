package clouddns_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/clouddns/clouddnstest"
)

// named returns the kind under which each RRset failed.
func named(err error) map[string]backend.Kind {
	out := map[string]backend.Kind{}
	for _, e := range backend.Errors(err) {
		out[e.Key.String()] = e.Kind
	}
	return out
}

// requireNamed requires that exactly these RRsets failed, in this way.
func requireNamed(t *testing.T, err error, kind backend.Kind, keys ...string) {
	t.Helper()
	got := named(err)
	if len(got) != len(keys) || slices.ContainsFunc(keys, func(k string) bool { v, ok := got[k]; return !ok || v != kind }) {
		t.Fatalf("want %s about %q, got: %v", kind, keys, err)
	}
}

func mustApply(t *testing.T, b backend.Backend, changes []backend.Change) {
	t.Helper()
	if err := b.Apply(t.Context(), zone, changes); err != nil {
		t.Fatal(err)
	}
}

// turned makes updates to another address of every address that changes create, and deletes turns around
// every create.
func turned(changes []backend.Change, value string) []backend.Change {
	var out []backend.Change
	for _, c := range changes {
		if c.New.Type == "A" {
			next := *c.New
			next.Values = []string{value}
			out = append(out, backend.Change{Old: c.New, New: &next, Unit: c.Unit})
		}
	}
	return out
}

func deletes(changes []backend.Change) []backend.Change {
	out := slices.Clone(changes)
	for i := range out {
		out[i].Old, out[i].New = out[i].New, nil
	}
	return out
}

// The numbers of requests for 10,000 names with their ownership are the smallest there can be: 20,002
// RRsets are 21 pages, and 1,000 additions or deletions make one change.
func TestRequestsForTenThousandNames(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	all := published(10_000, "192.0.2.1")
	mustList(t, b)
	for _, step := range []struct {
		name    string
		changes []backend.Change
		writes  int
	}{
		{"create", all, 20},
		{"change 1 %", turned(all[:200], "192.0.2.2"), 1},
		{"delete", deletes(slices.Concat(turnedTo(all[:200], "192.0.2.2"), all[200:])), 20},
	} {
		s.ResetCalls()
		mustApply(t, b, step.changes)
		if calls := s.Calls(); calls["changes.create"] != step.writes || len(calls) != 1 {
			t.Errorf("%s: asked %v, want %d changes and nothing else", step.name, calls, step.writes)
		}
		s.ResetCalls()
		pages := 1 + len(s.Records(project, "main"))/1000
		mustList(t, b)
		if calls := s.Calls(); calls["resourceRecordSets.list"] != pages || len(calls) != 1 {
			t.Errorf("list after %s: asked %v, want %d pages and nothing else", step.name, calls, pages)
		}
	}
	if got := mustList(t, b); len(got) != 0 {
		t.Errorf("%d RRsets are left", len(got))
	}
}

// turnedTo is changes with another address.
func turnedTo(changes []backend.Change, value string) []backend.Change {
	out := slices.Clone(changes)
	for i, c := range out {
		if c.New.Type == "A" {
			next := *c.New
			next.Values = []string{value}
			out[i].New = &next
		}
	}
	return out
}

// Whatever the service says, or does not say, about what it will not take: everything else is written.
func TestWhatTheServiceRefusesStopsNobodyElse(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(*clouddnstest.Limits){
		"it names the guilty":     func(*clouddnstest.Limits) {},
		"it numbers the guilty":   func(l *clouddnstest.Limits) { l.IndexedMessage = true },
		"it does not say which":   func(l *clouddnstest.Limits) { l.VagueMessage = true },
		"and its quota is lower":  func(l *clouddnstest.Limits) { l.VagueMessage, l.Additions = true, 90 },
		"and takes less data too": func(l *clouddnstest.Limits) { l.VagueMessage, l.Bytes = true, 4000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := started(t)
			s.Limit(say)
			s.Limit(func(l *clouddnstest.Limits) { l.RecordsPerSet = 2 })
			b := opened(t, c)
			mustList(t, b)
			changes := published(100, "192.0.2.1")
			for _, i := range []int{37, 80} {
				guilty := *changes[2*i].New
				guilty.Values = []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
				changes[2*i].New = &guilty
			}
			err := b.Apply(t.Context(), zone, changes)
			requireNamed(t, err, backend.Rejected, "host00037.zone.example A", "a-host00037.zone.example TXT", "host00080.zone.example A", "a-host00080.zone.example TXT")
			if !strings.Contains(err.Error(), "quota for resource records per rrset") {
				t.Errorf("the service's reason is missing in: %v", err)
			}
			if got := mustList(t, b); len(got) != 2*98 {
				t.Errorf("%d RRsets were written, want the other 196", len(got))
			}
		})
	}
}

func TestAFullZone(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	old := published(50, "192.0.2.1")
	put(s, old)
	s.Limit(func(l *clouddnstest.Limits) { l.SetsPerZone = 2 + 100 + 20 })
	b := opened(t, c)
	mustList(t, b)
	changes := slices.Concat(published(500, "192.0.2.1")[100:], turned(old, "192.0.2.2"))
	err := b.Apply(t.Context(), zone, changes)
	for _, e := range backend.Errors(err) {
		if e.Kind != backend.Rejected || !strings.Contains(e.Err.Error(), "rrsetsPerManagedZone") {
			t.Fatalf("got %v", e)
		}
	}
	if got := len(mustList(t, b)); got != 120 {
		t.Errorf("the zone holds %d RRsets, want it full with 120", got)
	}
	if got := find(s, "host00000", "A").Rrdatas[0]; got != "192.0.2.2" {
		t.Errorf("an update did not come through: %s", got)
	}
	if n := s.Calls()["changes.create"]; n > 30 {
		t.Errorf("asked %d times", n)
	}
}

func TestRepeatsAreHarmless(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]clouddnstest.Fault{
		"after a lost reply":           {LoseReply: true},
		"after two lost replies":       {LoseReply: true, Times: 2},
		"after a fault":                {Status: 503},
		"after too many requests":      {Status: 429, Reason: "rateLimitExceeded"},
		"after the API's own throttle": {Status: 403, Reason: "rateLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := started(t)
			b := opened(t, c)
			mustList(t, b)
			all := published(60, "192.0.2.1")
			for _, changes := range [][]backend.Change{all, turned(all, "192.0.2.2"), deletes(turnedTo(all, "192.0.2.2"))} {
				fault.Operation = "changes.create"
				s.Fail(fault)
				mustApply(t, b, changes)
				for i, c := range changes {
					if held := find(s, strings.TrimSuffix(c.Key().Name, "."+zone), c.Key().Type); (held == nil) != (c.New == nil) {
						t.Fatalf("change %d of %s was not made", i, c.Key())
					}
				}
				mustList(t, b)
			}
		})
	}
}

// Everything was written by somebody else after we looked.
func TestALotOfOldBeliefs(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	all := published(3000, "192.0.2.1")
	put(s, all)
	b := opened(t, c)
	mustList(t, b)
	for _, change := range turned(all, "192.0.2.1") {
		r := record(*change.New)
		r.TTL = 77
		s.Put(project, "main", r)
	}
	s.ResetCalls()
	mustApply(t, b, turned(all, "192.0.2.2"))
	if r := find(s, "host02999", "A"); r.Rrdatas[0] != "192.0.2.2" || r.Ttl != 300 {
		t.Errorf("it holds %v", r)
	}
	if calls := s.Calls(); calls["resourceRecordSets.list"] > 4*7 || calls["changes.create"] > 12 {
		t.Errorf("asked %v", calls)
	}
}

// The service may name one culprit at a time.
func TestOneCulpritAtATime(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	s.Limit(func(l *clouddnstest.Limits) { l.VagueMessage = true })
	b := opened(t, c)
	mustList(t, b)
	theirs := set("host00003", "A", "198.51.100.1")
	s.Put(project, "main", record(theirs))
	requireNamed(t, b.Apply(t.Context(), zone, published(10, "192.0.2.1")), backend.Conflict, "host00003.zone.example A", "a-host00003.zone.example TXT")
	if got := mustList(t, b); len(got) != 19 {
		t.Errorf("%d RRsets, want 18 and theirs", len(got))
	}
}

func TestWhatIsNotOursIsInTheWay(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	s.Put(project, "main", clouddnstest.Record{Name: "routed.zone.example.", Type: "A", TTL: 60, RoutingPolicy: map[string]any{"wrr": map[string]any{}}})
	s.Put(project, "main", clouddnstest.Record{Name: "caa.zone.example.", Type: "CAA", TTL: 60, Rrdatas: []string{`0 issue "ca.example"`}})
	before := len(s.Records(project, "main"))
	b := opened(t, c)
	mustList(t, b)
	requireNamed(t, b.Apply(t.Context(), zone, create(set("routed", "A", "192.0.2.1"))), backend.Conflict, "routed.zone.example A")
	old := set("routed", "A", "192.0.2.1")
	requireNamed(t, b.Apply(t.Context(), zone, []backend.Change{{Old: &old}}), backend.Conflict, "routed.zone.example A")
	requireNamed(t, b.Apply(t.Context(), zone, create(set("caa", "CNAME", "lb.example"))), backend.Conflict, "caa.zone.example CNAME")
	if after := len(s.Records(project, "main")); after != before {
		t.Errorf("%d RRsets, want %d", after, before)
	}
	mustApply(t, b, create(set("routed", "TXT", "beside"), set("caa", "A", "192.0.2.1")))
}

// What stands in the way of one unit may be another unit's to take away.
func TestUnitsThatDependOnEachOther(t *testing.T) {
	t.Parallel()
	_, c := started(t)
	b := opened(t, c)
	old, txt := set("www", "A", "192.0.2.1"), set("www", "TXT", "owner")
	mustApply(t, b, create(old, txt))
	mustList(t, b)
	alias := set("www", "CNAME", "lb.example")
	mustApply(t, b, []backend.Change{{New: &alias, Unit: "one"}, {Old: &old, Unit: "two"}, {Old: &txt, Unit: "three"}})
	if got := keys(mustList(t, b)); !slices.Equal(got, []string{"www.zone.example CNAME"}) {
		t.Errorf("the zone holds %q", got)
	}
}

// A deletion has to say the TTL of 0 that somebody gave.
func TestATTLOfZeroIsReplaced(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	old := set("www", "A", "192.0.2.1")
	r := record(old)
	r.TTL = 0
	s.Put(project, "main", r)
	b := opened(t, c)
	mustList(t, b)
	s.ResetCalls()
	mustApply(t, b, turned(create(old), "192.0.2.2"))
	if calls := s.Calls(); calls["changes.create"] != 1 || find(s, "www", "A").Ttl != 300 {
		t.Errorf("asked %v", calls)
	}
}

// Texts that others wrote in another way are replaced as they stand.
func TestTextsInAnotherForm(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	s.Put(project, "main", clouddnstest.Record{Name: "note.zone.example.", Type: "TXT", TTL: 60, Rrdatas: []string{`"grüße" "\; und mehr"`, "bare words"}})
	b := opened(t, c)
	sets := mustList(t, b)
	if want := []string{"barewords", "grüße; und mehr"}; len(sets) != 1 || !slices.Equal(sets[0].Values, want) {
		t.Fatalf("listed %q, want %q", sets, want)
	}
	next := set("note", "TXT", "new")
	mustApply(t, b, []backend.Change{{Old: &sets[0], New: &next}})
	if got := find(s, "note", "TXT").Rrdatas; !slices.Equal(got, []string{`"new"`}) {
		t.Errorf("it holds %q", got)
	}
}

func TestAUnitThatIsLargerThanAChange(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	c.BatchSize = 3
	b := opened(t, c)
	var changes []backend.Change
	for i := range 10 {
		r := set(fmt.Sprintf("part%d", i), "A", "192.0.2.1")
		changes = append(changes, backend.Change{New: &r, Unit: "whole"})
	}
	mustApply(t, b, changes)
	if got := len(mustList(t, b)); got != 10 {
		t.Errorf("%d RRsets, want 10", got)
	}
	if n := s.Calls()["changes.create"]; n != 4 {
		t.Errorf("%d changes, want 4", n)
	}
	// Two long texts are replaced, and one of them in vain: the rest of the unit is not touched.
	long := func(label, c string) backend.RRset { return set(label, "TXT", strings.Repeat(c, 48_000)) }
	one, two := long("one", "a"), long("two", "a")
	mustApply(t, b, []backend.Change{{New: &one, Unit: "u"}, {New: &two, Unit: "u"}})
	mustList(t, b)
	s.Put(project, "main", record(long("one", "x")))
	next1, next2 := long("one", "b"), long("two", "b")
	err := b.Apply(t.Context(), zone, []backend.Change{{Old: &one, New: &next1, Unit: "u"}, {Old: &two, New: &next2, Unit: "u"}})
	if got := named(err); len(got) != 2 || got["one.zone.example TXT"] != backend.Conflict {
		t.Fatalf("got %v", got)
	}
	if got := find(s, "two", "TXT").Rrdatas[0]; !strings.HasPrefix(got, `"aaa`) {
		t.Error("the second part was written although the first failed")
	}
}

func TestTheTimeRunsOut(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	mustList(t, b)
	all := published(5000, "192.0.2.1")
	s.Fail(clouddnstest.Fault{Operation: "changes.create", After: 4, Times: 1000, Delay: time.Minute})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() { // the time is over when four changes were made and four hang
		for s.Calls()["changes.create"] < 8 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel(errors.New("out of time"))
	}()
	err := b.Apply(ctx, zone, all)
	if err == nil || backend.KindOf(err) != backend.Temporary || len(backend.Errors(err)) != 1 || !strings.Contains(err.Error(), "4000 of 10000 changes made before the time ran out") {
		t.Errorf("got %v", err)
	}
	s.Heal()
	if got := len(mustList(t, b)); got != 4000 {
		t.Errorf("%d RRsets are there, want 4,000", got)
	}
	mustApply(t, b, all)
}

// What is the service's fault with one change is not with the others.
func TestAFaultThatStays(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	c.BatchSize = 2
	b := opened(t, c)
	mustList(t, b)
	s.Fail(clouddnstest.Fault{Operation: "changes.create", Status: 501, Message: "not implemented"})
	err := b.Apply(t.Context(), zone, published(4, "192.0.2.1"))
	if got := named(err); len(got) != 2 || backend.KindOf(err) != backend.Temporary {
		t.Errorf("got %v, want one unit to fail", err)
	}
	if got := len(mustList(t, b)); got != 6 {
		t.Errorf("%d RRsets are there, want 6", got)
	}
}

// A refusal of everything is told once and not tried for each.
func TestRightsThatAreMissing(t *testing.T) {
	t.Parallel()
	s, c := started(t)
	b := opened(t, c)
	mustList(t, b)
	s.Fail(clouddnstest.Fault{Operation: "changes.create", Times: 1000, Status: 403, Reason: "forbidden", Message: "Forbidden"})
	requireFailure(t, b.Apply(t.Context(), zone, published(5000, "192.0.2.1")), backend.Denied, "Forbidden", "10000 were not")
	if n := s.Calls()["changes.create"]; n > 4 {
		t.Errorf("asked %d times", n)
	}
}
