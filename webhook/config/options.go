package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spokedns/spokedns/webhook/claim"
	"github.com/spokedns/spokedns/webhook/ownership"
	"github.com/spokedns/spokedns/webhook/setting"
)

// Options are the settings that are no policy: how the webhook serves, guards, logs, and reaches
// Kubernetes. Each is a key of the file, a flag, and an environment variable.
type Options struct {
	DryRun      bool             `yaml:"dryRun" negatable:"" group:"Safety" help:"Work everything out and log it, but write nothing. external-dns does not pass its own --dry-run on to webhooks."`
	Rails       Rails            `yaml:"rails" embed:"" group:"Safety"`
	Failover    bool             `yaml:"failover" default:"true" negatable:"" group:"Failover" help:"Move names to a site's new address as soon as it is known, without waiting for external-dns's next loop."`
	ExternalDNS ownership.Config `yaml:"externalDNS" embed:"" prefix:"external-dns-" group:"Failover"`
	Server      Server           `yaml:"server" embed:"" group:"Serving"`
	Kubernetes  Kubernetes       `yaml:"kubernetes" embed:"" group:"Kubernetes"`
	Log         Log              `yaml:"log" embed:"" prefix:"log-" group:"Logging"`
}

// Server is where the webhook listens. A change needs a restart.
type Server struct {
	Listen        string    `yaml:"listen" default:"127.0.0.1:8888" placeholder:"HOST:PORT" help:"Address of the webhook protocol. external-dns in the same pod finds it at the default."`
	MetricsListen string    `yaml:"metricsListen" default:":8080" placeholder:"HOST:PORT" help:"Address of /metrics, /healthz, /readyz and /zones."`
	TLS           TLS       `yaml:"tls" embed:"" prefix:"tls-"`
	BasicAuth     BasicAuth `yaml:"basicAuth" embed:"" prefix:"basic-auth-"`
}

// TLS encrypts the webhook protocol, for an external-dns that is not in the same pod.
type TLS struct {
	CertFile string `yaml:"certFile" placeholder:"FILE" help:"Certificate chain of the webhook protocol, in PEM; only needed when external-dns is not in the same pod."`
	KeyFile  string `yaml:"keyFile" placeholder:"FILE" help:"Private key of the certificate, in PEM."`
}

// BasicAuth asks for a password on the webhook protocol.
type BasicAuth struct {
	Username     string `yaml:"username" placeholder:"NAME" help:"User that external-dns gives in its --webhook-provider-url."`
	PasswordFile string `yaml:"passwordFile" placeholder:"FILE" help:"File with the password."`
}

// Rails stop what looks like an accident.
type Rails struct {
	MaxDeleteShare float64 `yaml:"maxDeleteShare" default:"0.5" placeholder:"SHARE" help:"Largest share of a zone's owned names, above 0 and up to 1, that one apply may delete; 1 allows everything."`
	MaxDeleteMin   int     `yaml:"maxDeleteMin" default:"20" placeholder:"N" help:"Number of deletes in one apply that is always allowed, whatever their share."`
}

// Kubernetes is how the webhook learns who claims a name.
type Kubernetes struct {
	Enabled    bool   `yaml:"enabled" name:"kubernetes" default:"true" negatable:"" help:"Watch the objects that claim names. Without it, rules see only what external-dns says: a kind, a namespace and a name."`
	Kubeconfig string `yaml:"kubeconfig" name:"kubeconfig" placeholder:"FILE" help:"How to reach the cluster; not needed inside it."`
	Context    string `yaml:"context" name:"kube-context" placeholder:"NAME" help:"Context of the kubeconfig; its current one when not given."`
	// A list that is given and empty is none, unlike one that is not given.
	Kinds []string `yaml:"kinds" name:"kube-kinds" default:"all" placeholder:"KIND" help:"Kinds that are watched, as rules have them, and with each what its claims depend on; all for every kind. Names of objects of other kinds that the webhook could watch are held."`
}

