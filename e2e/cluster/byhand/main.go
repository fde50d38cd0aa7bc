// Command byhand owns the clusters that people leave up to look around in: it starts one, says how to
// reach it, and takes it down again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spokedns/spokedns/e2e/cluster"
)

func main() {
	name := flag.String("name", "spokedns", "of the cluster; several may be up")
	down := flag.Bool("down", false, "take it down instead of starting it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *name, *down)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string, down bool) error {
	dir := filepath.Join(os.TempDir(), "spokedns-cluster-"+name)
	if down {
		if err := cluster.Down(dir); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("%w: take the cluster down first (make cluster-down)", err)
	}
	c, err := cluster.Up(ctx, dir, cluster.Options{Name: name, Detached: true})
	if err != nil {
		cluster.PrintLogs(os.Stderr, dir, 10)
		_ = os.RemoveAll(dir)
		return err
	}
	fmt.Printf("%s\n\n  export KUBECONFIG=%s\n\n"+
		"  pods reach servers of this machine on %s; NodePorts are on %s\n  logs: %s\n",
		c.Summary(), c.Kubeconfig, c.HostIP, c.NodeIP, filepath.Join(dir, "log"))
	return nil
}
