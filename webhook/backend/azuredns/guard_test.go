package azuredns_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

// served is a service with one zone and a backend that has listed it.
func served(t *testing.T, kind azurednstest.Kind) (a *azure, b *azuredns.Backend, id string) {
	t.Helper()
	a = start(t, azurednstest.Options{})
	id = a.AddZone(sub, group, "zone.example", kind)
	b = a.open(t, a.config())
	list(t, b, "zone.example")
	return a, b, id
}

// requireHeld requires what the service holds: "name type value value".
func (a *azure) requireHeld(t *testing.T, id string, want ...string) {
	t.Helper()
	var got []string
	for _, r := range a.Records(id) {
		got = append(got, strings.TrimSuffix(r.Name, ".zone.example")+" "+r.Type+" "+strings.Join(r.Values, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the service holds\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// requireKinds requires that err names exactly these keys, all of this kind.
func requireKinds(t *testing.T, err error, kind backend.Kind, keys ...backend.Key) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", kind)
	}
	named := map[backend.Key]bool{}
	for _, e := range backend.Errors(err) {
		if e.Kind != kind {
			t.Errorf("%s is %s, want %s: %v", e.Key, e.Kind, kind, e)
		}
		if strings.Contains(e.Error(), "\n") {
			t.Errorf("the error has several lines: %v", e)
		}
		named[e.Key] = true
	}
	for _, key := range keys {
		if !named[key] {
			t.Errorf("%s is not named in: %v", key, err)
		}
		delete(named, key)
	}
	if len(named) > 0 {
		t.Errorf("named without reason: %v in: %v", named, err)
	}
}

func TestMetadataOfOthersIsKept(t *testing.T) {
	t.Parallel()
	for _, kind := range []azurednstest.Kind{azurednstest.Public, azurednstest.Private} {
		a, b, id := served(t, kind)
		a.PutRaw(id, "www", "A", `{"TTL":300,"ARecords":[{"ipv4Address":"192.0.2.1"}],"metadata":{"team":"shop"}}`)
		list(t, b, "zone.example")
		old, wanted := rrset("www.zone.example", "A", "192.0.2.1"), rrset("www.zone.example", "A", "192.0.2.2")
		apply(t.Context(), t, b, backend.Change{Old: &old, New: &wanted})
		if raw := a.Raw(id, "www", "A"); !strings.Contains(raw, `"team":"shop"`) || !strings.Contains(raw, "192.0.2.2") {
			t.Errorf("%s: the record set became %s", kind, raw)
		}
	}
}

// external-dns's own provider stores ownership texts in quotes. They are adopted, and changed like ours.
func TestTextsOfTheInTreeProviderAreAdopted(t *testing.T) {
	t.Parallel()
	for _, kind := range []azurednstest.Kind{azurednstest.Public, azurednstest.Private} {
		a, b, id := served(t, kind)
		owned := func(who string) backend.RRset {
			return rrset("a-www.zone.example", "TXT", "heritage=external-dns,external-dns/owner="+who+",external-dns/resource=ingress/shop/www")
		}
		old, wanted := owned("hub"), owned("spoke")
		a.PutRaw(id, "a-www", "TXT", `{"TTL":300,"TXTRecords":[{"value":["\"`+old.Values[0]+`\""]}]}`)
		if got := list(t, b, "zone.example")[old.Key]; !got.Same(&old) {
			t.Errorf("%s: listed %q, want %q", kind, got.Values, old.Values)
		}
		a.counted(t, map[string]int{"RecordSets_CreateOrUpdate": 1}, func() { apply(t.Context(), t, b, backend.Change{Old: &old, New: &wanted}) })
		a.requireHeld(t, id, "a-www TXT "+wanted.Values[0])
		quoted := rrset("note.zone.example", "TXT", `"said"`, `""`, `"`, `said`)
		apply(t.Context(), t, b, backend.Change{New: &quoted})
		if got := list(t, b, "zone.example")[quoted.Key]; !got.Same(&quoted) {
			t.Errorf("%s: listed %q, want %q", kind, got.Values, quoted.Values)
		}
	}
}

func TestWhatIsNotOursIsNeitherListedNorTouched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, typ, raw string
		kind           azurednstest.Kind
		why            string
	}{
		{"an alias record set", "A", `{"TTL":60,"targetResource":{"id":"/subscriptions/x/ip"}}`, azurednstest.Public, "it is an alias of /subscriptions/x/ip"},
		{"an alias that shows addresses", "A", `{"TTL":60,"targetResource":{"id":"/subscriptions/x/ip"},"ARecords":[{"ipv4Address":"192.0.2.1"}]}`, azurednstest.Public, "it is an alias"},
		{"an automatic registration", "A", `{"TTL":10,"isAutoRegistered":true,"ARecords":[{"ipv4Address":"192.0.2.1"}]}`, azurednstest.Private, "it was registered automatically"},
		{"what cannot be read", "MX", `{"TTL":10,"MXRecords":[{"preference":10,"exchange":"a b"}]}`, azurednstest.Public, "it cannot be read"},
	} {
		a, b, id := served(t, c.kind)
		a.PutRaw(id, "www", c.typ, c.raw)
		before := a.Raw(id, "www", c.typ)
		if got := list(t, b, "zone.example"); len(got) != 0 {
			t.Errorf("%s is listed: %v", c.name, got)
		}
		values := map[string]string{"A": "192.0.2.1", "MX": "10 mail.zone.example"}
		wanted := rrset("www.zone.example", c.typ, values[c.typ])
		for _, change := range []backend.Change{{New: &wanted}, {Old: &wanted}} {
			err := b.Apply(t.Context(), "zone.example", []backend.Change{change})
			requireKinds(t, err, backend.Conflict, wanted.Key)
			if !errors.Is(err, backend.ErrConflict) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: the error does not say %q: %v", c.name, c.why, err)
			}
		}
		if after := a.Raw(id, "www", c.typ); after != before {
			t.Errorf("%s became %s", c.name, after)
		}
	}
}