// allKinds is the word for every kind.
const allKinds = "all"

// Watched are the kinds that Kinds stands for, never nil.
func (k Kubernetes) Watched() []string {
	if slices.Contains(k.Kinds, allKinds) {
		return claim.Kinds()
	}
	return append([]string{}, k.Kinds...)
}

func (k Kubernetes) validate() error {
	var errs []error
	for i, kind := range k.Kinds {
		if kind != allKinds && !slices.Contains(claim.Kinds(), kind) {
			errs = append(errs, &setting.Error{Field: fmt.Sprintf("kinds[%d]", i), Value: kind, Want: "want all, or of " + strings.Join(claim.Kinds(), ", ")})
		}
	}
	return errors.Join(errs...)
}

// Log is how the webhook logs.
type Log struct {
	Level  string `yaml:"level" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least important level that is logged: debug, info, warn or error."`
	Format string `yaml:"format" default:"text" enum:"text,json" placeholder:"FORMAT" help:"Form of the lines: text or json."`
}

// SlogLevel is the level as slog names it.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // validated; the zero value is info
	return level
}

// Defaults returns the options that hold when nothing is given.
func Defaults() Options {
	var o Options
	setDefaults(reflect.ValueOf(&o).Elem())
	return o
}

// Validate reports every wrong option.
func (o Options) Validate() error {
	return errors.Join(
		setting.Under("server", o.Server.validate()),
		setting.Under("rails", o.Rails.validate()),
		setting.Under("kubernetes", o.Kubernetes.validate()),
		setting.Under("log", o.Log.validate()),
		setting.Under("externalDNS", o.ExternalDNS.Validate()),
	)
}

func (s Server) validate() error {
	var errs []error
	errs = append(errs, checkListen("listen", s.Listen), checkListen("metricsListen", s.MetricsListen))
	if s.Listen == s.MetricsListen && s.Listen != "" {
		errs = append(errs, &setting.Error{Field: "metricsListen", Value: s.MetricsListen, Want: "is also the address of the webhook protocol; want another one"})
	}
	if (s.TLS.CertFile == "") != (s.TLS.KeyFile == "") {
		errs = append(errs, &setting.Error{Field: "tls", Want: "certFile and keyFile come together; give both or none"})
	}
	if (s.BasicAuth.Username == "") != (s.BasicAuth.PasswordFile == "") {
		errs = append(errs, &setting.Error{Field: "basicAuth", Want: "username and passwordFile come together; give both or none"})
	}
	return errors.Join(errs...)
}

func checkListen(field, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err == nil {
		return nil
	}
	return &setting.Error{Field: field, Value: address, Want: "want host:port, like 127.0.0.1:8888, or :port for every address"}
}

func (r Rails) validate() error {
	var errs []error
	if ok := r.MaxDeleteShare > 0 && r.MaxDeleteShare <= 1; !ok { // NaN is not ok either
		errs = append(errs, &setting.Error{Field: "maxDeleteShare", Value: strconv.FormatFloat(r.MaxDeleteShare, 'g', -1, 64), Want: "want a share above 0 and up to 1, like 0.5 for half of the names"})
	}
	if r.MaxDeleteMin < 1 {
		errs = append(errs, &setting.Error{Field: "maxDeleteMin", Value: strconv.Itoa(r.MaxDeleteMin), Want: "want a number of names, 1 or more"})
	}
	return errors.Join(errs...)
}

func (l Log) validate() error {
	var errs []error
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		errs = append(errs, &setting.Error{Field: "level", Value: l.Level, Want: "want debug, info, warn or error"})
	}
	if !slices.Contains([]string{"text", "json"}, l.Format) {
		errs = append(errs, &setting.Error{Field: "format", Value: l.Format, Want: "want text or json"})
	}
	return errors.Join(errs...)
}
