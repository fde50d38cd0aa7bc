package config

import (
	"errors"
	"fmt"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Validate reports everything that is wrong, as *setting.Error values.
func (f *File) Validate() error {
	errs := []error{f.Policy().Validate(), f.Options.Validate()}
	for i, v := range f.Views {
		path := fmt.Sprintf("views[%d]", i)
		errs = append(errs, setting.Under(path, v.validate()))
		for j, other := range f.Views[:i] {
			errs = append(errs, setting.Under(path, v.disjoint(other, j)))
		}
	}
	return errors.Join(errs...)
}

// validate checks what the policy does not know about a view.
func (v View) validate() error {
	var errs []error
	if _, learns := v.Backend.Settings.(ZoneLearner); len(v.Zones) == 0 && v.ZonesFrom == nil && !learns {
		errs = append(errs, &setting.Error{Field: "zones", Want: "want the zones this view publishes into, for example [example.org]"})
	}
	if v.ZonesFrom != nil {
		errs = append(errs, setting.Under("zonesFrom", v.ZonesFrom.Validate()))
	}
	if v.Backend.Settings == nil {
		errs = append(errs, &setting.Error{Field: "backend", Want: "is missing; want one key, the kind of backend, above its settings"})
	} else {
		errs = append(errs, setting.Under("backend."+v.Backend.Kind, v.Backend.Settings.Validate()))
	}
	return errors.Join(errs...)
}

// disjoint reports zones that v and an earlier view both publish to the same backend: each would
// take the other's records for its own.
func (v View) disjoint(earlier View, index int) error {
	if v.Backend.Settings == nil || !v.Backend.Equal(earlier.Backend) {
		return nil
	}
	var errs []error
	for i, zone := range v.Zones {
		for j, other := range earlier.Zones {
			if z, o := canonical(zone), canonical(other); backend.InZone(z, o) || backend.InZone(o, z) {
				errs = append(errs, &setting.Error{Field: fmt.Sprintf("zones[%d]", i), Value: zone, Want: fmt.Sprintf(
					"overlaps %s (views[%d].zones[%d]) on the same backend; want another backend for one of the views, or one view for both", other, index, j)})
			}
		}
	}
	return errors.Join(errs...)
}

// CanonicalZones are the view's zones as backends spell them.
func (v View) CanonicalZones() []string {
	out := make([]string, len(v.Zones))
	for i, z := range v.Zones {
		out[i] = canonical(z)
	}
	return out
}

// canonical is the canonical form of a zone's name, or the name as it is when it has none: then the
// policy reports it.
func canonical(zone string) string {
	if name, err := backend.Name(zone); err == nil {
		return name
	}
	return zone
}
