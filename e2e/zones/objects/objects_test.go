// Package objects owns the tests of DNSServer, DNSZone and DNSRecord on a real API server: what it takes, what it
// refuses, and what people see of them.
package objects

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

// resource is that of a kind.
func resource(kind string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "dns.spokedns.io", Version: "v1alpha1", Resource: strings.ToLower(kind) + "s"}
}

func server(t *testing.T) *stack.APIServer {
	t.Helper()
	api, err := stack.ForTest(t).APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ApplyCRDs(t.Context(), stack.ZoneControllerCRDs()); err != nil {
		t.Fatal(err)
	}
	return api
}

// try shows the API server an object, which it does not keep.
func try(ctx context.Context, d dynamic.Interface, kind, spec string) error {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	if err := yaml.Unmarshal([]byte("spec:\n"+indent(spec)), &u.Object); err != nil {
		return fmt.Errorf("test: %w", err)
	}
	u.SetAPIVersion("dns.spokedns.io/v1alpha1")
	u.SetKind(kind)
	u.SetName("tried")
	_, err := d.Resource(resource(kind)).Namespace("default").Create(ctx, u, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}

// TestAPI shows the API server right and wrong objects. A wrong one is refused, and what is said names the field, the
// value, and what would be right.
func TestAPI(t *testing.T) {
	api := server(t)
	taken, refused := 0, 0
	for kind, specs := range right() {
		for name, spec := range specs {
			taken++
			t.Run("right/"+kind+"/"+name, func(t *testing.T) {
				if err := try(t.Context(), api.Dynamic, kind, spec); err != nil {
					t.Errorf("%v\n%s", err, spec)
				}
			})
		}
	}
	for kind, cases := range wrong() {
		for name, c := range cases {
			refused++
			t.Run("wrong/"+kind+"/"+name, func(t *testing.T) {
				err := try(t.Context(), api.Dynamic, kind, c.spec)
				if !apierrors.IsInvalid(err) {
					t.Fatalf("%v, want it refused\n%s", err, c.spec)
				}
				for _, part := range c.says {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("it says %v\nwithout %q", err, part)
					}
				}
				if strings.Contains(err.Error(), "no such overload") || strings.Contains(err.Error(), "evaluation error") || strings.Contains(err.Error(), "failed rule") {
					t.Errorf("it says how it judges: %v", err)
				}
			})
		}
	}
	t.Logf("%d right and %d wrong objects", taken, refused)
	if taken < 30 || refused < 60 {
		t.Errorf("%d right and %d wrong objects, want at least 30 and 60", taken, refused)
	}
	t.Run("defaults", func(t *testing.T) { defaults(t, api) })
	t.Run("immutable", func(t *testing.T) { immutable(t, api) })
	t.Run("shown", func(t *testing.T) { shown(t, api) })
}

// TestWhatIsTakenMeansSomething: what the API server takes of a zone and of records in it, package content takes, too.
func TestWhatIsTakenMeansSomething(t *testing.T) {
	for name, spec := range right()["DNSZone"] {
		z := decoded[v1alpha1.DNSZone](t, manifest("DNSZone", "main", spec))
		if z.Spec.TTL == 0 {
			z.Spec.TTL = 300 // the API server fills it in
		}
		if _, faults := content.Zone(z); len(faults) > 0 {
			t.Errorf("zone %s: %v", name, faults)
		}
	}
	z := decoded[v1alpha1.DNSZone](t, manifest("DNSZone", "main", right()["DNSZone"]["least"]+"ttl: 300"))
	for name, spec := range right()["DNSRecord"] {
		r := decoded[v1alpha1.DNSRecord](t, manifest("DNSRecord", "tried", spec))
		r.Spec.Zone = v1alpha1.ZoneReference{Name: "main"}
		_, faults := content.Records(z, []v1alpha1.DNSRecord{*r})
		for _, f := range faults {
			if f.Reason != v1alpha1.ReasonTooLarge { // of many long values each one is right
				t.Errorf("record %s: %v", name, f)
			}
		}
	}
}

func decoded[T any](t *testing.T, manifest string) *T {
	t.Helper()
	o := new(T)
	if err := yaml.UnmarshalStrict([]byte(manifest), o); err != nil {
		t.Fatal(err)
	}
	return o
}

