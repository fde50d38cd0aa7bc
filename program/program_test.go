package program_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/program"
)

type settings struct {
	Zone  string `help:"A zone." env:"DNS_ZONE"`
	Quiet bool   `help:"Say nothing." env:"-"`
	Run   struct {
		Every time.Duration `placeholder:"TIME" default:"1m" help:"How often."`
	} `cmd:"" help:"Run."`

	program.Log `embed:""`
}

func parse(t *testing.T, args ...string) (s settings, out string, said bool, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p, err := program.Flags{Name: "tool", About: "About it.", Version: "v1", Stdout: &stdout, Stderr: &stderr}.Parser(&s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := p.Parse(args)
	return s, stdout.String(), ctx == nil && err == nil, err
}

func TestAFlagWinsOverItsVariableAndThatOverOthers(t *testing.T) {
	t.Setenv("DNS_ZONE", "other.example")
	if s, _, _, err := parse(t, "run"); err != nil || s.Zone != "other.example" {
		t.Errorf("%q, %v", s.Zone, err)
	}
	t.Setenv("ZONE", "own.example")
	t.Setenv("EVERY", "3s") // of a command
	t.Setenv("QUIET", "true")
	t.Setenv("LOG_LEVEL", "") // as deployments hand on what is not set
	s, _, _, err := parse(t, "run")
	if err != nil || s.Zone != "own.example" || s.Run.Every != 3*time.Second || s.Quiet || s.LogLevel != slog.LevelInfo {
		t.Errorf("%+v, %v", s, err)
	}
	if s, _, _, err = parse(t, "run", "--zone=flag.example"); err != nil || s.Zone != "flag.example" {
		t.Errorf("%q, %v", s.Zone, err)
	}
}

func TestHelpAndVersionAreAnswers(t *testing.T) {
	_, out, said, err := parse(t, "run", "--help")
	if err != nil || !said {
		t.Fatalf("answered %v, %v", said, err)
	}
	for _, want := range []string{"[ZONE, DNS_ZONE]", "Say nothing.\n", "How often (default 1m). [EVERY]", "Print this and exit."} {
		if !strings.Contains(out, want) {
			t.Errorf("help lacks %q:\n%s", want, out)
		}
	}
	if _, out, said, err = parse(t, "--version"); err != nil || !said || out != "v1\n" {
		t.Errorf("%q, %v, %v", out, said, err)
	}
	if _, _, said, err = parse(t, "--zonk"); err == nil || said || !strings.Contains(err.Error(), "--help lists what can be given") {
		t.Errorf("%v, %v", said, err)
	}
}

func TestVersionIsTheStampOrTheSource(t *testing.T) {
	if got := program.Version("v9"); got != "v9" {
		t.Error(got)
	}
	if program.Version("") == "" {
		t.Error("nothing is known of the source")
	}
}

func TestLogsInBothForms(t *testing.T) {
	var text, json bytes.Buffer
	program.Log{LogFormat: "text", LogLevel: slog.LevelWarn}.Logger(&text).Info("hidden")
	program.Logger(&json, "json", slog.LevelInfo).Info("seen")
	if text.Len() != 0 || !strings.Contains(json.String(), `"msg":"seen"`) {
		t.Errorf("%q, %q", &text, &json)
	}
}

func TestTimesWithWhichTwoCouldLeadAreRefused(t *testing.T) {
	good := program.Election{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for flag, change := range map[string]func(*program.Election){
		"--lease-duration: 10ms": func(e *program.Election) {
			*e = program.Election{LeaseDuration: 10 * time.Millisecond, RenewDeadline: 4 * time.Millisecond, RetryPeriod: time.Millisecond}
		},
		"--retry-period: 0s":    func(e *program.Election) { e.RetryPeriod = 0 },
		"--retry-period: 6s":    func(e *program.Election) { e.RetryPeriod = 6 * time.Second },
		"--renew-deadline: 14s": func(e *program.Election) { e.RenewDeadline = 14 * time.Second },
	} {
		e := good
		change(&e)
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestTheWayToTheAPIServer(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := (program.Kubernetes{}).Config("tool/v1"); !errors.Is(err, program.ErrNoCluster) {
		t.Error(err)
	}
	missing := filepath.Join(t.TempDir(), "none")
	if _, err := (program.Kubernetes{Kubeconfig: missing}).Config("tool/v1"); err == nil || !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "config")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"a","clusters":[{"name":"a","cluster":{"server":"https://a"}},{"name":"b","cluster":{"server":"https://b"}}],
		"contexts":[{"name":"a","context":{"cluster":"a"}},{"name":"b","context":{"cluster":"b"}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for context, want := range map[string]string{"": "https://a", "b": "https://b"} {
		cfg, err := program.Kubernetes{Kubeconfig: file, Context: context}.Config("tool/v1")
		if err != nil || cfg.Host != want || cfg.UserAgent != "tool/v1" {
			t.Errorf("%q: %+v, %v", context, cfg, err)
		}
	}
	if ns, err := program.Namespace("dns", "the Lease"); err != nil || ns != "dns" {
		t.Error(ns, err)
	}
	if _, err := program.Namespace("", "the Lease"); err == nil || !strings.Contains(err.Error(), "the namespace of the Lease") {
		t.Error(err)
	}
}
