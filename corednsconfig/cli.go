package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/spokedns/spokedns/corednsconfig/central"
	"github.com/spokedns/spokedns/corednsconfig/etcdlint"
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
	Rights          rightsCommand        `cmd:"" help:"Print the objects that give the rights needed in a cluster."`
	LintEtcd        etcdlint.Options     `cmd:"" help:"Judge the keys from which the central CoreDNS answers."`
	CentralCorefile corefileCommand      `cmd:"" help:"Print the Corefile of the central CoreDNS."`
	CentralSetup    central.SetupOptions `cmd:"" help:"Make the users, rights and keys of the central etcd."`

	LogLevel  slog.Level       `default:"info" group:"Operations" help:"debug, info, warn or error."`
	LogFormat string           `default:"text" enum:"text,json" group:"Operations" help:"text or json."`
	Version   kong.VersionFlag `env:"-" group:"Operations" help:"Print the version and exit."`
}

type corefileCommand struct {
	Config string `required:"" placeholder:"FILE" help:"File that describes the central DNS."`
}

// parse reads flags and environment. The command is nil when the answer was help or the version.
func parse(args []string, stdout, stderr io.Writer) (*commandLine, func(context.Context, streams) error, error) {
	c, done := &commandLine{}, false
	k, err := kong.New(c,
		kong.Name("corednsconfig"),
		kong.Description(about),
		kong.Vars{"version": buildVersion()},
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 110, NoAppDescFormat: true}),
		kong.ValueFormatter(helpOf),
	)
	if err != nil {
		return nil, nil, err
	}
	nameEnvironment(k.Model.Node)
	k.Model.HelpFlag.Help = "Print this and exit."
	k.Exit = func(int) { done = true }
	parsed, err := k.Parse(args)
	if done {
		return c, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w; --help lists what can be given", err)
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

// nameEnvironment gives every flag its environment variable. One that is set to nothing counts as not set:
// deployments hand on empty values.
func nameEnvironment(node *kong.Node) {
	for _, flag := range node.Flags {
		own := strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		switch {
		case flag.Name == "help" || slices.Equal(flag.Envs, []string{"-"}):
			flag.Envs = nil
		case !slices.Contains(flag.Envs, own):
			flag.Envs = append([]string{own}, flag.Envs...)
		}
		flag.Tag.Envs = slices.DeleteFunc(slices.Clone(flag.Envs), func(env string) bool { return os.Getenv(env) == "" })
	}
	for _, child := range node.Children {
		nameEnvironment(child)
	}
}

// helpOf is the help of a flag: what it means, and its environment variables.
func helpOf(value *kong.Value) string {
	if value.Flag != nil && len(value.Flag.Envs) > 0 {
		return value.Help + " [" + strings.Join(value.Flag.Envs, ", ") + "]"
	}
	return value.Help
}
