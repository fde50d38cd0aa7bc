package azuredns_test

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns/azurednstest"
)

const otherSub = "00000000-0000-0000-0000-000000000002"

// requireZoneError requires a failure of a whole zone that says all of the texts.
func requireZoneError(t *testing.T, err error, kind backend.Kind, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", kind)
	}
	e := backend.Errors(err)[0]
	if e.Kind != kind || e.Zone != "zone.example" || e.Key != (backend.Key{}) {
		t.Errorf("got %s about zone %q and %q, want %s: %v", e.Kind, e.Zone, e.Key, kind, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
}

// marked puts a record into a zone that tells which zone it is.
func (a *azure) marked(id, text string) string {
	a.Put(id, rrset("zone.zone.example", "TXT", text))
	return id
}

// requireMark requires that the backend sees the zone with this mark.
func requireMark(t *testing.T, b backend.Backend, want string) {
	t.Helper()
	got := list(t, b, "zone.example")[backend.Key{Name: "zone.zone.example", Type: "TXT"}]
	if len(got.Values) != 1 || got.Values[0] != want {
		t.Errorf("listed the zone marked %q, want %q", got.Values, want)
	}
}

func TestZonesAreFoundAcrossSubscriptionsAndResourceGroups(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{PageSize: 2})
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		a.AddZone(sub, group, name, azurednstest.Public)
	}
	a.marked(a.AddZone(otherSub, "Other-RG", "zone.example", azurednstest.Public), "in the other subscription")
	c := a.config()
	c.Subscriptions = []string{sub, otherSub}
	requireMark(t, a.open(t, c), "in the other subscription")
	c.ResourceGroups = []string{group, "other-rg"}
	requireMark(t, a.open(t, c), "in the other subscription")
	c.ResourceGroups = []string{group}
	_, err := a.open(t, c).List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Rejected, "azuredns: list zone.example: no public or private zone of this name that we may see in resource group dns-rg of subscription "+sub)
}

func TestPublicComesBeforePrivateUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Private), "private")
	c := a.config()
	only := a.open(t, c)
	requireMark(t, only, "private")
	a.counted(t, map[string]int{"RecordSets_List": 2}, func() {
		requireMark(t, only, "private")
		requireMark(t, only, "private")
	})
	a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Public), "public")
	a.counted(t, map[string]int{"Zones_List": 1, "RecordSets_ListAllByDNSZone": 1}, func() { requireMark(t, a.open(t, c), "public") })
	c.Type = "private"
	a.counted(t, map[string]int{"PrivateZones_List": 1, "RecordSets_List": 1}, func() { requireMark(t, a.open(t, c), "private") })
	c.Type = "public"
	requireMark(t, a.open(t, c), "public")
}

func TestTwoZonesOfOneNameAreAnErrorThatSaysHowToChoose(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	one := a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Public), "one")
	two := a.marked(a.AddZone(sub, "other-rg", "zone.example", azurednstest.Public), "two")
	c := a.config()
	b := a.open(t, c)
	_, err := b.List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Rejected, "there are 2 public zones of this name", one, two, "put the id of the one that is meant into zones")
	www := rrset("www.zone.example", "A", "192.0.2.1")
	requireZoneError(t, b.Apply(t.Context(), "zone.example", []backend.Change{{New: &www}}), backend.Rejected, one, two)
	if len(a.Records(one)) != 1 || len(a.Records(two)) != 1 {
		t.Error("something was written")
	}
	c.ResourceGroups = []string{"OTHER-rg"}
	requireMark(t, a.open(t, c), "two")
	c.ResourceGroups, c.Zones = nil, []string{strings.ToUpper(one[:20]) + one[20:]}
	a.counted(t, map[string]int{"RecordSets_ListAllByDNSZone": 1}, func() { requireMark(t, a.open(t, c), "one") })
}

func TestAZoneNamedByIDNeedsNoSubscription(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	id := a.marked(a.AddZone(otherSub, group, "zone.example", azurednstest.Private), "by id")
	a.AddZone(otherSub, group, "else.example", azurednstest.Public)
	c := a.config()
	c.Subscriptions, c.Zones = nil, []string{id}
	b := a.open(t, c)
	requireMark(t, b, "by id")
	_, err := b.List(t.Context(), "else.example")
	if err == nil || !strings.Contains(err.Error(), "add its resource id there, or name the subscriptions") {
		t.Errorf("got %v", err)
	}
}

func TestANewZoneIsFoundAtOnceAndZonesAreKept(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.AddZone(sub, group, "other.example", azurednstest.Public)
	b := a.open(t, a.config())
	_, err := b.List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Rejected, "no public or private zone of this name")
	a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Public), "new")
	requireMark(t, b, "new")
	a.counted(t, map[string]int{"RecordSets_ListAllByDNSZone": 3}, func() {
		requireMark(t, b, "new")
		requireMark(t, b, "new")
		list(t, b, "other.example")
	})
}

