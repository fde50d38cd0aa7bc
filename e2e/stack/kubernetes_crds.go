package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GatewayAPICRDs are the Gateway API's definitions: Gateway, ListenerSet, HTTPRoute, GRPCRoute and
// TLSRoute in the "standard" channel, TCPRoute and UDPRoute too in the "experimental" one.
func GatewayAPICRDs(channel string) (string, error) {
	return modulePath("sigs.k8s.io/gateway-api", "config/crd", channel)
}

// DNSEndpointCRD is external-dns's own definition.
func DNSEndpointCRD() (string, error) {
	return modulePath("sigs.k8s.io/external-dns", "config/crd/standard")
}

// IstioCRDs are Istio's definitions, Gateway and VirtualService among them.
func IstioCRDs() (string, error) {
	return modulePath("istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml")
}

// TraefikCRDs are minimal definitions of IngressRoute, IngressRouteTCP and IngressRouteUDP: the right
// names, any content.
func TraefikCRDs() (string, error) {
	return filepath.Join(Root(), "e2e", "stack", "crds", "traefik.yaml"), nil
}

// ApplyCRDs installs every CustomResourceDefinition in the files and directories and waits until the
// server serves them. Other objects in there are left out: they guard upgrades, not use.
func (a *APIServer) ApplyCRDs(ctx context.Context, paths ...string) error {
	var names []string
	for _, path := range paths {
		files := []string{path}
		if fi, err := os.Stat(path); err != nil {
			return err
		} else if fi.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
				return err
			}
		}
		for _, file := range files {
			applied, err := a.applyCRDs(ctx, file)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			names = append(names, applied...)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("no CustomResourceDefinition in %s", strings.Join(paths, ", "))
	}
	return a.awaitEstablished(ctx, names)
}

func (a *APIServer) applyCRDs(ctx context.Context, file string) (names []string, err error) {
	manifest, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	objects, err := parseManifest(manifest)
	if err != nil {
		return nil, err
	}
	for _, u := range objects {
		if u.GetKind() != "CustomResourceDefinition" {
			continue
		}
		// Generated files carry an empty status, which is the server's to write.
		unstructured.RemoveNestedField(u.Object, "status")
		if err := a.Apply(ctx, u); err != nil {
			return nil, err
		}
		names = append(names, u.GetName())
	}
	return names, nil
}

func (a *APIServer) awaitEstablished(ctx context.Context, names []string) error {
	definitions := a.Dynamic.Resource(schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	})
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, name := range names {
		for {
			u, err := definitions.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return fmt.Errorf("definition %s: %w", name, err)
			}
			if established(u) && a.served(ctx, u) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("definition %s is not established: %w", name, ctx.Err())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Established" {
			return c["status"] == "True"
		}
	}
	return false
}

// served asks for the objects themselves: the handler starts a moment after the condition is written.
func (a *APIServer) served(ctx context.Context, crd *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		v, ok := v.(map[string]any)
		if !ok || v["served"] != true {
			continue
		}
		name, _ := v["name"].(string)
		resource := a.Dynamic.Resource(schema.GroupVersionResource{Group: group, Version: name, Resource: plural})
		if _, err := resource.List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return false
		}
	}
	return true
}

// modulePath is a path inside one of the modules that e2e/tools/crds pins.
func modulePath(module string, elements ...string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(Root(), "e2e", "tools", "crds")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	path := filepath.Join(append([]string{found.Dir}, elements...)...)
	_, err = os.Stat(path)
	return path, err
}
