package chartdoc

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Marks in a README between which the table stands.
const (
	begin = "<!-- generated: values -->\n"
	end   = "<!-- end of values -->\n"
)

// README is the page with the table between the marks written anew.
func README(page string, values []Value) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", fmt.Errorf("want the lines %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	table, err := table(values)
	return before + begin + "\n" + table + "\n" + end + after, err
}

func table(values []Value) (string, error) {
	var b strings.Builder
	b.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, v := range Leaves(values) {
		text, err := inline(v.Default)
		if err != nil {
			return "", fmt.Errorf("%s: %w", v.Path, err)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Path, text, cell(v.Help+choices(v.Keywords)))
	}
	return b.String(), nil
}

func choices(keywords map[string]any) string {
	options, _ := keywords["enum"].([]any)
	if len(options) == 0 {
		if items, ok := keywords["items"].(map[string]any); ok {
			options, _ = items["enum"].([]any)
		}
	}
	if len(options) == 0 {
		return ""
	}
	var words []string
	for _, o := range options {
		words = append(words, fmt.Sprintf("`%v`", o))
	}
	return " One of " + strings.Join(words, ", ") + "."
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// inline is a default on one line.
func inline(node *yaml.Node) (string, error) {
	if node.Kind == yaml.ScalarNode && node.Value == "" {
		return "", nil
	}
	if node.Kind != yaml.ScalarNode && len(node.Content) == 0 {
		return "", nil
	}
	plain := bare(node)
	text, err := yaml.Marshal(plain)
	return "`" + cell(strings.TrimSpace(string(text))) + "`", err
}

// bare is a copy without comments, in flow style.
func bare(node *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: node.Kind, Tag: node.Tag, Value: node.Value}
	if node.Kind != yaml.ScalarNode {
		out.Style = yaml.FlowStyle
	}
	for _, c := range node.Content {
		out.Content = append(out.Content, bare(c))
	}
	return out
}
