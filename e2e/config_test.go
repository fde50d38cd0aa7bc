package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider"
	upstream "sigs.k8s.io/external-dns/provider/webhook"

	"github.com/spokedns/spokedns/e2e/stack"
)

// These tests run the built program: its flags and environment, its answers, its reloading.

const soon = 30 * time.Second

// program is our program publishing to BIND, as external-dns sees it.
type program struct {
	*testing.T
	bind    *stack.Named
	webhook *stack.Webhook
	client  provider.Provider
}

// builtWebhook builds the program.
func builtWebhook(t *testing.T) string {
	t.Helper()
	path, err := stack.BuildWebhook(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startProgram starts BIND, then our program with what configure says of it, and dials it.
func startProgram(t *testing.T, configure func(bind *stack.Named) stack.WebhookConfig) *program {
	t.Helper()
	s := stack.ForTest(t)
	p := &program{T: t}
	var err error
	if p.bind, err = s.Named(t.Context(), stack.NamedConfig{Zones: []string{"example.org"}}); err != nil {
		t.Fatal(err)
	}
	c := configure(p.bind)
	c.Program = builtWebhook(t)
	if p.webhook, err = s.Webhook(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	p.client, err = upstream.New(t.Context(), &externaldns.Config{
		WebhookProviderURL: p.webhook.API, WebhookProviderReadTimeout: 5 * time.Second, WebhookProviderWriteTimeout: 10 * time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sync does what external-dns does in a loop, for one Ingress with the private address 10.0.0.1.
func (p *program) sync(ctx context.Context) error {
	current, err := p.client.Records(ctx)
	if err != nil {
		return err
	}
	found := endpoint.NewEndpoint("www.example.org", "A", "10.0.0.1")
	found.Labels = endpoint.Labels{endpoint.ResourceLabelKey: "ingress/shop/front"}
	desired, err := p.client.AdjustEndpoints([]*endpoint.Endpoint{found})
	if err != nil {
		return err
	}
	todo := (&plan.Plan{
		Current: current, Desired: desired, Policies: []plan.Policy{&plan.SyncPolicy{}}, ManagedRecords: []string{"A", "AAAA", "CNAME"},
	}).Calculate().Changes
	if !todo.HasChanges() {
		return nil
	}
	return p.client.ApplyChanges(ctx, todo)
}

// publishes syncs until BIND answers with the address.
func (p *program) publishes(address string) {
	p.Helper()
	err := stack.Eventually(p.Context(), soon, func(ctx context.Context) error {
		if err := p.sync(ctx); err != nil {
			return err
		}
		got, err := p.bind.Query(ctx, "www.example.org", "A")
		if err == nil && strings.Join(got, " ") != address {
			err = fmt.Errorf("www.example.org is %q, want %s", got, address)
		}
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
}

// reloads waits until the metrics of reloading are as given.
func (p *program) reloads(success, failure, last float64) {
	p.Helper()
	err := stack.Eventually(p.Context(), soon, func(ctx context.Context) error {
		m, err := p.webhook.Metrics(ctx)
		if err != nil {
			return err
		}
		got := [3]float64{
			m.Sum("spokedns_config_reload_total", "result=success"), m.Sum("spokedns_config_reload_total", "result=failure"),
			m.Sum("spokedns_config_last_reload_success"),
		}
		if want := [3]float64{success, failure, last}; got != want {
			return fmt.Errorf("successes, failures and last result are %v, want %v", got, want)
		}
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
}

func TestProgramWithTheEnvironmentOfTheHubAndSpokeOperator(t *testing.T) {
	p := startProgram(t, func(bind *stack.Named) stack.WebhookConfig {
		return stack.WebhookConfig{
			Args: []string{"--zone=example.org", "--rfc2136-servers=" + bind.Addr, "--no-kubernetes"},
			Env: []string{
				"CLOUD_PROVIDER=rfc2136", "CUSTOM_IP=203.0.113.10", "CUSTOM_TTL=120",
				"RFC2136_TSIG_NAME=" + bind.Key.Name, "RFC2136_TSIG_SECRET=" + bind.Key.Secret,
			},
		}
	})
	p.publishes("203.0.113.10")
	if ttl, err := stack.QueryTTL(t.Context(), p.bind.Addr, "www.example.org", "A"); err != nil || ttl != 2*time.Minute {
		t.Errorf("the TTL is %v, %v; want that of CUSTOM_TTL", ttl, err)
	}
	if log := p.webhook.LogTail(1000); strings.Contains(log, p.bind.Key.Secret) {
		t.Errorf("the log shows the secret:\n%s", log)
	}
}

// configMap is a directory as a kubelet keeps it for a mounted ConfigMap.
type configMap struct {
	*testing.T
	dir     string
	version int
}

// update swaps in a new version of the file "config.yaml".
func (c *configMap) update(content string) {
	c.Helper()
	c.version++
	version := fmt.Sprintf("..2026_%d", c.version)
	err := errors.Join(
		os.Mkdir(filepath.Join(c.dir, version), 0o700),
		os.WriteFile(filepath.Join(c.dir, version, "config.yaml"), []byte(content), 0o600),
		os.Symlink(version, filepath.Join(c.dir, "..data_tmp")),
		os.Rename(filepath.Join(c.dir, "..data_tmp"), filepath.Join(c.dir, "..data")),
	)
	if err == nil && c.version == 1 {
		err = os.Symlink("..data/config.yaml", filepath.Join(c.dir, "config.yaml"))
	}
	if err != nil {
		c.Fatal(err)
	}
}

func TestProgramFollowsAConfigMap(t *testing.T) {
	mounted := &configMap{T: t, dir: t.TempDir()}
	var file func(address string) string
	p := startProgram(t, func(bind *stack.Named) stack.WebhookConfig {
		file = func(address string) string {
			return fmt.Sprintf(`
views:
  - name: public
    zones: [example.org]
    backend:
      rfc2136: {servers: [%q], tsig: {name: %s, secret: %q}}
    rules: [{action: rewrite, target: hub}]
targets: {hub: {static: [%q]}}
kubernetes: {enabled: false}
`, bind.Addr, bind.Key.Name, bind.Key.Secret, address)
		}
		mounted.update(file("203.0.113.10"))
		return stack.WebhookConfig{Args: []string{"--config=" + filepath.Join(mounted.dir, "config.yaml")}}
	})
	p.publishes("203.0.113.10")
	p.reloads(0, 0, 1)
	mounted.update(file("203.0.113.11"))
	p.publishes("203.0.113.11")
	p.reloads(1, 0, 1)

	mounted.update(file("203.0.113.300"))
	p.reloads(1, 1, 0)
	p.publishes("203.0.113.11")
	if err := p.webhook.Ready(t.Context()); err != nil {
		t.Errorf("not ready although the old configuration serves: %v", err)
	}
	log := p.webhook.LogTail(1000)
	if !strings.Contains(log, "targets.hub.static[0]") || !strings.Contains(log, "203.0.113.300") {
		t.Errorf("the log does not say what is wrong:\n%s", log)
	}
	if strings.Contains(log, p.bind.Key.Secret) {
		t.Errorf("the log shows the secret:\n%s", log)
	}
	mounted.update(file("203.0.113.12"))
	p.publishes("203.0.113.12")
	p.reloads(2, 1, 1)
}

// TestProgramReadsSecretsAgainOnHangup: the file did not change, what it names did.
func TestProgramReadsSecretsAgainOnHangup(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc="), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, func(bind *stack.Named) stack.WebhookConfig {
		return stack.WebhookConfig{ConfigYAML: fmt.Sprintf(`
views:
  - name: public
    zones: [example.org]
    backend:
      rfc2136: {servers: [%q], tsig: {name: %s, secretFile: %q}}
    rules: [{action: rewrite, target: hub}]
targets: {hub: {static: [203.0.113.10]}}
kubernetes: {enabled: false}
`, bind.Addr, bind.Key.Name, secret)}
	})
	if err := p.sync(t.Context()); !errors.Is(err, provider.SoftError) {
		t.Fatalf("with a wrong secret: %v, want an error that external-dns survives", err)
	}
	if err := os.WriteFile(secret, []byte(p.bind.Key.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.webhook.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.publishes("203.0.113.10")
	p.reloads(1, 0, 1)
}

func TestProgramChecksAConfiguration(t *testing.T) {
	program := builtWebhook(t)
	run := func(content string, args ...string) (status int, stdout, stderr string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, append(args, "--config=config.yaml")...)
		cmd.Dir = filepath.Dir(path)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
	}
	const good = "views:\n- name: public\n  zones: [example.org]\n  backend: {etcd: {endpoints: [\"http://127.0.0.1:2379\"], username: u, password: hush-hush}}\n"
	status, stdout, stderr := run(good, "--check")
	if want := "view public publishes example.org to etcd\n  -  everything: keep the object's own targets\n"; status != 0 || stdout != want || stderr != "" {
		t.Errorf("a good file: status %d, %q, %q; want 0, %q", status, stdout, stderr, want)
	}
	status, stdout, stderr = run(good, "--print-config")
	if status != 0 || strings.Contains(stdout+stderr, "hush") || !strings.Contains(stdout, "password: (redacted)") {
		t.Errorf("printed: status %d\n%s%s", status, stdout, stderr)
	}
	status, stdout, stderr = run(good+"rails: {maxDeleteShare: 3}\ncolor: red\n", "--check")
	want := `webhook: config.yaml:5:25: rails.maxDeleteShare: "3": want a share above 0 and up to 1, like 0.5 for half of the names
     3 |   zones: [example.org]
     4 |   backend: {etcd: {endpoints: ["http://127.0.0.1:2379"], username: u, password: (redacted)}}
>    5 | rails: {maxDeleteShare: 3}
       |                         ^
     6 | color: red

config.yaml:6:1: color: unknown setting; known are views, targets, overrides, dryRun, rails, failover, externalDNS, server, kubernetes, log
     4 |   backend: {etcd: {endpoints: ["http://127.0.0.1:2379"], username: u, password: (redacted)}}
     5 | rails: {maxDeleteShare: 3}
>    6 | color: red
       | ^

2 mistakes
`
	if stderr != want || status != 1 || stdout != "" {
		t.Errorf("a wrong file: status %d, %q, and\n%s\nwant 1 and\n%s", status, stdout, stderr, want)
	}
}

// TestProgramWritesAnEvent: with the right to it, a refused configuration shows up beside the pod; without,
// everything else goes on.
func TestProgramWritesAnEvent(t *testing.T) {
	s := stack.ForTest(t)
	api, err := s.APIServer(t.Context(), stack.APIServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	read := []string{"get", "list", "watch"}
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: read},
		{APIGroups: []string{"networking.k8s.io"}, Resources: []string{"ingresses", "ingressclasses"}, Verbs: read},
	}
	without, err := api.Identity(t.Context(), "without", rules)
	if err != nil {
		t.Fatal(err)
	}
	with, err := api.Identity(t.Context(), "with", append(rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}}))
	if err != nil {
		t.Fatal(err)
	}
	const good = "views: [{name: public, zones: [example.org], backend: {memory: {}}}]\nlog: {level: debug}\n"
	path := builtWebhook(t)
	refused := func(name, kubeconfig string) *stack.Webhook {
		t.Helper()
		w, err := s.Webhook(t.Context(), stack.WebhookConfig{
			Name: name, Program: path, ConfigYAML: good, Kubeconfig: kubeconfig, Env: []string{"POD_NAME=" + name, "POD_NAMESPACE=default"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.ConfigFile, []byte(good+"colour: red\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return w
	}

	refused("with-right", with)
	cfg, err := stack.ConfigFor(api.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
		events, err := client.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=with-right,reason=ConfigurationRefused,type=Warning"})
		if err == nil && len(events.Items) == 0 {
			err = errors.New("no event")
		}
		if err == nil && !strings.Contains(events.Items[0].Message, "colour: unknown setting") {
			err = fmt.Errorf("the event says %q", events.Items[0].Message)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}

	w := refused("without-right", without)
	err = stack.Eventually(t.Context(), soon, func(context.Context) error {
		if !strings.Contains(w.LogTail(1000), "no Kubernetes Event could be written") {
			return errors.New("the missing right is not noted")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := w.Ready(t.Context()); err != nil {
		t.Errorf("the missing right hurts: %v", err)
	}
}

// TestProgramEndsCleanly: SIGTERM is a normal end, with status 0.
func TestProgramEndsCleanly(t *testing.T) {
	port, err := stack.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), builtWebhook(t), "--zone=example.org", "--backend=memory", "--no-kubernetes",
		"--listen=127.0.0.1:0", fmt.Sprintf("--metrics-listen=127.0.0.1:%d", port))
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = stack.Eventually(t.Context(), soon, func(ctx context.Context) error {
		_, err := stack.Scrape(ctx, fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v, want status 0", err)
	}
}