func manifest(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: dns.spokedns.io/v1alpha1\nkind: %s\nmetadata: {name: %s, namespace: default}\nspec:\n%s", kind, name, indent(spec))
}

func defaults(t *testing.T, api *stack.APIServer) {
	if err := api.ApplyYAML(t.Context(), manifest("DNSZone", "least", right()["DNSZone"]["least"])); err != nil {
		t.Fatal(err)
	}
	u, err := api.Dynamic.Resource(resource("DNSZone")).Namespace("default").Get(t.Context(), "least", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(u.Object["spec"])
	want := "map[nameServers:[map[hostname:ns1.example.net]] orphanAfter:1h serverSelector:map[matchLabels:map[dns:main]] " +
		"soa:map[adminEmail:hostmaster@example.org expire:604800 negativeTTL:300 primaryNS:ns1.example.net refresh:3600 retry:600] " +
		"ttl:300 zoneName:example.org]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// immutable: what cannot change in place is said to need another object.
func immutable(t *testing.T, api *stack.APIServer) {
	for _, c := range []struct{ kind, from, to, says string }{
		{"DNSZone", zone("example.org", "ns1.example.net"), zone("example.com", "ns1.example.net"), `spec.zoneName: Invalid value: "example.com": "example.org" cannot become "example.com"`},
		{"DNSServer", "address: 10.0.0.53\nrole: Primary", "address: 10.0.0.53\nrole: Secondary", `"Primary" cannot become "Secondary"`},
	} {
		if err := api.ApplyYAML(t.Context(), manifest(c.kind, "kept", c.from)); err != nil {
			t.Fatal(err)
		}
		err := api.ApplyYAML(t.Context(), manifest(c.kind, "kept", c.to))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

// shown: kubectl shows what people look for, under short names and as a category.
func shown(t *testing.T, api *stack.APIServer) {
	for kind, spec := range map[string]string{
		"DNSServer": right()["DNSServer"]["least"], "DNSZone": right()["DNSZone"]["least"], "DNSRecord": right()["DNSRecord"]["A"],
	} {
		if err := api.ApplyYAML(t.Context(), manifest(kind, "shown", spec)); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"get dnssrv":           "NAME ADDRESS ROLE READY ZONES VERSION AGE",
		"get dnsz":             "NAME ZONE READY STATUS RECORDS SERIAL AGE",
		"get dnsrec":           "NAME NAME TYPE VALUES READY STATUS AGE",
		"get dnsrec -o wide":   "NAME NAME TYPE VALUES READY STATUS AGE TTL MESSAGE",
		"get spokedns -o name": "dnsserver.dns.spokedns.io/",
		"get dnsz --field-selector=spec.zoneName=a.b":     "No resources found",
		"get dnsrec --field-selector=spec.zone.name=main": "NAME NAME TYPE",
	} {
		// The server publishes what kubectl reads a moment after the definition.
		if err := stack.Eventually(t.Context(), time.Minute, func(ctx context.Context) error {
			out, err := kubectl(ctx, api, strings.Fields(args)...)
			if err == nil && !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				err = fmt.Errorf("kubectl %s shows\n%s\nwant %s", args, out, want)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
}

func kubectl(ctx context.Context, api *stack.APIServer, args ...string) (string, error) {
	program, err := stack.Tool("kubectl")
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, program, append([]string{"--kubeconfig=" + api.Kubeconfig}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// TestGenerated has the definitions and their copying code made anew: what is committed is that.
func TestGenerated(t *testing.T) {
	generator, err := stack.Tool("controller-gen")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), generator, "object", "crd", "paths=./zonecontroller/api/v1alpha1",
		"output:crd:dir="+dir, "output:object:dir="+dir)
	cmd.Dir = stack.Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != 4 {
		t.Fatalf("%v, %v: want three definitions and a Go file", made, err)
	}
	for _, file := range made {
		want, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(stack.ZoneControllerCRDs(), file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), string(want)); diff != "" {
			t.Errorf("%s is not what its types say; run make generate (-committed +made):\n%s", file.Name(), diff)
		}
	}
}
