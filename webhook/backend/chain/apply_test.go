package chain_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/chain/chaintest"
)

// hosts are creates of n hosts, each with its ownership text in one unit.
func hosts(n int) []backend.Change {
	var out []backend.Change
	for i := range n {
		name := fmt.Sprintf("h%04d.zone.example", i)
		address, text := rrset(name, "A", time.Minute, "192.0.2.1"), rrset("a-"+name, "TXT", time.Minute, "owner")
		out = append(out, backend.Change{New: &address, Unit: name}, backend.Change{New: &text, Unit: name})
	}
	return out
}

// refusing is a peer that refuses everything about these names.
func refusing(status int, bad ...string) *chaintest.Peer {
	p := chaintest.New()
	p.Refuse = func(e chaintest.Endpoint) int {
		if slices.Contains(bad, e.DNSName) {
			return status
		}
		return 0
	}
	return p
}

// failed are the names in err, each once, sorted, with the kind of the first.
func failed(err error) (names []string, kind backend.Kind) {
	for _, e := range backend.Errors(err) {
		names = append(names, e.Key.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), backend.KindOf(err)
}

func TestARefusedRecordIsIsolated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status       int
		kind         backend.Kind
		allOrNothing bool
	}{
		{400, backend.Rejected, true}, {400, backend.Rejected, false}, {422, backend.Rejected, true}, {409, backend.Rejected, true},
		{413, backend.Rejected, true}, {500, backend.Temporary, true}, {500, backend.Temporary, false}, {503, backend.Temporary, true},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			bad := []string{"h0007.zone.example", "h0100.zone.example", "h0101.zone.example"}
			p := refusing(c.status, bad...)
			p.AllOrNothing = c.allOrNothing
			b := open(t, chain.Config{URL: serve(t, p)})
			err := b.Apply(t.Context(), zone, hosts(500))
			names, kind := failed(err)
			want := slices.Clone(bad)
			for _, n := range bad {
				want = append(want, "a-"+n)
			}
			slices.Sort(want)
			if !slices.Equal(names, want) || kind != c.kind {
				t.Errorf("failed are %q as %s, want %q as %s", names, kind, want, c.kind)
			}
			if n := len(p.Held()); n != 2*497 {
				t.Errorf("%d records were made, want %d", n, 2*497)
			}
			if got := p.Requests(); got["POST /records"] > 64 || got["GET /records"] > 3 {
				t.Errorf("it took %v", got)
			}
			// The next time it is known which ones to send alone.
			if names, _ := failed(b.Apply(t.Context(), zone, hosts(510))); !slices.Equal(names, want) {
				t.Errorf("the second time failed are %q", names)
			}
			if got := p.Requests(); got["POST /records"] > 4 || len(p.Held()) != 2*507 {
				t.Errorf("the second time it took %v, and there are %d records", got, len(p.Held()))
			}
			p.Do(func() { p.Refuse = nil })
			if err := b.Apply(t.Context(), zone, hosts(510)); err != nil || len(p.Held()) != 2*510 {
				t.Errorf("once all are taken: %v, and there are %d records", err, len(p.Held()))
			}
		})
	}
}

// A peer that takes nothing is not asked once for every record.
func TestAPeerThatTakesNothingIsLeftInPeace(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 405, 415, 422, 429, 500, 501, 502, 503, 504} {
		p := chaintest.New()
		p.Refuse = func(chaintest.Endpoint) int { return status }
		b := open(t, chain.Config{URL: serve(t, p)})
		for range 3 {
			if err := b.Apply(t.Context(), zone, hosts(200)); err == nil {
				t.Errorf("status %d: no error", status)
			}
			if got := p.Requests(); got["POST /records"] > 4+8 || got["GET /records"] > 3 {
				t.Errorf("status %d: it took %v", status, got)
			}
		}
	}
}

// Many bad records do not keep the good ones out for ever, and the peer is not flooded.
func TestManyRefusedRecords(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.AllOrNothing = true
	p.Refuse = func(e chaintest.Endpoint) int {
		if strings.HasSuffix(e.DNSName, "0.zone.example") {
			return 400
		}
		return 0
	}
	b := open(t, chain.Config{URL: serve(t, p)})
	for i := range 40 {
		err := b.Apply(t.Context(), zone, hosts(300))
		if err == nil {
			t.Fatal("no error")
		}
		if got := p.Requests(); got["POST /records"] > 64+8 {
			t.Fatalf("call %d took %v", i, got)
		}
	}
	if n := len(p.Held()); n != 2*270 {
		t.Errorf("%d records were made, want %d", n, 2*270)
	}
	if err := b.Apply(t.Context(), zone, hosts(300)); err == nil {
		t.Error("no error")
	}
	if got := p.Requests(); got["POST /records"] > 9 {
		t.Errorf("when the bad ones are known, it takes %v", got)
	}
}

