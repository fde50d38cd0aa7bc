package clouddns_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config clouddns.Config
		fields []string
	}{
		{"nothing", clouddns.Config{}, nil},
		{"everything", clouddns.Config{
			Projects: []string{"platform-prod-1234", "example.com:platform-prod"}, ManagedZones: []string{"example-org", "1234567890123456789", "platform-prod-1234/inside", "x"},
			Visibility: "private", CredentialsFile: "/etc/gcp/key.json", Endpoint: "https://dns.example.com/", BatchSize: 500,
			Timeout: time.Second, Cache: time.Minute, ZoneCache: time.Hour, DefaultTTL: time.Second,
		}, nil},
		{"names instead of ids", clouddns.Config{Projects: []string{"My Project"}, ManagedZones: []string{"example.org"}}, []string{"projects[0]", "managedZones[0]"}},
		{"empty entries", clouddns.Config{Projects: []string{""}, ManagedZones: []string{""}}, []string{"projects[0]", "managedZones[0]"}},
		{"half a certificate", clouddns.Config{TLS: clienttls.Files{CertFile: "tls.crt"}}, []string{"tls.keyFile"}},
		{"another visibility", clouddns.Config{Visibility: "internal"}, []string{"visibility"}},
		{"an endpoint that is none", clouddns.Config{Endpoint: "dns.googleapis.com"}, []string{"endpoint"}},
		{"an endpoint with a password", clouddns.Config{Endpoint: "https://u:p@dns.example.com"}, []string{"endpoint"}},
		{"numbers out of range", clouddns.Config{BatchSize: -1, Timeout: -1, Cache: -1, ZoneCache: -1, DefaultTTL: time.Millisecond}, []string{"batchSize", "cache", "defaultTTL", "timeout", "zoneCache"}},
	} {
		err := c.config.Validate()
		for _, field := range c.fields {
			if err == nil || !strings.Contains(err.Error(), field+":") {
				t.Errorf("%s: %v does not name %s", c.name, err, field)
			}
		}
		if n := count(err); n != len(c.fields) {
			t.Errorf("%s: %d errors, want %d: %v", c.name, n, len(c.fields), err)
		}
		if _, again := clouddns.New(c.config, nil, nil); (again == nil) != (err == nil) {
			t.Errorf("%s: New says %v", c.name, again)
		}
	}
}

// count is how many wrong settings an error names.
func count(err error) int {
	var one *setting.Error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return len(joined.Unwrap())
	}
	if errors.As(err, &one) {
		return 1
	}
	return 0
}
