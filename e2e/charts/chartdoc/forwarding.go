package chartdoc

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// Rights are what corednsconfig may do to the DNS of the cluster it runs in, as its own command prints it.
type Rights struct {
	Cluster    []rbacv1.PolicyRule            `json:"cluster"`
	Namespaces map[string][]rbacv1.PolicyRule `json:"namespaces"`
}

// Forwarding is what the chart of corednsconfig takes from the program at root: the definition of DNSForwarding, and
// the rights that "corednsconfig rights" prints. Content by path.
func Forwarding(ctx context.Context, root string) (map[string]string, error) {
	crd, err := os.ReadFile(filepath.Join(root, "corednsconfig", "api", "v1alpha1", "dns.spokedns.io_dnsforwardings.yaml"))
	if err != nil {
		return nil, err
	}
	roles, err := printedRoles(ctx, root, "corednsconfig", "--dns-namespace=kube-system", "--dns-namespace=openshift-dns")
	if err != nil {
		return nil, err
	}
	rights := Rights{Namespaces: map[string][]rbacv1.PolicyRule{}}
	for _, role := range roles {
		switch role.Kind {
		case "ClusterRole":
			rights.Cluster = role.Rules
		case "Role":
			rights.Namespaces[role.Namespace] = role.Rules
		}
	}
	text, err := yaml.Marshal(rights)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "charts", "corednsconfig")
	return map[string]string{
		filepath.Join(dir, "crds", "dnsforwardings.yaml"): string(crd),
		filepath.Join(dir, "files", "rights.yaml"):        "# What \"corednsconfig rights\" prints, by namespace.\n" + string(text),
	}, nil
}

// printedRoles are what the command rights of a program at root prints; other objects have no rules, and are in it too.
func printedRoles(ctx context.Context, root, program string, args ...string) (out []rbacv1.ClusterRole, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "./" + program, "rights"}, args...)...)
	cmd.Dir = root
	printed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s rights: %w", program, err)
	}
	for _, document := range bytes.Split(printed, []byte("---\n")) {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(document, &role); err != nil {
			return nil, err
		}
		out = append(out, role)
	}
	return out, nil
}