func TestARecordThatIsTakenAfterAllIsNotReported(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.ForgetsReply = true
	b := open(t, chain.Config{URL: serve(t, p)})
	if err := b.Apply(t.Context(), zone, hosts(5)); err != nil {
		t.Errorf("everything was made, and the answer was 500: %v", err)
	}
	if got := p.Requests(); got["POST /records"] != 1 {
		t.Errorf("it took %v", got)
	}
}

// Another writer is faster between our reading and our writing; the peer guards and refuses.
func TestAConflictThatThePeerFound(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	foreign := wire(rrset("h0000.zone.example", "A", 0, "198.51.100.1"))
	p.Replace = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		p.Put(foreign)
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	b := open(t, chain.Config{URL: serve(t, p)})
	err := b.Apply(t.Context(), zone, hosts(1))
	if names, kind := failed(err); kind != backend.Conflict || len(names) != 2 {
		t.Errorf("got %v, want a conflict", err)
	}
}

// What a request says: what stands is named as it stands, texts are quoted, updates are in step, the name
// an ownership text is for is told.
func TestTheRequest(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	standing := wire(rrset("up.zone.example", "A", time.Hour, "192.0.2.1"))
	standing.ProviderSpecific = []chaintest.Property{{Name: "id", Value: "7"}}
	p.Put(standing)
	gone := wire(rrset("gone.zone.example", "SRV", time.Minute, "0 5 443 host.example.net."))
	p.Put(gone)
	old, wanted := rrset("up.zone.example", "A", time.Minute, "192.0.2.1"), rrset("up.zone.example", "A", 0, "192.0.2.2")
	old.Attrs = map[string]string{"id": "7"}
	wanted.Attrs = map[string]string{"webhook/b": "2", "alias": "false"}
	text := rrset("a-up.zone.example", "TXT", 0, `say "hi"`)
	removed := rrset("gone.zone.example", "SRV", 0, "0 5 443 host.example.net")
	b := open(t, chain.Config{URL: serve(t, p)})
	if err := b.Apply(t.Context(), zone, []backend.Change{
		{Old: &old, New: &wanted, Unit: "up.zone.example"}, {New: &text, Unit: "up.zone.example"}, {Old: &removed}}); err != nil {
		t.Fatal(err)
	}
	want := []chaintest.Changes{{
		Create:    []chaintest.Endpoint{{DNSName: "a-up.zone.example", RecordType: "TXT", Targets: []string{`"say \"hi\""`}, Labels: map[string]string{"ownedRecord": "up.zone.example"}}},
		UpdateOld: []chaintest.Endpoint{standing},
		UpdateNew: []chaintest.Endpoint{{DNSName: "up.zone.example", RecordType: "A", Targets: []string{"192.0.2.2"},
			ProviderSpecific: []chaintest.Property{{Name: "alias", Value: "false"}, {Name: "webhook/b", Value: "2"}}}},
		Delete: []chaintest.Endpoint{gone},
	}}
	if diff := cmp.Diff(want, p.Applied()); diff != "" {
		t.Errorf("-want +asked:\n%s", diff)
	}
}

// A TTL of 0 leaves it to the peer, whatever that then reports.
func TestNoTTLIsThePeersBusiness(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.Put(wire(rrset("www.zone.example", "A", 5*time.Minute, "192.0.2.1")))
	b := open(t, chain.Config{URL: serve(t, p)})
	www := rrset("www.zone.example", "A", 0, "192.0.2.1")
	if err := b.Apply(t.Context(), zone, []backend.Change{{New: &www}}); err != nil {
		t.Error(err)
	}
	if got := p.Requests(); got["POST /records"] != 0 {
		t.Errorf("it was written again: %v", got)
	}
	www.TTL = time.Minute
	if err := b.Apply(t.Context(), zone, []backend.Change{{New: &www}}); err != nil || list(t, b, zone)[0].TTL != time.Minute {
		t.Errorf("a TTL that was asked for: %v, %v", list(t, b, zone), err)
	}
}

