package etcd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says where the records are and how to reach them.
type Config struct {
	Endpoints     []string        `yaml:"endpoints"    name:"endpoints"     help:"URLs of the etcd servers, http:// or https://." placeholder:"URL"`
	Prefix        string          `yaml:"prefix"       name:"prefix"        help:"Path of the records, the same as in CoreDNS's etcd plugin; one segment." default:"/skydns"`
	Username      string          `yaml:"username"     name:"username"      help:"User of etcd, where its authentication is on." placeholder:"USER"`
	Password      string          `yaml:"password"     name:"password"      help:"Password of the user." placeholder:"PASSWORD"`
	PasswordFile  string          `yaml:"passwordFile" name:"password-file" help:"File that holds the password of the user." placeholder:"FILE"`
	TLS           clienttls.Files `yaml:"tls"          embed:""             prefix:"tls-"`
	WildcardLabel string          `yaml:"wildcardLabel" name:"wildcard-label" help:"Label under which wildcards stand in etcd, for a CoreDNS that is told to look there; without it they are refused." placeholder:"_wildcard"`
	Timeout       time.Duration   `yaml:"timeout"      name:"timeout"       help:"Longest wait for one answer of etcd." default:"5s"`
	DefaultTTL    time.Duration   `yaml:"defaultTTL"   name:"default-ttl"   help:"TTL of records that ask for none." default:"5m"`
}

// The values of settings that are left out.
const (
	defaultPrefix  = "/skydns"
	defaultTimeout = 5 * time.Second
	defaultTTL     = 5 * time.Minute
)

// Validate reports every wrong setting as a *setting.Error. It reads no file and asks no server.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	if len(c.Endpoints) == 0 {
		wrong("endpoints", "", "want at least one URL, for example http://127.0.0.1:2379")
	}
	for i, e := range c.Endpoints {
		u, err := url.Parse(e)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
			wrong(fmt.Sprintf("endpoints[%d]", i), e, "want http://host:port or https://host:port, for example https://etcd.internal:2379")
			continue
		}
		if first, _ := url.Parse(c.Endpoints[0]); first != nil && u.Scheme != first.Scheme {
			wrong(fmt.Sprintf("endpoints[%d]", i), e, "want the same scheme for all endpoints: all http or all https")
		}
	}
	if p := c.Prefix; p != "" && (!strings.HasPrefix(p, "/") || len(p) == 1 || strings.Contains(p[1:], "/")) {
		wrong("prefix", p, "want one segment, for example /skydns: CoreDNS derives names from the keys by cutting off one")
	}
	switch {
	case c.Password != "" && c.PasswordFile != "":
		wrong("passwordFile", c.PasswordFile, "want either password or passwordFile, not both")
	case c.Username == "" && (c.Password != "" || c.PasswordFile != ""):
		wrong("username", "", "want the user the password belongs to")
	case c.Username != "" && c.Password == "" && c.PasswordFile == "":
		wrong("password", "", "want a password or a passwordFile for user "+c.Username)
	}
	errs = append(errs, setting.Under("tls", c.TLS.Validate()))
	if c.TLS != (clienttls.Files{}) && len(c.Endpoints) > 0 && strings.HasPrefix(c.Endpoints[0], "http://") {
		wrong("tls", "", "want https:// endpoints for these settings to have an effect")
	}
	if l := c.WildcardLabel; l != "" && (l[0] != '_' || len(l) < 2 || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "") {
		wrong("wildcardLabel", l, "want a label that is no host's name: it begins with an underscore, for example _wildcard")
	}
	if c.Timeout < 0 {
		wrong("timeout", c.Timeout.String(), "want a positive duration, for example 5s")
	}
	if c.DefaultTTL < 0 || c.DefaultTTL > 0 && c.DefaultTTL < time.Second || c.DefaultTTL > backend.MaxTTL {
		wrong("defaultTTL", c.DefaultTTL.String(), "want from 1s to 2147483647s, for example 5m")
	}
	return errors.Join(errs...)
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.DefaultTTL == 0 {
		c.DefaultTTL = defaultTTL
	}
	return c
}

// password is read at every login, so that a changed file needs no restart.
func (c Config) password() (string, error) {
	if c.PasswordFile == "" {
		return c.Password, nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read the password of user %s: %w", c.Username, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// tls is the TLS configuration of a connection, nil for http endpoints.
func (c Config) tls() (*tls.Config, error) {
	if !strings.HasPrefix(c.Endpoints[0], "https://") {
		return nil, nil
	}
	config, err := c.TLS.Config()
	return config, setting.Under("tls", err)
}
