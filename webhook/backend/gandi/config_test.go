package gandi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	ok := gandi.Config{PersonalAccessToken: "token"}
	with := func(change func(*gandi.Config)) gandi.Config {
		c := ok
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name   string
		config gandi.Config
		want   []string // "field: value: part of what is wanted"
	}{
		{"a token", ok, nil},
		{"a key", gandi.Config{APIKey: "key", SharingID: "org"}, nil},
		{"a file", gandi.Config{PersonalAccessTokenFile: "/nowhere"}, nil},
		{"nothing", gandi.Config{}, []string{"personalAccessToken: : want a personal access token, or"}},
		{"two", gandi.Config{PersonalAccessToken: "token", APIKeyFile: "/f"}, []string{"apiKeyFile: : not both personalAccessToken and apiKeyFile"}},
		{"a line break in a token", gandi.Config{PersonalAccessToken: "token\n"}, []string{"personalAccessToken: : without spaces and line breaks"}},
		{"a space in a key", gandi.Config{APIKey: "my key"}, []string{"apiKey: : without spaces"}},
		{"the sandbox", with(func(c *gandi.Config) { c.Endpoint = "https://api.sandbox.gandi.net/" }), nil},
		{"loopback", with(func(c *gandi.Config) { c.Endpoint = "http://127.0.0.1:8080" }), nil},
		{"loopback by name", with(func(c *gandi.Config) { c.Endpoint = "http://localhost:8080" }), nil},
		{"in clear", with(func(c *gandi.Config) { c.Endpoint = "http://api.gandi.net" }), []string{"endpoint: http://api.gandi.net: want https://"}},
		{"no URL", with(func(c *gandi.Config) { c.Endpoint = "api.gandi.net" }), []string{"endpoint: api.gandi.net: want a URL without a path"}},
		{"a path", with(func(c *gandi.Config) { c.Endpoint = "https://api.gandi.net/v5" }), []string{"endpoint: https://api.gandi.net/v5: without a path"}},
		{"a secret in the URL", with(func(c *gandi.Config) { c.Endpoint = "https://u:p@api.gandi.net" }), []string{"endpoint: https://u:p@api.gandi.net: want a URL"}},
		{"half a certificate", with(func(c *gandi.Config) { c.TLS.CertFile = "x" }), []string{"tls.keyFile: : want certFile and keyFile together"}},
		{"TLS in clear", with(func(c *gandi.Config) { c.Endpoint, c.TLS = "http://[::1]:1", clienttls.Files{CAFile: "x"} }), []string{"tls: : want an https:// endpoint"}},
		{"a pace below zero", with(func(c *gandi.Config) { c.RequestsPerMinute = -1 }), []string{"requestsPerMinute: -1: want a positive number"}},
		{"a TTL too low", with(func(c *gandi.Config) { c.DefaultTTL = time.Minute }), []string{"defaultTTL: 1m0s: from 300s to 2592000s"}},
		{"a TTL too high", with(func(c *gandi.Config) { c.DefaultTTL = 721 * time.Hour }), []string{"defaultTTL: 721h0m0s: from 300s to 2592000s"}},
		{"a TTL of a fraction", with(func(c *gandi.Config) { c.DefaultTTL = 300*time.Second + 1 }), []string{"defaultTTL: 5m0.000000001s: whole seconds"}},
		{"times below zero", with(func(c *gandi.Config) { c.Timeout, c.Cache, c.ZoneCache = -1, -1, -1 }), []string{
			"timeout: -1ns: want a positive", "cache: -1ns: want a positive", "zoneCache: -1ns: want a positive"}},
		{"everything", gandi.Config{Endpoint: "x", RequestsPerMinute: -1, DefaultTTL: 1}, []string{
			"personalAccessToken: : want", "endpoint: x: want", "requestsPerMinute: -1: want", "defaultTTL: 1ns: want"}},
	} {
		err := tt.config.Validate()
		var got []string
		for _, e := range mistakes(err) {
			got = append(got, e.Field+": "+e.Value+": "+e.Want)
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d mistakes %q, want %d", tt.name, len(got), got, len(tt.want))
			continue
		}
		for _, w := range tt.want {
			head, part, _ := strings.Cut(w, ": want")
			if part == "" {
				i := strings.LastIndex(w, ": ")
				head, part = w[:i], w[i+2:]
			}
			found := false
			for _, g := range got {
				found = found || strings.HasPrefix(g, head) && strings.Contains(g, part)
			}
			if !found {
				t.Errorf("%s: %q, want %q", tt.name, got, w)
			}
		}
		if _, newErr := gandi.New(tt.config, nil, nil); (newErr == nil) != (err == nil) {
			t.Errorf("%s: New says %v and Validate %v", tt.name, newErr, err)
		}
	}
}

// mistakes are the *setting.Error values in an error.
func mistakes(err error) []*setting.Error {
	var one *setting.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*setting.Error
		for _, e := range joined.Unwrap() {
			all = append(all, mistakes(e)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []*setting.Error{one}
	}
	return nil
}

func TestLimits(t *testing.T) {
	t.Parallel()
	b, err := gandi.New(gandi.Config{PersonalAccessToken: "x", DefaultTTL: time.Hour}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	l := b.Limits()
	got := []time.Duration{l.Clamp(0), l.Clamp(time.Second), l.Clamp(7 * time.Minute), l.Clamp(1000 * time.Hour)}
	if want := []time.Duration{time.Hour, 300 * time.Second, 7 * time.Minute, 720 * time.Hour}; !cmp.Equal(got, want) {
		t.Errorf("clamped %v, want %v", got, want)
	}
	for _, set := range []struct {
		name, typ, value, want string
	}{
		{"0/25." + zone, "PTR", "x.example.net", "slash"},
		{"www." + zone, "CAA", `0 issue "x"`, "left as they are"},
		{"www." + zone, "HTTPS", "1 .", "does not know"},
		{zone, "CNAME", "x.example.net", "RFC 1034"},
		{zone, "NS", "ns1.example.net", "belong to the zone"},
	} {
		if err := l.Check(zone, rr(set.name, set.typ, time.Hour, set.value)); err == nil || !strings.Contains(err.Error(), set.want) {
			t.Errorf("%s %s: %v, want a refusal that says %q", set.name, set.typ, err, set.want)
		}
	}
}
