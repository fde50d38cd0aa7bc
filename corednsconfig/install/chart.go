package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Chart is a chart that is carried in the program. It is made by [OpenChart] and safe for use by many goroutines.
type Chart struct {
	files  []*archive.BufferedFile
	digest string
	slots  chan struct{} // to render; it takes some megabytes
}

// atOnce is how many render at the same time. They are busy with nothing but computing.
const atOnce = 4

// OpenChart reads the chart in a directory of a file system and fails if it is none.
func OpenChart(files fs.FS, dir string) (*Chart, error) {
	c, sum := &Chart{slots: make(chan struct{}, atOnce)}, sha256.New()
	err := fs.WalkDir(files, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "README.md" { // it says nothing to a cluster
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, path.Clean(dir)+"/")
		fmt.Fprintf(sum, "%s\n%d\n%s", name, len(data), data)
		c.files = append(c.files, &archive.BufferedFile{Name: name, Data: data})
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.digest = hex.EncodeToString(sum.Sum(nil))
	_, err = c.load()
	return c, err
}

// load returns the chart as Helm has it. Every user gets one of its own, because Helm changes it.
func (c *Chart) load() (*helmchart.Chart, error) { return loader.LoadFiles(c.files) }

// Render returns the objects that a wish makes, without asking any cluster. An error is a [ValuesError].
func (c *Chart) Render(ctx context.Context, w Wish) ([]*unstructured.Unstructured, error) {
	if companion, _ := w.Values["companionOnly"].(bool); companion {
		return nil, &ValuesError{"values.companionOnly", "true: want it false: what is installed here brings its own external-dns"}
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	chart, err := c.load()
	if err != nil {
		return nil, err
	}
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	install := action.NewInstall(config)
	install.DryRunStrategy, install.ReleaseName, install.Namespace = action.DryRunClient, w.Release, w.Namespace
	install.WaitStrategy = kube.HookOnlyStrategy
	install.KubeVersion = &common.KubeVersion{Version: leastKubernetes, Major: "1", Minor: "29"}
	made, err := install.RunWithContext(ctx, chart, clone(w.Values))
	if err != nil {
		return nil, &ValuesError{"values", strings.TrimSpace(err.Error())}
	}
	rendered, ok := made.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("helm rendered a %T", made)
	}
	return objects(rendered.Manifest, w.Namespace)
}

// leastKubernetes is the oldest that the chart is for. A cluster's own is looked at when it is installed there.
const leastKubernetes = "v1.29.0"

// objects takes a manifest apart. Objects that name no namespace are in the given one; those of the whole cluster too, as
// far as this function knows.
func objects(manifest, namespace string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(manifest), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := d.Decode(&u.Object); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, &ValuesError{"values", "what the chart makes of them is no YAML: " + err.Error()}
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetNamespace() == "" && !clusterWide(u.GetKind()) {
			u.SetNamespace(namespace)
		}
		out = append(out, u)
	}
}

// clusterWide says whether objects of a kind are in no namespace: of the kinds that the chart makes.
func clusterWide(kind string) bool {
	return kind == "ClusterRole" || kind == "ClusterRoleBinding" || kind == "Namespace"
}

// draining are the values by which external-dns withdraws all its records.
func draining(values map[string]any) map[string]any {
	out := clone(values)
	out["drain"] = true
	return out
}

// keeps says whether external-dns never deletes a record with these values, or does not know which are its own: then
// nothing is withdrawn.
func keeps(values map[string]any) bool {
	settings, _ := values["externalDNS"].(map[string]any)
	policy, _ := settings["policy"].(string)
	registry, _ := settings["registry"].(string)
	return policy != "" && policy != "sync" || registry == "noop"
}

// clone copies values as far as they are changed: Helm writes into what it is given.
func clone(values map[string]any) map[string]any {
	out := maps.Clone(values)
	if out == nil {
		out = map[string]any{}
	}
	for key, v := range out {
		if m, ok := v.(map[string]any); ok {
			out[key] = clone(m)
		}
	}
	return out
}
