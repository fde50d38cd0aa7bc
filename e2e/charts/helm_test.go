package charts_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
)

// namespace is where releases go.
const namespace = "dns"

// chartDir is the directory of one of our charts. The umbrella is copied with its dependencies beside it, so that
// helm's own build of them leaves nothing in the checkout.
func chartDir(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(stack.Root(), "charts", name)
	if name != "spokedns" {
		return dir
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(filepath.Dir(dir))); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(copied, name)
	if out, err := helm(t, "dependency", "build", dir); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	return dir
}

// helm runs the real helm with an empty home and gives what it prints.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := stack.Tool("helm")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG=")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return out.String(), nil
}

// manifest renders a chart as release "edge" with the values of a file.
func manifest(t *testing.T, dir, values string, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"template", "edge", dir, "--namespace", namespace, "--kube-version", "v1.36.0", "--include-crds"}, args...)
	if values != "" {
		args = append(args, "--values", values)
	}
	return helm(t, args...)
}

// release is what a chart renders to.
type release struct {
	t       *testing.T
	objects []*unstructured.Unstructured
}

// render is manifest, taken apart. Every object of Kubernetes' own API is decoded strictly: an unknown or doubled
// field fails the test.
func render(t *testing.T, dir, values string, args ...string) release {
	t.Helper()
	text, err := manifest(t, dir, values, args...)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, text)
}

func parsed(t *testing.T, text string) release {
	t.Helper()
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	r := release{t: t}
	for document := range strings.SplitSeq("\n"+text, "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &u.Object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(u.Object) == 0 {
			continue
		}
		if scheme.Scheme.Recognizes(u.GroupVersionKind()) {
			if _, _, err := strict.Decode([]byte(document), nil, nil); err != nil {
				t.Errorf("%s %s: %v\n%s", u.GetKind(), u.GetName(), err, document)
			}
		} else if group := u.GroupVersionKind().Group; !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io") && group != "apiextensions.k8s.io" {
			t.Errorf("%s %s: no such kind in %s", u.GetKind(), u.GetName(), u.GetAPIVersion())
		}
		r.objects = append(r.objects, u)
	}
	return r
}

// kinds are the objects as "Kind name", in the order helm has them.
func (r release) kinds() (out []string) {
	for _, u := range r.objects {
		out = append(out, u.GetKind()+" "+u.GetName())
	}
	return out
}

// get is the object of that kind and name.
func get[T any](r release, kind, name string) *T {
	r.t.Helper()
	for _, u := range r.objects {
		if u.GetKind() == kind && u.GetName() == name {
			out := new(T)
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
				r.t.Fatal(err)
			}
			return out
		}
	}
	r.t.Fatalf("no %s %s among %q", kind, name, r.kinds())
	return nil
}

// all are the objects of that kind.
func all[T any](r release, kind string) (out []*T) {
	r.t.Helper()
	for _, u := range r.objects {
		if u.GetKind() == kind {
			object := new(T)
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
				r.t.Fatal(err)
			}
			out = append(out, object)
		}
	}
	return out
}

// valuesFile writes values to a file.
func valuesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// cases are the values that a chart is tried with: testdata of ours, and of the umbrella each scenario it ships, alone
// and under each overlay, as helm takes several files, with commas between.
func cases(t *testing.T, chart string) []string {
	t.Helper()
	find := func(elements ...string) []string {
		path, err := filepath.Abs(filepath.Join(elements...))
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(path)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	out := find("testdata", chart, "*.yaml")
	for _, example := range find(stack.Root(), "charts", chart, "examples", "*.yaml") {
		out = append(out, example)
		for _, overlay := range find(stack.Root(), "charts", chart, "values-*.yaml") {
			out = append(out, example+","+overlay)
		}
	}
	if len(out) == 0 {
		t.Fatalf("chart %s has no values to be tried with", chart)
	}
	return out
}

// caseName is short for values.
func caseName(values string) string {
	var names []string
	for path := range strings.SplitSeq(values, ",") {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".yaml"))
	}
	return strings.Join(names, "+")
}

// everyCase calls f for each chart and each of its values files.
func everyCase(t *testing.T, f func(t *testing.T, chart, dir, values string)) {
	t.Helper()
	for _, chart := range chartNames(t) {
		dir := chartDir(t, chart)
		for _, values := range cases(t, chart) {
			t.Run(chart+"/"+caseName(values), func(t *testing.T) { f(t, chart, dir, values) })
		}
	}
}
