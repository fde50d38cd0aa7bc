package seed

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"
)

// scarce is a listener that fails before it accepts.
type scarce struct {
	net.Listener
	failures []error
}

func (s *scarce) Accept() (net.Conn, error) {
	if len(s.failures) == 0 {
		return s.Listener.Accept()
	}
	err := s.failures[0]
	s.failures = s.failures[1:]
	return nil, err
}

// serving starts a server whose listener fails in that way first.
func serving(t *testing.T, failures ...error) (*Server, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := New(ctx, Config{Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.tcp = &scarce{s.tcp, failures}
	done, ended := make(chan error, 1), make(chan struct{})
	go func() { defer close(ended); done <- s.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return s, done
}

func TestServeEndsWithItsListener(t *testing.T) {
	_, done := serving(t, net.ErrClosed)
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody is told that nothing is served any more")
	}
}

func TestServeOutlivesWhatPasses(t *testing.T) {
	passing := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	s, _ := serving(t, passing, passing, &net.OpError{Op: "accept", Err: syscall.ECONNABORTED})
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write([]byte{0, 1, 0}); err != nil { // no message: it hangs up
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("it is not served any more")
	}
}
