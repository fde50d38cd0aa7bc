package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// YAML allows aliases and merge keys to go in circles, so they are followed only so far and so often.
const (
	maxAliases = 32
	maxMerges  = 200
)

// decoder fills Go values from a YAML tree. The YAML library's own decoder stops at the first mistake
// and names no field; this one goes on, and knows where every field stands.
type decoder struct {
	kinds   Kinds
	anchors map[string]ast.Node
	merges  int                        // mappings merged so far
	places  map[string]*token.Position // field path → where it stands
	secrets []string                   // texts that must not be shown
	wrong   []wrong
	meant   []string // fields that were probably given under a misspelt name: nobody calls them missing
}

// value decodes node, the value of the field at path, into dst.
func (d *decoder) value(path string, node ast.Node, dst reflect.Value) {
	node = d.resolve(node)
	if node == nil || node.Type() == ast.NullType {
		return // "rules:" with nothing behind it is as good as no key
	}
	switch t := dst.Type(); {
	case t == reflect.TypeFor[Section]():
		d.section(path, node, dst.Addr().Interface().(*Section))
	case isText(t):
		d.scalar(path, node, dst)
	case t.Kind() == reflect.Pointer:
		fresh := reflect.New(t.Elem())
		setDefaults(fresh.Elem())
		d.value(path, node, fresh.Elem())
		dst.Set(fresh)
	case t.Kind() == reflect.Struct:
		d.mapping(path, node, dst)
	case t.Kind() == reflect.Slice:
		d.sequence(path, node, dst)
	case t.Kind() == reflect.Map:
		d.dictionary(path, node, dst)
	default:
		d.scalar(path, node, dst)
	}
}

// mapping decodes a YAML mapping into a struct: every key must be one of its settings.
func (d *decoder) mapping(path string, node ast.Node, dst reflect.Value) {
	fields := Fields(dst.Type())
	for _, e := range d.entries(path, node) {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == e.key })
		if i < 0 {
			names := make([]string, len(fields))
			for i, f := range fields {
				names[i] = f.Name
			}
			d.fail(e.pos, join(path, e.key), "", "unknown setting"+suggest(e.key, names))
			d.meant = append(d.meant, join(path, nearest(e.key, names)))
			continue
		}
		if fields[i].Secret {
			d.secrets = append(d.secrets, text(d.resolve(e.value)))
		}
		d.value(d.place(join(path, e.key), e), e.value, dst.FieldByIndex(fields[i].Index))
	}
}

// dictionary decodes a YAML mapping with free keys into a map.
func (d *decoder) dictionary(path string, node ast.Node, dst reflect.Value) {
	t := dst.Type()
	if dst.IsNil() {
		dst.Set(reflect.MakeMap(t))
	}
	for _, e := range d.entries(path, node) {
		v := reflect.New(t.Elem()).Elem()
		setDefaults(v)
		d.value(d.place(join(path, e.key), e), e.value, v)
		dst.SetMapIndex(reflect.ValueOf(e.key).Convert(t.Key()), v)
	}
}

func (d *decoder) sequence(path string, node ast.Node, dst reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fail(node.GetToken().Position, path, text(node), "want a list, like [a, b]")
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.places[at] = start(item)
		setDefaults(out.Index(i))
		if item = d.resolve(item); item == nil || item.Type() == ast.NullType {
			d.fail(d.places[at], at, "", "is empty: give it a value or remove it")
			continue
		}
		d.value(at, item, out.Index(i))
	}
	dst.Set(out)
}

// section decodes the settings of a backend: one key that names the kind, and the kind's own settings
// below it.
func (d *decoder) section(path string, node ast.Node, dst *Section) {
	entries := d.entries(path, node)
	if len(entries) != 1 {
		if _, isMap := node.(ast.MapNode); isMap {
			d.fail(start(node), path, "", "want exactly one kind of backend: "+d.kinds.String())
		}
		return
	}
	e := entries[0]
	at := d.place(join(path, e.key), e)
	settings, err := d.kinds.New(e.key)
	if err != nil {
		d.fail(e.pos, at, "", err.Error())
		return
	}
	d.value(at, e.value, reflect.ValueOf(settings).Elem())
	*dst = Section{Kind: e.key, Settings: settings}
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	pos   *token.Position // of the key
	value ast.Node
}

// entries lists a mapping's keys in order, merge keys ("<<") resolved: a key written out wins over a
// merged one.
func (d *decoder) entries(path string, node ast.Node) []entry {
	m, ok := node.(ast.MapNode)
	if !ok {
		d.fail(start(node), path, text(node), "want a mapping, like {key: value}")
		return nil
	}
	var own, inherited []entry
	for it := m.MapRange(); it.Next(); {
		if !it.Key().IsMergeKey() {
			own = append(own, entry{text(it.Key()), it.Key().GetToken().Position, it.Value()})
			continue
		}
		for _, parent := range d.parents(it.Value()) {
			if d.merges++; d.merges == maxMerges {
				d.fail(start(it.Value()), path, "", "merges too much, or itself; write the keys out")
			}
			if d.merges < maxMerges {
				inherited = append(inherited, d.entries(path, parent)...)
			}
		}
	}
	for _, e := range inherited {
		if !slices.ContainsFunc(own, func(o entry) bool { return o.key == e.key }) {
			own = append(own, e)
		}
	}
	return own
}

// parents lists the mappings that a merge key names: one, or a list of them.
func (d *decoder) parents(node ast.Node) []ast.Node {
	node = d.resolve(node)
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		return []ast.Node{node}
	}
	out := make([]ast.Node, 0, len(seq.Values))
	for _, v := range seq.Values {
		out = append(out, d.resolve(v))
	}
	return out
}

// resolve follows anchors, aliases and tags to the value itself; nil when they lead nowhere.
func (d *decoder) resolve(node ast.Node) ast.Node {
	for range maxAliases {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.TagNode:
			node = n.Value
		case *ast.AliasNode:
			node = d.anchors[n.Value.GetToken().Value]
		default:
			return node
		}
	}
	return nil
}

// Visit collects the anchors of the file; it implements ast.Visitor.
func (d *decoder) Visit(node ast.Node) ast.Visitor {
	if a, ok := node.(*ast.AnchorNode); ok {
		d.anchors[a.Name.GetToken().Value] = a.Value
	}
	return d
}

// place remembers where the field at path stands: at its value when that is a scalar, else at its key.
func (d *decoder) place(path string, e entry) string {
	d.places[path] = e.pos
	if s, ok := e.value.(ast.ScalarNode); ok && s.Type() != ast.NullType {
		d.places[path] = start(s)
	}
	return path
}

func (d *decoder) fail(pos *token.Position, path, value, want string) {
	d.wrong = append(d.wrong, wrong{pos, path, value, want})
}

func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }
