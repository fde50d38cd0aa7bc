package cluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestScratchRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	dynamic := filepath.Join(dir, "dynamic")
	if err := os.WriteFile(dynamic, elfWithInterpreter(), 0o600); err != nil {
		t.Fatal(err)
	}
	ok := map[string]string{"/a": file}
	for name, c := range map[string]struct {
		ref        string
		files      map[string]string
		entrypoint []string
		want       string
	}{
		"no registry":           {"webhook:1", ok, []string{"/a"}, "full reference"},
		"no tag":                {"localhost/webhook", ok, []string{"/a"}, "full reference"},
		"a port is no tag":      {"localhost:5000/webhook", ok, []string{"/a"}, "full reference"},
		"latest":                {"localhost/webhook:latest", ok, []string{"/a"}, "full reference"},
		"no entrypoint":         {"localhost/webhook:1", ok, nil, "no entrypoint"},
		"foreign entrypoint":    {"localhost/webhook:1", ok, []string{"/b"}, "the entrypoint /b is none of its files"},
		"relative path":         {"localhost/webhook:1", map[string]string{"a": file}, []string{"a"}, "clean absolute path"},
		"path with dots":        {"localhost/webhook:1", map[string]string{"/x/../a": file}, []string{"/x/../a"}, "clean absolute path"},
		"missing file":          {"localhost/webhook:1", map[string]string{"/a": file + "2"}, []string{"/a"}, "no such file"},
		"a program with a need": {"localhost/webhook:1", map[string]string{"/a": dynamic}, []string{"/a"}, "dynamically linked: build it with CGO_ENABLED=0"},
	} {
		_, err := Scratch(c.ref, c.files, c.entrypoint, "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// elfWithInterpreter is the head of a 64-bit little-endian program with one segment, PT_INTERP.
func elfWithInterpreter() []byte {
	const fileHeader, segment = 64, 56
	b := make([]byte, fileHeader+segment)
	copy(b, "\x7fELF\x02\x01\x01")
	b[16], b[18], b[20] = 2, 62, 1 // an executable, for amd64, version 1
	b[32], b[52] = fileHeader, 64  // where the segments are; size of this header
	b[54], b[56] = segment, 1      // size and number of segments
	b[58] = 64                     // size of a section header
	b[fileHeader] = 3              // PT_INTERP
	return b
}

func TestImageIsAnOCILayout(t *testing.T) {
	t.Parallel()
	image, content := writtenImage(t)
	blobs := untar(t, content)
	for name, blob := range blobs {
		if sum, ok := strings.CutPrefix(name, "blobs/"); ok && digest(sha(blob.content)) != strings.Replace(sum, "/", ":", 1) {
			t.Errorf("%s does not hold what its name says", name)
		}
	}
	var index, manifest struct {
		Manifests, Layers []descriptor
		Config            descriptor
	}
	decode(t, blobs["index.json"].content, &index)
	if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != image.Ref {
		t.Errorf("the image is called %q, want %q", got, image.Ref)
	}
	decode(t, blobs[index.Manifests[0].path()].content, &manifest)
	var config struct {
		Config struct {
			User       string
			Entrypoint []string
		}
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, blobs[manifest.Config.path()].content, &config)
	if config.Config.User != "65532:65532" || !cmp.Equal(config.Config.Entrypoint, []string{"/bin/app", "-v"}) {
		t.Errorf("got %+v", config.Config)
	}
	if got := config.RootFS.DiffIDs; !cmp.Equal(got, []string{manifest.Layers[0].Digest}) {
		t.Errorf("the configuration names the layers %v, the manifest %v", got, manifest.Layers)
	}
	var names []string
	layer := untar(t, blobs[manifest.Layers[0].path()].content)
	for name, file := range layer {
		names = append(names, name)
		if file.header.Uid != 0 || file.header.ModTime.Unix() != 0 {
			t.Errorf("%s belongs to %d and is of %v", name, file.header.Uid, file.header.ModTime)
		}
	}
	if len(names) != 5 || layer["bin/"].header == nil || layer["etc/app/"].header == nil {
		t.Errorf("the layer holds %v", names)
	}
	if got := layer["bin/app"]; string(got.content) != "a program" || got.header.Mode != 0o755 {
		t.Errorf("bin/app: got %q, mode %o", got.content, got.header.Mode)
	}
}

func TestTheSameFilesMakeTheSameImage(t *testing.T) {
	t.Parallel()
	_, first := writtenImage(t)
	_, second := writtenImage(t)
	if !bytes.Equal(first, second) {
		t.Error("two images of the same files differ")
	}
}

// writtenImage makes an image of files that are new each time.
func writtenImage(t *testing.T) (Image, []byte) {
	t.Helper()
	dir := t.TempDir()
	app, conf := filepath.Join(dir, "app"), filepath.Join(dir, "conf")
	if err := errors.Join(os.WriteFile(app, []byte("a program"), 0o755), os.WriteFile(conf, []byte("a: b"), 0o644),
		os.Chtimes(app, time.Now(), time.Unix(int64(len(dir)), 0))); err != nil {
		t.Fatal(err)
	}
	image, err := Scratch("localhost/app:1", map[string]string{"/etc/app/conf": conf, "/bin/app": app}, []string{"/bin/app", "-v"}, "65532:65532")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := image.Write(&b); err != nil {
		t.Fatal(err)
	}
	return image, b.Bytes()
}

type tarFile struct {
	header  *tar.Header
	content []byte
}

func untar(t *testing.T, archive []byte) map[string]tarFile {
	t.Helper()
	files := map[string]tarFile{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = tarFile{header, content}
	}
}

func sha(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func decode(t *testing.T, b []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}
