// Package knot owns Knot DNS's control tool, knotc: commands, transactions on the configuration, and what
// they print.
package knot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Tool runs knotc against one control socket. It may be used by several goroutines.
type Tool struct {
	program, socket string

	mu sync.Mutex // Knot has one transaction at a time
}

// New returns a tool; an empty program is knotc. It runs nothing.
func New(program, socket string) *Tool {
	if program == "" {
		program = "knotc"
	}
	return &Tool{program: program, socket: socket}
}

// Error is what the tool said when a command failed.
type Error struct {
	Command string
	Text    string // "(no such zone found)"
}

// Error reads "knotc: zone-status: …".
func (e *Error) Error() string { return "knotc: " + e.Command + ": " + e.Text }

// Unreachable says that the tool cannot be run, or got no answer at the control socket.
type Unreachable struct {
	Socket string
	Err    error
}

// Error reads "knotc: /run/knot/knot.sock is not reached: …".
func (e *Unreachable) Error() string {
	return fmt.Sprintf("knotc: %s is not reached: %v", e.Socket, e.Err)
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

// Run runs one command and returns what it prints. Arguments are passed as they are, by no shell. Errors are
// *Error or *Unreachable.
func (t *Tool) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, t.program, append([]string{"-s", t.socket}, args...)...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	// Why a command failed stands on its standard output.
	text := strings.TrimSpace(said.String() + out.String())
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", &Unreachable{t.socket, context.Cause(ctx)}
	case err != nil && !errors.As(err, &exit):
		return "", &Unreachable{t.socket, err}
	case strings.Contains(text, "failed to connect") || strings.Contains(text, "failed to control"):
		return "", &Unreachable{t.socket, errors.New(text)}
	case err != nil:
		return "", &Error{command(args), strings.TrimSpace(strings.TrimPrefix(text, "error:"))}
	}
	return out.String(), nil
}

func command(args []string) string {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			return a
		}
	}
	return ""
}

const (
	// ours is in everything that we set. Knot has one transaction at a time, for all, and one that nobody ends
	// stays open for ever.
	ours = "spokedns"
	// abandoned is how long a transaction of ours may be open until it is taken for one of a process that ended.
	abandoned = 500 * time.Millisecond
	// patience is how long somebody else's transaction is waited for.
	patience = 20 * time.Second
)

// Change is a transaction: all of the commands, each "conf-set" or "conf-unset" with its arguments, or none. While
// somebody else has a transaction it waits; one about zones of ours that was left open, it ends.
func (t *Tool) Change(ctx context.Context, commands [][]string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.begin(ctx); err != nil {
		return err
	}
	err := t.each(ctx, append(slices.Clone(commands), []string{"conf-commit"}))
	if err != nil {
		// What was begun must not stay in the way of others, also when there is no time left.
		aborting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, _ = t.Run(aborting, "conf-abort")
	}
	return err
}

func (t *Tool) begin(ctx context.Context) error {
	const pause = 20 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		_, err := t.Run(ctx, "conf-begin")
		if !Says(err, "too many transactions") {
			return err
		}
		if waited >= patience {
			return fmt.Errorf("somebody has had a transaction open on %s for %s, end it by `knotc conf-abort`: %w", t.socket, patience, err)
		}
		if waited > abandoned {
			diff, err := t.Run(ctx, "conf-diff")
			if err == nil && (strings.TrimSpace(diff) == "" || strings.Contains(diff, ours)) {
				_, err = t.Run(ctx, "conf-abort")
			}
			var refused *Error
			if err != nil && !errors.As(err, &refused) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (t *Tool) each(ctx context.Context, commands [][]string) error {
	for _, c := range commands {
		if _, err := t.Run(ctx, c...); err != nil {
			return err
		}
	}
	return nil
}

// Says reports whether the tool failed with that text.
func Says(err error, text string) bool {
	var e *Error
	return errors.As(err, &e) && strings.Contains(e.Text, text)
}

// Section reads the configuration of one thing, "zone[example.org]": its items with their values, without its
// name. There is none when the thing is not there.
func (t *Tool) Section(ctx context.Context, id string) (map[string][]string, error) {
	text, err := t.Run(ctx, "conf-read", id)
	if Says(err, "invalid identifier") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return items(text), nil
}

// items reads lines of `zone[example.org.].acl = a b`.
func items(text string) map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(text) {
		path, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		_, item, in := strings.Cut(path, "].")
		if !ok || !in {
			continue
		}
		for _, v := range strings.Fields(value) {
			out[item] = append(out[item], strings.Trim(v, `"`))
		}
	}
	return out
}

// Identifiers are those of a section's things that begin with a prefix: "acl", "remote", "zone".
func (t *Tool) Identifiers(ctx context.Context, section, prefix string) ([]string, error) {
	text, err := t.Run(ctx, "conf-read", section)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(text) {
		path, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		value = strings.Trim(value, `"`)
		if ok && !strings.Contains(path, "[") && strings.HasPrefix(value, prefix) {
			out = append(out, value)
		}
	}
	return out, nil
}
