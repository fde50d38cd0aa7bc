package view

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/plan"

	"github.com/spokedns/spokedns/webhook/backend"
)

// entry is what an Apply wants for one RRset of a view.
type entry struct {
	view     *View
	zone     string
	key      backend.Key
	old, new *backend.RRset
	unit     string
	owner    string // the owner label, when there is one
	registry bool   // an ownership TXT of external-dns's registry
	removed  bool   // asked to go, unless something new takes its place
	refused  error
}

func (x *entry) op() string {
	switch {
	case x.old == nil:
		return "create"
	case x.new == nil:
		return "delete"
	}
	return "update"
}

// viewKey is an RRset of a view.
type viewKey struct {
	view *View
	backend.Key
}

// intake sorts the endpoints of an Apply into entries, one for each RRset. Lists that name an RRset
// twice are joined: a delete and a create are an update, two creates one with the values of both.
type intake struct {
	provider *Provider
	zoning   *zoning
	entries  []*entry
	byKey    map[viewKey]*entry
}

func (p *Provider) entriesOf(c *plan.Changes) []*entry {
	n := len(c.Create) + len(c.UpdateNew) + len(c.Delete)
	in := intake{provider: p, zoning: p.zoning.Load(), entries: make([]*entry, 0, n), byKey: make(map[viewKey]*entry, n)}
	for _, list := range []struct {
		role      role
		endpoints []*endpoint.Endpoint
	}{{removed, c.Delete}, {standing, c.UpdateOld}, {wanted, c.UpdateNew}, {wanted, c.Create}} {
		for _, e := range list.endpoints {
			in.take(e, list.role)
		}
	}
	// An UpdateOld without its UpdateNew is no request to delete.
	in.entries = slices.DeleteFunc(in.entries, func(x *entry) bool { return x.refused == nil && x.new == nil && !x.removed })
	in.refuseUnits()
	return in.entries
}

// role is what an endpoint says about its RRset.
type role int

const (
	standing role = iota // it is there
	removed              // it is there and shall go
	wanted               // it shall be there
)

// take adds one endpoint.
func (in *intake) take(e *endpoint.Endpoint, as role) {
	if e == nil {
		return
	}
	v, own, ok := in.provider.viewOf(e.SetIdentifier)
	if !ok {
		in.entries = append(in.entries, &entry{
			key: backend.Key{Name: e.DNSName, Type: e.RecordType, SetID: e.SetIdentifier}, unit: e.DNSName,
			refused: fmt.Errorf("set identifier %q names no view; there are %q", e.SetIdentifier, in.provider.names)})
		return
	}
	r, err := v.rrsetOf(e, own)
	if err != nil {
		if name, bad := backend.Name(r.Name); bad == nil {
			r.Name = name
		}
	}
	r = apart(r)
	x := in.entry(v, r.Key)
	x.unit = unitOf(e, r.Name)
	if e.Labels[endpoint.OwnerLabelKey] != "" {
		x.owner = e.Labels[endpoint.OwnerLabelKey]
	}
	x.registry = x.registry || e.Labels[endpoint.OwnedRecordLabelKey] != ""
	x.removed = x.removed || as == removed
	zone, inside := in.zoning.zoneOf(v, r.Name)
	x.zone = zone
	switch {
	case err != nil:
		x.refused = err
	case !inside && zone != "":
		x.refused = fmt.Errorf("zone %s of view %s waits: %s", zone, v.Name, in.zoning.of[place{v, zone}].waits)
	case !inside:
		x.refused = fmt.Errorf("the name is in no zone of view %s", v)
	case as == wanted:
		x.want(&r)
	case x.old == nil:
		x.old = &r
	}
}

// apart copies the texts of an RRset: backends keep RRsets, and these share the memory of a request.
func apart(r backend.RRset) backend.RRset {
	r.Name, r.Type, r.SetID = strings.Clone(r.Name), strings.Clone(r.Type), strings.Clone(r.SetID)
	r.Values = slices.Clone(r.Values)
	for i, v := range r.Values {
		r.Values[i] = strings.Clone(v)
	}
	if r.Attrs != nil {
		attrs := make(map[string]string, len(r.Attrs))
		for k, v := range r.Attrs {
			attrs[strings.Clone(k)] = strings.Clone(v)
		}
		r.Attrs = attrs
	}
	return r
}

// entry finds or makes the entry of a key.
func (in *intake) entry(v *View, key backend.Key) *entry {
	k := viewKey{v, key}
	x := in.byKey[k]
	if x == nil {
		x = &entry{view: v, key: key}
		in.byKey[k] = x
		in.entries = append(in.entries, x)
	}
	return x
}

func (x *entry) want(r *backend.RRset) {
	if x.new != nil && r.Type != endpoint.RecordTypeCNAME {
		r.Values = union(x.new.Values, r.Values)
	}
	r.TTL = x.view.clamp(r.TTL)
	if err := x.view.Backend.Limits().Check(x.zone, *r); err != nil {
		x.refused = err
	}
	x.new = r
}

// unitOf names what the change of e stands or falls with: a registry TXT with the record it owns.
func unitOf(e *endpoint.Endpoint, name string) string {
	owned := e.Labels[endpoint.OwnedRecordLabelKey]
	if owned == "" {
		return name
	}
	if ascii, err := asciiName(owned); err == nil {
		owned = ascii
	}
	if n, err := backend.Name(owned); err == nil {
		return n
	}
	return name
}

var errCompanion = errors.New("refused together with another record of the same name")

// refuseUnits lets a refusal take the rest of its unit with it: a record without its ownership TXT
// could never be changed again.
func (in *intake) refuseUnits() {
	type unit struct {
		view *View
		name string
	}
	var bad map[unit]error
	for _, x := range in.entries {
		if x.refused != nil {
			if bad == nil {
				bad = map[unit]error{}
			}
			bad[unit{x.view, x.unit}] = fmt.Errorf("%w, %s: %w", errCompanion, x.key, x.refused)
		}
	}
	if bad == nil {
		return
	}
	for _, x := range in.entries {
		if err := bad[unit{x.view, x.unit}]; err != nil && x.refused == nil {
			x.refused = err
		}
	}
}
