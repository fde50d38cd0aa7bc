package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
)

// Import makes the images known to the cluster, where pods find them by their references.
func (c *Cluster) Import(ctx context.Context, images ...Image) error {
	for _, image := range images {
		if err := c.importOne(ctx, image.Write); err != nil {
			return fmt.Errorf("import image %s: %w", image.Ref, err)
		}
	}
	return nil
}

// ImportArchives is Import of files that hold an OCI image layout each, with the references in them.
func (c *Cluster) ImportArchives(ctx context.Context, files ...string) error {
	for _, file := range files {
		err := c.importOne(ctx, func(w io.Writer) error {
			archive, err := os.Open(file)
			if err != nil {
				return err
			}
			defer archive.Close()
			_, err = io.Copy(w, archive)
			return err
		})
		if err != nil {
			return fmt.Errorf("import images of %s: %w", file, err)
		}
	}
	return nil
}

func (c *Cluster) importOne(ctx context.Context, write func(io.Writer) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(w)
		w.CloseWithError(err)
		written <- err
	}()
	cmd := c.Command(ctx, "ctr", "--namespace", "k8s.io", "images", "import", "-")
	cmd.Stdin = r
	_, err := output(cmd)
	r.Close()
	// What ctr says of half an image helps nobody when the image could not be written.
	if writing := <-written; writing != nil && !errors.Is(writing, io.ErrClosedPipe) {
		return writing
	}
	return err
}

// ChartImages are the images that our charts run and that are not ours, made of the programs `make tools` built, under
// the references that stand in the charts' values.
func ChartImages() ([]Image, error) {
	type reference struct{ Repository, Tag string }
	var values struct {
		ExternalDNS struct{ Image reference }
		Coredns     struct{ Image reference }
		Etcd        struct{ Image reference }
	}
	for _, chart := range []string{"webhook", "central-dns"} {
		text, err := os.ReadFile(filepath.Join(stack.Root(), "charts", chart, "values.yaml"))
		if err != nil {
			return nil, err
		}
		if err := yaml.Unmarshal(text, &values); err != nil {
			return nil, fmt.Errorf("values of chart %s: %w", chart, err)
		}
	}
	var images []Image
	for _, one := range []struct {
		is         reference
		tool, path string
	}{
		{values.ExternalDNS.Image, "external-dns-v0.21", "/external-dns"},
		{values.Coredns.Image, "coredns", "/coredns"},
		{values.Etcd.Image, "etcd", "/usr/local/bin/etcd"},
	} {
		program, err := stack.Tool(one.tool)
		if err != nil {
			return nil, err
		}
		image, err := Scratch(one.is.Repository+":"+one.is.Tag, map[string]string{one.path: program}, []string{one.path}, "65532:65532")
		if err != nil {
			return nil, err
		}
		images = append(images, image)
	}
	return images, nil
}
