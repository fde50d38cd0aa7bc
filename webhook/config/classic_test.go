package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/config"
)

func TestClassicEqualsItsFile(t *testing.T) {
	for _, c := range []struct {
		name    string
		classic config.Classic
		yaml    string
	}{
		{
			"as the hub-and-spoke operator is used",
			config.Classic{
				Zones: []string{"example.org"}, Backend: "memory", CustomIP: []string{"203.0.113.10"},
				CustomTTL: config.TTL(5 * time.Minute), ExcludeIngressClasses: []string{"nginx-internal"},
			}, `
views:
  - name: default
    zones: [example.org]
    ttl: 5m
    backend: {memory: {}}
    rules:
      - {name: excluded, match: {ingressClasses: [nginx-internal]}, action: keep}
      - {name: everything, action: rewrite, target: custom-ip}
targets:
  custom-ip: {static: [203.0.113.10]}
`,
		},
		{
			"two families, two zones, several classes",
			config.Classic{
				Zones: []string{"example.org", " example.net ", ""}, Backend: "memory", CustomIP: []string{"203.0.113.10", "2001:db8::10"},
				CustomTTL: config.TTL(time.Minute), ExcludeIngressClasses: []string{"internal", "admin"},
			}, `
views:
  - name: default
    zones: [example.org, example.net]
    ttl: 1m
    backend: {memory: {}}
    rules:
      - {name: excluded, match: {ingressClasses: [internal, admin]}, action: keep}
      - {name: everything, action: rewrite, target: custom-ip}
targets:
  custom-ip: {static: [203.0.113.10, "2001:db8::10"]}
`,
		},
		{
			"a host name and no excluded class",
			config.Classic{Zones: []string{"example.org"}, Backend: "memory", CustomIP: []string{"hub.example.net"}, CustomTTL: config.TTL(time.Minute), ExcludeIngressClasses: []string{""}},
			`
views:
  - name: default
    zones: [example.org]
    ttl: 1m
    backend: {memory: {}}
    rules: [{name: everything, action: rewrite, target: custom-ip}]
targets:
  custom-ip: {static: [hub.example.net]}
`,
		},
		{
			"no custom address",
			config.Classic{Zones: []string{"example.org"}, Backend: "memory", CustomIP: []string{""}, CustomTTL: config.TTL(time.Minute), ExcludeIngressClasses: []string{"nginx-internal"}},
			"views: [{name: default, zones: [example.org], ttl: 1m, backend: {memory: {}}}]",
		},
		{
			"one name below the zones",
			config.Classic{Zones: []string{"example.org", "example.net"}, RecordNameRoot: " home. ", Backend: "memory", CustomTTL: config.TTL(time.Minute)},
			"views: [{name: default, zones: [home.example.org, home.example.net], ttl: 1m, backend: {memory: {}}}]",
		},
		{
			"the zone itself, as ESDDNS calls it",
			config.Classic{Zones: []string{"example.org"}, RecordNameRoot: "@", Backend: "memory", CustomTTL: config.TTL(time.Minute)},
			"views: [{name: default, zones: [example.org], ttl: 1m, backend: {memory: {}}}]",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.classic.File(new(nothing))
			if err != nil {
				t.Fatal(err)
			}
			want, err := decode(c.yaml)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-file +file-less):\n%s", diff)
			}
		})
	}
}

func TestClassicMistakesNameTheFlags(t *testing.T) {
	ok := config.Classic{
		Zones: []string{"example.org"}, Backend: "shelf", CustomIP: []string{"203.0.113.10"},
		CustomTTL: config.TTL(time.Minute), ExcludeIngressClasses: []string{"nginx-internal"},
	}
	for _, c := range []struct {
		name   string
		change func(*config.Classic)
		want   string
	}{
		{"no zone", func(c *config.Classic) { c.Zones = nil }, "--zone: want the zones"},
		{"a bad zone", func(c *config.Classic) { c.Zones = []string{"a b"} }, `--zone: "a b": want the name of a zone`},
		{"a bad address", func(c *config.Classic) { c.CustomIP = []string{"203.0.113"} }, `--custom-ip: "203.0.113": `},
		{"two host names", func(c *config.Classic) { c.CustomIP = []string{"a.org", "b.org"} }, "--custom-ip: "},
		{"a bad class", func(c *config.Classic) { c.ExcludeIngressClasses = []string{"a b"} }, `--exclude-ingress-class: "a b": want one name`},
		{"a TTL below a second", func(c *config.Classic) { c.CustomTTL = config.TTL(time.Millisecond) }, `--custom-ttl: "1ms": want whole seconds`},
		{"the backend's settings", func(*config.Classic) {}, "--shelf-servers: want at least one server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			classic := ok
			c.change(&classic)
			_, err := classic.File(new(shelf))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got:\n%v\nwant: %s", err, c.want)
			}
		})
	}
}

func TestFlagSuffix(t *testing.T) {
	for path, want := range map[string]string{
		"": "", ".servers[0]": "-servers", ".tsig.secretFile": "-tsig-secret-file", ".defaultTTL": "-default-ttl", ".tls.caFile": "-tls-ca-file",
		".zoneIDs[2]": "-zone-ids", ".zoneIDs": "-zone-ids", ".auth.tenantID": "-auth-tenant-id", ".preferCNAME": "-prefer-cname", ".url": "-url",
		".minTTLSeconds": "-min-ttl-seconds",
	} {
		if got := config.FlagSuffix(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

func TestTTLIsSecondsOrADuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"300": 5 * time.Minute, "5m": 5 * time.Minute, " 60 ": time.Minute, "1h30m": 90 * time.Minute,
	} {
		var got config.TTL
		if err := got.UnmarshalText([]byte(text)); err != nil || time.Duration(got) != want {
			t.Errorf("%q: %v, %v; want %v", text, time.Duration(got), err, want)
		}
	}
	for _, text := range []string{"", "soon", "-1", "1.5", "99999999999"} {
		var got config.TTL
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted as %v", text, time.Duration(got))
		}
	}
}
