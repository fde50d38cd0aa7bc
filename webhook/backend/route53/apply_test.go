package route53_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

// observed counts what an observer is told.
type observed struct {
	mu   sync.Mutex
	seen map[string]int // "operation result"
}

func (o *observed) observe(operation string, result apicall.Result, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = map[string]int{}
	}
	o.seen[operation+" "+string(result)]++
}

func (o *observed) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[what]
}

// start returns a server with zone.example and a backend that knows what is in it.
func start(t *testing.T, o route53test.Options, change ...func(*route53.Config)) (*route53test.Server, *route53.Backend, string, *observed) {
	t.Helper()
	s := route53test.New(o)
	t.Cleanup(s.Close)
	id := s.AddZone(route53test.Zone{Name: "zone.example"})
	c := settings(s)
	for _, f := range change {
		f(&c)
	}
	seen := &observed{}
	b, err := route53.New(c, seen.observe, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return s, b, id, seen
}

func list(t *testing.T, b backend.Backend) map[backend.Key]backend.RRset {
	t.Helper()
	sets, err := b.List(t.Context(), "zone.example")
	if err != nil {
		t.Fatal(err)
	}
	out := map[backend.Key]backend.RRset{}
	for _, r := range sets {
		out[r.Key] = r
	}
	return out
}

// host is a name with an address and its ownership text, as changes of one unit.
func host(i int, address string, attributes ...string) []backend.Change {
	name := fmt.Sprintf("host%05d.zone.example", i)
	a := set(name, "A", "", nil, address)
	if len(attributes) > 0 {
		a.SetID, a.Attrs = "blue", attrs(attributes...)
	}
	text := set("a-"+name, "TXT", "", nil, `"heritage=external-dns,external-dns/owner=hub,external-dns/resource=ingress/default/`+name+`"`)
	a.TTL, text.TTL = 5*time.Minute, 5*time.Minute
	return []backend.Change{{New: &a, Unit: name}, {New: &text, Unit: name}}
}

func hosts(n int, address string) []backend.Change {
	var out []backend.Change
	for i := range n {
		out = append(out, host(i, address)...)
	}
	return out
}

// changed turns creates into updates from what is listed.
func changed(t *testing.T, b backend.Backend, wanted []backend.Change) []backend.Change {
	t.Helper()
	have := list(t, b)
	out := slices.Clone(wanted)
	for i := range out {
		old := have[out[i].Key()]
		out[i].Old = &old
	}
	return out
}

// TestAsFewRequestsAsCanBe: 10,000 names with their ownership texts.
func TestAsFewRequestsAsCanBe(t *testing.T) {
	t.Parallel()
	const names = 10_000
	s, b, _, _ := start(t, route53test.Options{})
	smallest := func(changes []backend.Change) int { // by what the limits allow for what is written and deleted
		records, characters := 0, 0
		for _, c := range changes {
			for _, r := range []*backend.RRset{c.Old, c.New} {
				if r == nil {
					continue
				}
				records += len(r.Values)
				for _, v := range r.Values {
					if r.Type == "TXT" {
						v = `"\"` + strings.Trim(v, `"`) + `\""`
					}
					characters += len(v)
				}
			}
		}
		return max((records+999)/1000, (characters+31999)/32000)
	}
	requests := func(what string, changes []backend.Change) {
		t.Helper()
		s.Reset()
		if err := b.Apply(t.Context(), "zone.example", changes); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got, least := s.Counts(), smallest(changes)
		t.Logf("%s %d record sets: %v, at least %d batches", what, len(changes), got, least)
		if n := got["ChangeResourceRecordSets"]; n*100 > least*105 && n > least {
			t.Errorf("%s: %d batches, the smallest possible number is %d", what, n, least)
		}
		if len(got) > 1 {
			t.Errorf("%s: other requests than changes: %v", what, got)
		}
	}
	if got := list(t, b); len(got) != 0 {
		t.Fatalf("a new zone has %d record sets", len(got))
	}
	requests("create", hosts(names, "192.0.2.1"))
	s.Reset()
	all := list(t, b)
	if got, want := s.Counts(), map[string]int{"ListResourceRecordSets": (2*names + 2 + 299) / 300}; len(all) != 2*names || !cmp.Equal(got, want) {
		t.Errorf("listing %d record sets took %v, want %v", len(all), got, want)
	}
	requests("change 1 %", changed(t, b, hosts(names/100, "192.0.2.2")))
	var gone []backend.Change
	for _, c := range changed(t, b, hosts(names, "192.0.2.1")) {
		gone = append(gone, backend.Change{Old: c.Old, Unit: c.Unit})
	}
	requests("delete", gone)
	if got := list(t, b); len(got) != 0 {
		t.Errorf("%d record sets are left", len(got))
	}
}

// TestRefusedRecordsAreIsolated: three records that the service refuses among 300 stop nobody else,
// whether it says which they are or not.
func TestRefusedRecordsAreIsolated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options route53test.Options
		bad     []string // attributes
		target  string
		most    int // requests
	}{
		{"named", route53test.Options{}, []string{"alias", "true"}, "nothing.zone.example", 12},
		{"not named", route53test.Options{Terse: true}, []string{"alias", "true"}, "nothing.zone.example", 80},
		{"by another error", route53test.Options{}, []string{"weight", "1", "health-check-id", "none"}, "192.0.2.1", 80},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			s, b, _, _ := start(t, c.options)
			list(t, b)
			changes := hosts(300, "192.0.2.1")
			var want []backend.Key
			for _, i := range []int{3, 150, 151} {
				a := set(changes[2*i].New.Name, "A", "", attrs(c.bad...), c.target)
				if c.bad[0] == "weight" {
					a.SetID = "blue"
				}
				changes[2*i].New = &a
				want = append(want, a.Key, changes[2*i+1].Key())
			}
			s.Reset()
			err := b.Apply(t.Context(), "zone.example", changes)
			var got []backend.Key
			for _, e := range backend.Errors(err) {
				if e.Kind != backend.Rejected && e.Kind != backend.Conflict {
					t.Errorf("%s is %s, want a refusal: %v", e.Key, e.Kind, e)
				}
				got = append(got, e.Key)
			}
			byName := func(a, b backend.Key) int { return strings.Compare(a.String(), b.String()) }
			slices.SortFunc(got, byName)
			slices.SortFunc(want, byName)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("refused: -want +got:\n%s", diff)
			}
			total := 0
			for _, n := range s.Counts() {
				total += n
			}
			if t.Logf("requests: %v", s.Counts()); total > c.most {
				t.Errorf("%d requests, want at most %d", total, c.most)
			}
			if got := list(t, b); len(got) != 2*297 {
				t.Errorf("%d record sets stand, want %d", len(got), 2*297)
			}
		})
	}
}

