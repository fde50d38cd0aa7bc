package fleet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spokedns/spokedns/e2e/stack"
)

// documented are the YAML blocks of docs/landscape.md that have a text.
func documented(t *testing.T, text string) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(stack.Root(), "docs", "landscape.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, rest := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, closed := strings.Cut(rest, "```")
		if closed && strings.Contains(block, text) {
			blocks = append(blocks, block)
		}
	}
	if len(blocks) == 0 {
		t.Fatalf("docs/landscape.md shows no %s", text)
	}
	return blocks
}

// rightsOf makes the service account in the platform that the documentation describes, with its rights and no others, and
// returns its kubeconfig.
func rightsOf(t *testing.T, program string, platform *stack.APIServer) string {
	t.Helper()
	kubeconfig, err := platform.Account(t.Context(), "dns", &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "spokedns-corednsconfig"}})
	if err != nil {
		t.Fatal(err)
	}
	out, errs, err := command(t, program, "rights", "--namespace=dns")
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	apply(t, platform, out)
	for _, block := range documented(t, "kind: ClusterRole") {
		apply(t, platform, block)
	}
	return kubeconfig
}

// TestDocumented: the API server takes the examples, and kubectl shows what the page says it shows.
func TestDocumented(t *testing.T) {
	ctx := t.Context()
	api, err := stack.ForTest(t).APIServer(ctx, stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyCRDs(ctx, definition()); err != nil {
		t.Fatal(err)
	}
	apply(t, api, "apiVersion: v1\nkind: Namespace\nmetadata: {name: dns}\n")
	for _, block := range append(documented(t, "kind: DNSForwarding"), documented(t, "kind: Secret")...) {
		apply(t, api, block)
	}
	list, err := api.Dynamic.Resource(forwardings()).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 3 {
		t.Fatalf("%d DNSForwardings, %v: want the three of the page", len(list.Items), err)
	}
	kubectl, err := stack.Tool("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	out, errs, err := command(t, kubectl, "--kubeconfig="+api.Kubeconfig, "get", "dnsforwardings")
	if err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	header, _, _ := strings.Cut(out, "\n")
	if want := "NAME MODE ZONES READY FAILED STAGE AGE"; strings.Join(strings.Fields(header), " ") != want {
		t.Errorf("kubectl shows %q, want %s", header, want)
	}
	// The server publishes what explain reads a moment after the definition.
	if err := stack.Eventually(ctx, time.Minute, func(context.Context) error {
		_, errs, err := command(t, kubectl, "--kubeconfig="+api.Kubeconfig, "explain", "dnsforwarding.spec.rules.upstreams")
		if err != nil {
			return fmt.Errorf("%w: %s", err, errs)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
