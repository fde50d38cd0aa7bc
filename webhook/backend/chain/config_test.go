package chain_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// fields returns the fields that the setting errors in err's tree name, in order.
func fields(err error) []string {
	var out []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, fields(e)...)
		}
		return out
	}
	var e *setting.Error
	if errors.As(err, &e) {
		out = append(out, e.Field)
	}
	return out
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := "http://127.0.0.1:8888"
	for _, c := range []struct {
		name   string
		config chain.Config
		want   []string
	}{
		{"http", chain.Config{URL: good}, nil},
		{"base path", chain.Config{URL: "https://dns.example.org/webhooks/one/"}, nil},
		{"no port", chain.Config{URL: "http://webhook"}, nil},
		{"IPv6", chain.Config{URL: "http://[::1]:8888"}, nil},
		{"unix socket", chain.Config{URL: "unix:///run/webhook/provider.sock"}, nil},
		{"everything", chain.Config{URL: "https://dns.example.org", Timeout: time.Second, Cache: time.Minute, Username: "u", PasswordFile: "/p",
			TLS: clienttls.Files{CAFile: "ca", CertFile: "c", KeyFile: "k"}, Types: []string{"TXT", "A", "AAAA", "CNAME"}}, nil},
		{"nothing", chain.Config{}, []string{"url"}},
		{"no scheme", chain.Config{URL: "127.0.0.1:8888"}, []string{"url"}},
		{"other scheme", chain.Config{URL: "ftp://host"}, []string{"url"}},
		{"no host", chain.Config{URL: "http:///records"}, []string{"url"}},
		{"query", chain.Config{URL: good + "/?a=b"}, []string{"url"}},
		{"relative socket", chain.Config{URL: "unix://run/x.sock"}, []string{"url"}},
		{"no socket", chain.Config{URL: "unix:///"}, []string{"url"}},
		{"secret in the URL", chain.Config{URL: "http://user:hush@host"}, []string{"url"}},
		{"negative times", chain.Config{URL: good, Timeout: -1, Cache: -1}, []string{"timeout", "cache"}},
		{"password twice", chain.Config{URL: good, Username: "u", Password: "p", PasswordFile: "f"}, []string{"passwordFile"}},
		{"password of nobody", chain.Config{URL: good, Password: "p"}, []string{"username"}},
		{"user without password", chain.Config{URL: good, Username: "u"}, []string{"password"}},
		{"half a certificate", chain.Config{URL: "https://host", TLS: clienttls.Files{CertFile: "c"}}, []string{"tls.keyFile"}},
		{"TLS without https", chain.Config{URL: good, TLS: clienttls.Files{CAFile: "ca"}}, []string{"tls"}},
		{"unknown type", chain.Config{URL: good, Types: []string{"A", "AAAA", "CNAME", "TXT", "a"}}, []string{"types[4]"}},
		{"too few types", chain.Config{URL: good, Types: []string{"A"}}, []string{"types", "types", "types"}},
	} {
		err := c.config.Validate()
		if got := fields(err); !slices.Equal(got, c.want) {
			t.Errorf("%s: errors about %q, want %q: %v", c.name, got, c.want, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the secret is shown: %v", c.name, err)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config chain.Config
		want   string
	}{
		{chain.Config{}, "url"},
		{chain.Config{URL: "https://host", TLS: clienttls.Files{CAFile: "/no/such/file"}}, "tls.caFile"},
	} {
		if _, err := chain.New(c.config, nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want an error about %s", c.config, err, c.want)
		}
	}
}

func TestLimitsFollowTheTypes(t *testing.T) {
	t.Parallel()
	b := open(t, chain.Config{URL: "http://127.0.0.1:1", Types: []string{"TXT", "CNAME", "AAAA", "A"}})
	l := b.Limits()
	if !slices.Equal(l.Types, []string{"A", "AAAA", "CNAME", "TXT"}) || l.Missing["MX"] == "" || l.Missing["A"] != "" {
		t.Errorf("types %v, missing %v", l.Types, l.Missing)
	}
	err := l.Check("example.org", backend.RRset{Key: backend.Key{Name: "example.org", Type: "MX"}, Values: []string{"10 mail.example.org"}})
	if err == nil || !strings.Contains(err.Error(), "the setting types") {
		t.Errorf("an MX is refused with: %v", err)
	}
}
