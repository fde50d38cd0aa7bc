// Command demo owns a newcomer's first five minutes: it starts a small hub-and-spoke landscape on
// loopback, deploys a few samples, shows who is answered what, and leaves everything running to be
// tried. With -once it ends after the table, successfully only if every answer is right.
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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, newScreen(os.Stdout), *once)
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

func run(ctx context.Context, out *screen, once bool) (err error) {
	out.printf("\n  %s  one external-dns, one webhook, two audiences\n\n", out.bold("spokedns"))
	dir, err := os.MkdirTemp("", "spokedns-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	// The cloud stops before the parts end, whatever the reason.
	ctx, cancel := context.WithCancel(ctx)
	l := newLandscape(dir)
	defer l.Close()
	defer cancel()

	if err := l.start(ctx, out); err != nil {
		return err
	}
	rows, err := l.tell(ctx, out)
	if err != nil {
		return err
	}
	right := show(out, rows)
	if once {
		if !right {
			return errWrong
		}
		return nil
	}
	l.invite(out)
	select {
	case <-ctx.Done():
	case err = <-l.broken:
	}
	out.printf("\n  Ending everything …")
	cancel()
	l.Close()
	out.printf(" nothing is left running.\n")
	return err
}
