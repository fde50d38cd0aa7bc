// Package config owns the webhook's configuration: one YAML file, read strictly, with every mistake
// reported by field, value, remedy and place; the file-less mode that builds the same value from a few
// flags; and following the file while the program runs.
//
// It knows no backend: the program hands in the kinds it was built with.
package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/zonesource"
)

// maxSize bounds a configuration file; a ConfigMap holds at most 1 MiB.
const maxSize = 1 << 20

// File is the whole configuration.
type File struct {
	Views     []View                   `yaml:"views" help:"One audience of the DNS each, with its zones, rules and backend."`
	Targets   map[string]policy.Target `yaml:"targets" help:"What rules rewrite to, by name."`
	Overrides policy.Overrides         `yaml:"overrides" help:"What annotations on an object may decide."`
	Options   `yaml:",inline"`
}

// View is one audience of the DNS: a policy and the backend it is published to.
type View struct {
	policy.View `yaml:",inline"`
	ZonesFrom   *zonesource.From `yaml:"zonesFrom" help:"DNSZone objects whose zones this view publishes into, beside those of zones; {} for all. They come and go without a restart."`
	Backend     Section          `yaml:"backend" help:"Where the zones of the view live: one key, the kind of backend, above its settings."`
}

// Policy is the part of the configuration that decides what is published.
func (f *File) Policy() policy.Config {
	views := make([]policy.View, len(f.Views))
	for i, v := range f.Views {
		views[i] = v.View
	}
	return policy.Config{Views: views, Targets: f.Targets, Overrides: f.Overrides}
}

// FindsZones reports whether a view has zones that DNSZone objects bring.
func (f *File) FindsZones() bool {
	return slices.ContainsFunc(f.Views, func(v View) bool { return v.ZonesFrom != nil })
}

// ZoneViews describes the views for zonesource.Assign.
func (f *File) ZoneViews() []zonesource.View {
	out := make([]zonesource.View, len(f.Views))
	for i, v := range f.Views {
		same := slices.IndexFunc(f.Views, func(o View) bool { return o.Backend.Equal(v.Backend) })
		out[i] = zonesource.View{Name: v.Name, Zones: v.CanonicalZones(), From: v.ZonesFrom, Backend: same}
	}
	return out
}

// Reads lists the labels and annotations of objects that rules look at, as "label app", sorted.
func (f *File) Reads() []string {
	var keys []string
	for _, v := range f.Views {
		for _, r := range v.Rules {
			for k := range r.Match.Labels {
				keys = append(keys, "label "+k)
			}
			for k := range r.Match.Annotations {
				keys = append(keys, "annotation "+k)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Decode reads and checks a configuration. Unknown settings, settings of the wrong kind, and values that
// make no sense are all reported, as Mistakes; name is the file's name in them. What is not YAML at all
// is one error showing the place.
func Decode(name string, src []byte, kinds Kinds) (*File, error) {
	if len(src) > maxSize {
		return nil, fmt.Errorf("%s: %d bytes are too much for a configuration; at most %d are read", name, len(src), maxSize)
	}
	tree, err := parse(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := &File{}
	setDefaults(reflect.ValueOf(f).Elem())
	d := &decoder{kinds: kinds, anchors: map[string]ast.Node{}, places: map[string]*token.Position{}}
	if tree != nil {
		if _, ok := tree.(ast.MapNode); !ok {
			return nil, fmt.Errorf("%s: want a mapping that begins with the key views", name)
		}
		ast.Walk(d, tree)
		d.value("", tree, reflect.ValueOf(f).Elem())
	}
	if err := d.mistakes(name, src, f.Validate()); err != nil {
		return nil, err
	}
	return f, nil
}

// parse returns the one document of a YAML file, nil when it is empty.
func parse(src []byte) (ast.Node, error) {
	file, err := parser.ParseBytes(src, 0)
	if err != nil {
		shown := (&decoder{}).conceal(yaml.FormatError(err, false, true))
		return nil, fmt.Errorf("not valid YAML:\n%s", shown)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, fmt.Errorf("line %d: a second document begins; want one", start(doc.Body).Line)
		}
		body = doc.Body
	}
	return body, nil
}
