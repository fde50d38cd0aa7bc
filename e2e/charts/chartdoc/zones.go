package chartdoc

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// ZoneRights are what zonecontroller may do, as its own command prints it.
type ZoneRights struct {
	Cluster []rbacv1.PolicyRule `json:"cluster"` // on the objects
	Own     []rbacv1.PolicyRule `json:"own"`     // in its own namespace
	Keys    []rbacv1.PolicyRule `json:"keys"`    // where servers' keys are
}

// Zones is what the chart of zonecontroller takes from the program at root: the definitions of its objects, and the rights
// that "zonecontroller rights" prints. Content by path.
func Zones(ctx context.Context, root string) (map[string]string, error) {
	dir, out := filepath.Join(root, "charts", "zonecontroller"), map[string]string{}
	definitions, err := filepath.Glob(filepath.Join(root, "zonecontroller", "api", "v1alpha1", "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range definitions {
		definition, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out[filepath.Join(dir, "crds", strings.TrimPrefix(filepath.Base(path), "dns.spokedns.io_"))] = string(definition)
	}
	roles, err := printedRoles(ctx, root, "zonecontroller", "--namespace=own", "--server-namespace=keys")
	if err != nil {
		return nil, err
	}
	var rights ZoneRights
	for _, role := range roles {
		switch role.Kind + role.Namespace {
		case "ClusterRole":
			rights.Cluster = role.Rules
		case "Roleown":
			rights.Own = role.Rules
		case "Rolekeys":
			rights.Keys = role.Rules
		}
	}
	text, err := yaml.Marshal(rights)
	out[filepath.Join(dir, "files", "rights.yaml")] = "# What \"zonecontroller rights\" prints, by namespace.\n" + string(text)
	return out, err
}

// FromPrograms is what charts take from the programs at root: content by path.
func FromPrograms(ctx context.Context, root string) (map[string]string, error) {
	files, err := Forwarding(ctx, root)
	if err != nil {
		return nil, err
	}
	zones, err := Zones(ctx, root)
	maps.Copy(files, zones)
	return files, err
}
