package main

import (
	"context"
	"io"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/corednsconfig/etcdlint"
	"github.com/spokedns/spokedns/program"
)

const about = `Make every cluster of a landscape forward its base domain to the central DNS.

What is wished stands in DNSForwarding objects. A change is tried before it is written, seen on
every replica afterwards, and taken back when the cluster's own names stop resolving.

    corednsconfig run --namespace=dns
    corednsconfig plan --kubeconfig=spoke.kubeconfig --zone=openmcp.cluster --upstream=10.0.0.53

A flag wins over its environment variable, in brackets below.`

// commandLine is everything that can be given by flag or environment. The environment variable of a
// flag is its name in upper case: --log-level is LOG_LEVEL.
type commandLine struct {
	Run             runCommand           `cmd:"" help:"Bring what DNSForwardings wish to all clusters, and keep it there."`
	Plan            planCommand          `cmd:"" help:"Print what would be written to one cluster as a unified diff, and touch nothing."`
	Remove          removeCommand        `cmd:"" help:"Delete DNSForwardings and wait until what they wrote is taken back; before the controller goes."`
	Rights          rightsCommand        `cmd:"" help:"Print the objects that give the rights needed in a cluster."`
	LintEtcd        etcdlint.Options     `cmd:"" help:"Judge the keys from which the central CoreDNS answers."`
	CentralCorefile corefileCommand      `cmd:"" help:"Print the Corefile of the central CoreDNS."`
	CentralSetup    central.SetupOptions `cmd:"" help:"Make the users, rights and keys of the central etcd."`

	program.Log `embed:""`
}

type corefileCommand struct {
	Config string `required:"" placeholder:"FILE" help:"File that describes the central DNS."`
}

// parse reads flags and environment. The command is nil when the answer was help or the version.
func parse(args []string, stdout, stderr io.Writer) (*commandLine, func(context.Context, streams) error, error) {
	c := &commandLine{}
	p, err := program.Flags{Name: "corednsconfig", About: about, Version: program.Version(version), Stdout: stdout, Stderr: stderr}.Parser(c)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := p.Parse(args)
	if err != nil || parsed == nil {
		return nil, nil, err
	}
	return c, c.command(parsed.Command()), nil
}

// command is what was asked for.
func (c *commandLine) command(name string) func(context.Context, streams) error {
	switch name {
	case "run":
		return c.Run.run
	case "plan":
		return c.Plan.run
	case "remove <name>":
		return c.Remove.run
	case "rights":
		return c.Rights.run
	case "lint-etcd":
		return func(ctx context.Context, s streams) error { return etcdlint.Run(ctx, c.LintEtcd, s.stdout) }
	case "central-corefile":
		return func(_ context.Context, s streams) error {
			return central.RunCorefile(c.CentralCorefile.Config, s.stdout)
		}
	default:
		return func(ctx context.Context, s streams) error { return central.Setup(ctx, c.CentralSetup, s.stdout) }
	}
}
