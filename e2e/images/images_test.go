package images_test

import (
	"archive/tar"
	"context"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/spokedns/spokedns/e2e/images"
	"github.com/spokedns/spokedns/e2e/stack"
)

// largest is what a node may have to fetch, in bytes.
func largest(program string) int64 {
	if program == "webhook" {
		return 60e6
	}
	return 25e6
}

// The images of this checkout hold the program and what it needs, and nothing else; the same checkout elsewhere makes the
// same images.
func TestOurImages(t *testing.T) {
	programs, err := images.Programs(stack.Root())
	if err != nil {
		t.Fatal(err)
	}
	source := sourceOfCheckout(t)
	built := build(t, images.Options{Root: stack.Root(), Dir: t.TempDir(), Programs: programs, Source: source})
	again := build(t, images.Options{Root: elsewhere(t), Dir: t.TempDir(), Programs: programs, Source: source})
	for i, image := range built {
		t.Run(image.Program, func(t *testing.T) {
			size := image.Sizes["amd64"]
			t.Logf("%s: %.1f MB compressed, %s", image.Refs[0], float64(size)/1e6, image.Digest)
			if size <= 0 || size > largest(image.Program) {
				t.Errorf("%d bytes, want at most %d", size, largest(image.Program))
			}
			if again[i].Digest != image.Digest {
				t.Errorf("built again in another directory: %s, before %s", again[i].Digest, image.Digest)
			}
			holds(t, image, source)
		})
	}
}

func sourceOfCheckout(t *testing.T) images.Source {
	t.Helper()
	source, err := images.SourceOf(t.Context(), stack.Root(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func build(t *testing.T, o images.Options) []images.Image {
	t.Helper()
	if o.Architectures == nil {
		o.Architectures = []string{"amd64"}
	}
	if o.Registry == "" {
		o.Registry = images.Registry
	}
	built, err := images.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// elsewhere is a copy of the checkout in another directory, as a clone would be, with other times and modes.
func elsewhere(t *testing.T) string {
	t.Helper()
	list, err := exec.CommandContext(t.Context(), "git", "-C", stack.Root(), "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for file := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if strings.HasPrefix(file, "e2e/") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(stack.Root(), file))
		if errors.Is(err, os.ErrNotExist) {
			continue // known to git and deleted
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// holds looks at what the archive brings to a node.
func holds(t *testing.T, image images.Image, source images.Source) {
	t.Helper()
	one := onlyImage(t, image)
	config, err := one.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" {
		t.Errorf("user %q", config.Config.User)
	}
	if diff := cmp.Diff([]string{"/spokedns"}, config.Config.Entrypoint); diff != "" || len(config.Config.Cmd) > 0 {
		t.Errorf("entrypoint: %s, command %q", diff, config.Config.Cmd)
	}
	if !config.Created.Equal(source.Time) {
		t.Errorf("created %s, want the commit's %s", config.Created, source.Time)
	}
	if diff := cmp.Diff(map[string]string{
		"org.opencontainers.image.title":       "spokedns-" + image.Program,
		"org.opencontainers.image.description": "spokedns: DNS for Kubernetes behind hubs, firewalls and changing addresses",
		"org.opencontainers.image.source":      "https://github.com/spokedns/spokedns",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     source.Version(),
		"org.opencontainers.image.revision":    source.Revision,
		"org.opencontainers.image.created":     source.Time.UTC().Format(time.RFC3339),
	}, config.Config.Labels); diff != "" {
		t.Errorf("labels: %s", diff)
	}
	files := contents(t, one)
	if diff := cmp.Diff([]string{"etc/ssl/certs/ca-certificates.crt", "sbom.cdx.json", "spokedns"}, slices.Sorted(maps.Keys(files))); diff != "" {
		t.Errorf("files: %s", diff)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"]) ||
		strings.Count(string(files["etc/ssl/certs/ca-certificates.crt"]), "BEGIN CERTIFICATE") < 100 {
		t.Error("the certificate authorities are not those of the web")
	}
	executable := filepath.Join(t.TempDir(), "spokedns")
	if err := os.WriteFile(executable, files["spokedns"], 0o700); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), executable, "--version").Output()
	if err != nil || strings.TrimSpace(string(said)) != source.Version() {
		t.Errorf("--version: %q, %v; want %s", said, err, source.Version())
	}
	lists(t, files["sbom.cdx.json"], executable)
}

// lists compares a bill of materials with what the linker says.
func lists(t *testing.T, bom []byte, executable string) {
	t.Helper()
	var got cdx.BOM
	if err := json.Unmarshal(bom, &got); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(executable)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go")}
	for _, module := range info.Deps {
		want = append(want, "pkg:golang/"+module.Path+"@"+module.Version)
	}
	var have []string
	roots := false
	for _, c := range *got.Components {
		if strings.HasPrefix(c.PackageURL, "pkg:golang/golang.org/x/crypto/x509roots/fallback@v0.0.0-") {
			roots = true
			continue
		}
		have = append(have, c.PackageURL)
	}
	if diff := cmp.Diff(want, have); diff != "" || !roots {
		t.Errorf("components: %s; certificate authorities %t", diff, roots)
	}
}

// onlyImage is the image for one architecture in an archive, which has both references.
func onlyImage(t *testing.T, image images.Image) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(unpacked(t, image.Archive))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, d := range manifest.Manifests {
		refs = append(refs, d.Annotations["io.containerd.image.name"])
		if d.Digest != image.Digest {
			t.Errorf("the archive has %s, want %s", d.Digest, image.Digest)
		}
	}
	if diff := cmp.Diff(image.Refs, refs); diff != "" {
		t.Errorf("references: %s", diff)
	}
	inner, err := index.ImageIndex(image.Digest)
	if err != nil {
		t.Fatal(err)
	}
	list, err := inner.IndexManifest()
	if err != nil || len(list.Manifests) != 1 {
		t.Fatalf("%v: %v, want one image", list, err)
	}
	one, err := inner.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// unpacked is the directory an archive was unpacked into.
func unpacked(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// contents are the files of an image. What is neither file nor directory, and what somebody else than root could write,
// fails the test.
func contents(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	r := mutate.Extract(image)
	defer r.Close()
	out := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Mode&0o022 != 0 {
			t.Errorf("%s: of %d:%d, mode %o", header.Name, header.Uid, header.Gid, header.Mode)
		}
		switch header.Typeflag {
		case tar.TypeDir:
		case tar.TypeReg:
			if out[header.Name], err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is of type %q", header.Name, header.Typeflag)
		}
	}
}

// failsWith is a build that has to say these words.
func failsWith(ctx context.Context, t *testing.T, o images.Options, words ...string) {
	t.Helper()
	_, err := images.Build(ctx, o)
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%v; want it to say %q", err, w)
		}
	}
}
