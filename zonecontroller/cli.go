package main

import (
	"context"
	"io"

	"github.com/spokedns/spokedns/program"
)

const about = `Zones and records as Kubernetes objects, on BIND and its kin.

DNSServer says where a server is, DNSZone what zones there are, DNSRecord what stands in them.

    zonecontroller run --namespace=dns
    zonecontroller import --server=10.0.0.53 --zone=example.org --tsig-file=key.conf --selector=dns=main
    zonecontroller export --server=10.0.0.53 --zone=example.org --tsig-file=key.conf

A flag wins over its environment variable, in brackets below.`

// commandLine is everything that can be given by flag or environment. The environment variable of a flag is its name in
// upper case: --log-level is LOG_LEVEL.
type commandLine struct {
	Run    runCommand    `cmd:"" help:"Make DNSZones and DNSRecords true on DNSServers, and keep them so."`
	Rights rightsCommand `cmd:"" help:"Print the objects that give the rights needed in a cluster."`
	Import importCommand `cmd:"" help:"Print a zone that a server has as objects that mean it."`
	Export exportCommand `cmd:"" help:"Print a zone as a zone file, from a server or from the objects in a cluster."`

	program.Log `embed:""`
}

// parse reads flags and environment. The command is nil when the answer was help or the version.
func parse(args []string, stdout, stderr io.Writer) (*commandLine, func(context.Context, streams) error, error) {
	c := &commandLine{}
	p, err := program.Flags{Name: "zonecontroller", About: about, Version: program.Version(version), Stdout: stdout, Stderr: stderr}.Parser(c)
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
	case "rights":
		return c.Rights.run
	case "import":
		return c.Import.run
	default:
		return c.Export.run
	}
}
