// Package zonesource owns which zones DNSZone objects bring to which view: the selector of a view, and what becomes
// of objects that two views ask for. It is pure; zonesource/follow reads the objects.
package zonesource

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
)

// Object is what is known of one DNSZone.
type Object struct {
	Namespace, Name string
	Labels          map[string]string
	Created         time.Time
	Zone            string // as the object spells it
	Leaving         bool   // it is being deleted
	Ready           bool   // it says that its servers serve it
	Message         string // why not, as the object says
}

// ref names the object in messages.
func (o *Object) ref() string { return o.Namespace + "/" + o.Name }

// View is a view that zones are assigned to.
type View struct {
	Name    string
	Zones   []string // those of its configuration, canonical
	From    *From    // nil: it has no others
	Backend int      // views with the same number write to the same place
}

// State is what a view makes of a zone.
type State string

// The states. Names in a zone that is not Ready or Unready belong to no other zone: they wait.
const (
	Ready   State = "ready"   // to be published into
	Unready State = "unready" // to be published into if it is served: its object does not say so
	Leaving State = "leaving" // its object is being deleted
	Refused State = "refused" // it cannot be the view's
)

// Zone is a zone that an object brings to a view.
type Zone struct {
	Name   string // canonical, but for a name that DNS cannot hold
	Object string // namespace/name; of several objects, the oldest in the best state
	State  State
	Why    string // of Unready and Refused
}

// Assign says which zones the objects bring to each view, by the view's name and sorted. Zones of the
// configuration always stay with their view. Of two views that write to the same place and would have overlapping
// zones, the one that asks with the older object gets its zone, else the earlier view; each would take the other's
// records for its own. The order of the objects does not matter.
func Assign(views []View, objects []Object) map[string][]Zone {
	objects = slices.Clone(objects)
	slices.SortFunc(objects, func(a, b Object) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	a := assignment{views: views, found: make([]map[string]*Zone, len(views))}
	for i, v := range views {
		a.found[i] = map[string]*Zone{}
		for _, z := range v.Zones {
			a.taken = append(a.taken, taken{i, z})
		}
	}
	for i := range objects {
		for j, v := range views {
			if v.From != nil && v.From.Selects(objects[i].Namespace, objects[i].Labels) {
				a.add(j, &objects[i])
			}
		}
	}
	return a.byView()
}

// assignment is an Assign under way.
type assignment struct {
	views []View
	found []map[string]*Zone // by zone, for each view
	taken []taken
}

// taken is a zone that a view has.
type taken struct {
	view int
	zone string
}

// add gives the object's zone to the view, if it can be.
func (a *assignment) add(view int, o *Object) {
	z := Zone{Name: o.Zone, Object: o.ref()}
	name, err := backend.Name(o.Zone)
	if err != nil {
		z.State, z.Why = Refused, err.Error()
		a.found[view][o.Zone] = &z
		return
	}
	z.Name = name
	z.State, z.Why = stateOf(o)
	if slices.Contains(a.views[view].Zones, name) {
		return // the configuration names it
	}
	if had := a.found[view][name]; had != nil {
		if had.State != Refused && rank(z.State) < rank(had.State) {
			*had = z
		}
		return
	}
	if other, ok := a.overlapping(view, name); ok {
		z.State, z.Why = Refused, fmt.Sprintf("it overlaps %s of view %s on the same backend; let only one of the views select it, or give one of them another backend", other.zone, a.views[other.view].Name)
	} else {
		a.taken = append(a.taken, taken{view, name})
	}
	a.found[view][name] = &z
}

// overlapping finds a zone of another view that writes to the same place.
func (a *assignment) overlapping(view int, zone string) (taken, bool) {
	for _, t := range a.taken {
		if t.view != view && a.views[t.view].Backend == a.views[view].Backend && (backend.InZone(zone, t.zone) || backend.InZone(t.zone, zone)) {
			return t, true
		}
	}
	return taken{}, false
}

func (a *assignment) byView() map[string][]Zone {
	out := map[string][]Zone{}
	for i, v := range a.views {
		if v.From == nil {
			continue
		}
		zones := make([]Zone, 0, len(a.found[i]))
		for _, z := range a.found[i] {
			zones = append(zones, *z)
		}
		slices.SortFunc(zones, func(x, y Zone) int { return strings.Compare(x.Name, y.Name) })
		out[v.Name] = zones
	}
	return out
}

func stateOf(o *Object) (State, string) {
	switch {
	case o.Leaving:
		return Leaving, ""
	case o.Ready:
		return Ready, ""
	}
	return Unready, cmp.Or(o.Message, "its DNSZone does not say that it is ready")
}

// rank orders states: of several objects of one zone the best counts.
func rank(s State) int { return slices.Index([]State{Ready, Unready, Leaving, Refused}, s) }
