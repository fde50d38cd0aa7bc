package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Settings are the settings of one backend: a pointer to a struct with yaml tags.
type Settings interface {
	// Validate reports every wrong setting as a *setting.Error.
	Validate() error
}

// ZoneLearner marks the settings of a backend that can say itself which zones it serves, so that a view
// need not name them.
type ZoneLearner interface {
	Settings
	LearnsZones()
}

// Kinds are the backends a build has: the name of each and its settings, all at their zero value.
type Kinds map[string]func() Settings

// New returns the default settings of a kind. The error for an unknown kind says which there are.
func (k Kinds) New(kind string) (Settings, error) {
	fresh, ok := k[kind]
	if !ok {
		return nil, fmt.Errorf("this build has no such backend; it has %s", k)
	}
	s := fresh()
	setDefaults(reflect.ValueOf(s).Elem())
	return s, nil
}

// String lists the kinds.
func (k Kinds) String() string { return strings.Join(slices.Sorted(maps.Keys(k)), ", ") }

// Section is the backend of a view, in YAML a mapping with one key, the kind, above the kind's own
// settings:
//
//	backend:
//	  etcd: {endpoints: ["http://127.0.0.1:2379"]}
type Section struct {
	Kind     string
	Settings Settings
}

// Equal reports whether both name the same backend with the same settings.
func (s Section) Equal(o Section) bool {
	return s.Kind == o.Kind && reflect.DeepEqual(s.Settings, o.Settings)
}
