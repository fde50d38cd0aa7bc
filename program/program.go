// Package program owns what our programs do alike before they do anything of their own: flags and their environment,
// help and version, logs, the way to the API server, and how leaders are elected.
package program

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Version is the stamp of a release build (-ldflags "-X main.version=v1.2.3"), else what the Go tool knows of the
// source.
func Version(stamp string) string {
	if stamp != "" {
		return stamp
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}

// Flags describes a command line.
type Flags struct {
	Name    string // of the program
	About   string // first lines of its help
	Version string
	Stdout  io.Writer
	Stderr  io.Writer
}

// Parser is a command line that can be parsed.
type Parser struct {
	*kong.Kong
	done bool
}

// Parser describes the fields of target, a pointer to a struct with kong's tags. The environment variable of a flag is
// its name in upper case: --log-level is LOG_LEVEL. It goes before the variables that the flag has from elsewhere;
// `env:"-"` gives it none.
func (f Flags) Parser(target any, options ...kong.Option) (*Parser, error) {
	k, err := kong.New(target, append([]kong.Option{
		kong.Name(f.Name),
		kong.Description(f.About),
		kong.Vars{"version": f.Version},
		kong.Writers(f.Stdout, f.Stderr),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 110, NoAppDescFormat: true}),
		kong.ValueFormatter(help),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	nameEnvironment(k.Model.Node)
	k.Model.HelpFlag.Help = "Print this and exit."
	p := &Parser{Kong: k}
	k.Exit = func(int) { p.done = true }
	return p, nil
}

// Parse reads flags and environment. A nil context without an error means that the answer was help or the version.
func (p *Parser) Parse(args []string) (*kong.Context, error) {
	p.done = false
	ctx, err := p.Kong.Parse(args)
	if p.done {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; --help lists what can be given", err)
	}
	return ctx, nil
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

// help of a flag: what it means, a default that its placeholder hides, and its environment variables.
func help(value *kong.Value) string {
	text := value.Help
	if value.Flag == nil {
		return text
	}
	if value.HasDefault && value.Flag.PlaceHolder != "" {
		text = strings.TrimSuffix(text, ".") + " (default " + value.Default + ")."
	}
	if envs := value.Flag.Envs; len(envs) > 0 {
		text += " [" + strings.Join(envs, ", ") + "]"
	}
	return text
}
