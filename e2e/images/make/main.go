// Command make owns `make images`: it builds the images of this checkout, says how large they are, and pushes them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spokedns/spokedns/e2e/images"
	"github.com/spokedns/spokedns/e2e/stack"
)

func main() {
	programs := flag.String("programs", "", "to build, with commas between; all when empty")
	architectures := flag.String("arch", runtime.GOARCH, "GOARCH of each image, with commas between")
	registry := flag.String("registry", images.Registry, "what stands before the program's name in its references")
	push := flag.Bool("push", false, "push them to the registry, too")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, list(*programs), list(*architectures), *registry, *push)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "images: %v\n", err)
		os.Exit(1)
	}
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func run(ctx context.Context, out io.Writer, programs, architectures []string, registry string, push bool) (err error) {
	root := stack.Root()
	if len(programs) == 0 {
		if programs, err = images.Programs(root); err != nil {
			return err
		}
	}
	source, err := images.SourceOf(ctx, root, os.Getenv)
	if err != nil {
		return err
	}
	built, err := images.Build(ctx, images.Options{
		Root: root, Dir: root, Programs: programs, Architectures: architectures,
		Registry: strings.TrimSuffix(registry, "/"), Source: source,
	})
	if err != nil {
		return err
	}
	for _, image := range built {
		fmt.Fprintf(out, "%s\n", image.Refs[0])
		fmt.Fprintf(out, "    also %s\n    %s\n", image.Refs[1], image.Digest)
		for _, arch := range architectures {
			fmt.Fprintf(out, "    %-6s %5.1f MB compressed\n", arch, float64(image.Sizes[arch])/1e6)
		}
	}
	if !push {
		fmt.Fprintf(out, "archives and bills of materials are in bin/images; PUSH=1 REGISTRY=... pushes\n")
		return nil
	}
	for _, image := range built {
		if err := image.Push(ctx); err != nil {
			return err
		}
		fmt.Fprintf(out, "pushed %s and %s\n", image.Refs[0], image.Refs[1])
	}
	return nil
}
