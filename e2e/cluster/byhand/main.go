// Command byhand owns the clusters that people leave up to try the charts in: it starts one with the images `make images`
// left and everything else the charts run, says how to reach it, and takes it down again.
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
	"github.com/spokedns/spokedns/e2e/stack"
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
	c, err := up(ctx, dir, name)
	if err != nil {
		cluster.PrintLogs(os.Stderr, dir, 10)
		_ = os.RemoveAll(dir)
		return err
	}
	fmt.Printf("%s\n\n  export KUBECONFIG=%s\n  export PATH=%s:$PATH    # its kubectl, and helm\n\n"+
		"  pods reach servers of this machine on %s; NodePorts are on %s\n  logs: %s\n",
		c.Summary(), c.Kubeconfig, filepath.Join(stack.Root(), ".tools"), c.HostIP, c.NodeIP, filepath.Join(dir, "log"))
	return nil
}

// up starts a cluster in which the charts can be installed as they stand.
func up(ctx context.Context, dir, name string) (*cluster.Cluster, error) {
	archives, err := filepath.Glob(filepath.Join(stack.Root(), "bin", "images", "*.tar"))
	if err != nil {
		return nil, err
	}
	if len(archives) == 0 {
		fmt.Println("  no images of ours yet: `make images` before makes them")
	}
	others, err := cluster.ChartImages()
	if err != nil {
		return nil, err
	}
	return cluster.Up(ctx, dir, cluster.Options{
		Name: name, Detached: true, Archives: archives, Images: others, Volumes: 3, // the members of an etcd
	})
}
