// Package images owns how our programs become container images: what lies in them, how they are built with the
// Dockerfile, under which references they are known, and how they are pushed.
//
// The same commit, the same Go and the same buildah make the same image, byte for byte, wherever the checkout lies: every
// time is the commit's, programs know neither their directory nor the machine, and the certificate authorities are those
// of a pinned module (Mozilla's, as the Go project publishes them) and not this machine's.
package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Registry is where the charts' examples and the documentation say that images are: in it they are taken as they stand.
const Registry = "registry.example.org/spokedns"

// Options say what is built, and of what.
type Options struct {
	Root          string   // the checkout: programs and Dockerfile
	Dir           string   // what the Dockerfile copies from, the checkout or another directory; gets bin/images
	Programs      []string // of Programs
	Architectures []string // of Linux, as GOARCH; an image's index lists one image for each
	Registry      string   // what stands before the program's name in its references
	Source        Source
}

// Image is a built image, for one or several architectures.
type Image struct {
	Program string
	Archive string           // file with an OCI image layout, for `ctr images import`, `podman load` and the like
	Refs    []string         // with the release's tag, and with the release's and the revision's
	Digest  v1.Hash          // of the index, for image.digest in the charts
	Sizes   map[string]int64 // compressed, in bytes, for each architecture

	index v1.ImageIndex
}

// Programs are those of a checkout: the directories that have a main.go.
func Programs(root string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(root, "*", "main.go"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, file := range mains {
		out = append(out, filepath.Base(filepath.Dir(file)))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no program in %s: want directories with a main.go", root)
	}
	return out, nil
}

// Build builds the images, one after the other: <Dir>/bin/images/PROGRAM.tar, and beside it PROGRAM-ARCHITECTURE.cdx.json,
// which also lies in the image.
func Build(ctx context.Context, o Options) ([]Image, error) {
	known, err := Programs(o.Root)
	if err != nil {
		return nil, err
	}
	if err := o.Source.check(); err != nil {
		return nil, err
	}
	var out []Image
	for _, program := range o.Programs {
		if !slices.Contains(known, program) {
			return nil, fmt.Errorf("program %q: there is none of that name; want one of %s", program, strings.Join(known, ", "))
		}
		image, err := o.build(ctx, program)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", program, err)
		}
		out = append(out, image)
	}
	return out, nil
}

func (o Options) build(ctx context.Context, program string) (Image, error) {
	image := Image{Program: program, Archive: filepath.Join(o.out(), program+".tar"), Sizes: map[string]int64{}}
	for _, tag := range []string{o.Source.Release, o.Source.Version()} {
		image.Refs = append(image.Refs, fmt.Sprintf("%s/%s:%s", o.Registry, program, tag))
	}
	if len(o.Architectures) == 0 {
		return image, errors.New("no architecture is given")
	}
	built := map[string]v1.Image{}
	for _, arch := range o.Architectures {
		if err := o.prepare(ctx, program, arch); err != nil {
			return image, err
		}
		one, err := o.assemble(ctx, program, arch)
		if err != nil {
			return image, err
		}
		if image.Sizes[arch], err = compressed(one); err != nil {
			return image, err
		}
		built[arch] = one
	}
	image.index = indexOf(built)
	var err error
	if image.Digest, err = image.index.Digest(); err != nil {
		return image, err
	}
	return image, writeArchive(image, o.Source.Time)
}

// out is where everything is left.
func (o Options) out() string { return filepath.Join(o.Dir, "bin", "images") }

// prepare makes what goes into an image: rootfs/PROGRAM-ARCHITECTURE.
func (o Options) prepare(ctx context.Context, program, arch string) error {
	root := filepath.Join(o.out(), "rootfs", program+"-"+arch)
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	certs := filepath.Join(root, "etc", "ssl", "certs")
	if err := os.MkdirAll(certs, 0o755); err != nil {
		return err
	}
	executable := filepath.Join(root, "spokedns")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+o.Source.Version(), "-o", executable, "./"+program)
	cmd.Dir = o.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w:\n%s", err, out)
	}
	bom, err := components(executable, program, o.Source)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		filepath.Join(certs, "ca-certificates.crt"):          authorities(),
		filepath.Join(root, "sbom.cdx.json"):                 bom,
		filepath.Join(o.out(), program+"-"+arch+".cdx.json"): bom,
	}
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return sameModes(root)
}

// sameModes takes the umask of whoever builds out of the image.
func sameModes(root string) error {
	return filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || filepath.Base(path) == "spokedns" {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// assemble lets buildah build the Dockerfile. Its storage is made for this build and goes with it: nothing of another
// build, or of this machine's containers, is looked at.
func (o Options) assemble(ctx context.Context, program, arch string) (v1.Image, error) {
	work, err := os.MkdirTemp("", "spokedns-image-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	layout := filepath.Join(o.out(), "layout", program+"-"+arch)
	if err := os.RemoveAll(layout); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(layout), 0o755); err != nil {
		return nil, err
	}
	const ref = "localhost/image"
	for _, args := range [][]string{
		{
			"build", "--quiet", "--format", "oci", "--platform", "linux/" + arch, "--identity-label=false",
			"--timestamp", strconv.FormatInt(o.Source.Time.Unix(), 10), "--tag", ref,
			"--file", filepath.Join(o.Root, "Dockerfile"), "--ignorefile", filepath.Join(o.Root, ".dockerignore"),
			"--build-arg", "PROGRAM=" + program, "--build-arg", "TARGETARCH=" + arch, "--build-arg", "VERSION=" + o.Source.Version(),
			"--build-arg", "REVISION=" + o.Source.Revision, "--build-arg", "CREATED=" + o.Source.created(),
			o.Dir,
		},
		{"push", "--quiet", ref, "oci:" + layout},
	} {
		if err := buildah(ctx, work, args...); err != nil {
			return nil, err
		}
	}
	return onlyImage(layout)
}

// buildah runs buildah with a storage of its own in dir.
func buildah(ctx context.Context, dir string, args ...string) error {
	program, err := stack.System("buildah", "buildah")
	if err != nil {
		return err
	}
	storage := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs"}
	if out, err := exec.CommandContext(ctx, program, append(storage, args...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("buildah %s: %w:\n%s", args[0], err, out)
	}
	return nil
}
