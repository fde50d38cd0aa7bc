package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/webhook/config"
)

const about = `Publish what external-dns finds in a cluster, with the addresses the outside shall see.

external-dns (--provider=webhook) asks this program what to publish. It rewrites,
keeps or drops each name by rule, and writes the result to a DNS service.

    webhook --config=/etc/spokedns/config.yaml
    CUSTOM_IP=203.0.113.10 webhook --backend=rfc2136 --zone=example.org --rfc2136-servers=192.0.2.53:53

The first takes views, rules and backends from a file. The second needs none: one
zone, one backend, one address for everything but ingress class nginx-internal.
A flag wins over its environment variable, in brackets below; that wins over the file.`

// commandLine is everything that can be given by flag or environment. The environment variable of a
// flag is its name in upper case: --log-level is LOG_LEVEL.
type commandLine struct {
	Config      string           `placeholder:"FILE" group:"Configuration" help:"Configuration file in YAML. It is followed: a changed file is put into use without a restart, a wrong one is refused and reported."`
	Check       bool             `group:"Configuration" env:"-" help:"Check the configuration, say what its rules mean, and exit."`
	PrintConfig bool             `group:"Configuration" env:"-" help:"Print the configuration in effect as a file, without secrets, and exit."`
	Version     kong.VersionFlag `group:"Configuration" env:"-" help:"Print the version and exit."`

	Classic config.Classic `embed:"" group:"Without a file"`

	// These check themselves, which would come too early: before the file is read, or for backends that
	// nobody chose. So kong gets them as strangers.
	Options  config.Options  `kong:"-"`
	Backends backendSettings `kong:"-"`
}

// invocation is a parsed command line.
type invocation struct {
	commandLine
	given map[any]string // address of each field that was given → the flag or variable that gave it
}

// parse reads flags and environment. It is nil when the answer was help or the version.
func parse(args []string, stdout, stderr io.Writer) (*invocation, error) {
	in, p, err := newParser(stdout, stderr)
	if err != nil {
		return nil, err
	}
	ctx, err := p.Parse(args)
	if err != nil || ctx == nil {
		return nil, err
	}
	for _, flag := range ctx.Model.Flags {
		if by := givenBy(ctx, flag); by != "" {
			in.given[flag.Target.Addr().Interface()] = by
		}
	}
	return in, nil
}

// newParser describes the command line. What is parsed goes to the invocation.
func newParser(stdout, stderr io.Writer) (*invocation, *program.Parser, error) {
	in := &invocation{given: map[any]string{}}
	p, err := program.Flags{Name: "webhook", About: about, Version: program.Version(version), Stdout: stdout, Stderr: stderr}.Parser(&in.commandLine,
		kong.Vars{"backends": kinds().String()},
		kong.Embed(&in.Options),
		kong.Embed(&in.Backends),
	)
	if err != nil {
		return nil, nil, err
	}
	p.Model.HelpFlag.Group = &kong.Group{Key: "Configuration", Title: "Configuration"}
	return in, p, nil
}

// givenBy says what gave a flag its value: the flag, an environment variable, or nothing.
func givenBy(ctx *kong.Context, flag *kong.Flag) string {
	for _, p := range ctx.Path {
		if p.Flag == flag {
			return "--" + flag.Name
		}
	}
	if len(flag.Tag.Envs) > 0 {
		return flag.Tag.Envs[0]
	}
	return ""
}

// read returns the content of the configuration file; nil in file-less mode.
func (in *invocation) read() ([]byte, error) {
	if err := in.consistent(); err != nil || in.Config == "" {
		return nil, err
	}
	content, err := os.ReadFile(in.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return content, nil
}

// file returns the configuration in effect: content, that of the file, or what stands for a file, with
// flags and environment on top.
func (in *invocation) file(content []byte) (*config.File, error) {
	var f *config.File
	var err error
	if in.Config == "" {
		f, err = in.fileless()
	} else {
		f, err = config.Decode(in.Config, content, kinds())
	}
	if err != nil {
		return nil, err
	}
	f.Overlay(&in.Options, func(field any) bool { return in.given[field] != "" })
	return f, f.Options.Validate()
}

// fileless builds the configuration from the settings that stand for a file.
func (in *invocation) fileless() (*config.File, error) {
	given := in.filelessGiven()
	if len(given) == 0 {
		return nil, errors.New("no configuration: give --config, or --backend and --zone and what --help lists below \"Without a file\"")
	}
	in.Classic.Backend = kindOf(in.Classic.Backend)
	settings, err := in.Backends.of(in.Classic.Backend)
	if err != nil {
		return nil, err
	}
	for kind := range kinds() {
		for _, by := range given { // variables may be there for other programs; flags are meant
			if kind != in.Classic.Backend && strings.HasPrefix(by, "--"+kind+"-") {
				return nil, fmt.Errorf("%s has no meaning with backend %s; remove it, or choose backend %s", by, in.Classic.Backend, kind)
			}
		}
	}
	return in.Classic.File(settings)
}

// filelessGiven lists what was given of the settings that stand for a file. Variables that a backend
// shares with the tools of its cloud do not count: AWS_REGION is in every pod of some clusters.
func (in *invocation) filelessGiven() []string {
	var out []string
	meant := func(string) bool { return true }
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		if by := in.given[v.Addr().Interface()]; by != "" && meant(by) {
			out = append(out, by)
		} else if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					visit(v.Field(i))
				}
			}
		}
	}
	visit(reflect.ValueOf(&in.Classic).Elem())
	meant = ours
	visit(reflect.ValueOf(&in.Backends).Elem())
	return out
}

// ours reports whether a flag or variable of a backend can only be meant for this program.
func ours(by string) bool {
	if strings.HasPrefix(by, "--") {
		return true
	}
	for kind := range kinds() {
		if strings.HasPrefix(by, strings.ToUpper(kind)+"_") {
			return true
		}
	}
	return false
}

// consistent reports settings that contradict each other.
func (in *invocation) consistent() error {
	if given := in.filelessGiven(); in.Config != "" && len(given) > 0 {
		return fmt.Errorf("%s and %s cannot be combined: a configuration file has its own views and backends; move the settings there, or give no file",
			in.given[&in.Config], strings.Join(given, ", "))
	}
	return nil
}
