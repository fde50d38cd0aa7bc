package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/spokedns/spokedns/ipcontroller/detect"
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
	Namespace  string `placeholder:"NAME" group:"Kubernetes" env:"NAMESPACE,POD_NAMESPACE" help:"Namespace of the ConfigMap and the Lease. Default: the pod's own."`
	ConfigMap  string `name:"config-map" default:"spokedns-wan-ip" group:"Kubernetes" help:"ConfigMap the addresses are kept in."`
	Lease      string `default:"spokedns-ipcontroller" group:"Kubernetes" help:"Lease that says who leads."`
	Identity   string `placeholder:"NAME" group:"Kubernetes" env:"IDENTITY,POD_NAME" help:"Name of this replica in the election. Default: the host's, with something random."`
	Node       string `name:"node-name" placeholder:"NAME" group:"Kubernetes" help:"Node this replica runs on. Another node may have another way out, so an address seen from there is confirmed once more."`
	Kubeconfig string `placeholder:"FILE" group:"Kubernetes" help:"Kubeconfig file. Default: the pod's service account."`
	Context    string `name:"kube-context" placeholder:"NAME" group:"Kubernetes" help:"Context of the kubeconfig. Default: its current one."`
	Events     bool   `default:"true" negatable:"" group:"Kubernetes" help:"Write Events on the ConfigMap."`

	LeaseDuration time.Duration `default:"15s" group:"Election" help:"How long a leader that is not heard of is waited for."`
	RenewDeadline time.Duration `default:"10s" group:"Election" help:"How long the leader tries to stay it before it stops."`
	RetryPeriod   time.Duration `default:"2s" group:"Election" help:"Time from one try to the next."`

	Listen    string           `default:":8080" group:"Operations" help:"Address of the page, /raw, /metrics, /healthz and /readyz."`
	LogLevel  slog.Level       `default:"info" group:"Operations" help:"debug, info, warn or error."`
	LogFormat string           `default:"text" enum:"text,json" group:"Operations" help:"text or json."`
	Version   kong.VersionFlag `env:"-" group:"Operations" help:"Print the version and exit."`

	Detect detect.Config `embed:"" group:"Detection"`
}

// parse reads flags and environment. done is true when the answer was help or the version.
func parse(args []string, stdout, stderr io.Writer) (c *commandLine, done bool, err error) {
	c = &commandLine{}
	k, err := kong.New(c,
		kong.Name("ipcontroller"),
		kong.Description(about),
		kong.Vars{"version": buildVersion()},
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 110, NoAppDescFormat: true}),
		kong.ValueFormatter(helpOf),
	)
	if err != nil {
		return nil, false, err
	}
	nameEnvironment(k.Model.Flags)
	k.Model.HelpFlag.Help = "Print this and exit."
	k.Exit = func(int) { done = true }
	_, err = k.Parse(args)
	if done {
		return c, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w; --help lists what can be given", err)
	}
	return c, false, c.complete()
}

// nameEnvironment gives every flag its environment variable. One that is set to nothing counts as not set:
// deployments hand on empty values.
func nameEnvironment(flags []*kong.Flag) {
	for _, flag := range flags {
		own := strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		switch {
		case flag.Name == "help" || slices.Equal(flag.Envs, []string{"-"}):
			flag.Envs = nil
		case !slices.Contains(flag.Envs, own):
			flag.Envs = append([]string{own}, flag.Envs...)
		}
		flag.Tag.Envs = slices.DeleteFunc(slices.Clone(flag.Envs), func(env string) bool { return os.Getenv(env) == "" })
	}
}

// helpOf is the help of a flag: what it means, and its environment variables.
func helpOf(value *kong.Value) string {
	if envs := value.Flag.Envs; len(envs) > 0 {
		return value.Help + " [" + strings.Join(envs, ", ") + "]"
	}
	return value.Help
}

// podNamespace is where Kubernetes tells a pod its own namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// complete fills in what the pod knows of itself, and refuses what cannot work.
func (c *commandLine) complete() error {
	if c.Namespace == "" {
		own, _ := os.ReadFile(podNamespace) // there is none outside of a pod
		c.Namespace = strings.TrimSpace(string(own))
	}
	var wrong []error
	if c.Namespace == "" {
		wrong = append(wrong, errors.New("--namespace: want the namespace of the ConfigMap, because this is not a pod that has one of its own"))
	}
	if c.Identity == "" {
		host, _ := os.Hostname() // the random part does alone
		c.Identity = cmp.Or(host, "ipcontroller") + "_" + rand.Text()[:8]
	}
	if c.LeaseDuration < time.Second {
		wrong = append(wrong, fmt.Errorf("--lease-duration: %s: want at least 1s", c.LeaseDuration))
	}
	if c.RetryPeriod <= 0 || 2*c.RetryPeriod > c.RenewDeadline {
		wrong = append(wrong, fmt.Errorf("--retry-period: %s: want at most half of --renew-deadline, %s", c.RetryPeriod, c.RenewDeadline))
	}
	if c.RenewDeadline+c.RetryPeriod > c.LeaseDuration {
		wrong = append(wrong, fmt.Errorf("--renew-deadline: %s: want it to end, with one --retry-period (%s), before --lease-duration (%s) does",
			c.RenewDeadline, c.RetryPeriod, c.LeaseDuration))
	}
	return errors.Join(wrong...)
}
