// Command webhook publishes what external-dns finds in a cluster with the addresses the outside shall
// see. It owns the wiring: configuration, backends, claims and policy to the protocol's server.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spokedns/spokedns/program"
	"github.com/spokedns/spokedns/webhook/config"
)

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook: "+config.Explain(err))
		os.Exit(1)
	}
}

// run is the program without its process: what it is asked for in args is answered on stdout, logs go
// to stderr, and it ends with ctx.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	in, err := parse(args, stdout, stderr)
	if err != nil || in == nil {
		return err
	}
	content, err := in.read()
	if err != nil {
		return err
	}
	f, err := in.file(content)
	if err != nil {
		return err
	}
	if in.Check || in.PrintConfig {
		return answer(in, f, stdout)
	}
	go program.Frugal(ctx, frugal)
	level := new(slog.LevelVar)
	level.Set(f.Log.SlogLevel())
	log := program.Logger(stderr, f.Log.Format, level)
	log.Info("starting", "version", program.Version(version), "config", in.Config)
	w, err := newWebhook(in, f, log, level)
	if err != nil {
		return err
	}
	return w.run(ctx, f, content)
}

// answer prints what was asked about the configuration.
func answer(in *invocation, f *config.File, stdout io.Writer) error {
	if in.Check {
		_, err := io.WriteString(stdout, f.Describe())
		return err
	}
	text, err := f.YAML()
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, text)
	return err
}

// frugal is the memory in bytes that is to do: 100,000 names fit.
const frugal = 280 << 20
