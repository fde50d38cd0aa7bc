package chain

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says where the other webhook is and how to talk to it.
type Config struct {
	URL          string          `yaml:"url"          name:"url"           help:"Where the other webhook listens: http://host:port, https://host:port (each with a base path if it has one), or unix:///path/of.sock." placeholder:"URL"`
	Timeout      time.Duration   `yaml:"timeout"      name:"timeout"       help:"Longest wait for one answer of the other webhook." default:"10s"`
	Username     string          `yaml:"username"     name:"username"      help:"User, where the other webhook asks for one (HTTP Basic)." placeholder:"USER"`
	Password     string          `yaml:"password"     name:"password"      help:"Password of the user." placeholder:"PASSWORD"`
	PasswordFile string          `yaml:"passwordFile" name:"password-file" help:"File that holds the password of the user; it is read for every request." placeholder:"FILE"`
	TLS          clienttls.Files `yaml:"tls"          embed:""             prefix:"tls-"`
	Cache        time.Duration   `yaml:"cache"        name:"cache"         help:"How long a listing of the records is good for; 0s asks each time." default:"0s"`
	Types        []string        `yaml:"types"        name:"types"         help:"Record types the other webhook stores and lists, where these are not all of A, AAAA, CNAME, MX, NAPTR, NS, PTR, SRV, TXT." placeholder:"TYPE"`
}

const (
	defaultTimeout = 10 * time.Second
	example        = "for example http://127.0.0.1:8888 or unix:///run/webhook/provider.sock"
)

// allTypes are the record types of external-dns, sorted.
func allTypes() []string {
	return []string{"A", "AAAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SRV", "TXT"}
}

// Validate reports every wrong setting as a *setting.Error. It reads no file and asks nobody.
func (c Config) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	if want := wantURL(c.URL); want != "" {
		wrong("url", withoutSecret(c.URL), want)
	}
	if c.Timeout < 0 {
		wrong("timeout", c.Timeout.String(), "want a positive duration, for example 10s")
	}
	if c.Cache < 0 {
		wrong("cache", c.Cache.String(), "want 0s or a positive duration, for example 30s")
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
	if c.TLS != (clienttls.Files{}) && c.URL != "" && !strings.HasPrefix(c.URL, "https://") {
		wrong("tls", "", "want an https:// url for these settings to have an effect")
	}
	for i, typ := range c.Types {
		if !slices.Contains(allTypes(), typ) {
			wrong(fmt.Sprintf("types[%d]", i), typ, "want one of "+strings.Join(allTypes(), ", "))
		}
	}
	for _, typ := range []string{"A", "AAAA", "CNAME", "TXT"} {
		if len(c.Types) > 0 && !slices.Contains(c.Types, typ) {
			wrong("types", strings.Join(c.Types, ", "), "want "+typ+" among them: external-dns does not work without")
		}
	}
	return errors.Join(errs...)
}

// wantURL says what would be right instead of s, or nothing when it is right.
func wantURL(s string) string {
	u, err := url.Parse(s)
	switch {
	case s == "" || err != nil:
		return "want the URL of the other webhook, " + example
	case u.User != nil:
		return "want no user and password in the URL; username and passwordFile are settings of their own"
	case u.RawQuery != "" || u.Fragment != "":
		return "want a URL without ? and #, " + example
	case u.Scheme == "unix" && (u.Host != "" || len(u.Path) < 2):
		return "want unix:// and the absolute path of the socket, for example unix:///run/webhook/provider.sock"
	case u.Scheme == "unix":
		return ""
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return "want http://host:port, https://host:port or unix:///path/of.sock, " + example
	}
	return ""
}

// withoutSecret is the URL as it may be shown.
func withoutSecret(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	if before, after, ok := strings.Cut(s, "@"); ok && before != "" {
		return "…@" + after
	}
	return s
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if len(c.Types) == 0 {
		c.Types = allTypes()
	}
	c.Types = slices.Sorted(slices.Values(c.Types))
	c.URL = strings.TrimRight(c.URL, "/")
	return c
}

// password is read for every request, so that a changed file needs no restart.
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

// LearnsZones marks that a view need not name its zones: the other webhook's domain filter does.
func (Config) LearnsZones() {}
