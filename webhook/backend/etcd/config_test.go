package etcd_test

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

func TestValidateNamesEveryWrongSetting(t *testing.T) {
	ok := []string{"http://127.0.0.1:2379"}
	for name, tt := range map[string]struct {
		cfg  etcd.Config
		want []string
	}{
		"least":                  {etcd.Config{Endpoints: ok}, nil},
		"everything":             {etcd.Config{Endpoints: []string{"https://a:1", "https://[::1]:2"}, Prefix: "/dns", Username: "u", Password: "p", TLS: clienttls.Files{CAFile: "ca", CertFile: "c", KeyFile: "k", ServerName: "n"}, Timeout: time.Second, DefaultTTL: time.Minute}, nil},
		"nothing":                {etcd.Config{}, []string{"endpoints"}},
		"no scheme":              {etcd.Config{Endpoints: []string{"127.0.0.1:2379"}}, []string{"endpoints[0]"}},
		"no port":                {etcd.Config{Endpoints: []string{"http://etcd"}}, []string{"endpoints[0]"}},
		"user in the URL":        {etcd.Config{Endpoints: []string{"http://u:p@etcd:2379"}}, []string{"endpoints[0]"}},
		"both schemes":           {etcd.Config{Endpoints: []string{"http://a:1", "https://b:1"}}, []string{"endpoints[1]"}},
		"prefix of two segments": {etcd.Config{Endpoints: ok, Prefix: "/a/b"}, []string{"prefix"}},
		"prefix without slash":   {etcd.Config{Endpoints: ok, Prefix: "skydns"}, []string{"prefix"}},
		"prefix of nothing":      {etcd.Config{Endpoints: ok, Prefix: "/"}, []string{"prefix"}},
		"two passwords":          {etcd.Config{Endpoints: ok, Username: "u", Password: "p", PasswordFile: "f"}, []string{"passwordFile"}},
		"password of nobody":     {etcd.Config{Endpoints: ok, Password: "p"}, []string{"username"}},
		"user without password":  {etcd.Config{Endpoints: ok, Username: "u"}, []string{"password"}},
		"half a certificate":     {etcd.Config{Endpoints: []string{"https://a:1"}, TLS: clienttls.Files{CertFile: "c"}}, []string{"tls.keyFile"}},
		"TLS for http":           {etcd.Config{Endpoints: ok, TLS: clienttls.Files{CAFile: "ca"}}, []string{"tls"}},
		"wildcards":              {etcd.Config{Endpoints: ok, WildcardLabel: "_wildcard"}, nil},
		"wildcards at a host":    {etcd.Config{Endpoints: ok, WildcardLabel: "wildcard"}, []string{"wildcardLabel"}},
		"wildcards at two":       {etcd.Config{Endpoints: ok, WildcardLabel: "_a.b"}, []string{"wildcardLabel"}},
		"all at once":            {etcd.Config{Prefix: "x", Timeout: -1, DefaultTTL: 1}, []string{"endpoints", "prefix", "timeout", "defaultTTL"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fields(tt.cfg.Validate()); !slices.Equal(got, tt.want) {
				t.Errorf("wrong are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNewReadsFilesAndAsksNobody(t *testing.T) {
	discard := slog.New(slog.DiscardHandler)
	b, err := etcd.New(etcd.Config{Endpoints: []string{"http://192.0.2.1:1"}, Username: "u", Password: "p"}, discard)
	if err != nil {
		t.Fatalf("New without a server: %v", err)
	}
	if ttl := b.Limits().Clamp(0); ttl != 5*time.Minute {
		t.Errorf("the default TTL is %s", ttl)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for field, tls := range map[string]clienttls.Files{"tls.caFile": {CAFile: missing}, "tls.certFile": {CertFile: missing, KeyFile: missing}} {
		_, err := etcd.New(etcd.Config{Endpoints: []string{"https://192.0.2.1:1"}, TLS: tls}, discard)
		if got := fields(err); !slices.Equal(got, []string{field}) {
			t.Errorf("New with a missing file: %v, want an error about %s", err, field)
		}
	}
}

// fields are those of the setting errors in err.
func fields(err error) []string {
	var out []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, fields(e)...)
		}
		return out
	}
	var wrong *setting.Error
	if errors.As(err, &wrong) {
		out = append(out, wrong.Field)
	}
	return out
}
