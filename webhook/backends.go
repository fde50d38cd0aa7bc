package main

import (
	"fmt"
	"log/slog"
	"reflect"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
	"github.com/spokedns/spokedns/webhook/backend/azuredns"
	"github.com/spokedns/spokedns/webhook/backend/chain"
	"github.com/spokedns/spokedns/webhook/backend/clouddns"
	"github.com/spokedns/spokedns/webhook/backend/etcd"
	"github.com/spokedns/spokedns/webhook/backend/gandi"
	"github.com/spokedns/spokedns/webhook/backend/memory"
	"github.com/spokedns/spokedns/webhook/backend/rfc2136"
	"github.com/spokedns/spokedns/webhook/backend/route53"
	"github.com/spokedns/spokedns/webhook/clienttls"
	"github.com/spokedns/spokedns/webhook/config"
	"github.com/spokedns/spokedns/webhook/setting"
)

// backendSettings are the settings of every backend as flags, for the file-less mode.
type backendSettings struct {
	AzureDNS azuredns.Config `embed:"" prefix:"azuredns-" group:"Backend azuredns"`
	Chain    chain.Config    `embed:"" prefix:"chain-" group:"Backend chain"`
	CloudDNS clouddns.Config `embed:"" prefix:"clouddns-" group:"Backend clouddns"`
	Etcd     etcd.Config     `embed:"" prefix:"etcd-" group:"Backend etcd"`
	Gandi    gandi.Config    `embed:"" prefix:"gandi-" group:"Backend gandi"`
	RFC2136  rfc2136.Config  `embed:"" prefix:"rfc2136-" group:"Backend rfc2136"`
	Route53  route53.Config  `embed:"" prefix:"route53-" group:"Backend route53"`
}

// memorySettings are those of the backend that keeps nothing: it has none.
type memorySettings struct{}

// Validate implements config.Settings.
func (memorySettings) Validate() error { return nil }

// kinds lists the backends of this build. Adding one is a line here, in of, in trust if it has certificates, and in open.
func kinds() config.Kinds {
	return config.Kinds{
		"azuredns": func() config.Settings { return new(azuredns.Config) },
		"chain":    func() config.Settings { return new(chain.Config) },
		"clouddns": func() config.Settings { return new(clouddns.Config) },
		"etcd":     func() config.Settings { return new(etcd.Config) },
		"gandi":    func() config.Settings { return new(gandi.Config) },
		"memory":   func() config.Settings { return new(memorySettings) },
		"rfc2136":  func() config.Settings { return new(rfc2136.Config) },
		"route53":  func() config.Settings { return new(route53.Config) },
	}
}

// kindOf is the kind that a name stands for: its own, or the one the hub-and-spoke operator calls it by.
func kindOf(name string) string {
	switch name {
	case "azure":
		return "azuredns"
	case "gcp":
		return "clouddns"
	case "aws":
		return "route53"
	}
	return name
}

// of returns the settings that were given for a kind.
func (s *backendSettings) of(kind string) (config.Settings, error) {
	switch kind {
	case "azuredns":
		return &s.AzureDNS, nil
	case "chain":
		return &s.Chain, nil
	case "clouddns":
		return &s.CloudDNS, nil
	case "etcd":
		return &s.Etcd, nil
	case "gandi":
		return &s.Gandi, nil
	case "memory":
		return new(memorySettings), nil
	case "rfc2136":
		return &s.RFC2136, nil
	case "route53":
		return &s.Route53, nil
	case "":
		return nil, &setting.Error{Field: "--backend", Want: "is missing; want one of " + kinds().String()}
	}
	return nil, &setting.Error{Field: "--backend", Value: kind, Want: "want one of " + kinds().String()}
}

// trust is how a backend's settings say whom it trusts over TLS and who it is; nothing where they do not.
func trust(settings config.Settings) clienttls.Files {
	switch c := settings.(type) {
	case *azuredns.Config:
		return c.TLS
	case *chain.Config:
		return c.TLS
	case *clouddns.Config:
		return c.TLS
	case *etcd.Config:
		return c.TLS
	case *gandi.Config:
		return c.TLS
	case *rfc2136.Config:
		return c.TLS.Files
	}
	return clienttls.Files{}
}

// shared is what the backends of one process have in common. The zero value is ready for use.
type shared struct {
	route53 route53.Budgets // what an AWS account grants, however many views write to it
}

// open creates the backend of a view. It does no network I/O.
func (s *shared) open(v config.View, observe apicall.Observer, log *slog.Logger) (backend.Backend, error) {
	switch c := v.Backend.Settings.(type) {
	case *azuredns.Config:
		return azuredns.New(*c, observe, log)
	case *chain.Config:
		return chain.New(*c, observe, log)
	case *clouddns.Config:
		return clouddns.New(*c, observe, log)
	case *etcd.Config:
		return etcd.New(*c, log)
	case *gandi.Config:
		return gandi.New(*c, observe, log)
	case *memorySettings:
		return memory.New(memory.Config{Zones: v.Zones})
	case *rfc2136.Config:
		return rfc2136.New(*c)
	case *route53.Config:
		return s.route53.New(*c, observe, log)
	}
	return nil, fmt.Errorf("backend %s cannot be opened: unexpected settings %s", v.Backend.Kind, reflect.TypeOf(v.Backend.Settings))
}
