package chartdoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Schema is the values.schema.json of a chart: draft 7, which every Helm since 3.0 understands. No value may be given
// that values.yaml does not have.
func Schema(values []Value) ([]byte, error) {
	types := definitions{}
	root, err := object(values, types)
	if err != nil {
		return nil, err
	}
	properties := root["properties"].(map[string]any)
	// Helm hands a subchart the parent's global values, whether it asked for them or not.
	properties["global"] = map[string]any{"type": "object", "description": "Values of the chart above, which this one does not use."}
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	if len(types) > 0 {
		root["definitions"] = types
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(root)
	return out.Bytes(), err
}

func object(values []Value, types definitions) (map[string]any, error) {
	properties := map[string]any{}
	for _, v := range values {
		schema, err := v.schema(types)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path, err)
		}
		properties[v.Name()] = schema
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}, nil
}

func (v Value) schema(types definitions) (map[string]any, error) {
	if v.Group() {
		return object(v.Children, types)
	}
	schema := map[string]any{}
	if v.Help != "" {
		schema["description"] = v.Help
	}
	kubernetes, _ := v.Keywords["kubernetes"].(string)
	element, list := strings.CutPrefix(kubernetes, "[]")
	switch {
	case list:
		ref, err := types.ref(element)
		if err != nil {
			return nil, err
		}
		schema["type"], schema["items"] = "array", ref
	case kubernetes != "":
		ref, err := types.ref(kubernetes)
		if err != nil {
			return nil, err
		}
		schema["allOf"] = []any{ref}
	default:
		schema["type"] = typeOf(v.Default)
	}
	keywords := maps.Clone(v.Keywords)
	delete(keywords, "kubernetes")
	maps.Copy(schema, keywords)
	return schema, nil
}

func typeOf(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "object"
	case node.Kind == yaml.SequenceNode:
		return "array"
	case node.Tag == "!!bool":
		return "boolean"
	case node.Tag == "!!int":
		return "integer"
	case node.Tag == "!!float":
		return "number"
	}
	return "string"
}
