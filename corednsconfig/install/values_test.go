package install_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spokedns/spokedns/corednsconfig/install"
)

func place() install.Place {
	return install.Place{ClusterName: "spoke-1", ClusterNamespace: "project", Environment: "live", ProviderName: "landscape", ProviderNamespace: "dns"}
}

func TestValues(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"nothing":       {``, `{}`},
		"null":          {`null`, `{}`},
		"all":           {`{"a": "<cluster.name>.<cluster.namespace>.<environment>.<provider.name>.<provider.namespace>"}`, `{"a": "spoke-1.project.live.landscape.dns"}`},
		"twice":         {`{"a": "<cluster.name>-<cluster.name>"}`, `{"a": "spoke-1-spoke-1"}`},
		"in lists":      {`{"a": ["x", "<cluster.name>", ["<environment>"]]}`, `{"a": ["x", "spoke-1", ["live"]]}`},
		"in objects":    {`{"a": {"b": {"c": "<cluster.name>"}}}`, `{"a": {"b": {"c": "spoke-1"}}}`},
		"keys stay":     {`{"<cluster.name>": "x"}`, `{"<cluster.name>": "x"}`},
		"no text":       {`{"a": 1, "b": true, "c": null, "d": 0.5}`, `{"a": 1, "b": true, "c": null, "d": 0.5}`},
		"whole numbers": {`{"a": 9007199254740993}`, `{"a": 9007199254740993}`},
		"no word":       {`{"a": "1 < 2 > 1", "b": "<>", "c": "<1>", "d": "< cluster.name >"}`, `{"a": "1 < 2 > 1", "b": "<>", "c": "<1>", "d": "< cluster.name >"}`},
		"templates":     {`{"a": "{{.Name}}.<cluster.name>"}`, `{"a": "{{.Name}}.spoke-1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := install.Values([]byte(c.raw), place())
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var have, want any
			if json.Unmarshal(text, &have) != nil || json.Unmarshal([]byte(c.want), &want) != nil {
				t.Fatal("no JSON")
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestValuesRefuses(t *testing.T) {
	here := place()
	for name, c := range map[string]struct {
		raw   string
		place install.Place
		says  []string
	}{
		"unknown":          {`{"a": {"b": ["x", "<cluster.nam>"]}}`, here, []string{"values.a.b[1]: <cluster.nam> is no placeholder", "<cluster.name>, <cluster.namespace>"}},
		"two":              {`{"a": "<x>", "b": "<y>"}`, here, []string{"values.a: <x>", "values.b: <y>"}},
		"case":             {`{"a": "<Cluster.Name>"}`, here, []string{"<Cluster.Name> is no placeholder"}},
		"nothing here":     {`{"a": "<cluster.namespace>"}`, install.Place{ClusterName: "local"}, []string{"values.a: <cluster.namespace> stands for nothing in this cluster"}},
		"not of DNS":       {`{"a": "<cluster.name>"}`, install.Place{ClusterName: "a\nb: c"}, []string{"values.a: <cluster.name>", `"a\nb: c"`, "as in a domain name"}},
		"upper case":       {`{"a": "<cluster.name>"}`, install.Place{ClusterName: "Spoke"}, []string{`"Spoke"`}},
		"another in it":    {`{"a": "<cluster.name>"}`, install.Place{ClusterName: "<environment>", Environment: "live"}, []string{"as in a domain name"}},
		"a list":           {`[1]`, here, []string{"values: want an object"}},
		"a text":           {`"x"`, here, []string{"values: want an object"}},
		"two objects":      {`{} {}`, here, []string{"nothing behind it"}},
		"no JSON":          {`{`, here, []string{"values: want an object"}},
		"too large":        {`{"a": 1e999}`, here, []string{"values.a: 1e999"}},
		"empty, not asked": {`{"a": "<environment>"}`, install.Place{}, []string{"stands for nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := install.Values([]byte(c.raw), c.place)
			if err == nil {
				t.Fatalf("taken: %v", got)
			}
			var wrong *install.ValuesError
			if !errors.As(err, &wrong) {
				t.Errorf("%v is a %T", err, err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

// tree draws values without placeholders.
func tree() *rapid.Generator[map[string]any] {
	word := rapid.StringMatching(`[a-z]{1,4}`)
	leaf := rapid.OneOf(rapid.Map(rapid.StringMatching(`[ -;=?-~]{0,12}`), func(s string) any { return s }),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }), rapid.Map(rapid.Bool(), func(b bool) any { return b }))
	return rapid.MapOfN(word, rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(leaf, 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(word, leaf, 0, 3), func(m map[string]any) any { return m })), 0, 5)
}

// Values without placeholders are what they were, and done twice is done once.
func TestValuesChangeNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := tree().Draw(t, "values")
		raw, err := json.Marshal(before)
		if err != nil {
			t.Fatal(err)
		}
		after, err := install.Values(raw, place())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatalf("-before +after\n%s", diff)
		}
	})
}

// FuzzValues: whatever stands in values, the shape is the same afterwards, and what was put in stands in texts only.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`{"a": "<cluster.name>", "b": ["<environment>", 1]}`), "spoke-1", "live")
	f.Add([]byte(" "), "0", "")
	f.Add([]byte(`{"<cluster.name>": {"x": "<provider.name>"}}`), "a.b", "")
	f.Add([]byte(`{"a": "\u003ccluster.name\u003e"}`), `"}, "b": "`, "x")
	f.Fuzz(func(t *testing.T, raw []byte, cluster, environment string) {
		p := install.Place{ClusterName: cluster, ClusterNamespace: "n", Environment: environment, ProviderName: "p", ProviderNamespace: "q"}
		after, err := install.Values(raw, p)
		if err != nil || strings.TrimSpace(string(raw)) == "" { // nothing is said
			return
		}
		var before map[string]any
		if json.NewDecoder(strings.NewReader(string(raw))).Decode(&before) != nil {
			t.Fatalf("taken, and no JSON: %q", raw)
		}
		shape(t, before, after, "values")
	})
}

func shape(t *testing.T, before, after any, path string) {
	t.Helper()
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
			t.Fatalf("%s: %v became %v", path, before, after)
		}
		for key := range b {
			shape(t, b[key], a[key], path+"."+key)
		}
	case []any:
		a, ok := after.([]any)
		if !ok || len(a) != len(b) {
			t.Fatalf("%s: %v became %v", path, before, after)
		}
		for i := range b {
			shape(t, b[i], a[i], path)
		}
	case string:
		a, ok := after.(string)
		if !ok || !strings.Contains(b, "<") && a != b {
			t.Fatalf("%s: %q became %v", path, b, after)
		}
	case bool, nil:
		if before != after {
			t.Fatalf("%s: %v became %v", path, before, after)
		}
	}
}
