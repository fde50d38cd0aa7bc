package gandi

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says whose domains these are and how fast they may be written.
type Config struct {
	PersonalAccessToken     string          `yaml:"personalAccessToken"     name:"personal-access-token"      env:"GANDI_PERSONAL_ACCESS_TOKEN,GANDI_PAT" help:"Personal access token of the organization that owns the domains." placeholder:"TOKEN"`
	PersonalAccessTokenFile string          `yaml:"personalAccessTokenFile" name:"personal-access-token-file" help:"File that holds the personal access token. It is read for every request, so that a renewed token needs no restart." placeholder:"FILE"`
	APIKey                  string          `yaml:"apiKey"                  name:"api-key"                    env:"GANDI_API_KEY,GANDI_KEY,API_KEY" help:"API key of a user, where there is no personal access token. Gandi deprecates API keys." placeholder:"KEY"`
	APIKeyFile              string          `yaml:"apiKeyFile"              name:"api-key-file"               help:"File that holds the API key. It is read for every request." placeholder:"FILE"`
	SharingID               string          `yaml:"sharingID"               name:"sharing-id"                 help:"Id of the organization that owns the domains, for an API key whose user belongs to several." placeholder:"ID"`
	Endpoint                string          `yaml:"endpoint"                name:"endpoint"                   help:"URL of Gandi's API; that of the sandbox is https://api.sandbox.gandi.net." default:"https://api.gandi.net"`
	TLS                     clienttls.Files `yaml:"tls"                     embed:""                          prefix:"tls-"`
	RequestsPerMinute       int             `yaml:"requestsPerMinute"       name:"requests-per-minute"        help:"Most requests in a minute. Gandi allows 1000 from one IP address, for all who share it." default:"900"`
	Timeout                 time.Duration   `yaml:"timeout"                 name:"timeout"                    help:"Longest wait for one answer of the API." default:"10s"`
	DefaultTTL              time.Duration   `yaml:"defaultTTL"              name:"default-ttl"                help:"TTL of records that ask for none, from 5m to 720h." default:"5m"`
	Cache                   time.Duration   `yaml:"cache"                   name:"cache"                      help:"For how long a listing of a zone is good; 0s asks each time." default:"0s"`
	ZoneCache               time.Duration   `yaml:"zoneCache"               name:"zone-cache"                 help:"For how long it is remembered which domain holds a zone." default:"5m"`
}

// The values of settings that are left out.
const (
	defaultEndpoint          = "https://api.gandi.net"
	defaultRequestsPerMinute = 900
	defaultTimeout           = 10 * time.Second
	defaultTTL               = 5 * time.Minute
	defaultZoneCache         = 5 * time.Minute
)

// Validate reports every wrong setting as a *setting.Error. It reads no file and asks nobody.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	var given []string
	for _, s := range []struct{ field, value string }{
		{"personalAccessToken", c.PersonalAccessToken}, {"personalAccessTokenFile", c.PersonalAccessTokenFile},
		{"apiKey", c.APIKey}, {"apiKeyFile", c.APIKeyFile},
	} {
		if s.value != "" {
			given = append(given, s.field)
		}
	}
	switch {
	case len(given) == 0:
		wrong("personalAccessToken", "", "want a personal access token, or personalAccessTokenFile, apiKey or apiKeyFile")
	case len(given) > 1:
		wrong(given[1], "", "want one way to log in, not both "+strings.Join(given, " and "))
	}
	if c.PersonalAccessToken != "" && !sendable(c.PersonalAccessToken) {
		wrong("personalAccessToken", "", "want a token without spaces and line breaks")
	}
	if c.APIKey != "" && !sendable(c.APIKey) {
		wrong("apiKey", "", "want a key without spaces and line breaks")
	}
	c.validateEndpoint(wrong)
	if err := c.TLS.Validate(); err != nil {
		errs = append(errs, setting.Under("tls", err))
	}
	if c.RequestsPerMinute < 0 {
		wrong("requestsPerMinute", fmt.Sprint(c.RequestsPerMinute), "want a positive number; Gandi allows 1000")
	}
	if c.DefaultTTL != 0 && (c.DefaultTTL < minTTL || c.DefaultTTL > maxTTL || c.DefaultTTL%time.Second != 0) {
		wrong("defaultTTL", c.DefaultTTL.String(), "want whole seconds from 300s to 2592000s, for example 5m")
	}
	for field, d := range map[string]time.Duration{"timeout": c.Timeout, "cache": c.Cache, "zoneCache": c.ZoneCache} {
		if d < 0 {
			wrong(field, d.String(), "want a positive duration, for example 10s")
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateEndpoint(wrong func(field, value, want string)) {
	if c.Endpoint == "" {
		return
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		wrong("endpoint", c.Endpoint, "want a URL without a path, for example "+defaultEndpoint)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		wrong("endpoint", c.Endpoint, "want https://, because the credentials are sent along; http:// is for this machine only")
	case u.Scheme == "http" && c.TLS != (clienttls.Files{}):
		wrong("tls", "", "want an https:// endpoint for these settings to have an effect")
	}
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// sendable reports whether a secret can stand in a header.
func sendable(secret string) bool {
	return !strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' })
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Endpoint == "" {
		c.Endpoint = defaultEndpoint
	}
	if c.RequestsPerMinute == 0 {
		c.RequestsPerMinute = defaultRequestsPerMinute
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.DefaultTTL == 0 {
		c.DefaultTTL = defaultTTL
	}
	if c.ZoneCache == 0 {
		c.ZoneCache = defaultZoneCache
	}
	return c
}

// authorization is the header a request is sent with
// (https://api.gandi.net/docs/authentication/). Errors are *secretError.
func (c Config) authorization() (string, error) {
	read := func(scheme, what, file string) (string, error) {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", &secretError{fmt.Errorf("read the %s: %w", what, err)}
		}
		secret := strings.TrimSpace(string(b))
		if secret == "" || !sendable(secret) {
			return "", &secretError{fmt.Errorf("the file %s holds no %s: want it on one line, without spaces", file, what)}
		}
		return scheme + secret, nil
	}
	switch {
	case c.PersonalAccessToken != "":
		return "Bearer " + c.PersonalAccessToken, nil
	case c.PersonalAccessTokenFile != "":
		return read("Bearer ", "personal access token", c.PersonalAccessTokenFile)
	case c.APIKeyFile != "":
		return read("Apikey ", "API key", c.APIKeyFile)
	}
	return "Apikey " + c.APIKey, nil
}
