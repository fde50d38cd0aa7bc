package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

const (
	// settled is how long a zone has been with its view before something in it is deleted: longer than from an Adjust of
	// external-dns, which may have been without the zone, to the Apply that follows from it.
	settled = time.Minute
	// unreadyTime is how long a zone may take to be listed that nobody says is served.
	unreadyTime = 4 * time.Second
)

// place is a zone of a view.
type place struct {
	view *View
	zone string
}

// membership is what a zone is to its view.
type membership struct {
	found *zonesource.Zone // nil: the configuration names it
	waits string           // why nothing is published into it now; "": it is
	since time.Time        // when records were first listed in it, without a break; zero for the configuration's
}

// What becomes of a zone, in metrics.
const (
	zonePublished = "published"
	zoneWaiting   = "waiting"
	zoneRefused   = "refused"
)

func (m membership) state() string {
	switch {
	case m.waits == "":
		return zonePublished
	case m.found.State == zonesource.Refused:
		return zoneRefused
	}
	return zoneWaiting
}

// zoning says which zones each view has at one moment. It is immutable. What Records lists, Adjust decides and Apply
// changes has to rest on one zoning: a zone that were listed and then not adjusted would look like one whose every
// name shall go. So zones come and go with Records alone.
type zoning struct {
	of     map[place]membership
	places []place            // in which records are, in the order of the views and sorted
	inside map[place][]string // the view's zones inside another, those that wait included, sorted
}

// static is the zoning of the configuration alone.
func static(views []*View) *zoning {
	z := &zoning{of: map[place]membership{}}
	for _, v := range views {
		for _, zone := range v.Zones {
			z.of[place{v, zone}] = membership{}
		}
	}
	z.order(views)
	return z
}

// order sorts the zones.
func (z *zoning) order(views []*View) {
	z.inside = map[place][]string{}
	for p, m := range z.of {
		if m.waits == "" {
			z.places = append(z.places, p)
		}
		for _, rest, _ := strings.Cut(p.zone, "."); rest != ""; _, rest, _ = strings.Cut(rest, ".") {
			if around := (place{p.view, rest}); z.has(around) {
				z.inside[around] = append(z.inside[around], p.zone)
			}
		}
	}
	for _, zones := range z.inside {
		slices.Sort(zones)
	}
	slices.SortFunc(z.places, func(a, b place) int {
		return cmp.Or(cmp.Compare(slices.Index(views, a.view), slices.Index(views, b.view)), strings.Compare(a.zone, b.zone))
	})
}

// with adds the zones that were found, which are by the name of the view, in place of those that were found before.
func (z *zoning) with(views []*View, found map[string][]zonesource.Zone) *zoning {
	next := &zoning{of: map[place]membership{}}
	for p, m := range z.of {
		if m.found == nil {
			next.of[p] = m
		}
	}
	for _, v := range views {
		for _, zone := range found[v.Name] {
			p := place{v, zone.Name}
			if next.has(p) {
				continue // the configuration names it
			}
			m := membership{found: &zone}
			switch zone.State {
			case zonesource.Leaving:
				m.waits = "its DNSZone is being deleted"
			case zonesource.Refused:
				m.waits = cmp.Or(zone.Why, "it is refused")
			}
			next.of[p] = m
		}
	}
	next.order(views)
	return next
}

// waiting is z with a reason for some zones to wait.
func (z *zoning) waiting(views []*View, why map[place]string) *zoning {
	if len(why) == 0 {
		return z
	}
	next := &zoning{of: make(map[place]membership, len(z.of))}
	for p, m := range z.of {
		m.waits = cmp.Or(m.waits, why[p])
		next.of[p] = m
	}
	next.order(views)
	return next
}

func (z *zoning) has(p place) bool {
	_, ok := z.of[p]
	return ok
}

// joined notes in z, which nobody else has yet, since when its zones are with their views.
func (z *zoning) joined(last *zoning, now time.Time) {
	for p, m := range z.of {
		if m.found == nil || m.waits != "" {
			continue
		}
		if m.since = now; last.serves(p) {
			m.since = last.of[p].since
		}
		z.of[p] = m
	}
}

// serves reports whether records are in the zone.
func (z *zoning) serves(p place) bool {
	m, ok := z.of[p]
	return ok && m.waits == ""
}

