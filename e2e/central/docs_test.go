package central_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/corednsconfig/etcdclient"
	"github.com/spokedns/spokedns/e2e/stack"
)

var update = flag.Bool("update", false, "write the generated part of docs/central-dns.md")

func page() string { return filepath.Join(stack.Root(), "docs", "central-dns.md") }

// documented is the page's first code block of the kind.
func documented(t *testing.T, kind string) string {
	t.Helper()
	b, err := os.ReadFile(page())
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(b), "```"+kind+"\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatalf("the page has no block %s", kind)
	}
	return block
}

// The table on the page is that of the test which asks.
func TestDocumentedRows(t *testing.T) {
	var b strings.Builder
	b.WriteString("| | question | k8s_gateway | here |\n|---|---|---|---|\n")
	cell := func(s string) string { return strings.ReplaceAll(s, " | ", "<br>") }
	for _, r := range rows() {
		here := "the same"
		if r.ours != "" {
			here = cell(r.ours) + ": " + r.why
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", r.what, r.ask, cell(r.plugin), here)
	}
	text, err := os.ReadFile(page())
	if err != nil {
		t.Fatal(err)
	}
	const first, last = "<!-- generated: rows -->\n", "<!-- end of rows -->"
	before, rest, begun := strings.Cut(string(text), first)
	written, after, ended := strings.Cut(rest, last)
	if !begun || !ended {
		t.Fatal("the page has no place for the rows")
	}
	if *update {
		if err := os.WriteFile(page(), []byte(before+first+b.String()+last+after), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(written, b.String()); diff != "" {
		t.Errorf("the page's table is another; run go test ./central -run Documented -update in e2e (-written +generated):\n%s", diff)
	}
}

// The file on the page sets up an etcd that is new, the second time there is nothing to do, a password that was
// renewed is in force, and CoreDNS answers from the Corefile made of it.
func TestDocumentedSetup(t *testing.T) {
	t.Parallel()
	s := stack.ForTest(t)
	e, err := s.Etcd(t.Context(), stack.EtcdConfig{TLS: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	c := &center{T: t, Stack: s, etcd: e}
	port, err := stack.FreePort()
	c.must(err)
	wildcards, err := stack.FreePort()
	c.must(err)
	health, err := stack.FreePort()
	c.must(err)
	listen := func(n int) string { return fmt.Sprintf("127.0.0.1:%d", health+n) }
	text := strings.NewReplacer(
		`["https://etcd-0.etcd:2379", "https://etcd-1.etcd:2379", "https://etcd-2.etcd:2379"]`, fmt.Sprintf("[%q]", e.Endpoint),
		"/etc/etcd-client/ca.crt", e.CAFile, "/etc/etcd-client/tls.crt", e.CertFile,
		"/etc/etcd-client/tls.key", e.KeyFile+"\n    user: skydns.coredns\n    passwordEnv: ETCD_PASSWORD",
		`":8080"`, listen(0), `":8181"`, listen(1), `":9153"`, listen(2),
		"server:\n", fmt.Sprintf("server:\n  port: %d\n  wildcardPort: %d\n  bind: [127.0.0.1]\n", port, wildcards),
	).Replace(documented(t, "yaml"))
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		c.must(os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	config, root := write("central.yaml", text), write("root", rootPassword+"\n")
	write("skydns.coredns", coreDNSPassword)
	write("skydns.cluster.workload01", clusterPassword)
	options := central.SetupOptions{Config: config, Passwords: dir, Options: etcdclient.Options{
		Endpoints: []string{e.Endpoint}, Username: "root", PasswordFile: root, CAFile: e.CAFile, CertFile: e.CertFile, KeyFile: e.KeyFile,
	}}
	setUp := func() string {
		t.Helper()
		var out bytes.Buffer
		c.must(central.Setup(t.Context(), options, &out))
		return out.String()
	}
	said := setUp()
	for _, want := range []string{"added user skydns.cluster.workload02", "wrote /skydns/cluster/openmcp/dns/ns/ns1", "turned authentication on"} {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("it says %q, which lacks %q", said, want)
		}
	}
	if said := setUp(); said != "" {
		t.Errorf("once more it says %q", said)
	}
	write("skydns.cluster.workload01", "renewed")
	if said, want := setUp(), "changed the password of user skydns.cluster.workload01\n"; said != want {
		t.Errorf("with a renewed password it says %q, want %q", said, want)
	}
	if _, err := e.ClientAs("skydns.cluster.workload01", "renewed"); err != nil {
		t.Errorf("the renewed password: %v", err)
	}
	if _, err := e.ClientAs("skydns.cluster.workload02", "guess"); err == nil {
		t.Error("a user without a password logs in with one")
	}

	parsed, err := central.Load(config)
	c.must(err)
	c.landscape, c.server, c.addr = parsed.Landscape, parsed.Server, fmt.Sprintf("127.0.0.1:%d", port)
	c.probe = "openmcp.cluster"
	c.runCoreDNS()
	if got, want := answer(c.ask("openmcp.cluster", "NS")), "openmcp.cluster NS ns1.ns.dns.openmcp.cluster | openmcp.cluster NS ns2.ns.dns.openmcp.cluster"; got != want {
		t.Errorf("the zone's name servers are %s, want %s", got, want)
	}
	for _, ask := range []string{"openmcp.cluster", "workload01.openmcp.cluster", "eu.openmcp.cluster"} {
		if got := answer(c.ask(ask, "A")); got != "NODATA" {
			t.Errorf("%s is answered %s, want that it exists and has no address", ask, got)
		}
	}
	for i, path := range []string{"/health", "/ready"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen(i)+path, nil)
		c.must(err)
		c.must(stack.Eventually(t.Context(), soon, func(context.Context) error {
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s is %s", path, resp.Status)
			}
			return nil
		}))
	}
	if m, err := stack.Scrape(t.Context(), "http://"+listen(2)+"/metrics"); err != nil || m.Sum("coredns_plugin_enabled", "name=etcd") == 0 {
		t.Errorf("the metrics do not say that the etcd plugin is on: %v", err)
	}
}

// The webhook takes the configuration on the page.
func TestDocumentedWebhook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, err := stack.BuildWebhook(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := stack.ForTest(t).Etcd(t.Context(), stack.EtcdConfig{TLS: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	password, config := filepath.Join(dir, "password"), filepath.Join(dir, "webhook.yaml")
	text := strings.NewReplacer("/etc/etcd-client/ca.crt", e.CAFile, "/etc/etcd-client/tls.crt", e.CertFile, "/etc/etcd-client/tls.key", e.KeyFile,
		"/etc/etcd-client/password", password).Replace(documented(t, "yaml webhook"))
	for path, content := range map[string]string{password: clusterPassword, config: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), program, "--check", "--config="+config).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "workload01.openmcp.cluster") {
		t.Errorf("%v: %s", err, out)
	}
}
