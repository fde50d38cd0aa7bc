package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io"
	"os"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/program"
)

const about = `Find out the site's public addresses, and keep them in a ConfigMap.

Several independent operators are asked; an address is believed when enough of them
agree. Of all replicas the elected leader asks and writes, the others wait and show.

    ipcontroller --namespace=dns
    ipcontroller --namespace=dns --ipv6-mode=prefix --ipv6-host-id=::53 --router=natpmp://192.168.0.1

A flag wins over its environment variable, in brackets below.`

// commandLine is everything that can be given by flag or environment. The environment variable of a
// flag is its name in upper case: --log-level is LOG_LEVEL.
type commandLine struct {
	Namespace string `placeholder:"NAME" group:"Kubernetes" env:"NAMESPACE,POD_NAMESPACE" help:"Namespace of the ConfigMap and the Lease. Default: the pod's own."`
	ConfigMap string `name:"config-map" default:"spokedns-wan-ip" group:"Kubernetes" help:"ConfigMap the addresses are kept in."`
	Lease     string `default:"spokedns-ipcontroller" group:"Kubernetes" help:"Lease that says who leads."`
	Identity  string `placeholder:"NAME" group:"Kubernetes" env:"IDENTITY,POD_NAME" help:"Name of this replica in the election. Default: the host's, with something random."`
	Node      string `name:"node-name" placeholder:"NAME" group:"Kubernetes" help:"Node this replica runs on. Another node may have another way out, so an address seen from there is confirmed once more."`
	Events    bool   `default:"true" negatable:"" group:"Kubernetes" help:"Write Events on the ConfigMap."`

	program.Kubernetes `embed:""`
	program.Election   `embed:""`

	Listen string `default:":8080" group:"Operations" help:"Address of the page, /raw, /metrics, /healthz and /readyz."`

	program.Log `embed:""`

	Detect detect.Config `embed:"" group:"Detection"`
}

// parse reads flags and environment. It is nil when the answer was help or the version.
func parse(args []string, stdout, stderr io.Writer) (*commandLine, error) {
	c := &commandLine{}
	p, err := program.Flags{Name: "ipcontroller", About: about, Version: program.Version(version), Stdout: stdout, Stderr: stderr}.Parser(c)
	if err != nil {
		return nil, err
	}
	if parsed, err := p.Parse(args); err != nil || parsed == nil {
		return nil, err
	}
	return c, c.complete()
}

// complete fills in what the pod knows of itself, and refuses what cannot work.
func (c *commandLine) complete() error {
	namespace, err := program.Namespace(c.Namespace, "the ConfigMap")
	c.Namespace = namespace
	if c.Identity == "" {
		host, _ := os.Hostname() // the random part does alone
		c.Identity = cmp.Or(host, "ipcontroller") + "_" + rand.Text()[:8]
	}
	return errors.Join(err, c.Election.Check())
}
