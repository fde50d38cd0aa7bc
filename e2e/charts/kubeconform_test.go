package charts_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/e2e/stack"
)

// openapi is what of the API server's own description of its objects is of use here.
type openapi struct {
	Definitions map[string]map[string]any `json:"definitions"`
}

// described asks the server until it describes all the kinds: those of new definitions come a moment later.
func (s server) described(kinds ...string) openapi {
	s.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		text, err := s.client.RESTClient().Get().AbsPath("/openapi/v2").SetHeader("Accept", "application/json").DoRaw(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		var out openapi
		if err := json.Unmarshal(text, &out); err != nil {
			s.Fatal(err)
		}
		missing := false
		for _, kind := range kinds {
			missing = missing || len(out.files(kind)) == 0
		}
		if !missing {
			return out
		}
		if time.Now().After(end) {
			s.Fatalf("the API server does not describe %q", kinds)
		}
	}
}

// files are the JSON schemas of a kind, by the name kubeconform looks for.
func (o openapi) files(kind string) map[string]any {
	out := map[string]any{}
	for name, definition := range o.Definitions {
		groups, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, g := range groups {
			g, _ := g.(map[string]any)
			if g["kind"] != kind || len(groups) > 1 { // several: what is no object
				continue
			}
			group, _ := g["group"].(string)
			version, _ := g["version"].(string)
			needed := map[string]any{}
			o.collect(name, needed)
			suffix := "-" + version
			if group != "" {
				short, _, _ := strings.Cut(group, ".")
				suffix = "-" + short + suffix
			}
			out[strings.ToLower(kind)+suffix+".json"] = map[string]any{"$ref": "#/definitions/" + name, "definitions": needed}
		}
	}
	return out
}

// collect adds a definition and those it refers to.
func (o openapi) collect(name string, to map[string]any) {
	if _, have := to[name]; have {
		return
	}
	to[name] = nil
	strict := o.strict(o.Definitions[name], to)
	switch name[strings.LastIndexByte(name, '.')+1:] { // the description says string, and the server takes numbers
	case "IntOrString", "Quantity":
		strict = map[string]any{"type": []string{"string", "number"}}
	}
	to[name] = strict
}

// strict is a schema that allows no field it does not know.
func (o openapi) strict(schema any, to map[string]any) any {
	switch v := schema.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = o.strict(v[i], to)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[key] = o.strict(value, to)
		}
		if ref, ok := v["$ref"].(string); ok {
			o.collect(strings.TrimPrefix(ref, "#/definitions/"), to)
		}
		_, fields := v["properties"].(map[string]any)
		if fields && v["additionalProperties"] == nil && v["x-kubernetes-preserve-unknown-fields"] != true {
			out["additionalProperties"] = false
		}
		return out
	}
	return schema
}

// What users run to check what charts render says of ours what the API server says: it has schemas of all kinds, made
// from that server's own description, and none of its own from elsewhere.
func TestKubeconformHasNothingToSay(t *testing.T) {
	s := startServer(t)
	s.define()
	program, err := stack.Tool("kubeconform")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	known := s.described("ServiceMonitor", "PrometheusRule", "Certificate", "ExternalSecret", "DNSForwarding")
	written := map[string]bool{}
	conforms := func(t *testing.T, r release, manifest string) (string, error) {
		files := map[string]any{}
		for _, u := range r.objects {
			if !written[u.GetKind()] {
				maps.Copy(files, known.files(u.GetKind()))
				written[u.GetKind()] = true
			}
		}
		for name, schema := range files {
			text, err := json.Marshal(schema)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), program, "-strict", "-summary",
			"-schema-location", filepath.Join(dir, "{{.ResourceKind}}{{.KindSuffix}}.json"))
		cmd.Stdin = strings.NewReader(manifest)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	everyCase(t, func(t *testing.T, _, dir, values string) {
		text, err := manifest(t, dir, values)
		if err != nil {
			t.Fatal(err)
		}
		out, err := conforms(t, parsed(t, text), text)
		if err != nil || !strings.Contains(out, "Invalid: 0, Errors: 0, Skipped: 0") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	// It is awake: a field nobody knows, deep inside.
	text, err := manifest(t, chartDir(t, "webhook"), "testdata/webhook/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"readOnlyRootFilesystem: true": "readOnlyRootFileSystem: true",
		"\n    - port: webhook":        "\n    - prot: webhook", // of the ServiceMonitor
		"replicas: 1":                  "replicas: one",
	} {
		wrong := strings.Replace(text, from, to, 1)
		if out, err := conforms(t, parsed(t, text), wrong); wrong == text || err == nil {
			t.Errorf("with %s instead of %s it has nothing to say:\n%s", to, from, out)
		}
	}
}
