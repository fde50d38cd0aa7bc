package objects

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/spokedns/spokedns/e2e/stack"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{stack.Root()}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the code blocks of docs/zones.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var all []string
	for _, rest := range strings.Split(read(t, "docs", "zones.md"), "```"+language+"\n")[1:] {
		block, _, closed := strings.Cut(rest, "```")
		if !closed {
			t.Fatal("docs/zones.md: a code block does not end")
		}
		all = append(all, block)
	}
	if len(all) == 0 {
		t.Fatalf("docs/zones.md shows no %s", language)
	}
	return all
}

func example(t *testing.T, file string) string {
	t.Helper()
	return read(t, "docs", "examples", "zones", file)
}

// documents are the objects in a manifest.
func documents(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, d := range strings.Split(manifest, "\n---\n") {
		u := &unstructured.Unstructured{Object: map[string]any{}}
		if err := yaml.Unmarshal([]byte(d), &u.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

// platform is an API server with the namespaces of the examples, and their keys made as the page says.
func platform(t *testing.T) *stack.APIServer {
	t.Helper()
	api := server(t)
	for _, ns := range []string{"dns", "team-a", "team-b"} {
		if err := api.ApplyYAML(t.Context(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+ns+"}\n"); err != nil {
			t.Fatal(err)
		}
	}
	tool, err := stack.Tool("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range blocks(t, "sh") {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.ReplaceAll(script, "\n   ", "\n"))
		cmd.Env = append(os.Environ(), "KUBECONFIG="+api.Kubeconfig, "PATH="+filepath.Dir(tool)+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return api
}

// TestDocumented: the API server takes every example, as it is.
func TestDocumented(t *testing.T) {
	api := platform(t)
	files, err := filepath.Glob(filepath.Join(stack.Root(), "docs", "examples", "zones", "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v: want the examples", files, err)
	}
	for _, file := range files {
		dryRun(t, api, filepath.Base(file), example(t, filepath.Base(file)))
	}
	for i, block := range blocks(t, "yaml") {
		dryRun(t, api, fmt.Sprintf("block %d of docs/zones.md", i+1), block)
	}
}

// TestReasonsAreDocumented: the page has every reason that a condition can have.
func TestReasonsAreDocumented(t *testing.T) {
	page := read(t, "docs", "zones.md")
	reasons := regexp.MustCompile(`(?m)^\s+Reason\w+\s+= "(\w+)"`)
	found := 0
	for _, source := range [][]string{{"zonecontroller", "api", "v1alpha1", "conditions.go"}, {"zonecontroller", "controller", "reasons.go"}} {
		for _, m := range reasons.FindAllStringSubmatch(read(t, source...), -1) {
			found++
			if !strings.Contains(page, "`"+m[1]+"`") {
				t.Errorf("docs/zones.md does not say what %s is", m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("%d reasons, want all of them", found)
	}
}

// dryRun has the API server judge a manifest as kubectl apply --server-side --dry-run=server does.
func dryRun(t *testing.T, api *stack.APIServer, name, manifest string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server publishes the definitions that kubectl reads a moment after it has them.
	if err := stack.Eventually(t.Context(), time.Minute, func(ctx context.Context) error {
		_, err := kubectl(ctx, api, "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path)
		return err
	}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// TestQuickstart does what the page says: two servers with the named.conf of the example, keys made by its commands, the
// controller with the rights it prints, and its zone. Only addresses and directories are this machine's.
func TestQuickstart(t *testing.T) {
	ctx := t.Context()
	api := platform(t)
	s := stack.ForTest(t)
	program, err := stack.BuildZonecontroller(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	account, err := api.ZoneControllerAccount(ctx, program, "dns")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, name := range []string{"tsig", "rndc"} {
		keys[name] = secret(t, api, "bind-"+name)
		if key, err := keyfile.Parse(map[string][]byte{"key": []byte(keys[name])}); err != nil || key.Name != name {
			t.Fatalf("%v: the page's command makes a key that cannot be read", err)
		}
	}
	if _, err := s.ZoneController(ctx, stack.ZoneControllerConfig{Program: program, Kubeconfig: account, Namespace: "dns"}); err != nil {
		t.Fatal(err)
	}
	conf := documents(t, example(t, "bind.yaml"))[0].Object["data"].(map[string]any)["named.conf"].(string)
	servers := example(t, "servers.yaml")
	var addresses []string
	for _, name := range []string{"bind-0", "bind-1"} {
		addr, control := named(t, s, name, conf, keys)
		servers = strings.NewReplacer(name+".bind.dns.svc:5353", addr, name+".bind.dns.svc:9953", control).Replace(servers)
		addresses = append(addresses, addr)
	}
	for _, manifest := range []string{servers, example(t, "zone.yaml")} {
		if err := api.ApplyYAML(ctx, manifest); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{"www.example.org A": {"192.0.2.80", "192.0.2.81"}, "example.org MX": {"10 mail.example.net", "20 backup.example.net"}, "ns1.example.org A": {"192.0.2.53"}}
	if err := stack.Eventually(ctx, 2*time.Minute, func(ctx context.Context) error {
		for question, answers := range want {
			for _, addr := range addresses {
				name, typ, _ := strings.Cut(question, " ")
				got, err := stack.Query(ctx, addr, name, typ)
				if err != nil {
					return err
				}
				if slices.Sort(got); !slices.Equal(got, answers) {
					return fmt.Errorf("%s answers %s with %q, want %q", addr, question, got, answers)
				}
			}
		}
		out, err := kubectl(ctx, api, "--namespace=dns", "get", "dnszones,dnsrecords,dnsservers")
		if err == nil && (!strings.Contains(out, "2/2") || strings.Count(out, "True") != 5) {
			err = fmt.Errorf("kubectl shows\n%s\nwant the zone on 2/2 servers, and three records and two servers Ready", out)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// secret is the entry "key" of a Secret.
func secret(t *testing.T, api *stack.APIServer, name string) string {
	t.Helper()
	u, err := api.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace("dns").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(u.Object, "data", "key")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// named starts a server with the configuration of the example.
func named(t *testing.T, s *stack.Stack, name, conf string, keys map[string]string) (addr, control string) {
	t.Helper()
	program, err := stack.System("named", "bind9")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var ports []int
	for range 2 {
		port, err := stack.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	replaced := []string{
		"/var/cache/bind", dir, "listen-on port 5353 { any; };", fmt.Sprintf("listen-on port %d { 127.0.0.1; };", ports[0]),
		"listen-on-v6 port 5353 { any; };", "listen-on-v6 { none; };",
		"inet * port 9953 allow { any; }", fmt.Sprintf("inet 127.0.0.1 port %d allow { 127.0.0.1; }", ports[1]),
	}
	for key, text := range keys {
		path := filepath.Join(dir, key+".key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replaced = append(replaced, "/etc/bind/keys/"+key+"/key", path)
	}
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(conf, replaced[i]) {
			t.Fatalf("the example's named.conf has no %q:\n%s", replaced[i], conf)
		}
	}
	path := filepath.Join(dir, "named.conf")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replaced...).Replace(conf)), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, control = fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	listens := func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", control)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	if _, err := s.Start(t.Context(), name, listens, exec.Command(program, "-g", "-n", "1", "-c", path)); err != nil {
		t.Fatal(err)
	}
	return addr, control
}
