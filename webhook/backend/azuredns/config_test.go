package azuredns_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/setting"
)

const zoneID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/dnsZones/example.org"

func TestValidateNamesFieldValueAndWhatWouldBeRight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*azuredns.Config)
		want   []string
	}{
		{func(*azuredns.Config) {}, nil},
		{func(c *azuredns.Config) { c.Subscriptions = nil }, []string{"subscriptions: want the id of a subscription, or zones by their ids"}},
		{func(c *azuredns.Config) { c.Subscriptions, c.Zones = nil, []string{zoneID} }, nil},
		{func(c *azuredns.Config) { c.Subscriptions = []string{"s", "/subscriptions/x"} }, []string{`subscriptions[1]: "/subscriptions/x": want the id of a subscription, for example 00000000-0000-0000-0000-000000000000`}},
		{func(c *azuredns.Config) { c.ResourceGroups = []string{"a/b"} }, []string{`resourceGroups[0]: "a/b": want the name of a resource group`}},
		{func(c *azuredns.Config) { c.Type = "internal" }, []string{`type: "internal": want public or private`}},
		{func(c *azuredns.Config) { c.Zones = []string{"example.org"} }, []string{`zones[0]: "example.org": want the resource id of a zone: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/dnsZones/example.org, or privateDnsZones`}},
		{func(c *azuredns.Config) {
			c.Zones = []string{strings.Replace(zoneID, "dnsZones", "virtualNetworks", 1)}
		}, []string{`zones[0]: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/example.org": want the resource id of a zone: /subscriptions/…/resourceGroups/…/providers/Microsoft.Network/dnsZones/example.org, or privateDnsZones`}},
		{func(c *azuredns.Config) { c.Type, c.Zones = "private", []string{zoneID} }, []string{`zones[0]: "` + zoneID + `": is a public zone, but type says private`}},
		{func(c *azuredns.Config) { c.Zones = []string{zoneID, strings.ToUpper(zoneID)} }, []string{`zones[1]: "` + strings.ToUpper(zoneID) + `": want one zone of a name; example.org was named before`}},
		{func(c *azuredns.Config) { c.Cloud = "AzureGermany" }, []string{`cloud: "AzureGermany": want AzurePublic, AzureChina, AzureUSGovernment or Custom`}},
		{func(c *azuredns.Config) { c.Cloud = "Custom" }, []string{"authority: is missing; a custom cloud has none of its own", "endpoint: is missing; a custom cloud has none of its own"}},
		{func(c *azuredns.Config) { c.Endpoint = "http://arm.example" }, []string{`endpoint: "http://arm.example": want an https:// URL: tokens are not sent over anything else`}},
		{func(c *azuredns.Config) { c.Authority = "login.example" }, []string{`authority: "login.example": want an https:// URL: tokens are not sent over anything else`}},
		{func(c *azuredns.Config) { c.Auth.Method = "cli" }, []string{`auth.method: "cli": want workloadIdentity, managedIdentity, clientSecret or clientCertificate`}},
		{func(c *azuredns.Config) { c.Auth.ClientSecret, c.Auth.ClientSecretFile = "s", "f" }, []string{`auth.clientSecretFile: "f": want either clientSecret or clientSecretFile, not both`}},
		{func(c *azuredns.Config) { c.Auth.ClientCertificatePassword = "p" }, []string{"auth.clientCertificateFile: want the file that clientCertificatePassword opens"}},
		{func(c *azuredns.Config) { c.Timeout, c.Cache, c.ZoneCache = -1, -1, -1 }, []string{`cache: "-1ns": want a duration that is not negative, for example 10s`, `timeout: "-1ns": want a duration that is not negative, for example 10s`, `zoneCache: "-1ns": want a duration that is not negative, for example 10s`}},
		{func(c *azuredns.Config) { c.DefaultTTL = time.Millisecond }, []string{`defaultTTL: "1ms": want from 1s to 2147483647s, for example 5m`}},
		{func(c *azuredns.Config) { c.Concurrency, c.Burst, c.MaxRecords = 1000, -1, -1 }, []string{`burst: "-1": want a number of requests, for example 190`, `concurrency: "1000": want from 1 to 256, for example 16`, `maxRecords: "-1": want a number of values, for example 20`}},
		{func(c *azuredns.Config) { c.ReadsPerSecond, c.WritesPerSecond = -2, -3 }, []string{`readsPerSecond: "-2": want a number of requests, or -1 for no limit of ours`, `writesPerSecond: "-3": want a number of requests, or -1 for no limit of ours`}},
	} {
		config := azuredns.Config{Subscriptions: []string{"00000000-0000-0000-0000-000000000000"}}
		c.change(&config)
		var got []string
		for _, e := range settingErrors(config.Validate()) {
			got = append(got, e.Error())
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := azuredns.New(config, nil, nil); (err != nil) != (c.want != nil) {
			t.Errorf("New of %+v: %v", config, err)
		}
	}
}

