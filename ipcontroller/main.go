// Command ipcontroller finds out the site's public addresses and keeps them in a ConfigMap. It owns the
// wiring: an election among its replicas, detection by the leader, and a page that shows what is known.
package main

import (
	"context"
	"fmt"
	"io"
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
		fmt.Fprintln(os.Stderr, "ipcontroller:", err)
		os.Exit(1)
	}
}

// run is the program without its process: what it is asked for in args is answered on stdout, logs go
// to stderr, and it ends with ctx.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stdout, stderr)
	if err != nil || c == nil {
		return err
	}
	log := c.Logger(stderr)
	cluster, err := c.Config("spokedns-ipcontroller/" + program.Version(version))
	if err != nil {
		return err
	}
	go program.Frugal(ctx, frugal)
	log.Info("starting", "version", program.Version(version), "configmap", c.Namespace+"/"+c.ConfigMap, "identity", c.Identity)
	p, err := newController(c, cluster, log)
	if err != nil {
		return err
	}
	return p.run(ctx)
}

// frugal is the memory in bytes that is to do; it takes a tenth of that.
const frugal = 64 << 20
