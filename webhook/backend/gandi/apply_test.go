package gandi_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/gandi/ganditest"
)

const zone = "example.org"

func example(t *testing.T, records ...ganditest.Record) (*ganditest.Server, *gandi.Backend) {
	t.Helper()
	s := served(t, ganditest.Options{Domains: []string{zone}})
	for _, r := range records {
		s.Put(zone, r)
	}
	return s, opened(t, s, gandi.Config{})
}

func apply(t *testing.T, b backend.Backend, changes ...backend.Change) {
	t.Helper()
	if err := b.Apply(t.Context(), zone, changes); err != nil {
		t.Fatal(err)
	}
}

func create(sets ...backend.RRset) []backend.Change {
	var changes []backend.Change
	for _, s := range sets {
		changes = append(changes, backend.Change{New: &s})
	}
	return changes
}

func remove(sets ...backend.RRset) []backend.Change {
	var changes []backend.Change
	for _, s := range sets {
		changes = append(changes, backend.Change{Old: &s})
	}
	return changes
}

func update(from, to backend.RRset) backend.Change { return backend.Change{Old: &from, New: &to} }

// in puts changes into a unit.
func in(unit string, changes ...backend.Change) []backend.Change {
	for i := range changes {
		changes[i].Unit = unit
	}
	return changes
}

// requireHeld compares a domain with lines "name type ttl values".
func requireHeld(t *testing.T, s *ganditest.Server, want ...string) {
	t.Helper()
	var got []string
	for _, r := range s.Records(zone) {
		got = append(got, fmt.Sprintf("%s %s %d %s", r.Name, r.Type, r.TTL, strings.Join(r.Values, " ")))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the domain (-want +got):\n%s", diff)
	}
}

func requireRequests(t *testing.T, s *ganditest.Server, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	s.Reset()
}

// What it costs to fill, change and empty a zone. external-dns's own provider makes a request for each
// RRset and asks for the domains before, and it lists in pages of 100.
func TestNumberOfRequests(t *testing.T) {
	t.Parallel()
	const n = 1000
	s, b := example(t)
	hosts := func(generation int) (all []backend.RRset) {
		for i := range n {
			host := fmt.Sprintf("host%04d.%s", i, zone)
			all = append(all,
				rr(host, "A", time.Hour, fmt.Sprintf("10.%d.%d.%d", generation, i/256, i%256)),
				rr("a-"+host, "TXT", time.Hour, "heritage=external-dns,external-dns/owner=hub"))
		}
		return all
	}
	list(t, b, zone)
	requireRequests(t, s, map[string]int{"GET domain": 1, "GET records": 1})

	apply(t, b, create(hosts(1)...)...)
	requireRequests(t, s, map[string]int{"POST records": 2 * n})
	if got := list(t, b, zone); len(got) != 2*n {
		t.Fatalf("%d RRsets listed, want %d", len(got), 2*n)
	}
	pages := 2 * n / 500
	requireRequests(t, s, map[string]int{"GET records": pages})

	var changes []backend.Change
	before, after := hosts(1), hosts(2)
	for i := 0; i < 2*n; i += 200 { // one name in a hundred
		changes = append(changes, update(before[i], after[i]), update(before[i+1], after[i+1]))
		before[i] = after[i]
	}
	apply(t, b, changes...)
	requireRequests(t, s, map[string]int{"GET records": pages, "PUT rrset": n / 100}) // the texts stay
	apply(t, b, update(before[1], before[1]))
	requireRequests(t, s, map[string]int{})

	list(t, b, zone)
	s.Reset()
	apply(t, b, remove(before...)...)
	requireRequests(t, s, map[string]int{"GET records": pages, "DELETE rrset": 2 * n})
	requireHeld(t, s)
}

