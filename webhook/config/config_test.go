package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/policy"
	"github.com/spokedns/spokedns/webhook/setting"
)

// shelf is a backend's settings with one of everything.
type shelf struct {
	Servers  []string      `yaml:"servers"`
	Timeout  time.Duration `yaml:"timeout" default:"10s"`
	Retries  int           `yaml:"retries"`
	Password string        `yaml:"password"`
	TLS      *shelfTLS     `yaml:"tls"`
}

type shelfTLS struct {
	Insecure  bool   `yaml:"insecure"`
	SecretKey string `yaml:"secretKey"`
}

func (s *shelf) Validate() error {
	if len(s.Servers) == 0 {
		return &setting.Error{Field: "servers", Want: "want at least one server"}
	}
	return nil
}

var kinds = config.Kinds{
	"shelf":  func() config.Settings { return new(shelf) },
	"memory": func() config.Settings { return new(nothing) },
}

type nothing struct{}

func (nothing) Validate() error { return nil }

// decode is Decode of a file called config.yaml.
func decode(src string) (*config.File, error) {
	return config.Decode("config.yaml", []byte(src), kinds)
}

const whole = `
views:
  - name: public
    zones: [example.org]
    ttl: 5m
    backend:
      shelf: {servers: ["192.0.2.53:53"], timeout: 3s}
    rules:
      - match: {ingressClasses: [nginx-internal]}
        action: drop
      - match: {kinds: [ingress, service], hosts: ["*.shop.example.org"], targetCIDRs: [10.0.0.0/8]}
        action: rewrite
        target: hub
        ttl: 1m
  - name: internal
    zones: [example.org]
    backend: {memory: {}}
    rules: [{action: keep}]
targets:
  hub: {static: ["203.0.113.10", "2001:db8::10"]}
overrides: {target: true, view: false}
dryRun: true
rails: {maxDeleteShare: 0.25}
failover: false
externalDNS: {txtOwnerID: hub, txtPrefix: "%{record_type}."}
server:
  metricsListen: 127.0.0.1:9090
kubernetes: {enabled: false}
log: {level: debug}
`

func TestDecodeReadsEverySetting(t *testing.T) {
	got, err := decode(whole)
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	want := &config.File{
		Views: []config.View{{
			View: policy.View{
				Name: "public", Zones: []string{"example.org"}, TTL: 5 * time.Minute,
				Rules: []policy.Rule{
					{Match: policy.Match{IngressClasses: []string{"nginx-internal"}}, Action: policy.Drop},
					{Match: policy.Match{
						Kinds: []string{"ingress", "service"}, Hosts: []string{"*.shop.example.org"}, TargetCIDRs: []string{"10.0.0.0/8"},
					}, Action: policy.Rewrite, Target: "hub", TTL: time.Minute},
				},
			},
			Backend: config.Section{Kind: "shelf", Settings: &shelf{Servers: []string{"192.0.2.53:53"}, Timeout: 3 * time.Second}},
		}, {
			View:    policy.View{Name: "internal", Zones: []string{"example.org"}, Rules: []policy.Rule{{Action: policy.Keep}}},
			Backend: config.Section{Kind: "memory", Settings: new(nothing)},
		}},
		Targets:   map[string]policy.Target{"hub": {Static: []string{"203.0.113.10", "2001:db8::10"}}},
		Overrides: policy.Overrides{Target: &yes, View: &no},
		Options: config.Options{
			DryRun:      true,
			Rails:       config.Rails{MaxDeleteShare: 0.25, MaxDeleteMin: 20},
			ExternalDNS: ownership.Config{Registry: "txt", TXTOwnerID: "hub", TXTPrefix: "%{record_type}."},
			Server:      config.Server{Listen: "127.0.0.1:8888", MetricsListen: "127.0.0.1:9090"},
			Kubernetes:  config.Kubernetes{Enabled: false, Kinds: []string{"all"}},
			Log:         config.Log{Level: "debug", Format: "text"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestKindsThatAreWatched(t *testing.T) {
	for given, want := range map[string][]string{
		"":                        claim.Kinds(),
		"{kinds: [all]}":          claim.Kinds(),
		"{kinds: [service, all]}": claim.Kinds(),
		"{kinds: [crd, ingress]}": {"crd", "ingress"},
		"{kinds: []}":             {},
	} {
		f, err := decode(good + "kubernetes: " + given + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.Kubernetes.Watched()); diff != "" {
			t.Errorf("%q: want -, got +:\n%s", given, diff)
		}
	}
}

func TestEveryMistakeIsReportedWithItsPlace(t *testing.T) {
	_, err := decode(`views:
  - name: public
    zone: [example.org]
    backend:
      shelf: {servers: [a], timeout: 10}
    rules:
      - action: rewrite
        target: hubb
targets:
  hub: {static: [203.0.113.10]}
`)
	var all config.Mistakes
	if !errors.As(err, &all) {
		t.Fatalf("got %v, want Mistakes", err)
	}
	t.Log("\n" + config.Explain(err))
	want := []string{
		"config.yaml:3:5: views[0].zone: unknown setting; did you mean zones?",
		`config.yaml:5:38: views[0].backend.shelf.timeout: "10": want a duration with its unit, like 30s or 5m`,
		`config.yaml:8:17: views[0].rules[0].target: "hubb": is not configured; want one of hub`,
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("missing: %s", w)
		}
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	got, err := decode(`
views:
  - &public
    name: public
    zones: &zones [example.org]
    ttl: 1m
    backend: {memory: {}}
    rules: [{action: keep}]
  - <<: *public
    name: internal
    ttl: 2m
    backend: {shelf: {servers: *zones}}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := config.View{
		View:    policy.View{Name: "internal", Zones: []string{"example.org"}, TTL: 2 * time.Minute, Rules: []policy.Rule{{Action: policy.Keep}}},
		Backend: config.Section{Kind: "shelf", Settings: &shelf{Servers: []string{"example.org"}, Timeout: 10 * time.Second}},
	}
	if diff := cmp.Diff(want, got.Views[1]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
