package chartdoc_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/e2e/charts/chartdoc"
)

const values = `
# How many.
# @schema {minimum: 1}
replicas: 2
image:
  # Where from.
  repository: ""
# Any labels.
# @schema {additionalProperties: {type: string}}
labels: {a: b}
# Who is put up with.
# @schema {kubernetes: "[]Toleration"}
tolerations: []
`

func TestSchemaSaysWhatTheCommentsSay(t *testing.T) {
	parsed, err := chartdoc.Parse([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	text, err := chartdoc.Schema(parsed)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		AdditionalProperties bool                      `json:"additionalProperties"`
		Properties           map[string]map[string]any `json:"properties"`
		Definitions          map[string]struct {
			AdditionalProperties bool           `json:"additionalProperties"`
			Properties           map[string]any `json:"properties"`
		} `json:"definitions"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]any{
		"global":   {"type": "object", "description": "Values of the chart above, which this one does not use."},
		"replicas": {"type": "integer", "minimum": 1.0, "description": "How many."},
		"image": {"type": "object", "additionalProperties": false, "properties": map[string]any{
			"repository": map[string]any{"type": "string", "description": "Where from."},
		}},
		"labels":      {"type": "object", "additionalProperties": map[string]any{"type": "string"}, "description": "Any labels."},
		"tolerations": {"type": "array", "items": map[string]any{"$ref": "#/definitions/Toleration"}, "description": "Who is put up with."},
	}
	if diff := cmp.Diff(want, got.Properties); diff != "" {
		t.Error(diff)
	}
	toleration := got.Definitions["Toleration"]
	if got.AdditionalProperties || toleration.AdditionalProperties || toleration.Properties["tolerationSeconds"] == nil {
		t.Errorf("further values are let in, or Toleration lacks its fields: %s", text)
	}
}

func TestTableHasARowForEachValue(t *testing.T) {
	parsed, err := chartdoc.Parse([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	page, err := chartdoc.README("before\n<!-- generated: values -->\nold\n<!-- end of values -->\nafter\n", parsed)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n<!-- generated: values -->\n\n| value | default | meaning |\n|---|---|---|\n" +
		"| `replicas` | `2` | How many. |\n| `image.repository` |  | Where from. |\n" +
		"| `labels` | `{a: b}` | Any labels. |\n| `tolerations` |  | Who is put up with. |\n\n<!-- end of values -->\nafter\n"
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	if _, err := chartdoc.README("no marks", parsed); err == nil {
		t.Error("a page without marks is written")
	}
}

func TestFaultsNameTheValue(t *testing.T) {
	for text, named := range map[string]string{
		"# Fine.\na: 1\nb: {}\n":                           "b (line 3)",
		"c:\n  d: \"\"\n":                                  "c.d (line 2)",
		"# Help.\n# @schema {enum: [a\ne: a\n":             "e: @schema",
		"# Help.\n# @schema {kubernetes: Pod5}\nf: {}\n":   `f: @schema: kubernetes: "Pod5"`,
		"# Help.\n# @schema {kubernetes: '[]No'}\ng: []\n": `g: @schema: kubernetes: "No"`,
		"- a\n": "want one mapping",
	} {
		parsed, err := chartdoc.Parse([]byte(text))
		if err == nil {
			_, err = chartdoc.Schema(parsed)
		}
		if err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%q: %v; want it to name %s", text, err, named)
		}
	}
}
