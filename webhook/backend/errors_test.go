package backend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spokedns/spokedns/webhook/backend"
)

func TestErrorReadsFromTheOutsideIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  *backend.Error
		want string
	}{
		{&backend.Error{Op: "rfc2136: update", Zone: "example.org", Key: backend.Key{Name: "www.example.org", Type: "A"}, Err: errors.New("refused")},
			"rfc2136: update example.org: www.example.org A: refused"},
		{&backend.Error{Op: "etcd: list", Zone: "example.org", Err: io.ErrUnexpectedEOF}, "etcd: list example.org: unexpected EOF"},
		{&backend.Error{Op: "etcd: open", Err: io.EOF}, "etcd: open: EOF"},
		{&backend.Error{Op: "x", Key: backend.Key{Name: "a", Type: "A", SetID: "blue"}, Err: io.EOF}, "x: a A (blue): EOF"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if !errors.Is(c.err, c.err.Err) {
			t.Errorf("%v does not lead to its cause", c.err)
		}
	}
}

func TestErrorsFindsEveryOneInOrder(t *testing.T) {
	t.Parallel()
	one := &backend.Error{Kind: backend.Conflict, Op: "one", Err: backend.ErrConflict}
	two := &backend.Error{Kind: backend.Rejected, Op: "two", Err: errors.New("no")}
	three := &backend.Error{Kind: backend.Denied, Op: "three", Err: two}
	tree := fmt.Errorf("view public: %w", errors.Join(one, fmt.Errorf("apply: %w", errors.Join(two, three)), io.EOF))
	got := backend.Errors(tree)
	if len(got) != 3 || got[0] != one || got[1] != two || got[2] != three {
		t.Errorf("Errors = %v", got)
	}
	if k := backend.KindOf(tree); k != backend.Conflict {
		t.Errorf("KindOf = %s, want the first one's", k)
	}
}

func TestErrorsLosesNothing(t *testing.T) {
	t.Parallel()
	if got := backend.Errors(nil); got != nil {
		t.Errorf("Errors(nil) = %v", got)
	}
	plain := fmt.Errorf("dial: %w", io.EOF)
	got := backend.Errors(plain)
	if len(got) != 1 || got[0].Kind != backend.Temporary || !errors.Is(got[0], io.EOF) {
		t.Errorf("Errors of a plain error = %v, want it as one temporary error", got)
	}
	if k := backend.KindOf(plain); k != backend.Temporary {
		t.Errorf("KindOf a plain error = %s", k)
	}
}

func TestUnfinishedNamesTheNextChange(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	next := backend.RRset{Key: backend.Key{Name: "next.example.org", Type: "A"}}
	err := backend.Unfinished(ctx, "etcd: apply", "example.org", []backend.Change{{New: &next}, {Old: &next}}, 40)
	want := "etcd: apply example.org: next.example.org A: 40 of 42 changes made before the time ran out, this one is the next: context canceled"
	if err.Error() != want || backend.KindOf(err) != backend.Temporary || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := backend.Unfinished(ctx, "etcd: apply", "example.org", nil, 42); err != nil {
		t.Errorf("nothing left, but %v", err)
	}
}

func TestKindStrings(t *testing.T) {
	t.Parallel()
	for k, want := range map[backend.Kind]string{
		backend.Temporary: "temporary", backend.Conflict: "conflict", backend.Rejected: "rejected", backend.Denied: "denied", 9: "kind(9)",
	} {
		if k.String() != want {
			t.Errorf("Kind %d is %q", int(k), k)
		}
	}
}

func TestCaught(t *testing.T) {
	t.Parallel()
	done := false
	if err := backend.Caught(func() { done = true }); err != nil || !done {
		t.Errorf("got %v, done is %t", err, done)
	}
	err := backend.Caught(func() { panic("oh") })
	if err == nil || !strings.Contains(err.Error(), "panic: oh") || !strings.Contains(err.Error(), "TestCaught") {
		t.Errorf("got %v, want the panic and where it was", err)
	}
}
