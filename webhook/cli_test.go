package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/program"
)

// ask runs the program for an answer on standard output; it must end by itself.
func ask(t *testing.T, args ...string) (answer string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err = run(context.Background(), args, &stdout, &stderr)
	return stdout.String(), err
}

// configFile writes a configuration file and returns its path.
func configFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const minimal = `
views:
  - name: public
    zones: [example.org]
    backend: {memory: {}}
    rules:
      - {match: {ingressClasses: [nginx-internal], namespaces: [a, b]}, action: drop}
      - {match: {hosts: ["*"]}, action: rewrite, target: hub, ttl: 1m, name: hub}
  - name: internal
    zones: [example.org]
    ttl: 90s
    backend: {memory: {}}
targets: {hub: {static: [203.0.113.10, "2001:db8::10"]}}
dryRun: true
log: {level: warn}
`

func TestCheckSaysWhatTheRulesMean(t *testing.T) {
	got, err := ask(t, "--check", "--config="+configFile(t, strings.Replace(minimal, "internal\n    zones: [example.org]", "internal\n    zones: [internal.example.net]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := `view public publishes example.org to memory
  1. namespace a or b, ingress class nginx-internal: drop, it is not published in this view
  2. everything else: rewrite to hub (203.0.113.10, 2001:db8::10), TTL 1m  (hub)
view internal publishes internal.example.net to memory
  -  everything: keep the object's own targets
  records that ask for no TTL get 1m30s
dry run: nothing is written
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCheckReportsMistakes(t *testing.T) {
	_, err := ask(t, "--check", "--config="+configFile(t, "views: [{name: a}]\n"))
	if err == nil || !strings.Contains(err.Error(), "views[0].zones") || !strings.Contains(err.Error(), "views[0].backend") {
		t.Errorf("got %v, want both mistakes", err)
	}
}

func TestPrecedence(t *testing.T) {
	path := configFile(t, "views: [{name: public, zones: [example.org], backend: {memory: {}}}]\nlog: {level: warn}\nrails: {maxDeleteMin: 7}\n")
	level := func(args ...string) string {
		t.Helper()
		in, err := parse(args, os.Stdout, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		content, err := in.read()
		if err != nil {
			t.Fatal(err)
		}
		f, err := in.file(content)
		if err != nil {
			t.Fatal(err)
		}
		if in.Config != "" && f.Rails.MaxDeleteMin != 7 {
			t.Errorf("maxDeleteMin is %d, want the file's", f.Rails.MaxDeleteMin)
		}
		return f.Log.Level
	}
	if got := level("--zone=example.org", "--backend=memory"); got != "info" {
		t.Errorf("by default %s, want info", got)
	}
	if got := level("--config=" + path); got != "warn" {
		t.Errorf("from the file %s, want warn", got)
	}
	t.Setenv("LOG_LEVEL", "error")
	if got := level("--config=" + path); got != "error" {
		t.Errorf("from the environment %s, want error", got)
	}
	if got := level("--config="+path, "--log-level=debug"); got != "debug" {
		t.Errorf("from the flag %s, want debug", got)
	}
	t.Setenv("LOG_LEVEL", "")
	if got := level("--config=" + path); got != "warn" {
		t.Errorf("with an empty variable %s, want the file's warn", got)
	}
}

func TestFalseWinsToo(t *testing.T) {
	path := configFile(t, minimal)
	got, err := ask(t, "--print-config", "--config="+path, "--no-dry-run", "--no-kubernetes")
	if err == nil {
		t.Fatalf("two views of one zone in memory were accepted:\n%s", got)
	}
	path = configFile(t, "views: [{name: public, zones: [example.org], backend: {memory: {}}}]\ndryRun: true\n")
	got, err = ask(t, "--print-config", "--config="+path, "--no-dry-run", "--no-kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, "dryRun: true") || !strings.Contains(got, "enabled: false") {
		t.Errorf("--no-dry-run and --no-kubernetes did not win:\n%s", got)
	}
}

func TestClassicEnvironmentOfTheHubAndSpokeOperator(t *testing.T) {
	t.Setenv("CLOUD_PROVIDER", "rfc2136")
	t.Setenv("CUSTOM_IP", "203.0.113.10")
	t.Setenv("CUSTOM_TTL", "600")
	t.Setenv("ZONE", "example.org")
	t.Setenv("RFC2136_SERVERS", "192.0.2.53:53")
	t.Setenv("RFC2136_TSIG_NAME", "externaldns")
	t.Setenv("RFC2136_TSIG_SECRET", "aHVzaC1odXNo")
	got, err := ask(t, "--print-config")
	if err != nil {
		t.Fatal(err)
	}
	want := `views:
  - name: default
    zones:
      - example.org
    ttl: 10m
    rules:
      - name: excluded
        match:
          ingressClasses:
            - nginx-internal
        action: keep
      - name: everything
        action: rewrite
        target: custom-ip
    backend:
      rfc2136:
        servers:
          - 192.0.2.53:53
        tsig:
          name: externaldns
          algorithm: hmac-sha256
          secret: (redacted)
        timeout: 5s
        defaultTTL: 5m
targets:
  custom-ip:
    static:
      - 203.0.113.10
rails:
  maxDeleteShare: 0.5
  maxDeleteMin: 20
failover: true
externalDNS:
  registry: txt
  txtOwnerID: default
server:
  listen: 127.0.0.1:8888
  metricsListen: :8080
kubernetes:
  enabled: true
  kinds:
    - all
log:
  level: info
  format: text
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCommandLineMistakes(t *testing.T) {
	path := configFile(t, minimal)
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"nothing", nil, nil, "no configuration: give --config, or --backend and --zone"},
		{"an unknown flag", nil, []string{"--confg=x"}, "unknown flag --confg, did you mean"},
		{"a missing file", nil, []string{"--config=/nowhere.yaml"}, "configuration: open /nowhere.yaml: no such file"},
		{"no backend", nil, []string{"--zone=example.org"}, "--backend: is missing; want one of " + kinds().String()},
		{"an unknown backend", nil, []string{"--zone=example.org", "--backend=bind"}, `--backend: "bind": want one of ` + kinds().String()},
		{"a cloud", map[string]string{"CLOUD_PROVIDER": "azure"}, []string{"--zone=example.org"}, "--azuredns-subscriptions: want the id of a subscription, or zones by their ids"},
		{"a backend's settings", nil, []string{"--zone=example.org", "--backend=rfc2136", "--rfc2136-tsig-secret-file=x"}, "--rfc2136-tsig-name: want the name"},
		{"settings of another backend", nil, []string{"--zone=example.org", "--backend=memory", "--etcd-prefix=/x"}, "--etcd-prefix has no meaning with backend memory; remove it, or choose backend etcd"},
		{"a bad TTL", map[string]string{"CUSTOM_TTL": "soon"}, []string{"--zone=example.org", "--backend=memory"}, "--custom-ttl: want seconds, like 300, or a duration, like 5m (from envar CUSTOM_TTL=\"soon\")"},
		{"a bad level", nil, []string{"--log-level=loud", "--zone=example.org", "--backend=memory"}, "--log-level must be one of"},
		{"a bad address", nil, []string{"--listen=8888", "--zone=example.org", "--backend=memory"}, `server.listen: "8888": want host:port`},
		{"a file and flags", nil, []string{"--config=" + path, "--zone=example.org", "--rfc2136-servers=a:53"}, "--config and --zone, --rfc2136-servers cannot be combined"},
		{"a file and environment", map[string]string{"CUSTOM_IP": "203.0.113.10"}, []string{"--config=" + path}, "--config and CUSTOM_IP cannot be combined"},
		{"a file in the environment", map[string]string{"CONFIG": path}, []string{"--zone=example.org"}, "CONFIG and --zone cannot be combined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			answer, err := ask(t, append(c.args, "--check")...)
			if err == nil {
				t.Fatalf("accepted:\n%s", answer)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got:  %v\nwant: %s", err, c.want)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	help, err := ask(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--config=FILE", "[CUSTOM_IP]", "Backend etcd", "[ETCD_ENDPOINTS]", "(default :8080). [METRICS_LISTEN]", "[BACKEND,"} {
		if !strings.Contains(help, want) {
			t.Errorf("help lacks %q:\n%s", want, help)
		}
	}
	for _, line := range strings.Split(help, "\n") {
		if len(line) > 110 {
			t.Errorf("longer than 110 columns: %s", line)
		}
	}
	said, err := ask(t, "--version")
	if err != nil || strings.TrimSpace(said) != program.Version(version) {
		t.Errorf("version %q, %v; want %q", said, err, program.Version(version))
	}
}