// TestNamesWithoutRights: a policy may allow changes of some names only; then a batch with another one is
// denied as a whole.
func TestNamesWithoutRights(t *testing.T) {
	t.Parallel()
	s, b, _, _ := start(t, route53test.Options{})
	list(t, b)
	s.Deny("host00037.zone.example")
	err := b.Apply(t.Context(), "zone.example", hosts(100, "192.0.2.1"))
	errs := backend.Errors(err)
	if len(errs) != 2 || errs[0].Kind != backend.Denied || errs[0].Key.Name != "host00037.zone.example" || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("got %v", err)
	}
	if got := list(t, b); len(got) != 2*99 {
		t.Errorf("%d record sets stand, want %d", len(got), 2*99)
	}
	s.Deny("ChangeResourceRecordSets")
	s.Reset()
	err = b.Apply(t.Context(), "zone.example", hosts(2000, "192.0.2.1"))
	if n := s.Counts()["ChangeResourceRecordSets"]; backend.KindOf(err) != backend.Denied || n > 40 {
		t.Errorf("without any rights: %d requests, %.200v", n, err)
	}
	if errs := backend.Errors(err); len(errs) != 2*2000-2*99 {
		t.Errorf("%d record sets are named, want %d", len(errs), 2*2000-2*99)
	}
}