// In a large zone few changes cost a look at each name, not one at the zone.
func TestFewChangesReadTheirNamesOnly(t *testing.T) {
	t.Parallel()
	var records []ganditest.Record
	for i := range 2000 {
		records = append(records, ganditest.Record{Name: fmt.Sprintf("h%04d", i), Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	}
	s, b := example(t, records...)
	list(t, b, zone)
	s.Reset()
	one := rr("h0001."+zone, "A", 5*time.Minute, "192.0.2.1")
	apply(t, b, update(one, rr("h0001."+zone, "A", 5*time.Minute, "192.0.2.2")), remove(rr("h0002."+zone, "A", 0, "192.0.2.1"))[0])
	requireRequests(t, s, map[string]int{"GET name": 2, "PUT rrset": 1, "DELETE rrset": 1})
	apply(t, b, create(rr("h0003."+zone, "A", 5*time.Minute, "192.0.2.1"))...) // stands already
	requireRequests(t, s, map[string]int{"GET name": 1})
}

// A name that is written as a whole is read right before, even when the zone was.
func TestNamesAreReadBeforeTheyAreWrittenAsAWhole(t *testing.T) {
	t.Parallel()
	s, b := example(t)
	var gone []backend.RRset
	for i := range 10 {
		one, two := fmt.Sprintf("one%d.%s", i, zone), fmt.Sprintf("two%d.%s", i, zone)
		gone = append(gone, rr(one, "A", 5*time.Minute, "192.0.2.1"), rr(two, "A", 5*time.Minute, "192.0.2.1"), rr(two, "AAAA", 5*time.Minute, "2001:db8::1"))
	}
	apply(t, b, create(gone...)...)
	list(t, b, zone)
	s.Put(zone, ganditest.Record{Name: "two7", Type: "CAA", TTL: 300, Values: []string{`0 issue "ca.example.net"`}})
	s.Reset()
	apply(t, b, remove(gone...)...)
	requireHeld(t, s, `two7 CAA 300 0 issue "ca.example.net"`)
	requireRequests(t, s, map[string]int{"GET records": 1, "DELETE rrset": 10, "GET name": 10, "DELETE name": 9, "PUT name": 1})
}

// A name becomes an alias, and a host again, in one request; so does a name of two families.
func TestANameIsChangedAsAWhole(t *testing.T) {
	t.Parallel()
	s, b := example(t,
		ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
		ganditest.Record{Name: "www", Type: "AAAA", TTL: 300, Values: []string{"2001:db8::1"}})
	www := "www." + zone
	v4, v6 := rr(www, "A", 5*time.Minute, "192.0.2.1"), rr(www, "AAAA", 5*time.Minute, "2001:db8::1")
	alias := rr(www, "CNAME", 5*time.Minute, "lb.example.net")
	list(t, b, zone)
	s.Reset()

	apply(t, b, append(remove(v4, v6), create(alias)...)...)
	requireHeld(t, s, "www CNAME 300 lb.example.net.")
	requireRequests(t, s, map[string]int{"GET name": 1, "PUT name": 1})
	list(t, b, zone)
	s.Reset()
	apply(t, b, append(remove(alias), create(v4, v6)...)...)
	requireHeld(t, s, "www A 300 192.0.2.1", "www AAAA 300 2001:db8::1")
	requireRequests(t, s, map[string]int{"GET name": 1, "PUT name": 1})

	// What others have at the name goes along as it is.
	s.Put(zone, ganditest.Record{Name: "www", Type: "CAA", TTL: 77777, Values: []string{`0 issue "ca.example.net"`}})
	s.Put(zone, ganditest.Record{Name: "www", Type: "TXT", TTL: 1234, Values: []string{`"a" "b\195\188"`}})
	list(t, b, zone)
	s.Reset()
	apply(t, b, update(v4, rr(www, "A", 10*time.Minute, "192.0.2.2")), update(v6, rr(www, "AAAA", 10*time.Minute, "2001:db8::2")))
	requireHeld(t, s, "www A 600 192.0.2.2", "www AAAA 600 2001:db8::2", `www CAA 77777 0 issue "ca.example.net"`, `www TXT 1234 "a" "b\195\188"`)
	requireRequests(t, s, map[string]int{"GET name": 1, "PUT name": 1})

	// What LiveDNS would not take today stays as it is, too.
	s.Put(zone, ganditest.Record{Name: "www", Type: "CAA", TTL: 60, Values: []string{`0 issue "ca.example.net"`}})
	s.Reset()
	apply(t, b, update(rr(www, "A", 0, "192.0.2.2"), rr(www, "A", 10*time.Minute, "192.0.2.3")), remove(rr(www, "AAAA", 0, "2001:db8::2"))[0])
	requireHeld(t, s, "www A 600 192.0.2.3", `www CAA 60 0 issue "ca.example.net"`, `www TXT 1234 "a" "b\195\188"`)
	requireRequests(t, s, map[string]int{"GET name": 1, "PUT name": 1, "PUT rrset": 1, "DELETE rrset": 1})
	apply(t, b, update(rr(www, "A", 0, "192.0.2.3"), rr(www, "A", 10*time.Minute, "192.0.2.2")), create(rr(www, "AAAA", 10*time.Minute, "2001:db8::2"))[0])

	s.Remove(zone, "www", "CAA")
	s.Remove(zone, "www", "TXT")
	list(t, b, zone)
	s.Reset()
	apply(t, b, remove(rr(www, "A", 0, "192.0.2.2"), rr(www, "AAAA", 0, "2001:db8::2"))...)
	requireHeld(t, s)
	requireRequests(t, s, map[string]int{"GET name": 1, "DELETE name": 1})
}

// The domain's own name may have records that LiveDNS does not show: it is never written as a whole.
func TestTheDomainsOwnNameIsWrittenByType(t *testing.T) {
	t.Parallel()
	s, b := example(t,
		ganditest.Record{Name: "@", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
		ganditest.Record{Name: "@", Type: "AAAA", TTL: 300, Values: []string{"2001:db8::1"}},
		ganditest.Record{Name: "@", Type: "MX", TTL: 300, Values: []string{"10 mail"}})
	list(t, b, zone)
	s.Reset()
	apply(t, b, update(rr(zone, "A", 0, "192.0.2.1"), rr(zone, "A", 5*time.Minute, "192.0.2.2")), remove(rr(zone, "AAAA", 0, "2001:db8::1"))[0])
	requireHeld(t, s, "@ A 300 192.0.2.2", "@ MX 300 10 mail")
	requireRequests(t, s, map[string]int{"GET name": 1, "PUT rrset": 1, "DELETE rrset": 1})
}

// A record that appeared after the listing is not touched, and no ownership text is left beside it.
func TestAnOwnershipTextIsTakenBack(t *testing.T) {
	t.Parallel()
	s, b := example(t)
	list(t, b, zone)
	s.Put(zone, ganditest.Record{Name: "www", Type: "AAAA", TTL: 300, Values: []string{"2001:db8::bad"}})
	www := "www." + zone
	s.Reset()
	err := b.Apply(t.Context(), zone, in(www, create(
		rr(www, "A", 5*time.Minute, "192.0.2.1"), rr(www, "AAAA", 5*time.Minute, "2001:db8::1"), rr("a-"+www, "TXT", 5*time.Minute, "owner=hub"))...))
	var failed []string
	for _, e := range backend.Errors(err) {
		failed = append(failed, fmt.Sprint(e.Key, ": ", e.Kind))
	}
	want := []string{"www.example.org AAAA: conflict", "www.example.org A: conflict", "a-www.example.org TXT: conflict"}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	requireHeld(t, s, "www AAAA 300 2001:db8::bad")
	requireRequests(t, s, map[string]int{"POST records": 3, "GET name": 1, "DELETE rrset": 2})
}

// Faults of external-dns's own provider: several targets, dots, and a TTL that leaks into the next record.
func TestWholeRRsets(t *testing.T) {
	t.Parallel()
	s, b := example(t)
	apply(t, b, create(
		rr("a."+zone, "A", 10*time.Minute, "192.0.2.1", "192.0.2.2"),
		rr("b."+zone, "A", 0, "192.0.2.3"),
		rr("c."+zone, "CNAME", time.Second, "lb.example.net"),
		rr("d."+zone, "MX", 400*24*time.Hour, "10 one.example.net", "20 two."+zone),
		rr("*.e."+zone, "SRV", time.Hour, "0 0 0 ."),
		rr("f."+zone, "NAPTR", time.Hour, `100 10 "U" "E2U+sip" "!^.*$!sip:info@example.org!" .`),
	)...)
	requireHeld(t, s,
		"*.e SRV 3600 0 0 0 .", "a A 600 192.0.2.1 192.0.2.2", "b A 300 192.0.2.3", "c CNAME 300 lb.example.net.",
		"d MX 2592000 10 one.example.net. 20 two.example.org.", `f NAPTR 3600 100 10 "U" "E2U+sip" "!^.*$!sip:info@example.org!" .`)
}

func TestReadsWhatOthersWrote(t *testing.T) {
	t.Parallel()
	_, b := example(t,
		ganditest.Record{Name: "@", Type: "ALIAS", TTL: 300, Values: []string{"lb.example.net."}},
		ganditest.Record{Name: "@", Type: "MX", TTL: 10800, Values: []string{"10 spool.mail.gandi.net.", "50 fb"}},
		ganditest.Record{Name: "@", Type: "NS", TTL: 10800, Values: []string{"ns1.gandi.net."}},
		ganditest.Record{Name: "Alias", Type: "CNAME", TTL: 300, Values: []string{"Target"}},
		ganditest.Record{Name: "apex", Type: "CNAME", TTL: 300, Values: []string{"@"}},
		ganditest.Record{Name: "text", Type: "TXT", TTL: 300, Values: []string{`"v=spf1 " "-all"`, "plain words", `"\195\188\"\\"`}},
		ganditest.Record{Name: "odd", Type: "TXT", TTL: 300, Values: []string{`"open`}},
		ganditest.Record{Name: "odd", Type: "A", TTL: 300, Values: []string{"192.0.2"}},
		ganditest.Record{Name: "sub", Type: "NS", TTL: 300, Values: []string{"ns1.sub"}},
		ganditest.Record{Name: `a\.b`, Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
		ganditest.Record{Name: "net/25", Type: "PTR", TTL: 300, Values: []string{"x"}},
	)
	got := map[string][]string{}
	for _, set := range list(t, b, zone) {
		got[set.Key.String()] = set.Values
	}
	want := map[string][]string{
		"example.org MX":          {"10 spool.mail.gandi.net", "50 fb.example.org"},
		"alias.example.org CNAME": {"target.example.org"},
		"apex.example.org CNAME":  {"example.org"},
		"text.example.org TXT":    {"plain words", "v=spf1 -all", `ü"\`},
		"sub.example.org NS":      {"ns1.sub.example.org"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for _, set := range []backend.RRset{
		rr("odd."+zone, "A", 5*time.Minute, "192.0.2.1"),           // what stands cannot be read
		rr("odd."+zone, "CNAME", 5*time.Minute, "lb.example.net"),  // nor is it alone
		rr("text."+zone, "CNAME", 5*time.Minute, "lb.example.net"), // text stands there
		rr("apex."+zone, "TXT", 5*time.Minute, "x"),                // an alias stands there
	} {
		if err := b.Apply(t.Context(), zone, create(set)); backend.KindOf(err) != backend.Conflict || err == nil {
			t.Errorf("create %s: %v, want a conflict", set.Key, err)
		}
	}
	odd := rr("odd."+zone, "A", 5*time.Minute, "192.0.2.1")
	if err := b.Apply(t.Context(), zone, remove(odd)); backend.KindOf(err) != backend.Conflict || err == nil {
		t.Errorf("delete what cannot be read: %v, want a conflict", err)
	}
}

// Of two that change the same record at once, within one program, one is told of the other.
func TestUpdatesAtOnce(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}, Latency: 20 * time.Millisecond})
	s.Put(zone, ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}})
	b := opened(t, s, gandi.Config{})
	www := "www." + zone
	list(t, b, zone)
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			to := rr(www, "A", 5*time.Minute, fmt.Sprintf("192.0.2.1%d", i))
			errs[i] = b.Apply(t.Context(), zone, []backend.Change{update(rr(www, "A", 0, "192.0.2.1"), to)})
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			requireFailure(t, "the others", err, backend.Conflict)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d were told that they changed the record", won, len(errs))
	}
}

// Nothing is deleted that does not belong to the zone and its users.
func TestDeletesStayInTheZone(t *testing.T) {
	t.Parallel()
	s, b := example(t,
		ganditest.Record{Name: "www", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
		ganditest.Record{Name: "home", Type: "NS", TTL: 300, Values: []string{"ns1.example.net."}},
		ganditest.Record{Name: "x.home", Type: "A", TTL: 300, Values: []string{"192.0.2.1"}},
		ganditest.Record{Name: "x.home", Type: "CAA", TTL: 300, Values: []string{`0 issue "ca"`}})
	const home = "home." + zone
	err := b.Apply(t.Context(), home, append(remove(
		rr("www."+zone, "A", 0, "192.0.2.1"), rr(home, "NS", 0, "ns1.example.net"), rr("x."+home, "CAA", 0, `0 issue "ca"`)),
		in("x."+home, remove(rr("x/y."+home, "A", 0, "192.0.2.1"), rr("x."+home, "A", 0, "192.0.2.1"))...)...))
	var failed []string
	for _, e := range backend.Errors(err) {
		failed = append(failed, fmt.Sprint(e.Key, ": ", e.Kind))
	}
	want := []string{
		"www.example.org A: rejected", "home.example.org NS: rejected", "x.home.example.org CAA: rejected", "x/y.home.example.org A: rejected",
		"x.home.example.org A: rejected", // of the same unit as the one before
	}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	requireHeld(t, s, "home NS 300 ns1.example.net.", "www A 300 192.0.2.1", "x.home A 300 192.0.2.1", `x.home CAA 300 0 issue "ca"`)
}

// The time ends in the middle: what was made stays, the error counts, and the next call carries on.
func TestTheTimeEnds(t *testing.T) {
	t.Parallel()
	s := served(t, ganditest.Options{Domains: []string{zone}, Latency: 20 * time.Millisecond})
	b := opened(t, s, gandi.Config{})
	var hosts []backend.RRset
	for i := range 400 {
		hosts = append(hosts, rr(fmt.Sprintf("h%03d.%s", i, zone), "A", 5*time.Minute, "192.0.2.1"))
	}
	list(t, b, zone)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	err := b.Apply(ctx, zone, create(hosts...))
	made := len(s.Records(zone))
	if err == nil || backend.KindOf(err) != backend.Temporary || made == 0 || made == len(hosts) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%d of %d made, and %v; want a part, and a temporary error", made, len(hosts), err)
	}
	if want := fmt.Sprintf("%d of %d changes made", made, len(hosts)); !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %q, want it to say %q", err, want)
	}
	apply(t, b, create(hosts...)...)
	if made := len(s.Records(zone)); made != len(hosts) {
		t.Errorf("%d of %d made by the second call", made, len(hosts))
	}
}
