package charts_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/e2e/charts/chartdoc"
	"github.com/spokedns/spokedns/e2e/charts/dashboard"
	"github.com/spokedns/spokedns/e2e/stack"
)

func chartNames(t *testing.T) (names []string) {
	t.Helper()
	charts, err := chartdoc.Charts(stack.Root())
	if err != nil || len(charts) == 0 {
		t.Fatalf("charts: %v, %v", charts, err)
	}
	for _, dir := range charts {
		names = append(names, filepath.Base(dir))
	}
	return names
}

func TestWhatIsGeneratedIsCurrent(t *testing.T) {
	files, err := chartdoc.FromPrograms(t.Context(), stack.Root())
	if err != nil {
		t.Fatal(err)
	}
	program, err := stack.Tool("helm")
	if err != nil {
		t.Fatal(err)
	}
	base, err := chartdoc.Kustomize(t.Context(), stack.Root(), program)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, base)
	pages, err := dashboard.Files(stack.Root())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, pages)
	for _, chart := range chartNames(t) {
		generated, err := chartdoc.Generated(filepath.Join(stack.Root(), "charts", chart))
		if err != nil {
			t.Error(err)
		}
		maps.Copy(files, generated)
	}
	for path, want := range files {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what it follows from; run go run ./charts/generate in e2e:\n%s", path, diff)
		}
	}
}

// Every value is used by a template, and templates use no value that values.yaml does not have.
func TestValuesAndTemplatesKnowEachOther(t *testing.T) {
	mention := regexp.MustCompile(`\.Values((?:\.[A-Za-z0-9]+)+)`)
	for _, chart := range chartNames(t) {
		dir := filepath.Join(stack.Root(), "charts", chart)
		source, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		values, err := chartdoc.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		var used []string
		for _, text := range sources(t, dir) {
			for _, m := range mention.FindAllStringSubmatch(text, -1) {
				used = append(used, m[1][1:])
			}
		}
		var known []string
		for _, v := range chartdoc.Leaves(values) {
			known = append(known, v.Path)
			// Values of a dependency are its own chart's business, and checked there.
			if !slices.ContainsFunc(used, func(u string) bool { return u == v.Path || strings.HasPrefix(u, v.Path+".") }) && !dependency(t, dir, v.Path) {
				t.Errorf("%s: no template uses %s", chart, v.Path)
			}
		}
		for _, u := range used {
			if !slices.ContainsFunc(known, func(k string) bool { return u == k || strings.HasPrefix(u, k+".") }) {
				t.Errorf("%s: a template uses %s, which values.yaml does not have", chart, u)
			}
		}
	}
}

// sources are the templates of a chart and the files they take in.
func sources(t *testing.T, dir string) (texts []string) {
	t.Helper()
	for _, pattern := range []string{"templates/*", "*.yaml", "files/*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	return texts
}

// dependency says whether a value is handed to, or decides about, one of the charts below.
func dependency(t *testing.T, dir, path string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^ *(- )?(name|alias|condition): ` + regexp.QuoteMeta(path) + `$`).Match(text)
}

func TestLintHasNothingToSay(t *testing.T) {
	everyCase(t, func(t *testing.T, _, dir, values string) {
		out, err := helm(t, "lint", "--strict", dir, "--values", values)
		if err != nil || strings.Contains(out, "[WARNING]") || strings.Contains(out, "[ERROR]") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
