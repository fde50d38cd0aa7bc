// Command demo owns a newcomer's first five minutes: it starts a small hub-and-spoke landscape on
// loopback, deploys a few samples, shows who is answered what, and leaves everything running to be
// tried. With -once it ends after the table, successfully only if every answer is right. With -wan it shows
// a site whose address changes instead, with -fleet two clusters that resolve each other's names, with -cluster the main
// job again with running pods, installed by helm, with -zones zones and records as objects on two servers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	once := flag.Bool("once", os.Getenv("ONCE") != "", "end after the table; the exit status says whether every answer is right")
	wan := flag.Bool("wan", os.Getenv("WAN") != "", "show a site whose address changes")
	fleet := flag.Bool("fleet", os.Getenv("FLEET") != "", "show two clusters that resolve each other's names")
	zones := flag.Bool("zones", os.Getenv("ZONES") != "", "show zones and records as objects on two servers, one of which is emptied")
	inside := flag.Bool("cluster", os.Getenv("CLUSTER") != "", "show the main job with running pods, installed by helm")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	begin := hubAndSpoke
	switch {
	case *wan:
		begin = changingSite
	case *fleet:
		begin = twoClusters
	case *zones:
		begin = zonesAsObjects
	case *inside:
		begin = inCluster
	}
	err := run(ctx, newScreen(os.Stdout), *once, begin)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
	case interrupted:
		os.Exit(130) // as a shell expects after Ctrl-C
	case errors.Is(err, errWrong):
		os.Exit(1)
	default:
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

// errWrong says that the table, which everybody saw, holds a wrong answer.
var errWrong = errors.New("not every answer is right")

// scene is something to be shown.
type scene interface {
	// start brings everything up, one visible step after the other.
	start(ctx context.Context, out *screen) error
	// play shows what happens, and says whether all of it is right.
	play(ctx context.Context, out *screen) (right bool, err error)
	// invite says how to go on.
	invite(out *screen)
	// ended tells of a part that ended without being asked to.
	ended() <-chan error
	Close()
}

func run(ctx context.Context, out *screen, once bool, begin func(dir string) (title string, s scene)) (err error) {
	dir, err := os.MkdirTemp("", "spokedns-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	title, l := begin(dir)
	out.printf("\n  %s  %s\n\n", out.bold("spokedns"), title)

	// The cloud stops before the parts end, whatever the reason.
	ctx, cancel := context.WithCancel(ctx)
	defer l.Close()
	defer cancel()

	if err := l.start(ctx, out); err != nil {
		return err
	}
	right, err := l.play(ctx, out)
	if err != nil {
		return err
	}
	if once {
		if !right {
			return errWrong
		}
		return nil
	}
	l.invite(out)
	select {
	case <-ctx.Done():
	case err = <-l.ended():
	}
	out.printf("\n  Ending everything …")
	cancel()
	l.Close()
	out.printf(" nothing is left running.\n")
	return err
}
