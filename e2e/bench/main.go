// Command bench owns the comparison of spokedns with its peers and with what the machine can do at
// best: it runs all of them in one go, takes turns between them, prints a table of medians and ratios,
// and writes it to docs/performance.md.
//
// The peers are external-dns's own providers, driven as libraries. BIND and etcd are the real ones, started
// on loopback; the clouds are the fakes of our tests, which refuse what the services refuse.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus" //nolint:depguard // the peers log through it

	"github.com/spokedns/spokedns/e2e/stack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run of the program.
type bench struct {
	n        int  // names in the fast rows; each has an address and an ownership text
	large    int  // names in the rows about large zones
	repeats  int  // of everything that takes less than about ten seconds
	full     bool // also let peers list large zones, which takes them minutes
	stack    *stack.Stack
	services *services // what stands for the Internet
	progress io.Writer
}

// subject is one file's measurements.
type subject struct {
	name    string
	measure func(b *bench, ctx context.Context) ([]row, error)
}

func subjects() []subject {
	return []subject{
		{"rfc2136", (*bench).rfc2136},
		{"etcd", (*bench).etcd},
		{"wire", (*bench).wire},
		{"endtoend", (*bench).endToEnd},
		{"failover", (*bench).failover},
		{"process", (*bench).process},
		{"zones", (*bench).zones},
		{"clouds", (*bench).clouds},
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{progress: stderr}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&b.n, "n", 10_000, "names in the fast rows")
	fs.IntVar(&b.large, "large", 100_000, "names in the rows about large zones")
	fs.IntVar(&b.repeats, "repeats", 3, "repeats of what takes less than about ten seconds")
	fs.BoolVar(&b.full, "full", false, "let the peers list the large zones too, which takes them minutes")
	only := fs.String("only", "", "comma-separated subjects to measure: "+strings.Join(names(), ", "))
	quick := fs.Bool("quick", false, "a tenth of everything, once: to see that it works")
	out := fs.String("o", filepath.Join(stack.Root(), "docs", "performance.md"), "file for the result of a run of all subjects")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *quick {
		b.n, b.large, b.repeats = b.n/10, b.large/10, 1
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	logrus.SetOutput(io.Discard) // the peers log a line per record

	dir, err := os.MkdirTemp("", "spokedns-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if b.services, err = newServices(dir); err != nil {
		return err
	}
	defer b.services.close()
	rows, err := b.measure(ctx, dir, chosen)
	if err != nil {
		return err
	}
	r := report{
		date: time.Now(), command: "go run ./bench " + strings.Join(args, " "),
		machine: describeMachine(ctx), n: b.n, large: b.large, rows: rows,
	}
	fmt.Fprint(stdout, r.text())
	if *only == "" && !*quick {
		return os.WriteFile(*out, []byte(r.markdown()), 0o644)
	}
	return nil
}

// measure runs the subjects one after the other, each with its own servers.
func (b *bench) measure(ctx context.Context, dir string, chosen []subject) ([]row, error) {
	var rows []row
	for _, s := range chosen {
		b.say("%s", s.name)
		sub := filepath.Join(dir, s.name)
		if err := os.Mkdir(sub, 0o700); err != nil {
			return nil, err
		}
		b.stack = stack.New(sub)
		more, err := s.measure(b, ctx)
		b.stack.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// say reports progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%s  "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}

func names() []string {
	var all []string
	for _, s := range subjects() {
		all = append(all, s.name)
	}
	return all
}

func choose(only string) ([]subject, error) {
	if only == "" {
		return subjects(), nil
	}
	var chosen []subject
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(subjects(), func(s subject) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: no subject %q; want some of %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, subjects()[i])
	}
	return chosen, nil
}
