// Command zonecontroller makes zones and records that are declared as objects true on DNS servers. It owns the wiring of
// what decides, what speaks to servers and what shows it, and the commands that people run by hand.
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
)

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "zonecontroller:", err)
		os.Exit(1)
	}
}

// run is the program without its process: what it is asked for in args is answered on stdout, logs go to stderr, and it
// ends with ctx.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, command, err := parse(args, stdout, stderr)
	if err != nil || command == nil {
		return err
	}
	return command(ctx, streams{stdout: stdout, log: c.Logger(stderr)})
}

// streams are where a command answers and where it logs.
type streams struct {
	stdout io.Writer
	log    *slog.Logger
}

func userAgent() string { return "spokedns-zonecontroller/" + program.Version(version) }