// zoneOf returns the longest zone of the view that holds name. A zone that waits is one too: then there is none, and
// the name does not fall to the zone around it.
func (z *zoning) zoneOf(v *View, name string) (zone string, ok bool) {
	for rest := name; rest != ""; _, rest, _ = strings.Cut(rest, ".") {
		if m, is := z.of[place{v, rest}]; is {
			return rest, m.waits == ""
		}
	}
	return "", false
}

// find returns the zoning that Records shall list: the configuration's and what is found now.
func (p *Provider) find() (*zoning, error) {
	base := p.zoning.Load()
	if p.config.Found == nil {
		return base, nil
	}
	found, err := p.config.Found()
	if err != nil {
		return nil, fmt.Errorf("view: which zones there are: %w", err)
	}
	return base.with(p.all, found), nil
}

// takeUp makes z what all calls rest on, and tells what is new. Only the one that lists calls it.
func (p *Provider) takeUp(ctx context.Context, z *zoning) {
	if p.config.Found == nil {
		return
	}
	last := p.zoning.Swap(z)
	for at := range last.of {
		if last.serves(at) && !z.serves(at) {
			p.config.Metrics.records.DeleteLabelValues(at.view.Name, at.zone)
			p.log.InfoContext(ctx, "zone left the view; what stands in it is left as it is", "view", at.view.Name, "zone", at.zone,
				"reason", cmp.Or(z.of[at].waits, "no DNSZone that the view selects has it any more"))
		}
	}
	for at, m := range z.of {
		switch before, had := last.of[at]; {
		case m.found == nil:
		case m.waits == "" && !last.serves(at):
			p.log.InfoContext(ctx, "zone joined the view", "view", at.view.Name, "zone", at.zone, "object", m.found.Object)
		case m.waits != "" && (!had || before.waits == "" || m.found.State != before.found.State || m.found.Why != before.found.Why): // errors differ from time to time
			p.log.WarnContext(ctx, "zone waits: nothing in it is changed, and names in it are not published", "view", at.view.Name, "zone", at.zone,
				"object", m.found.Object, "reason", m.waits)
		}
	}
	p.config.Metrics.zoned(p.all, z)
}

// spareUnsettled takes deletions out of a job in a zone that has joined its view only now, with all that stands or
// falls with them.
func (p *Provider) spareUnsettled(j *job, now time.Time, out *outcome) {
	m, has := p.zoning.Load().of[place{j.view, j.zone}]
	if has && (m.found == nil || m.waits == "" && now.Sub(m.since) >= settled) {
		return
	}
	deleting := map[string]bool{}
	for _, x := range j.entries {
		if x.new == nil {
			deleting[x.unit] = true
		}
	}
	why := fmt.Errorf("zone %s has joined view %s only now; deletions in it are made %s later", j.zone, j.view.Name, settled)
	j.entries = slices.DeleteFunc(j.entries, func(x *entry) bool {
		if deleting[x.unit] {
			out.fail(x, backend.Temporary, why)
		}
		return deleting[x.unit]
	})
}

// departed returns what says why a change in a place is not to be made after all: its zone was taken up and has gone
// since. While it is not known which zones there are, the last that was known counts.
func (p *Provider) departed() func(place) error {
	none := func(place) error { return nil }
	if p.config.Found == nil {
		return none
	}
	zoning := p.zoning.Load()
	found, err := p.config.Found()
	if err != nil {
		return none
	}
	return func(at place) error {
		if m, has := zoning.of[at]; has && m.found == nil {
			return nil
		}
		still := slices.ContainsFunc(found[at.view.Name], func(z zonesource.Zone) bool {
			return z.Name == at.zone && (z.State == zonesource.Ready || z.State == zonesource.Unready)
		})
		if still {
			return nil
		}
		return fmt.Errorf("zone %s has left view %s: its DNSZone is gone, is being deleted or is no longer selected", at.zone, at.view.Name)
	}
}

// tolerable says why a zone that could not be listed waits, where that is no reason for the others to: nobody says that
// it is served, or the server itself says that it does not serve it. "": it is an error as for every zone.
func (m membership) tolerable(err error) string {
	switch {
	case m.found == nil:
		return ""
	case m.found.State == zonesource.Unready:
		return fmt.Sprintf("%s; it cannot be listed: %v", m.found.Why, err)
	case backend.KindOf(err) != backend.Temporary:
		return fmt.Sprintf("its DNSZone says it is ready, and it cannot be listed: %v", err)
	}
	return ""
}
