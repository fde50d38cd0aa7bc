// Package chartdoc owns what follows from a chart's values.yaml: the schema that refuses wrong values, and the table
// of the chart's README.
//
// The comment right above a value is its meaning; a value without one is an error. Its default says its type. What
// the default cannot say stands in a last line of the comment,
//
//	# @schema {enum: [txt, noop]}
//
// with keywords of JSON Schema as a YAML mapping. The keyword kubernetes names a type of Kubernetes' API, or a list
// of them ("[]EnvVar"), whose own shape is then asked for.
package chartdoc

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is one value of a chart, or a group of them.
type Value struct {
	Path     string         // from the top, with dots: externalDNS.image.tag
	Help     string         // the comment, in one line; empty for groups
	Default  *yaml.Node     // as values.yaml has it
	Keywords map[string]any // of JSON Schema, from the @schema line
	Children []Value        // of a group, in the order of the file
}

// Group says whether the value only holds others.
func (v Value) Group() bool { return len(v.Children) > 0 }

// Name is the last part of the path.
func (v Value) Name() string { return v.Path[strings.LastIndexByte(v.Path, '.')+1:] }

// Parse reads a values.yaml. Every fault is reported, joined.
func Parse(source []byte) ([]Value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("want one mapping")
	}
	return parse("", document.Content[0])
}

func parse(above string, node *yaml.Node) (values []Value, err error) {
	var errs []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, content := node.Content[i], node.Content[i+1]
		v := Value{Path: above + key.Value, Default: content}
		if v.Help, v.Keywords, err = comment(key.HeadComment); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", v.Path, err))
			continue
		}
		// A mapping that says what it may hold is one value, its content an example of it or a default.
		_, typed := v.Keywords["kubernetes"]
		_, open := v.Keywords["additionalProperties"]
		if content.Kind == yaml.MappingNode && len(content.Content) > 0 && !typed && !open {
			if v.Children, err = parse(v.Path+".", content); err != nil {
				errs = append(errs, err)
			}
		} else if v.Help == "" {
			errs = append(errs, fmt.Errorf("%s (line %d): has no comment", v.Path, key.Line))
		}
		values = append(values, v)
	}
	return values, errors.Join(errs...)
}

// comment takes a comment apart.
func comment(text string) (help string, keywords map[string]any, err error) {
	var words []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
		if schema, ok := strings.CutPrefix(line, "@schema "); ok {
			if err := yaml.Unmarshal([]byte(schema), &keywords); err != nil {
				return "", nil, fmt.Errorf("@schema: %w", err)
			}
			continue
		}
		words = append(words, line)
	}
	return strings.TrimSpace(strings.Join(words, " ")), keywords, nil
}

// Leaves are the values below vs that are no groups.
func Leaves(vs []Value) (leaves []Value) {
	for _, v := range vs {
		if v.Group() {
			leaves = append(leaves, Leaves(v.Children)...)
		} else {
			leaves = append(leaves, v)
		}
	}
	return leaves
}