func TestCAAStandsInTheWayOfAnAliasAndStays(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	a.PutRaw(id, "www", "CAA", `{"TTL":60,"caaRecords":[{"flags":0,"tag":"issue","value":"ca.example.net"}]}`)
	if got := list(t, b, "zone.example"); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	alias, owner := rrset("www.zone.example", "CNAME", "lb.example.net"), rrset("cname-www.zone.example", "TXT", "owner")
	a.counted(t, map[string]int{"RecordSets_Get": 1}, func() {
		err := b.Apply(t.Context(), "zone.example", []backend.Change{{New: &alias, Unit: alias.Name}, {New: &owner, Unit: alias.Name}})
		requireKinds(t, err, backend.Conflict, alias.Key, owner.Key)
		if !strings.Contains(err.Error(), "www.zone.example CAA stands there") {
			t.Errorf("the error does not name the CAA: %v", err)
		}
	})
	address := rrset("www.zone.example", "A", "192.0.2.1")
	apply(t.Context(), t, b, backend.Change{New: &address})
	if raw := a.Raw(id, "www", "CAA"); !strings.Contains(raw, "ca.example.net") {
		t.Errorf("the CAA became %s", raw)
	}
}

func TestAnEmptyRecordSetIsNothing(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	a.PutRaw(id, "www", "A", `{"TTL":60,"metadata":{"for":"later"}}`)
	if got := list(t, b, "zone.example"); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	wanted := rrset("www.zone.example", "A", "192.0.2.1")
	a.counted(t, map[string]int{"RecordSets_CreateOrUpdate": 1}, func() { apply(t.Context(), t, b, backend.Change{New: &wanted}) })
	if raw := a.Raw(id, "www", "A"); !strings.Contains(raw, `"for":"later"`) {
		t.Errorf("the record set became %s", raw)
	}
}

// Somebody writes after we listed. The etag tells; what stands now is judged.
func TestARaceIsDecidedByWhatStands(t *testing.T) {
	t.Parallel()
	one, two, three := rrset("www.zone.example", "A", "192.0.2.1"), rrset("www.zone.example", "A", "192.0.2.2"), rrset("www.zone.example", "A", "192.0.2.3")
	for _, c := range []struct {
		name          string
		listed, stood *backend.RRset
		change        backend.Change
		conflict      bool
		held          string
	}{
		{"they created ours", nil, &one, backend.Change{New: &one}, false, "www A 192.0.2.1"},
		{"they created another", nil, &two, backend.Change{New: &one}, true, "www A 192.0.2.2"},
		{"they wrote what we want", &one, &two, backend.Change{Old: &one, New: &two}, false, "www A 192.0.2.2"},
		{"they wrote something else", &one, &three, backend.Change{Old: &one, New: &two}, true, "www A 192.0.2.3"},
		{"they wrote the same again", &one, &one, backend.Change{Old: &one, New: &two}, false, "www A 192.0.2.2"},
		{"they wrote it back", &two, &one, backend.Change{Old: &one, New: &two}, false, "www A 192.0.2.2"},
		{"they deleted what we change", &one, nil, backend.Change{Old: &one, New: &two}, true, ""},
		{"they deleted what we delete", &one, nil, backend.Change{Old: &one}, false, ""},
		{"they changed what we delete", &one, &two, backend.Change{Old: &one}, true, "www A 192.0.2.2"},
		{"they wrote again what we delete", &one, &one, backend.Change{Old: &one}, false, ""},
	} {
		a, b, id := served(t, azurednstest.Public)
		for i, state := range []*backend.RRset{c.listed, c.stood} {
			if state == nil {
				a.Remove(id, one.Key)
			} else {
				a.Put(id, *state)
			}
			if i == 0 {
				list(t, b, "zone.example")
			}
		}
		err := b.Apply(t.Context(), "zone.example", []backend.Change{c.change})
		if c.conflict {
			requireKinds(t, err, backend.Conflict, one.Key)
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var held []string
		if c.held != "" {
			held = []string{c.held}
		}
		t.Log(c.name)
		a.requireHeld(t, id, held...)
	}
}

func TestALostReplyIsNoConflict(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	one, two := rrset("www.zone.example", "A", "192.0.2.1"), rrset("www.zone.example", "A", "192.0.2.2")
	a.LoseReplies(1)
	apply(t.Context(), t, b, backend.Change{New: &one})
	a.requireHeld(t, id, "www A 192.0.2.1")
	a.LoseReplies(1)
	apply(t.Context(), t, b, backend.Change{Old: &one, New: &two})
	a.requireHeld(t, id, "www A 192.0.2.2")
	a.LoseReplies(1)
	apply(t.Context(), t, b, backend.Change{Old: &two})
	a.requireHeld(t, id)
}

// A swap that cannot be finished leaves what was there.
func TestASwapThatFailsPutsTheOldOneBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm func(a *azure)
		kind backend.Kind
		held []string // ownership texts apart
	}{
		{"refused", func(a *azure) { a.Refuse("CNAME/www", http.StatusBadRequest) }, backend.Rejected, []string{"a-www TXT owner"}},
		{"at fault", func(a *azure) { a.Refuse("CNAME/www", http.StatusServiceUnavailable) }, backend.Temporary, []string{"a-www TXT owner", "cname-www TXT owner"}},
	} {
		a, b, id := served(t, azurednstest.Public)
		a.PutRaw(id, "www", "A", `{"TTL":300,"ARecords":[{"ipv4Address":"192.0.2.1"}],"metadata":{"team":"shop"}}`)
		old, owner := rrset("www.zone.example", "A", "192.0.2.1"), rrset("a-www.zone.example", "TXT", "owner")
		alias, aliasOwner := rrset("www.zone.example", "CNAME", "lb.example.net"), rrset("cname-www.zone.example", "TXT", "owner")
		a.Put(id, owner)
		list(t, b, "zone.example")
		c.harm(a)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := b.Apply(ctx, "zone.example", []backend.Change{
			{Old: &old, Unit: old.Name}, {New: &alias, Unit: old.Name}, {New: &aliasOwner, Unit: old.Name}, {Old: &owner, Unit: old.Name}})
		cancel()
		t.Log(c.name, err)
		wrong := []backend.Key{alias.Key, old.Key, owner.Key}
		if c.kind != backend.Temporary {
			wrong = append(wrong, aliasOwner.Key)
		}
		requireKinds(t, err, c.kind, wrong...)
		a.requireHeld(t, id, append(c.held, "www A 192.0.2.1")...)
		if raw := a.Raw(id, "www", "A"); !strings.Contains(raw, `"team":"shop"`) {
			t.Errorf("%s: the record set put back is %s", c.name, raw)
		}
		a.Refuse("", 0)
		list(t, b, "zone.example")
		changes := []backend.Change{{Old: &old, Unit: old.Name}, {New: &alias, Unit: old.Name}, {New: &aliasOwner, Unit: old.Name}, {Old: &owner, Unit: old.Name}}
		apply(t.Context(), t, b, changes...)
		a.requireHeld(t, id, "cname-www TXT owner", "www CNAME lb.example.net")
	}
}

// Ownership of a record that is somebody else's would hand it to external-dns in the next loop.
func TestAConflictLeavesNoOwnershipText(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	theirs := rrset("www.zone.example", "A", "198.51.100.1")
	a.Put(id, theirs) // after we listed
	ours, owner := rrset("www.zone.example", "A", "192.0.2.1"), rrset("a-www.zone.example", "TXT", "owner")
	err := b.Apply(t.Context(), "zone.example", []backend.Change{{New: &ours, Unit: ours.Name}, {New: &owner, Unit: ours.Name}})
	requireKinds(t, err, backend.Conflict, ours.Key, owner.Key)
	a.requireHeld(t, id, "www A 198.51.100.1")
	a.counted(t, map[string]int{"RecordSets_Get": 1}, func() { // now it is known, and nothing is written at all
		err = b.Apply(t.Context(), "zone.example", []backend.Change{{New: &ours, Unit: ours.Name}, {New: &owner, Unit: ours.Name}})
	})
	requireKinds(t, err, backend.Conflict, ours.Key, owner.Key)
}

func TestARefusedRecordStopsNobodyElse(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, azurednstest.Public)
	a.Refuse("A/bad", http.StatusBadRequest)
	good, bad := rrset("good.zone.example", "A", "192.0.2.1"), rrset("bad.zone.example", "A", "192.0.2.2")
	err := b.Apply(t.Context(), "zone.example", []backend.Change{{New: &bad}, {New: &good}})
	requireKinds(t, err, backend.Rejected, bad.Key)
	if !strings.Contains(err.Error(), "azuredns: update zone.example: bad.zone.example A: 400 BadRequest: refused by the test") {
		t.Errorf("got %v", err)
	}
	a.requireHeld(t, id, "good A 192.0.2.1")
}