func TestNamesTheFilterLeavesOut(t *testing.T) {
	t.Parallel()
	for filter, out := range map[string]string{
		`{"include":["zone.example"],"exclude":["h0001.zone.example"]}`:                       "h0001",
		`{"include":[".zone.example"],"exclude":[".h0001.zone.example"]}`:                     "",
		`{"regexInclude":"(a-)?h000[02]"}`:                                                    "h0001",
		`{"regexInclude":"zone\\.example$","regexExclude":"^(a-)?h0001\\."}`:                  "h0001",
		`{"regexExclude":"^(a-)?h0002\\."}`:                                                   "h0002",
		`{"include":["zone.example"],"exclude":["a-h0000.zone.example","0001.zone.example"]}`: "h0000",
	} {
		p := chaintest.New()
		p.Filter = filter
		b := open(t, chain.Config{URL: serve(t, p)})
		err := b.Apply(t.Context(), zone, hosts(3))
		names, kind := failed(err)
		want := []string{"a-" + out + ".zone.example", out + ".zone.example"}
		if out == "" && err != nil || out != "" && (kind != backend.Rejected || !slices.Equal(names, want)) {
			t.Errorf("filter %s: %v, want %q left out", filter, err, out)
		}
		if n := len(p.Held()); n != 6-2*min(1, len(out)) {
			t.Errorf("filter %s: %d records were made", filter, n)
		}
	}
}

func TestAPeerThatSaysYesAndDoesNothing(t *testing.T) {
	t.Parallel()
	p := misbehaving("POST /records", text(http.StatusNoContent, ""))
	b := open(t, chain.Config{URL: serve(t, p)})
	if err := b.Apply(t.Context(), zone, hosts(1)); err != nil {
		t.Error(err)
	}
	if got := list(t, b, zone); len(got) != 0 {
		t.Errorf("what was never made is listed: %v", got)
	}
}

// Between our requests another writer makes a record that was refused before: there is nothing left to
// send of it.
func TestASuspectedRecordThatSomebodyElseMakes(t *testing.T) {
	t.Parallel()
	p := refusing(400, "h0000.zone.example")
	b := open(t, chain.Config{URL: serve(t, p)})
	if err := b.Apply(t.Context(), zone, hosts(3)); err == nil {
		t.Fatal("no error")
	}
	p.Do(func() {
		p.Refuse = refusing(400, "h0004.zone.example").Refuse
		p.Replace = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				for _, c := range hosts(1) {
					p.Put(wire(*c.New))
				}
			}
			return false
		}
	})
	names, kind := failed(b.Apply(t.Context(), zone, hosts(6)))
	if !slices.Equal(names, []string{"a-h0004.zone.example", "h0004.zone.example"}) || kind != backend.Rejected || len(p.Held()) != 10 {
		t.Errorf("failed are %q as %s; %d records are held", names, kind, len(p.Held()))
	}
}

// A provider that deletes everything it replaces and then stops at a record it refuses: what is fine gets
// its new form, and what is refused its old one back.
func TestWhatAProviderDeletedFirstIsPutBack(t *testing.T) {
	t.Parallel()
	p := chaintest.New()
	p.DeletesFirst = true
	var changes []backend.Change
	for i := range 20 {
		old := rrset(fmt.Sprintf("h%04d.zone.example", i), "A", time.Minute, "192.0.2.1")
		wanted := rrset(old.Name, "A", time.Minute, "192.0.2.2")
		p.Put(wire(old))
		changes = append(changes, backend.Change{Old: &old, New: &wanted})
	}
	p.Refuse = func(e chaintest.Endpoint) int {
		if e.DNSName == "h0007.zone.example" && e.Targets[0] == "192.0.2.2" {
			return 500
		}
		return 0
	}
	b := open(t, chain.Config{URL: serve(t, p)})
	for range 2 {
		names, kind := failed(b.Apply(t.Context(), zone, changes))
		if !slices.Equal(names, []string{"h0007.zone.example"}) || kind != backend.Temporary {
			t.Errorf("failed are %q as %s", names, kind)
		}
		for _, r := range list(t, b, zone) {
			if want := "192.0.2.2"; (r.Values[0] == want) == (r.Name == "h0007.zone.example") {
				t.Errorf("%s is %v", r.Name, r.Values)
			}
		}
		if n := len(p.Held()); n != 20 {
			t.Errorf("%d records are held, want 20", n)
		}
	}
}
