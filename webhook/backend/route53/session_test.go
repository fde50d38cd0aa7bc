package route53_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/backend/route53/route53test"
)

const (
	hub     = "arn:aws:iam::111122223333:role/hub"
	records = "arn:aws:iam::444455556666:role/dns"
)

func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// alone hides the machine's own configuration for AWS from the SDK, and its metadata service.
func alone(t *testing.T) {
	t.Helper()
	empty := written(t, "")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_ROLE_ARN": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
}

func TestWaysToAuthenticate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *route53.Config)
		want   string // kind and what the error says; empty: it works
	}{
		{"access key", func(*testing.T, *route53.Config) {}, ""},
		{"secret in a file", func(t *testing.T, c *route53.Config) {
			c.SecretKey, c.SecretFile = "", written(t, route53test.SecretAccessKey+"\n")
		}, ""},
		{"access key in the environment", func(t *testing.T, c *route53.Config) {
			t.Setenv("AWS_ACCESS_KEY_ID", c.AccessKeyID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", c.SecretKey)
			c.AccessKeyID, c.SecretKey = "", ""
		}, ""},
		{"endpoint in the environment", func(t *testing.T, c *route53.Config) {
			t.Setenv("AWS_ENDPOINT_URL", c.Endpoint)
			c.Endpoint, c.STSEndpoint = "", ""
		}, ""},
		{"profile", func(t *testing.T, c *route53.Config) {
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", written(t, "[dns]\naws_access_key_id = "+c.AccessKeyID+"\naws_secret_access_key = "+c.SecretKey+"\n"))
			c.AccessKeyID, c.SecretKey, c.Profile = "", "", "dns"
		}, ""},
		{"web identity", func(t *testing.T, c *route53.Config) {
			c.AccessKeyID, c.SecretKey = "", ""
			c.WebIdentity = route53.WebIdentity{Role: hub, TokenFile: written(t, "a web identity")}
		}, ""},
		{"web identity of the pod", func(t *testing.T, c *route53.Config) {
			t.Setenv("AWS_ROLE_ARN", hub)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", written(t, "a web identity"))
			t.Setenv("AWS_ENDPOINT_URL", c.STSEndpoint)
			c.AccessKeyID, c.SecretKey = "", ""
		}, ""},
		{"chain of roles", func(t *testing.T, c *route53.Config) {
			c.AccessKeyID, c.SecretKey = "", ""
			c.WebIdentity = route53.WebIdentity{Role: hub, TokenFile: written(t, "a web identity")}
			c.Roles, c.ExternalID = []string{records}, "handshake"
		}, ""},
		{"roles from an access key", func(_ *testing.T, c *route53.Config) {
			c.Roles, c.ExternalID = []string{hub, records}, "handshake"
		}, ""},
		{"without the external id", func(_ *testing.T, c *route53.Config) { c.Roles = []string{hub, records} },
			"denied AccessDenied: User: " + hub + " is not authorized to perform: sts:AssumeRole on resource: " + records},
		{"wrong web identity", func(t *testing.T, c *route53.Config) {
			c.AccessKeyID, c.SecretKey = "", ""
			c.WebIdentity = route53.WebIdentity{Role: hub, TokenFile: written(t, "somebody else")}
			c.Attempts = 1 // a token may be so new that it is not known yet, so the SDK asks again
		}, "denied InvalidIdentityToken"},
		{"no token file", func(t *testing.T, c *route53.Config) {
			c.AccessKeyID, c.SecretKey = "", ""
			c.WebIdentity = route53.WebIdentity{Role: hub, TokenFile: filepath.Join(t.TempDir(), "none")}
		}, "denied no such file"},
		{"no secret file", func(t *testing.T, c *route53.Config) {
			c.SecretKey, c.SecretFile = "", filepath.Join(t.TempDir(), "none")
		}, "denied read the secret of access key"},
		{"wrong key", func(_ *testing.T, c *route53.Config) { c.AccessKeyID = "AKIDNOBODY" }, "denied InvalidClientTokenId: The security token included in the request is invalid. (no such access key)"},
		{"wrong secret", func(_ *testing.T, c *route53.Config) { c.SecretKey = "wrong" }, "denied SignatureDoesNotMatch"},
		{"no credentials", func(_ *testing.T, c *route53.Config) { c.AccessKeyID, c.SecretKey = "", "" }, "denied "},
		{"nobody answers", func(t *testing.T, c *route53.Config) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c.Endpoint, c.Attempts = "http://"+l.Addr().String(), 1
			_ = l.Close()
		}, "temporary connection refused"},
		{"not trusted", func(t *testing.T, c *route53.Config) {
			s := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			c.Endpoint, c.Attempts = s.URL, 1
		}, "denied certificate"},
		{"garbage", func(t *testing.T, c *route53.Config) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>welcome")) }))
			t.Cleanup(s.Close)
			c.Endpoint, c.Attempts = s.URL, 1
		}, "temporary "},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			alone(t)
			s := route53test.New(route53test.Options{})
			defer s.Close()
			s.AddZone(route53test.Zone{Name: "zone.example"})
			s.AddRole(hub, "", "arn:aws:iam::"+route53test.Account+":user/administrator")
			s.AddRole(records, "handshake", hub)
			s.AddToken("a web identity", hub)
			config := settings(s)
			c.change(t, &config)
			b := open(t, config)
			_, err := b.List(t.Context(), "zone.example")
			kind, text, _ := strings.Cut(c.want, " ")
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || backend.KindOf(err).String() != kind || !strings.Contains(err.Error(), text)):
				t.Errorf("got %s %v, want %s", backend.KindOf(err), err, c.want)
			}
		})
	}
}

func TestExpiredCredentials(t *testing.T) {
	t.Parallel()
	s, b, _, _ := start(t, route53test.Options{}, func(c *route53.Config) { c.Roles = []string{hub} })
	s.AddRole(hub, "", "*")
	list(t, b)
	s.Expire()
	_, err := b.List(t.Context(), "zone.example")
	if backend.KindOf(err) != backend.Denied || !strings.Contains(err.Error(), "ExpiredToken: The security token included in the request is expired (the credentials are too old") {
		t.Errorf("list: %v", err)
	}
	err = b.Apply(t.Context(), "zone.example", hosts(2, "192.0.2.1"))
	if errs := backend.Errors(err); len(errs) != 4 || errs[0].Kind != backend.Denied {
		t.Errorf("apply: %v", err)
	}
}
