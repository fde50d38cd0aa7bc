package cluster

import (
	"archive/tar"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
)

// Image is a container image made of files of this machine and nothing else, as a Dockerfile FROM
// scratch makes it. Scratch checks and makes one. The same files make the same image, byte for byte.
type Image struct {
	Ref        string            // full reference, "localhost/webhook:1"
	Files      map[string]string // absolute path in the image → file on this machine, whose mode it keeps
	Entrypoint []string
	User       string // "65532:65532", or "" for root
}

// Scratch describes an image of the given files. The reference must be complete and have a tag other
// than latest, which the kubelet would try to pull; programs must be statically linked, since there is
// no loader and no library beside them.
func Scratch(ref string, files map[string]string, entrypoint []string, user string) (Image, error) {
	image := Image{Ref: ref, Files: files, Entrypoint: entrypoint, User: user}
	registry, rest, _ := strings.Cut(ref, "/")
	_, tag, _ := strings.Cut(path.Base(rest), ":")
	if !strings.ContainsAny(registry, ".:") && registry != "localhost" || tag == "" || tag == "latest" {
		return image, fmt.Errorf("image %q: want a full reference with a tag that is not latest, such as localhost/webhook:1", ref)
	}
	if len(entrypoint) == 0 {
		return image, fmt.Errorf("image %s: no entrypoint", ref)
	}
	if _, ok := files[entrypoint[0]]; !ok {
		return image, fmt.Errorf("image %s: the entrypoint %s is none of its files", ref, entrypoint[0])
	}
	for inside, outside := range files {
		if !path.IsAbs(inside) || path.Clean(inside) != inside {
			return image, fmt.Errorf("image %s: %q is not a clean absolute path", ref, inside)
		}
		if err := loadable(outside); err != nil {
			return image, fmt.Errorf("image %s: %w", ref, err)
		}
	}
	return image, nil
}

// loadable refuses a program that needs a dynamic loader; any other file is fine.
func loadable(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	program, err := elf.NewFile(f)
	var notELF *elf.FormatError
	if errors.As(err, &notELF) || errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is dynamically linked: build it with CGO_ENABLED=0 (if it lies in .tools, remove it and run `make tools`)", file)
		}
	}
	return nil
}

// descriptor is how OCI documents point at a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// Write writes the image as a tar archive with an OCI image layout (image-spec v1) in it, the form
// `ctr images import` reads.
func (i Image) Write(w io.Writer) error {
	sum, size := sha256.New(), counter(0)
	if err := i.writeLayer(io.MultiWriter(sum, &size)); err != nil {
		return fmt.Errorf("image %s: %w", i.Ref, err)
	}
	layer := descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: digest(sum.Sum(nil)), Size: int64(size)}
	here := platform{Architecture: runtime.GOARCH, OS: "linux"}
	config, configBlob, err := blob("application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": here.Architecture, "os": here.OS,
		"config": map[string]any{"User": i.User, "Env": []string{"PATH=/"}, "Entrypoint": i.Entrypoint, "WorkingDir": "/"},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	})
	if err != nil {
		return err
	}
	manifest, manifestBlob, err := blob("application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config, "layers": []descriptor{layer},
	})
	if err != nil {
		return err
	}
	manifest.Platform = &here
	manifest.Annotations = map[string]string{"io.containerd.image.name": i.Ref} // what ctr takes for its name
	_, index, err := blob("", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []descriptor{manifest},
	})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, file := range []struct {
		name    string
		content []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", index},
		{manifest.path(), manifestBlob}, {config.path(), configBlob},
	} {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content))}); err != nil {
			return err
		}
		if _, err := archive.Write(file.content); err != nil {
			return err
		}
	}
	if err := archive.WriteHeader(&tar.Header{Name: layer.path(), Mode: 0o644, Size: layer.Size}); err != nil {
		return err
	}
	if err := i.writeLayer(archive); err != nil {
		return fmt.Errorf("image %s: %w", i.Ref, err)
	}
	return archive.Close()
}

// writeLayer writes the files as a tar archive, sorted, owned by root, without times.
func (i Image) writeLayer(w io.Writer) error {
	layer := tar.NewWriter(w)
	made := map[string]bool{"/": true}
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		var parents []string
		for dir := path.Dir(name); !made[dir]; dir = path.Dir(dir) {
			made[dir] = true
			parents = append(parents, dir)
		}
		for _, dir := range slices.Backward(parents) {
			if err := layer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755}); err != nil {
				return err
			}
		}
		if err := writeFile(layer, name[1:], i.Files[name]); err != nil {
			return err
		}
	}
	return layer.Close()
}

func writeFile(layer *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := layer.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(layer, f)
	return err
}

func blob(mediaType string, document any) (descriptor, []byte, error) {
	content, err := json.Marshal(document)
	sum := sha256.Sum256(content)
	return descriptor{MediaType: mediaType, Digest: digest(sum[:]), Size: int64(len(content))}, content, err
}

func digest(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

func (d descriptor) path() string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