// TestLostReplies: what was made although nobody heard is not made again, and is no conflict.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	for _, terse := range []bool{false, true} {
		for _, attempts := range []int{1, 4} {
			t.Run(fmt.Sprintf("terse=%v,attempts=%d", terse, attempts), func(t *testing.T) {
				t.Parallel()
				s, b, id, _ := start(t, route53test.Options{Terse: terse}, func(c *route53.Config) { c.Attempts = attempts })
				list(t, b)
				changes := hosts(100, "192.0.2.1")
				s.Inject(route53test.Lost("ChangeResourceRecordSets"))
				err := b.Apply(t.Context(), "zone.example", changes)
				if attempts == 1 {
					if errs := backend.Errors(err); len(errs) != len(changes) || errs[0].Kind != backend.Temporary {
						t.Fatalf("got %d errors %.300v, want a temporary one for each change", len(errs), err)
					}
					err = b.Apply(t.Context(), "zone.example", changes)
				}
				if err != nil {
					t.Fatalf("after a lost reply: %v", err)
				}
				if n := len(s.Records(id)); n != 202 {
					t.Errorf("%d record sets, want 202", n)
				}
				if n := s.Counts()["ChangeResourceRecordSets"]; n > 20 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

func TestFaultsOnTheWay(t *testing.T) {
	t.Parallel()
	s, b, _, seen := start(t, route53test.Options{}, func(c *route53.Config) { c.Attempts = 3 })
	list(t, b)
	s.Inject(route53test.Fault{Operation: "ChangeResourceRecordSets", After: 2, Times: 2, Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"})
	s.Inject(route53test.Busy(1))
	s.Inject(route53test.Throttled("ListResourceRecordSets", 2))
	if err := b.Apply(t.Context(), "zone.example", hosts(1000, "192.0.2.1")); err != nil {
		t.Fatalf("faults that heal: %v", err)
	}
	if got := list(t, b); len(got) != 2000 {
		t.Errorf("%d record sets", len(got))
	}
	for what, want := range map[string]int{"ChangeResourceRecordSets failed": 2, "ChangeResourceRecordSets throttled": 1, "ListResourceRecordSets throttled": 2, "ListHostedZones ok": 1} {
		if got := seen.count(what); got != want {
			t.Errorf("the observer saw %q %d times, want %d", what, got, want)
		}
	}

	s.Inject(route53test.Fault{Operation: "ChangeResourceRecordSets", After: 1, Times: 3, Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"})
	err := b.Apply(t.Context(), "zone.example", changed(t, b, hosts(1000, "192.0.2.2")))
	failed := backend.Errors(err)
	if len(failed) == 0 || len(failed) > 1000 || failed[0].Kind != backend.Temporary || failed[0].Key == (backend.Key{}) {
		t.Fatalf("one batch failed for good: %d errors, %.300v", len(failed), err)
	}
	if err := b.Apply(t.Context(), "zone.example", changed(t, b, hosts(1000, "192.0.2.2"))); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestThrottledForAMinute: the answer says so in time, and nothing is lost.
func TestThrottledForAMinute(t *testing.T) {
	t.Parallel()
	s, b, _, _ := start(t, route53test.Options{}, func(c *route53.Config) { c.Attempts = 1000 })
	list(t, b)
	s.Inject(route53test.Throttled("ChangeResourceRecordSets", 1000))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err := b.Apply(ctx, "zone.example", hosts(2, "192.0.2.1"))
	if errs := backend.Errors(err); len(errs) != 4 || errs[0].Kind != backend.Temporary || !strings.Contains(err.Error(), "throttled: Throttling: injected") {
		t.Errorf("got %v", err)
	}
	if ctx.Err() != nil {
		t.Error("it slept until there was no time left")
	}
	s.Inject(route53test.Throttled("ListResourceRecordSets", 1000))
	_, err = b.List(ctx, "zone.example")
	if backend.KindOf(err) != backend.Temporary {
		t.Errorf("list: %v", err)
	}
}

func TestManyStaleBeliefs(t *testing.T) {
	t.Parallel()
	for _, terse := range []bool{false, true} {
		t.Run(fmt.Sprintf("terse=%v", terse), func(t *testing.T) {
			t.Parallel()
			s, b, id, _ := start(t, route53test.Options{Terse: terse})
			list(t, b)
			if err := b.Apply(t.Context(), "zone.example", hosts(200, "192.0.2.1")); err != nil {
				t.Fatal(err)
			}
			update := changed(t, b, hosts(200, "192.0.2.2"))
			for i := range 50 { // another writer: half of them want what we want
				s.Put(id, route53test.RecordSet{Name: fmt.Sprintf("host%05d.zone.example", i*4), Type: "A", TTL: aws.Int64(300), Values: []string{fmt.Sprintf("192.0.2.%d", 2+i%2)}})
			}
			err := b.Apply(t.Context(), "zone.example", update)
			conflicts := 0
			for _, e := range backend.Errors(err) {
				if e.Kind != backend.Conflict {
					t.Errorf("%v", e)
				}
				if e.Key.Type == "A" {
					conflicts++
				}
			}
			if conflicts != 25 {
				t.Errorf("%d conflicts, want 25: %.300v", conflicts, err)
			}
			total := 0
			for _, n := range s.Counts() {
				total += n
			}
			if t.Logf("requests: %v", s.Counts()); total > 60 {
				t.Errorf("%d requests", total)
			}
			for key, r := range list(t, b) {
				if key.Type == "A" && r.Values[0] == "192.0.2.1" {
					t.Errorf("%s was not changed", key)
				}
			}
		})
	}
}
