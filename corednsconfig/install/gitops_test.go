package install_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/corednsconfig/install"
)

// documents are those of a YAML file below docs, by kind.
func documents(t *testing.T, path ...string) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "docs"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for document := range strings.SplitSeq("\n"+string(text), "\n---\n") {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		kind, _ := object["kind"].(string)
		out[kind] = object
	}
	return out
}

// rendered is what comes of a release with these values.
func rendered(t *testing.T, namespace, release string, values any) []*unstructured.Unstructured {
	t.Helper()
	raw, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	made, err := install.Values(raw, install.Place{})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := chart(t).Render(t.Context(), install.Wish{Namespace: namespace, Release: release, Values: made})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// The examples for Flux and Argo CD suit the chart, and make the very objects that the example of docs/landscape.md has
// installed in the same cluster.
func TestGitOpsMakesTheSame(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "landscape.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## external-dns in every cluster")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	var f v1alpha1.DNSForwarding
	if err := yaml.UnmarshalStrict([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	mcp := map[string]string{v1alpha1.PurposeLabelPrefix + "mcp": "true"}
	at, err := install.Choose(f.Spec.ExternalDNS.Installs, v1alpha1.OpenMCP, mcp)
	if at != 0 || err != nil {
		t.Fatalf("%d, %v: the example does not select the cluster", at, err)
	}
	w, err := install.WishOf(f.Spec.ExternalDNS.Installs[0], install.Place{ClusterName: "spoke-1"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := chart(t).Render(t.Context(), w)
	if err != nil || len(ours) < 8 {
		t.Fatalf("%d objects, %v", len(ours), err)
	}
	str := func(object map[string]any, path ...string) string {
		t.Helper()
		s, found, err := unstructured.NestedString(object, path...)
		if err != nil || !found {
			t.Fatalf("%v: %v", path, err)
		}
		return s
	}
	inside := func(object map[string]any, path ...string) any {
		t.Helper()
		v, found, err := unstructured.NestedFieldNoCopy(object, path...)
		if err != nil || !found {
			t.Fatalf("%v: %v", path, err)
		}
		return v
	}
	t.Run("Flux", func(t *testing.T) {
		release := documents(t, "examples", "gitops", "flux", "external-dns.yaml")["HelmRelease"]
		if path := str(release, "spec", "chart", "spec", "chart"); path != "charts/webhook" {
			t.Errorf("chart %s", path)
		}
		theirs := rendered(t, str(release, "spec", "targetNamespace"), str(release, "spec", "releaseName"), inside(release, "spec", "values"))
		if diff := cmp.Diff(ours, theirs); diff != "" {
			t.Errorf("-ours +theirs\n%s", diff)
		}
	})
	t.Run("Argo CD", func(t *testing.T) {
		application := documents(t, "examples", "gitops", "argocd", "external-dns.yaml")["Application"]
		if path := str(application, "spec", "source", "path"); path != "charts/webhook" {
			t.Errorf("chart %s", path)
		}
		theirs := rendered(t, str(application, "spec", "destination", "namespace"), str(application, "spec", "source", "helm", "releaseName"), inside(application, "spec", "source", "helm", "valuesObject"))
		if diff := cmp.Diff(ours, theirs); diff != "" {
			t.Errorf("-ours +theirs\n%s", diff)
		}
	})
}