func settingErrors(err error) []*setting.Error {
	var out []*setting.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, settingErrors(e)...)
		}
		return out
	}
	var e *setting.Error
	if errors.As(err, &e) {
		out = append(out, e)
	}
	return out
}

func TestLimitsFollowTheConfiguration(t *testing.T) {
	t.Parallel()
	limits := func(c azuredns.Config) backend.Limits {
		c.Subscriptions = []string{"s"}
		b, err := azuredns.New(c, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b.Limits()
	}
	if l := limits(azuredns.Config{}); !slices.Contains(l.Types, "NS") || l.MaxText != 4096 || l.MaxValues != 20 || l.DefaultTTL != 5*time.Minute {
		t.Errorf("public: %+v", l)
	}
	if l := limits(azuredns.Config{Type: "private", MaxRecords: 100, DefaultTTL: time.Minute}); slices.Contains(l.Types, "NS") || l.Missing["NS"] == "" || l.MaxValues != 100 || l.DefaultTTL != time.Minute {
		t.Errorf("private: %+v", l)
	}
	if l := limits(azuredns.Config{Cloud: "AzureUSGovernment"}); l.MaxText != 1024 {
		t.Errorf("a national cloud: %+v", l)
	}
	for name, says := range map[string]string{
		"a-*.apps.zone.example":  "start external-dns with --txt-wildcard-replacement",
		"apps.*.zone.example":    "only letters, digits, hyphens and underscores",
		"0/25.zone.example":      "only letters",
		"*.apps.zone.example":    "",
		"_a-b.3com.zone.example": "",
		"zone.example":           "",
	} {
		err := limits(azuredns.Config{}).Check("zone.example", rrset(name, "TXT", "x"))
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", name, err, says)
		}
	}
	for text, says := range map[string]string{"": "empty", "\xff": "UTF-8", strings.Repeat("x", 4097): "4097 bytes"} {
		if err := limits(azuredns.Config{}).Check("zone.example", rrset("www.zone.example", "TXT", text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("text %.10q: %v", text, err)
		}
	}
	if err := limits(azuredns.Config{}).Check("zone.example", rrset("www.zone.example", "TXT", strings.Repeat("x", 3000), strings.Repeat("y", 2000))); err == nil || !strings.Contains(err.Error(), "5000 bytes together, at most 4096") {
		t.Errorf("two long texts: %v", err)
	}
	if err := limits(azuredns.Config{}).Check("zone.example", rrset("*.sub.zone.example", "NS", "ns.example.net")); err == nil {
		t.Error("a wildcard NS is taken")
	}
}

func TestNSInAZoneThatTurnsOutToBePrivate(t *testing.T) {
	t.Parallel()
	a, b, id := served(t, "private")
	ns := rrset("sub.zone.example", "NS", "ns.example.net")
	err := b.Apply(t.Context(), "zone.example", []backend.Change{{New: &ns}})
	requireKinds(t, err, backend.Rejected, ns.Key)
	if !strings.Contains(err.Error(), "a private zone has no NS records") {
		t.Errorf("got %v", err)
	}
	a.requireHeld(t, id)
}