func TestAZoneThatMovedIsFoundAgain(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.AddZone(sub, group, "stays.example", azurednstest.Public)
	old := a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Public), "before")
	b := a.open(t, a.config())
	requireMark(t, b, "before")
	a.RemoveZone(old)
	moved := a.marked(a.AddZone(sub, "new-rg", "zone.example", azurednstest.Public), "after")
	requireMark(t, b, "after")

	a.RemoveZone(moved)
	www := rrset("www.zone.example", "A", "192.0.2.1")
	err := b.Apply(t.Context(), "zone.example", []backend.Change{{New: &www}})
	if err == nil || backend.KindOf(err) != backend.Rejected || !strings.Contains(err.Error(), "ParentResourceNotFound") {
		t.Errorf("apply to a zone that is gone: %v", err)
	}
	_, err = b.List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Rejected, "no public or private zone of this name")

	again := a.AddZone(sub, "third-rg", "zone.example", azurednstest.Private)
	apply(t.Context(), t, b, backend.Change{New: &www})
	a.requireHeld(t, again, "www A 192.0.2.1")
}

func TestRightsOnOneKindOfZonesAreEnough(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Private), "private")
	a.Deny("/subscriptions/" + sub + "/providers/Microsoft.Network/dnszones")
	b := a.open(t, a.config())
	requireMark(t, b, "private")
	a.counted(t, map[string]int{"RecordSets_List": 1}, func() { requireMark(t, b, "private") })
	a.Deny("/subscriptions/" + sub + "/providers/Microsoft.Network/privateDnsZones")
	_, err := a.open(t, a.config()).List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Denied, "look for public zones in subscription "+sub+": 403 AuthorizationFailed: The client")
}

// A zone that we may see is used, though we may not see those of another resource group: what is hidden
// there is not in reach.
func TestRightsOnOneResourceGroupAreEnough(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.marked(a.AddZone(sub, group, "zone.example", azurednstest.Public), "ours")
	a.AddZone(sub, "secret-rg", "zone.example", azurednstest.Public)
	a.Deny("/subscriptions/" + sub + "/resourceGroups/secret-rg")
	c := a.config()
	c.ResourceGroups = []string{"secret-rg", group}
	requireMark(t, a.open(t, c), "ours")
}

func TestAWrongSubscriptionIsNamed(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	c := a.config()
	c.Subscriptions = []string{otherSub}
	_, err := a.open(t, c).List(t.Context(), "zone.example")
	requireZoneError(t, err, backend.Rejected, "look for public zones in subscription "+otherSub+": 404 SubscriptionNotFound")
}

// A service that takes no large pages is asked for its own.
func TestSmallerLargestPages(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{LargestPage: 500})
	id := a.AddZone(sub, group, "zone.example", azurednstest.Public)
	for _, name := range []string{"a", "b", "c"} {
		a.Put(id, rrset(name+".zone.example", "A", "192.0.2.1"))
	}
	if got := list(t, a.open(t, a.config()), "zone.example"); len(got) != 3 {
		t.Errorf("listed %d record sets, want 3", len(got))
	}
}

func TestAnUnchangedZoneIsTheSameSlice(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	id := a.AddZone(sub, group, "zone.example", azurednstest.Public)
	a.Put(id, rrset("www.zone.example", "A", "192.0.2.1"))
	b := a.open(t, a.config())
	first, err := b.List(t.Context(), "zone.example")
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.List(t.Context(), "zone.example")
	if err != nil || &second[0] != &first[0] {
		t.Errorf("another slice, %v", err)
	}
	a.Put(id, rrset("www.zone.example", "A", "192.0.2.2"))
	third, err := b.List(t.Context(), "zone.example")
	if err != nil || &third[0] == &first[0] || third[0].Values[0] != "192.0.2.2" {
		t.Errorf("the old slice, %v", err)
	}
}

func TestCachedRecords(t *testing.T) {
	t.Parallel()
	a := start(t, azurednstest.Options{})
	a.AddZone(sub, group, "zone.example", azurednstest.Public)
	c := a.config()
	c.Cache = backend.MaxTTL
	b := a.open(t, c)
	a.counted(t, map[string]int{"Zones_List": 1, "RecordSets_ListAllByDNSZone": 1}, func() {
		list(t, b, "zone.example")
		list(t, b, "zone.example")
	})
	www := rrset("www.zone.example", "A", "192.0.2.1")
	apply(t.Context(), t, b, backend.Change{New: &www})
	if got := list(t, b, "zone.example"); len(got) != 1 {
		t.Errorf("after a write the list has %d record sets, want 1", len(got))
	}
}
