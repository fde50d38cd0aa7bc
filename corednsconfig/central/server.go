package central

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Server says how the central CoreDNS runs. The zero value of a field that is not said to be needed leaves out
// what it is for, or stands for the value given here.
type Server struct {
	Port int      `yaml:"port"` // where it is asked, 53
	Bind []string `yaml:"bind"` // addresses it listens on; empty for all
	Etcd Etcd     `yaml:"etcd"` // needed

	// MaxTTL is how long an answer is kept, and with that the highest TTL that is answered: 30 s. A changed
	// record is answered wrongly no longer than that. In whole seconds.
	MaxTTL time.Duration `yaml:"maxTTL"`
	// StaleFor is how long what was answered once is answered again while etcd is out of reach: 1 h. Such
	// answers come 200 ms after the question and have a TTL of 0.
	StaleFor time.Duration `yaml:"staleFor"`
	// Wildcards answers *.apps.example.org for each name one label below apps.example.org that has no records
	// of its own. It takes a second server block, on WildcardPort of the loopback address.
	Wildcards    bool `yaml:"wildcards"`
	WildcardPort int  `yaml:"wildcardPort"` // 5301
	// Upstreams, "host:port" or addresses, answer for names outside the zones when an alias leads there.
	// They are asked for nothing else unless clients ask us: with upstreams we answer for any name.
	Upstreams []string `yaml:"upstreams"`

	Health  string `yaml:"health"`  // address of /health, ":8080" for example
	Ready   string `yaml:"ready"`   // address of /ready, ":8181"
	Metrics string `yaml:"metrics"` // address of /metrics, ":9153"
	Reload  bool   `yaml:"reload"`  // follow changes of the Corefile
}

// Etcd is how CoreDNS reaches etcd.
type Etcd struct {
	Endpoints []string `yaml:"endpoints"` // URLs, all https:// or all http://; at least one
	// CAFile holds the authority of etcd's certificates, empty for those of the system. CertFile and KeyFile
	// are CoreDNS's own, both or none. They are read once: after a renewal CoreDNS has to be restarted.
	CAFile      string `yaml:"caFile"`
	CertFile    string `yaml:"certFile"`
	KeyFile     string `yaml:"keyFile"`
	User        string `yaml:"user"`        // empty without authentication, or when the certificate's common name is the user
	PasswordEnv string `yaml:"passwordEnv"` // name of the environment variable that holds the user's password
}

const (
	defaultPort         = 53
	defaultWildcardPort = 5301
	defaultMaxTTL       = 30 * time.Second
	defaultStaleFor     = time.Hour
)

func (s Server) withDefaults() Server {
	or := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	or(&s.Port, defaultPort)
	or(&s.WildcardPort, defaultWildcardPort)
	if s.MaxTTL == 0 {
		s.MaxTTL = defaultMaxTTL
	}
	if s.StaleFor == 0 {
		s.StaleFor = defaultStaleFor
	}
	return s
}

// Validate reports every mistake, each with the field, its value and what would be right. What passes cannot
// turn into another directive of the Corefile.
func (s Server) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, fmt.Errorf("%s is %q: want %s", field, value, want))
	}
	s = s.withDefaults()
	for field, port := range map[string]int{"port": s.Port, "wildcardPort": s.WildcardPort} {
		if port < 1 || port > 65535 {
			wrong(field, strconv.Itoa(port), "a port from 1 to 65535")
		}
	}
	if s.Wildcards && s.Port == s.WildcardPort {
		wrong("wildcardPort", strconv.Itoa(s.WildcardPort), "another port than that of the zones")
	}
	for i, a := range s.Bind {
		if _, err := netip.ParseAddr(a); err != nil {
			wrong(fmt.Sprintf("bind[%d]", i), a, "an address of this host")
		}
	}
	for field, d := range map[string]time.Duration{"maxTTL": s.MaxTTL, "staleFor": s.StaleFor} {
		if d < time.Second || d > 24*time.Hour || d%time.Second != 0 {
			wrong(field, d.String(), "whole seconds, from 1s to 24h")
		}
	}
	for i, u := range s.Upstreams {
		_, err := netip.ParseAddr(u)
		if _, portErr := netip.ParseAddrPort(u); err != nil && portErr != nil {
			wrong(fmt.Sprintf("upstreams[%d]", i), u, "an address, or address:port")
		}
	}
	for field, a := range map[string]string{"health": s.Health, "ready": s.Ready, "metrics": s.Metrics} {
		if !isListen(a) {
			wrong(field, a, "an address to listen on, for example :8080")
		}
	}
	return errors.Join(append(errs, s.Etcd.validate()...)...)
}

func isListen(address string) bool {
	if address == "" {
		return true
	}
	host, port, err := net.SplitHostPort(address)
	if _, bad := netip.ParseAddr(host); host != "" && bad != nil {
		return false
	}
	n, bad := strconv.Atoi(port)
	return err == nil && bad == nil && n > 0 && n < 65536
}

func (e Etcd) validate() (errs []error) {
	wrong := func(field, value, want string) {
		errs = append(errs, fmt.Errorf("etcd.%s is %q: want %s", field, value, want))
	}
	if len(e.Endpoints) == 0 {
		wrong("endpoints", "", "at least one URL, for example https://etcd-0.etcd:2379")
	}
	for i, endpoint := range e.Endpoints {
		field := fmt.Sprintf("endpoints[%d]", i)
		u, err := url.Parse(endpoint)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Port() == "" || u.Host != strings.TrimPrefix(endpoint, u.Scheme+"://") || !isHost(u.Hostname()):
			wrong(field, endpoint, "http://host:port or https://host:port")
		case strings.HasPrefix(e.Endpoints[0], "https://") != (u.Scheme == "https"):
			wrong(field, endpoint, "the same scheme as the first endpoint's")
		}
	}
	for field, path := range map[string]string{"caFile": e.CAFile, "certFile": e.CertFile, "keyFile": e.KeyFile} {
		if path != "" && !regexp.MustCompile(`^/[A-Za-z0-9._/@+-]+$`).MatchString(path) {
			wrong(field, path, "an absolute path of letters, digits and ._/@+-")
		}
	}
	if (e.CertFile == "") != (e.KeyFile == "") {
		wrong("keyFile", e.KeyFile, "a certificate and its key, or neither")
	}
	if e.CertFile != "" && e.CAFile == "" {
		wrong("caFile", "", "the authority of etcd's certificate: CoreDNS takes none of the system beside a certificate of its own")
	}
	if e.CAFile != "" && len(e.Endpoints) > 0 && !strings.HasPrefix(e.Endpoints[0], "https://") {
		wrong("caFile", e.CAFile, "https:// endpoints, for it to have an effect")
	}
	if (e.User == "") != (e.PasswordEnv == "") {
		wrong("passwordEnv", e.PasswordEnv, "a user and the variable with its password, or neither")
	}
	if e.User != "" && !regexp.MustCompile(`^[A-Za-z0-9._@-]+$`).MatchString(e.User) {
		wrong("user", e.User, "letters, digits and ._@-, for example skydns.coredns")
	}
	if e.PasswordEnv != "" && !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(e.PasswordEnv) {
		wrong("passwordEnv", e.PasswordEnv, "the name of an environment variable, for example ETCD_PASSWORD")
	}
	return errs
}

func isHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}
