package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// onlyImage is the image in an OCI layout that holds one.
func onlyImage(dir string) (v1.Image, error) {
	at, err := layout.FromPath(dir)
	if err != nil {
		return nil, err
	}
	index, err := at.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("buildah left %d images in %s, want 1", len(manifest.Manifests), dir)
	}
	return at.Image(manifest.Manifests[0].Digest)
}

// compressed is what a node fetches: configuration and layers.
func compressed(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}

// indexOf lists the images by architecture.
func indexOf(images map[string]v1.Image) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range slices.Sorted(maps.Keys(images)) {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: images[arch], Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index
}

// writeArchive writes the image as a tar archive with an OCI image layout, in which it has all its references.
func writeArchive(image Image, when time.Time) error {
	dir, err := os.MkdirTemp("", "spokedns-layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	for _, ref := range image.Refs {
		// The first is what containerd takes for its name, the other what everybody else does.
		names := map[string]string{"io.containerd.image.name": ref, "org.opencontainers.image.ref.name": ref}
		if err := at.AppendIndex(image.index, layout.WithAnnotations(names)); err != nil {
			return err
		}
	}
	archive, err := os.Create(image.Archive)
	if err != nil {
		return err
	}
	return errors.Join(writeTar(archive, dir, when), archive.Close())
}

// writeTar writes a directory as a tar archive, sorted, without owners and with one time: the same directory is the same
// archive.
func writeTar(w io.Writer, dir string, when time.Time) error {
	archive := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.ToSlash(inside), Mode: 0o644, Size: int64(len(content)), ModTime: when}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	return errors.Join(err, archive.Close())
}

// Push pushes the image under all its references, as whom `docker login` or `podman login` says.
func (i Image) Push(ctx context.Context) error {
	for _, ref := range i.Refs {
		to, err := name.ParseReference(ref)
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(to, i.index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return fmt.Errorf("push %s: %w", ref, err)
		}
	}
	return nil
}
