package backend

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

// Kind says what a failure means to the caller.
type Kind int

const (
	// Temporary failures may heal by themselves: unreachable, throttled, timed out.
	Temporary Kind = iota
	// Conflict: what stands in the zone is not what the caller believed; it was left untouched.
	Conflict
	// Rejected: the service, or Limits, refuses this RRset; asking again will not help.
	Rejected
	// Denied: the credentials do not permit the operation.
	Denied
)

// String is the kind as it appears in metrics and messages.
func (k Kind) String() string {
	switch k {
	case Temporary:
		return "temporary"
	case Conflict:
		return "conflict"
	case Rejected:
		return "rejected"
	case Denied:
		return "denied"
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

// Error is a classified failure of one operation on a zone or on one RRset of it.
type Error struct {
	Kind Kind
	Op   string // "rfc2136: update", "etcd: list": the backend and what it was doing
	Zone string
	Key  Key // zero when the failure is about the whole zone
	Err  error
}

// Error reads "rfc2136: update example.org: www.example.org A: refused".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Zone != "" {
		b.WriteString(" " + e.Zone)
	}
	if e.Key != (Key{}) {
		b.WriteString(": " + e.Key.String())
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errors returns every *Error in err's tree, outermost first, in order. An error that holds none is
// returned as one Temporary *Error, so that nothing is lost.
func Errors(err error) []*Error {
	if err == nil {
		return nil
	}
	var out []*Error
	var walk func(error)
	walk = func(err error) {
		switch e := err.(type) { //nolint:errorlint // the tree is walked node by node here
		case *Error:
			out = append(out, e)
		case interface{ Unwrap() []error }:
			for _, sub := range e.Unwrap() {
				walk(sub)
			}
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		}
	}
	walk(err)
	if len(out) == 0 {
		out = append(out, &Error{Kind: Temporary, Op: "apply", Err: err})
	}
	return out
}

// KindOf classifies err: the kind of the first *Error in its tree, else Temporary.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Temporary
}

// Unfinished reports the changes that were not reached before ctx ended, as one Temporary error that
// counts them and names the first; nil when there are none. The cause of ctx is in its tree.
func Unfinished(ctx context.Context, op, zone string, changes []Change, done int) error {
	if len(changes) == 0 {
		return nil
	}
	return &Error{Kind: Temporary, Op: op, Zone: zone, Key: changes[0].Key(), Err: fmt.Errorf(
		"%d of %d changes made before the time ran out, this one is the next: %w", done, done+len(changes), context.Cause(ctx))}
}

// Caught calls do and returns a panic in it as an error, with its stack. A panic in a goroutine of a
// backend's own would end the program, because whoever called the backend cannot recover it.
func Caught(do func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	do()
	return nil
}
