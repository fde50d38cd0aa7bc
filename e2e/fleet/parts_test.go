// Package fleet owns the tests of the compiled corednsconfig on real API servers.
package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/spokedns/spokedns/corednsconfig/api/v1alpha1"
	"github.com/spokedns/spokedns/e2e/stack"
)

// definition is the path of the definition of DNSForwarding.
func definition() string {
	return filepath.Join(stack.Root(), "corednsconfig", "api", "v1alpha1", "dns.spokedns.io_dnsforwardings.yaml")
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	path, err := stack.BuildCorednsconfig(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stock is the Corefile of a cluster made by kubeadm, with its domain.
func stock(domain string) string {
	return `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes ` + domain + ` in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`
}

// cluster starts an API server in which stands the cluster DNS of a kubeadm cluster. Nothing runs: it can be looked at.
func cluster(t *testing.T, s *stack.Stack, name, corefile string) *stack.APIServer {
	t.Helper()
	api, err := s.APIServer(t.Context(), stack.APIServerConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	setDNS(t, api, corefile)
	settle(t, api)
	return api
}

// settle waits for the server's own Service, which comes a moment after it is ready; from then on nothing changes by itself.
func settle(t *testing.T, api *stack.APIServer) {
	t.Helper()
	err := stack.Eventually(t.Context(), time.Minute, func(ctx context.Context) error {
		_, err := api.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "services"}).Namespace("default").Get(ctx, "kubernetes", metav1.GetOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func setDNS(t *testing.T, api *stack.APIServer, corefile string) {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join("testdata", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(corefile)
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("COREFILE", string(text), "ADDRESS", "10.96.0.10").Replace(string(manifest))
	if err := api.ApplyYAML(t.Context(), filled); err != nil {
		t.Fatal(err)
	}
}

// snapshot is the version of every object in a cluster. Leases are left out, which the API server renews itself.
func snapshot(t *testing.T, api *stack.APIServer) map[string]string {
	t.Helper()
	found, err := discovery.NewDiscoveryClientForConfig(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := found.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Verbs.String(), "list") || r.Name == "leases" {
				continue
			}
			objects, err := api.Dynamic.Resource(gv.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatalf("list %s: %v", r.Name, err)
			}
			for _, o := range objects.Items {
				versions[fmt.Sprintf("%s %s/%s", r.Name, o.GetNamespace(), o.GetName())] = o.GetResourceVersion()
			}
		}
	}
	if len(versions) < 50 {
		t.Fatalf("%d objects: want all that an API server has", len(versions))
	}
	return versions
}

// start runs the controller and waits until it is ready.
func start(t *testing.T, s *stack.Stack, name, program, kubeconfig string, flags ...string) (*stack.Part, string) {
	t.Helper()
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	args := append([]string{"run", "--kubeconfig=" + kubeconfig, "--namespace=dns", fmt.Sprintf("--listen=127.0.0.1:%d", port),
		"--discover=1s", "--call=3s", "--log-level=debug"}, flags...)
	part, err := s.Start(t.Context(), name, stack.AnswersOK(http.DefaultClient, url+"/readyz"), exec.Command(program, args...))
	if err != nil {
		t.Fatal(err)
	}
	return part, url
}

// command runs the program to its end.
func command(t *testing.T, program string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func forwardingOf(t *testing.T, api *stack.APIServer, name string) *v1alpha1.DNSForwarding {
	t.Helper()
	u, err := api.Dynamic.Resource(forwardings()).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var f v1alpha1.DNSForwarding
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

// await waits until every cluster named is in its state, and says what came of the others.
func await(t *testing.T, api *stack.APIServer, name string, want map[string]v1alpha1.State) *v1alpha1.DNSForwarding {
	t.Helper()
	var f *v1alpha1.DNSForwarding
	err := stack.Eventually(t.Context(), time.Minute, func(context.Context) error {
		f = forwardingOf(t, api, name)
		got := map[string]v1alpha1.State{}
		for _, c := range f.Status.Clusters {
			got[c.Name] = c.State
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("DNSForwarding %s: %v, want %v", name, got, want)
		}
		return nil
	})
	if err != nil {
		text, _ := json.MarshalIndent(f.Status, "", " ")
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

// condition is one of a cluster in a status.
func condition(t *testing.T, f *v1alpha1.DNSForwarding, cluster, kind string) metav1.Condition {
	t.Helper()
	for _, c := range f.Status.Clusters {
		if c.Name == cluster {
			if found := meta.FindStatusCondition(c.Conditions, kind); found != nil {
				return *found
			}
		}
	}
	t.Fatalf("cluster %s has no condition %s: %+v", cluster, kind, f.Status.Clusters)
	return metav1.Condition{}
}
