package view

import (
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// FuzzZoneOf holds the look-up of a name's zone against its definition: the longest zone of the view that holds the
// name, and none when that one waits.
func FuzzZoneOf(f *testing.F) {
	f.Add("www.sub.example.org", "example.org sub.example.org", "org")
	f.Add("www.sub.example.org", "example.org", "sub.example.org")
	f.Add("sub.example.org", "ub.example.org example.org", "")
	f.Add("*.example.org", "example.org", "*.example.org")
	f.Fuzz(func(t *testing.T, name, served, waiting string) {
		name, err := backend.Name(name)
		if err != nil {
			return
		}
		v, other := &View{Name: "a"}, &View{Name: "b"}
		var found []zonesource.Zone
		waits := map[string]bool{}
		for i, list := range []string{served, waiting} {
			for zone := range strings.FieldsSeq(list) {
				zone, err := backend.Name(zone)
				if _, had := waits[zone]; err != nil || had {
					continue
				}
				waits[zone] = i == 1
				found = append(found, zonesource.Zone{Name: zone, State: []zonesource.State{zonesource.Ready, zonesource.Leaving}[i]})
			}
		}
		views := []*View{v, other}
		z := static(views).with(views, map[string][]zonesource.Zone{"a": found})
		want := ""
		for zone := range waits {
			if backend.InZone(name, zone) && len(zone) > len(want) {
				want = zone
			}
		}
		if got, ok := z.zoneOf(v, name); got != want || ok != (want != "" && !waits[want]) {
			t.Errorf("%s is in %q (published: %t), want %q", name, got, ok, want)
		}
		if got, ok := z.zoneOf(other, name); got != "" || ok {
			t.Errorf("%s is in %q of a view without zones", name, got)
		}
		for _, at := range z.places {
			if waits[at.zone] {
				t.Errorf("%s is listed and waits", at.zone)
			}
		}
		for at, inside := range z.inside {
			for _, zone := range inside {
				if zone == at.zone || !backend.InZone(zone, at.zone) {
					t.Errorf("%s is said to be inside %s", zone, at.zone)
				}
			}
		}
	})
}
