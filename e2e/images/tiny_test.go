package images_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/spokedns/spokedns/e2e/images"
	"github.com/spokedns/spokedns/e2e/stack"
)

// tiny is a checkout of one small program with our Dockerfile.
func tiny(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":                     "module example.org/tiny\n\ngo 1.26\n",
		"tiny/main.go":               "package main\n\nvar version string\n\nfunc main() { println(version) }\n",
		"charts/spokedns/Chart.yaml": "appVersion: 1.2.3\n",
		"Dockerfile":                 read(t, "Dockerfile"),
		".dockerignore":              read(t, ".dockerignore"),
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stack.Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func tinySource(t *testing.T, root string) images.Source {
	t.Helper()
	source, err := images.SourceOf(t.Context(), root, func(name string) string {
		return map[string]string{"REVISION": "0123456789abcdef0123456789abcdef01234567", "SOURCE_DATE_EPOCH": "1700000000"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// One reference, several architectures, pushed to a registry and taken from it again; a second push changes nothing.
func TestImagesOfSeveralArchitecturesArePushed(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	root := tiny(t)
	built := build(t, images.Options{
		Root: root, Dir: root, Programs: []string{"tiny"}, Architectures: []string{"arm64", "amd64"}, Registry: host + "/dns", Source: tinySource(t, root),
	})
	want := []string{host + "/dns/tiny:1.2.3", host + "/dns/tiny:1.2.3-0123456789ab"}
	if diff := cmp.Diff(want, built[0].Refs); diff != "" {
		t.Fatal(diff)
	}
	for range 2 {
		if err := built[0].Push(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range want {
		at, err := name.ParseReference(ref)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Index(at, remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(index); err != nil {
			t.Error(err)
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		var architectures []string
		for _, d := range manifest.Manifests {
			architectures = append(architectures, d.Platform.String())
			image, err := index.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			config, err := image.ConfigFile()
			if err != nil || config.Architecture != d.Platform.Architecture {
				t.Errorf("%s lists an image of %s, %v", d.Platform, config.Architecture, err)
			}
		}
		if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, architectures); diff != "" {
			t.Error(diff)
		}
		if digest, err := index.Digest(); err != nil || digest != built[0].Digest {
			t.Errorf("%s is %s, %v; want %s", ref, digest, err, built[0].Digest)
		}
	}
}

func TestWhatCannotBeBuiltIsNamed(t *testing.T) {
	root := tiny(t)
	o := images.Options{Root: root, Dir: root, Programs: []string{"tiny"}, Architectures: []string{"amd64"}, Registry: images.Registry, Source: tinySource(t, root)}
	wrong := func(change func(*images.Options), words ...string) {
		t.Helper()
		changed := o
		change(&changed)
		failsWith(t.Context(), t, changed, words...)
	}
	wrong(func(o *images.Options) { o.Programs = []string{"huge"} }, "huge", "want one of tiny")
	wrong(func(o *images.Options) { o.Root = t.TempDir() }, "main.go")
	wrong(func(o *images.Options) { o.Architectures = nil }, "architecture")
	wrong(func(o *images.Options) { o.Architectures = []string{"pdp11"} }, "tiny", "pdp11")
	wrong(func(o *images.Options) { o.Source.Release = "1.2.3+x" }, "1.2.3+x", "tag")
}

func TestWhatASourceSaysOfItself(t *testing.T) {
	root := tiny(t) // which is no git checkout
	environment := map[string]string{}
	env := func(name string) string { return environment[name] }
	ask := func() (images.Source, error) { return images.SourceOf(t.Context(), root, env) }
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "REVISION") {
		t.Errorf("%v; want it to ask for REVISION", err)
	}
	environment["REVISION"] = "0123456789abcdef-dirty"
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("%v; want it to ask for SOURCE_DATE_EPOCH", err)
	}
	environment["SOURCE_DATE_EPOCH"] = "yesterday"
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), `"yesterday"`) {
		t.Errorf("%v; want it to name the value", err)
	}
	environment["SOURCE_DATE_EPOCH"] = "1700000000"
	got, err := ask()
	want := images.Source{Release: "1.2.3", Revision: "0123456789abcdef-dirty", Time: time.Unix(1700000000, 0).UTC()}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if got.Version() != "1.2.3-0123456789ab-dirty" {
		t.Errorf("version %s", got.Version())
	}
}
