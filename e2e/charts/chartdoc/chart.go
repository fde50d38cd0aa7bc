package chartdoc

import (
	"fmt"
	"os"
	"path/filepath"
)

// Generated is what follows from the values.yaml in a chart's directory: content by path.
func Generated(dir string) (map[string]string, error) {
	source, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := Parse(source)
	if err != nil {
		return nil, fmt.Errorf("%s/values.yaml: %w", dir, err)
	}
	schema, err := Schema(values)
	if err != nil {
		return nil, fmt.Errorf("%s/values.yaml: %w", dir, err)
	}
	path := filepath.Join(dir, "README.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	readme, err := README(string(page), values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return map[string]string{filepath.Join(dir, "values.schema.json"): string(schema), path: readme}, nil
}

// Charts are the directories of the charts below root.
func Charts(root string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(root, "charts", "*", "Chart.yaml"))
	for i := range found {
		found[i] = filepath.Dir(found[i])
	}
	return found, err
}
