package rfc2136

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136/internal/wire"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Config says which servers hold the zones and how they are spoken to.
type Config struct {
	Servers    []string      `yaml:"servers"    name:"servers"     help:"Primary servers, each as host:port. With several, all are written, and what they do not all hold is written again." placeholder:"HOST:PORT"`
	TSIG       TSIG          `yaml:"tsig"       embed:""           prefix:"tsig-"`
	TLS        TLS           `yaml:"tls"        embed:""           prefix:"tls-"`
	Timeout    time.Duration `yaml:"timeout"    name:"timeout"     help:"Longest wait for one answer of a server." default:"5s"`
	MinTTL     time.Duration `yaml:"minTTL"     name:"min-ttl"     help:"Lowest TTL; lower ones are raised."`
	DefaultTTL time.Duration `yaml:"defaultTTL" name:"default-ttl" help:"TTL of records that ask for none." default:"5m"`
}

// TSIG is the key that signs messages (RFC 8945). Without a Name nothing is signed.
type TSIG struct {
	Name       string `yaml:"name"       name:"name"        help:"Name of the TSIG key." placeholder:"KEY"`
	Algorithm  string `yaml:"algorithm"  name:"algorithm"   help:"hmac-sha256, hmac-sha384 or hmac-sha512." default:"hmac-sha256"`
	Secret     string `yaml:"secret"     name:"secret"      help:"Secret of the TSIG key, in base64." placeholder:"BASE64"`
	SecretFile string `yaml:"secretFile" name:"secret-file" help:"File that holds the secret of the TSIG key, in base64." placeholder:"FILE"`
}

// TLS is DNS over TLS to the servers (RFC 7858, RFC 9103).
type TLS struct {
	Enabled         bool `yaml:"enabled" name:"enabled" help:"Speak DNS over TLS to the servers."`
	clienttls.Files `yaml:",inline" embed:""`
}

const (
	defaultTimeout   = 5 * time.Second
	defaultTTL       = 5 * time.Minute
	defaultAlgorithm = "hmac-sha256"
)

// Validate reports every wrong setting as a *setting.Error. It does not read the files.
func (c Config) Validate() error {
	var errs []error
	if len(c.Servers) == 0 {
		errs = append(errs, &setting.Error{Field: "servers", Want: "want at least one server as host:port, for example 192.0.2.53:53"})
	}
	for i, s := range c.Servers {
		field := fmt.Sprintf("servers[%d]", i)
		switch {
		case !isHostPort(s):
			errs = append(errs, &setting.Error{Field: field, Value: s, Want: "want host:port, for example 192.0.2.53:53 or [2001:db8::53]:53"})
		case slices.Contains(c.Servers[:i], s):
			errs = append(errs, &setting.Error{Field: field, Value: s, Want: "is named twice"})
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
		most  time.Duration
	}{{"timeout", c.Timeout, time.Hour}, {"minTTL", c.MinTTL, backend.MaxTTL}, {"defaultTTL", c.DefaultTTL, backend.MaxTTL}} {
		if d.value < 0 || d.value > d.most {
			errs = append(errs, &setting.Error{Field: d.field, Value: d.value.String(), Want: fmt.Sprintf("want a duration from 0s to %s", d.most)})
		}
	}
	return errors.Join(append(errs, setting.Under("tsig", c.TSIG.Validate()), setting.Under("tls", c.TLS.Validate()))...)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, numErr := strconv.ParseUint(port, 10, 16)
	return err == nil && numErr == nil && host != "" && n > 0
}

// Validate reports every wrong setting as a *setting.Error. It does not read the secret file.
func (t TSIG) Validate() error {
	var errs []error
	wrong := func(field, value, want string) {
		errs = append(errs, &setting.Error{Field: field, Value: value, Want: want})
	}
	if t.Name == "" {
		if t.Secret != "" || t.SecretFile != "" {
			wrong("name", "", "want the name the server knows the key by, for example externaldns")
		}
		return errors.Join(errs...)
	}
	if _, err := backend.Name(t.Name); err != nil {
		wrong("name", t.Name, "want a domain name, as the server's configuration spells the key")
	}
	if _, err := wire.NewKey("x", t.algorithm(), nil); err != nil {
		wrong("algorithm", t.Algorithm, "want hmac-sha256, hmac-sha384 or hmac-sha512")
	}
	switch {
	case t.Secret != "" && t.SecretFile != "":
		wrong("secretFile", t.SecretFile, "want either secret or secretFile, not both")
	case t.Secret == "" && t.SecretFile == "":
		wrong("secret", "", "want the key's secret in base64, or secretFile")
	case t.Secret != "":
		if _, err := decodeSecret(t.Secret); err != nil {
			wrong("secret", "(hidden)", err.Error())
		}
	}
	return errors.Join(errs...)
}

func (t TSIG) algorithm() string {
	if t.Algorithm == "" {
		return defaultAlgorithm
	}
	return strings.TrimSuffix(strings.ToLower(t.Algorithm), ".")
}

// key reads the secret and returns the key; nil when no key is configured.
func (t TSIG) key() (*wire.Key, error) {
	if t.Name == "" {
		return nil, nil
	}
	encoded := t.Secret
	if t.SecretFile != "" {
		b, err := os.ReadFile(t.SecretFile)
		if err != nil {
			return nil, &setting.Error{Field: "secretFile", Value: t.SecretFile, Want: err.Error()}
		}
		encoded = string(b)
	}
	secret, err := decodeSecret(encoded)
	if err != nil {
		return nil, &setting.Error{Field: "secretFile", Value: t.SecretFile, Want: err.Error()}
	}
	name, err := backend.Name(t.Name)
	if err != nil {
		return nil, err
	}
	return wire.NewKey(name, t.algorithm(), secret)
}

// decodeSecret never shows the secret in its error.
func decodeSecret(s string) ([]byte, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil || len(secret) == 0 {
		return nil, errors.New("want the secret in base64, as tsig-keygen and keymgr print it")
	}
	return secret, nil
}

// Validate reports every wrong setting as a *setting.Error. It does not read the files.
func (t TLS) Validate() error {
	errs := []error{t.Files.Validate()}
	if !t.Enabled && t.Files != (clienttls.Files{}) {
		errs = append(errs, &setting.Error{Field: "enabled", Value: "false", Want: "want true when other TLS settings are given"})
	}
	return errors.Join(errs...)
}

// config reads the files; nil when TLS is off.
func (t TLS) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c, err := t.Files.Config()
	if err != nil {
		return nil, err
	}
	c.NextProtos = []string{"dot"}
	return c, nil
}
