// Command generate owns no content: it writes anew what follows from the values.yaml of every chart, its schema and
// the table of its README, what charts take from programs, the dashboards, and the base for kustomize. Run it in e2e: go run ./charts/generate
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/spokedns/spokedns/e2e/charts/chartdoc"
	"github.com/spokedns/spokedns/e2e/charts/dashboard"
	"github.com/spokedns/spokedns/e2e/stack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	charts, err := chartdoc.Charts(stack.Root())
	if err != nil {
		return err
	}
	files, err := chartdoc.FromPrograms(context.Background(), stack.Root())
	if err != nil {
		return err
	}
	helm, err := stack.Tool("helm")
	if err != nil {
		return err
	}
	pages, err := dashboard.Files(stack.Root())
	if err != nil {
		return err
	}
	maps.Copy(files, pages)
	for _, dir := range charts {
		generated, err := chartdoc.Generated(dir)
		if err != nil {
			return err
		}
		maps.Copy(files, generated)
	}
	if err := write(files); err != nil { // helm refuses values that the schema does not know
		return err
	}
	base, err := chartdoc.Kustomize(context.Background(), stack.Root(), helm)
	if err != nil {
		return err
	}
	return write(base)
}

func write(files map[string]string) error {
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a directory of the checkout
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil { //nolint:gosec // a file of the checkout
			return err
		}
	}
	return nil
}
