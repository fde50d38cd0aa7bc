package rfc2136_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

func wrongFields(err error) []string {
	var fields []string
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // the tree is walked node by node
		case *setting.Error:
			fields = append(fields, e.Field)
		case interface{ Unwrap() []error }:
			for _, sub := range e.Unwrap() {
				walk(sub)
			}
		}
	}
	walk(err)
	slices.Sort(fields)
	return fields
}

func TestValidateNamesEveryMistake(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`servers: ["192.0.2.53:53"]`: nil,
		`servers: ["[2001:db8::53]:53", "ns.example.org:853"]
tsig: {name: externaldns., algorithm: HMAC-SHA512., secret: c2VjcmV0}
tls: {enabled: true, serverName: ns.example.org}
timeout: 3s
minTTL: 1m
defaultTTL: 1h`: nil,
		`{}`:                      {"servers"},
		`servers: [dns]`:          {"servers[0]"},
		`servers: ["dns:0"]`:      {"servers[0]"},
		`servers: [":53"]`:        {"servers[0]"},
		`servers: ["a:1", "a:1"]`: {"servers[1]"},
		`servers: ["a:1"]` + "\ntsig: {secret: c2VjcmV0}":                                 {"tsig.name"},
		`servers: ["a:1"]` + "\ntsig: {name: k}":                                          {"tsig.secret"},
		`servers: ["a:1"]` + "\ntsig: {name: 'k k', algorithm: md5, secret: '?'}":         {"tsig.algorithm", "tsig.name", "tsig.secret"},
		`servers: ["a:1"]` + "\ntsig: {name: k, secret: c2VjcmV0, secretFile: f}":         {"tsig.secretFile"},
		`servers: ["a:1"]` + "\ntls: {caFile: f}":                                         {"tls.enabled"},
		`servers: ["a:1"]` + "\ntls: {enabled: true, certFile: f}":                        {"tls.keyFile"},
		`servers: ["a:1"]` + "\ntimeout: -1s\nminTTL: -1s\ndefaultTTL: 1000000h":          {"defaultTTL", "minTTL", "timeout"},
		"servers: []\ntsig: {algorithm: x, secret: x}\ntls: {enabled: false, keyFile: x}": {"servers", "tls.certFile", "tls.enabled", "tsig.name"},
	} {
		var c rfc2136.Config
		if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		err := c.Validate()
		if got := wrongFields(err); !slices.Equal(got, want) {
			t.Errorf("%s\nnames %v, want %v: %v", text, got, want, err)
		}
		if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("the secret is shown: %v", err)
		}
	}
}

func TestNewReadsTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret, nonsense := filepath.Join(dir, "secret"), filepath.Join(dir, "nonsense")
	for path, content := range map[string]string{secret: "c2VjcmV0\n", nonsense: "not base64, not PEM"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		tsig rfc2136.TSIG
		tls  rfc2136.TLS
		want []string
	}{
		{rfc2136.TSIG{Name: "k", SecretFile: secret}, rfc2136.TLS{}, nil},
		{rfc2136.TSIG{Name: "k", SecretFile: nonsense}, rfc2136.TLS{}, []string{"tsig.secretFile"}},
		{rfc2136.TSIG{Name: "k", SecretFile: filepath.Join(dir, "missing")}, rfc2136.TLS{}, []string{"tsig.secretFile"}},
		{rfc2136.TSIG{}, rfc2136.TLS{Enabled: true, Files: clienttls.Files{CAFile: nonsense}}, []string{"tls.caFile"}},
		{rfc2136.TSIG{}, rfc2136.TLS{Enabled: true, Files: clienttls.Files{CAFile: filepath.Join(dir, "missing")}}, []string{"tls.caFile"}},
		{rfc2136.TSIG{}, rfc2136.TLS{Enabled: true, Files: clienttls.Files{CertFile: nonsense, KeyFile: nonsense}}, []string{"tls.certFile"}},
	} {
		_, err := rfc2136.New(rfc2136.Config{Servers: []string{"192.0.2.53:53"}, TSIG: c.tsig, TLS: c.tls})
		if got := wrongFields(err); !slices.Equal(got, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%+v: names %v, want %v: %v", c, got, c.want, err)
		}
	}
}

func TestLimitsFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	b, err := rfc2136.New(rfc2136.Config{Servers: []string{"192.0.2.53:53"}, MinTTL: time.Minute, DefaultTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	l := b.Limits()
	for asked, want := range map[time.Duration]time.Duration{0: time.Hour, time.Second: time.Minute, 2 * time.Hour: 2 * time.Hour} {
		if got := l.Clamp(asked); got != want {
			t.Errorf("a TTL of %s becomes %s, want %s", asked, got, want)
		}
	}
}

// The examples of the documentation are real ones.
func TestDocumentedConfigurationIsValid(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/backends/rfc2136.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```yaml\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("%d examples on the page, want 2", len(blocks))
	}
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		var file struct {
			Views []struct {
				Backend struct {
					RFC2136 rfc2136.Config `yaml:"rfc2136"`
				} `yaml:"backend"`
			} `yaml:"views"`
		}
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(text, "      rfc2136:\n")
		section, _, _ = strings.Cut(section, "    rules:")
		var strict rfc2136.Config
		if err := yaml.UnmarshalWithOptions([]byte(section), &strict, yaml.Strict()); err != nil {
			t.Error(err)
		}
		if err := file.Views[0].Backend.RFC2136.Validate(); err != nil {
			t.Error(err)
		}
	}
}
